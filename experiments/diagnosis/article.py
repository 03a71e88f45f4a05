"""Why do runs of the article study fail, and does a cure help?  ``python experiments/diagnosis/article.py``.

Each setting has the 200 seeds of ``experiments/article``, whose goal is a validation R2 of 0.999. What failed runs have
first is counted. Of a few of them it is tried, with other seeds, which of the changes that this finding names cures;
the one that does most often is made to all 200. Where other seeds alone learn mostly, none can be better by intervals
that are apart; then a change counts with which the run itself learns, with its own seed.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import chainrule
from chainrule import Settings
from chainrule.analysis.shares import Share
from chainrule.registry.loaded import installed
from chainrule.replay.changes import CHANGES
from chainrule.replay.instrumented import Examined, examine, instruments
from chainrule.replay.proof import prove
from chainrule.replay.replays import Replay
from chainrule.replay.skill import skill

GOAL = 0.999  # the validation R2 of a run that has learned, as in the study
SEEDS, PROOFS, RUNS = 200, 3, 60
SETTINGS = {
    "sigmoid": [],
    "relu": ["activation=relu"],
    "gelu": ["activation=gelu"],
    "identity": ["activation=identity"],
    "sigmoid, zeros": ["initializer=zeros"],
}


def looked_at(words: Sequence[str], seeds: int) -> list[Examined]:
    """Train a setting with each seed, with instruments on the runs."""
    setting = chainrule.settings("experiment=article", *words, "tracking=none")
    results = chainrule.train([replace(setting, seed=seed) for seed in range(seeds)])
    return examine([Replay.of_result(result) for result in results], instruments(installed()), GOAL)


def causes(failed: Sequence[Examined]) -> dict[str, tuple[int, int]]:
    """Return how many runs have each symptom first, and how many of these from the start."""
    first = [one.findings[0] if one.findings else None for one in failed]
    counts = Counter(each.symptom if each else "nothing is found" for each in first)
    return {
        name: (count, sum(each is not None and each.symptom == name and each.onset == 0 for each in first))
        for name, count in counts.most_common()
    }


def cure(failed: Sequence[Examined], proofs: int, runs: int) -> str | None:
    """Return the change that cures most of some failed runs, of those that their first findings name."""
    named = {each.name: each.cures for each in instruments(installed())}
    counts: Counter[str] = Counter()
    for one in [one for one in failed if one.findings][:proofs]:
        chosen = [name for name in named[one.findings[0].instrument] if not CHANGES[name].standardizes]
        proof = prove(one.replay, one.findings[0].onset, GOAL, installed(), runs=runs, chosen=chosen)
        helpful = proof.cures or tuple(trial for trial in proof.trials if trial.own)
        counts.update(trial.change for trial in helpful[:1])
    return counts.most_common(1)[0][0] if counts else None


def cured(setting: Settings, name: str, seeds: int) -> Share:
    """Return how many runs learn with a change made."""
    changed = CHANGES[name].make(setting, installed())
    assert changed is not None
    results = chainrule.train([replace(changed, seed=seed) for seed in range(seeds)])
    return Share(sum(skill(result) >= GOAL for result in results), seeds)


def main() -> None:
    """Print the table."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--seeds", type=int, default=SEEDS)
    seeds, began = command.parse_args().seeds, time.perf_counter()
    print("| setting | learned | failed: what each has first (from the start) | cure | learned with it |")
    print("| --- | --- | --- | --- | --- |")
    for name, words in SETTINGS.items():
        found = looked_at(words, seeds)
        failed = [one for one in found if one.skill < GOAL]
        what = "; ".join(f"{count} {each} ({start})" for each, (count, start) in causes(failed).items())
        change = cure(failed, PROOFS, RUNS)
        after = cured(found[0].replay.settings, change, seeds) if change else "-"
        learned = Share(seeds - len(failed), seeds)
        print(f"| {name} | {learned} | {len(failed)}: {what} | {change or '-'} | {after} |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s by the clock, {time.process_time():.0f} s of the processor")


if __name__ == "__main__":
    main()

"""Run the comparison of a study, and draw it:  ``python experiments/compared.py activations``.

The comparison is the command in the study's configuration, ``conf/experiment/STUDY.yaml``. Its runs, report and numbers
lie in ``multirun/STUDY``; what is there already is gone on with. The tables are printed, the figure goes beside the
study's README.
"""

import argparse
import itertools
import json
import shlex
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import yaml
from matplotlib.axes import Axes

from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
CONFIGURATIONS = HERE.parent / "conf" / "experiment"
QUICK = "--targets sine,two_moons --budget 4 --tunings 4 --tuning-seeds 1 --seeds 2 training.epochs=50"
REDUCED = "--budget 12 --tuning-seeds 1"
COSTLY = "digits"  # whose runs take longest


def commands() -> dict[str, str]:
    """Return the command of each study that is a comparison, by its name."""
    found = {path.stem: yaml.safe_load(path.read_text())["command"] for path in sorted(CONFIGURATIONS.glob("*.yaml"))}
    return {study: command for study, command in found.items() if command.startswith("chainrule compare ")}


def compared(study: str, size: str = "", random_seed: int = 0) -> dict[str, Any]:
    """Run the comparison of a study, or what is left of it; return its numbers, ``comparison.json``.

    Args:
        study: its name.
        size: ``quick`` or ``reduced``; empty for all of it.
        random_seed: decides points and seeds.
    """
    directory = Path("multirun") / "-".join(filter(None, [study, size, str(random_seed or "")]))
    words = shlex.split(commands()[study])[1:]
    command = [*words, f"--random-seed={random_seed}", f"hydra.sweep.dir={directory}"]
    if directory.exists():
        command = ["resume", str(directory)]
    elif size == "quick":
        command += [*QUICK.split(), "hydra.launcher.workers=1"]
    elif size == "reduced":
        targets = words[words.index("--targets") + 1].split(",")
        command += [*REDUCED.split(), f"--targets={','.join(target for target in targets if target != COSTLY)}"]
    code = subprocess.run([sys.executable, "-m", "chainrule", *command]).returncode
    if code:
        sys.exit(code)  # the command has said why
    numbers: dict[str, Any] = json.loads(directory.joinpath("comparison.json").read_text())
    return numbers


def matrix(numbers: dict[str, Any], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return with which probability one wins against another, and whether they are separated.

    Returns:
        Two arrays ``(contenders, contenders)`` in the order of ``names``.
    """
    share, separated = np.full((len(names),) * 2, 0.5), np.zeros((len(names),) * 2, bool)
    for pair in numbers["pairs"]:
        i, j = names.index(pair["better"]), names.index(pair["worse"])
        share[i, j], share[j, i] = pair["probability"], 1 - pair["probability"]
        separated[i, j] = separated[j, i] = pair["separated"]
    return share, separated


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def repeated(found: Sequence[dict[str, Any]]) -> None:
    """Print how often comparisons that differ in points and seeds come to the same results."""
    header("answer", "times")
    for answer, times in Counter(numbers["answer"] for numbers in found).most_common():
        row(answer, times)
    header("first", "second", "the first is better", "the second is better", "equivalent", "not separated")
    for first, second in itertools.combinations(found[0]["contenders"], 2):
        verdicts = [_verdict(pair, first) for numbers in found for pair in numbers["pairs"] if _is(pair, first, second)]
        row(first, second, *(verdicts.count(each) for each in ("first", "second", "equivalent", "neither")))


def _is(pair: dict[str, Any], first: str, second: str) -> bool:
    return {pair["better"], pair["worse"]} == {first, second}


def _verdict(pair: dict[str, Any], first: str) -> str:
    if pair["separated"]:
        return "first" if pair["better"] == first else "second"
    return "equivalent" if pair["equivalent"] else "neither"


def tables(numbers: dict[str, Any], names: Sequence[str]) -> None:
    """Print who is better than whom, and what each does on each target."""
    header("contender", "better than", "worse than", "not separated from", "% of runs won")
    for standing in numbers["standings"]:
        level = ", ".join(standing["level_with"]) or "-"
        counts = len(standing["better_than"]), len(standing["worse_than"])
        row(standing["contender"], *counts, level, f"{100 * standing['probability']:.0f}")

    targets = numbers["targets"]
    entries = {(entry["contender"], entry["target"]): entry for entry in numbers["results"]}
    best = {target: min(_median(entries[name, target]) for name in names) for target in targets}
    header("median loss, 95 % interval", *targets)
    for name in names:
        row(name, *(_loss(entries[name, target], best[target]) for target in targets))
    header("median score", *targets)
    for name in names:
        row(name, *(_score(entries[name, target]["score"]) for target in targets))
    header("tuned", *targets)
    for name in names:
        row(name, *(_tuned(entries[name, target]) for target in targets))


def costs(numbers: dict[str, Any], names: Sequence[str]) -> None:
    """Print how long steps take, and who is ahead where both of a pair have spent equally much."""
    cost = numbers["cost"]
    if not cost:
        return
    header("contender", "time of a step", "seconds a run")
    for own in cost["contenders"]:
        low, high = own["spread"]
        row(own["contender"], f"{own['step']:.2f} ({low:.2f} to {high:.2f})", f"{own['run_seconds']:.3f}")
    for name, spent in (("equal_time", "time"), ("equal_evaluations", "gradient evaluations")):
        if cost[name]:
            _at_equal(cost[name]["pairs"], spent, names)


def _at_equal(pairs: Sequence[dict[str, Any]], spent: str, names: Sequence[str]) -> None:
    header(f"at equal {spent}", "ahead of", "behind", "% of runs won")
    for name in names:
        own = [pair for pair in pairs if name in (pair["better"], pair["worse"])]
        ahead = sum(pair["ahead"] == name for pair in own)
        behind = sum(pair["ahead"] not in (name, None) for pair in own)
        won = statistics.mean(abs((pair["worse"] == name) - pair["probability"]) for pair in own)
        row(name, ahead, behind, f"{100 * won:.0f}")


def _median(entry: dict[str, Any]) -> float:
    return np.inf if entry["median"] is None else entry["median"]


def _loss(entry: dict[str, Any], best: float) -> str:
    """Return median and interval, the best median in bold, and how many runs diverged."""
    low, high = (np.inf if end is None else end for end in entry["interval"] or (np.nan, np.nan))
    middle = f"{_median(entry):.2g}"
    lost = entry["diverged"] + entry["failed"]
    words = f"**{middle}**" if _median(entry) == best else middle
    return f"{words} [{low:.2g}, {high:.2g}]{f', {lost} diverged' if lost else ''}"


def _score(score: dict[str, float | None]) -> str:
    ((name, value),) = score.items()
    if value is None:
        return "-"
    return f"R2 {value:.3f}" if name == "r2" else f"{100 * value:.1f} %"


def _tuned(entry: dict[str, Any]) -> str:
    """Return the middle of the best points of all tunings, with a mark where the outermost that was tried was best."""
    words = []
    for key in entry["tuned"][0]:
        values = [point[key] for point in entry["tuned"]]
        numeric = all(isinstance(value, int | float) for value in values)
        middle = f"{statistics.median(values):.2g}" if numeric else str(statistics.mode(values))
        words.append(f"{middle}{' (edge)' if key in entry['at_edge'] else ''}")
    return ", ".join(words)


def draw(numbers: dict[str, Any], names: Sequence[str], path: Path) -> None:
    """Draw who is better than whom, and how close to the best each comes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, max(3.6, 2.1 + 0.22 * len(names))), width_ratios=(1.1, 1))
    targets, tunings, seeds = len(numbers["targets"]), numbers["tunings"], numbers["seeds"]
    figure.suptitle(
        f"{numbers['group']}: tuned alike {tunings} times on each of {targets} targets, then {seeds} fresh seeds each"
    )
    _draw_matrix(left, names, *matrix(numbers, names))
    factors, shares = numbers["profile"]["factors"], numbers["profile"]["shares"]
    for number, name in enumerate(names):
        right.plot(factors, 100 * np.array(shares[name]), label=name, linestyle="-" if number < 5 else "--")
    right.set(
        title="how close to the best they come", xlabel="times the smallest median loss", xscale="log",
        ylabel="% of runs with at most that", ylim=(-3, 103),
    )  # fmt: skip
    right.legend(loc="lower right", **({"fontsize": 7, "labelspacing": 0.2} if len(names) > 7 else {}))
    save(figure, path)


def _draw_matrix(axes: Axes, names: Sequence[str], share: np.ndarray, separated: np.ndarray) -> None:
    axes.imshow(np.where(separated, share, 0.5), cmap="PuOr", vmin=-0.1, vmax=1.1, aspect="auto")
    for i, j in itertools.permutations(range(len(names)), 2):
        color, weight = ("black", "bold") if separated[i, j] else ("0.5", "normal")
        text = f"{100 * share[i, j]:.0f}"
        axes.text(j, i, text, color=color, fontweight=weight, fontsize=8, ha="center", va="center")
    axes.set(title="% of runs that the left one wins\n(grey: not separated)")
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=commands())
    sizes = parser.add_mutually_exclusive_group()
    text = "two targets, few runs; the figure goes to the working directory"
    sizes.add_argument("--quick", action="store_const", dest="size", const="quick", default="", help=text)
    text = f"all targets but {COSTLY}, 12 points with one seed each, for repetitions; the figure likewise"
    sizes.add_argument("--reduced", action="store_const", dest="size", const="reduced", help=text)
    text = "repeat all of it with other points and seeds, and say how often the results are the same"
    parser.add_argument("--repeat", type=int, default=1, metavar="TIMES", help=text)
    chosen = parser.parse_args()
    plt.style.use(HERE / "figures.mplstyle")
    begin = time.perf_counter()
    found = [compared(chosen.study, chosen.size, number) for number in range(chosen.repeat)]
    numbers = found[0]
    names = [standing["contender"] for standing in numbers["standings"]]
    tables(numbers, names)
    costs(numbers, names)
    place = Path() if chosen.size else HERE / chosen.study
    place.mkdir(exist_ok=True)  # a new study has none yet
    draw(numbers, names, place / "comparison.png")
    if chosen.repeat > 1:
        repeated(found)
    print(f"\n{sum(each['runs'] for each in found):,} runs, {time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()

"""How often is a diagnosis right, and does its cure cure?  ``python experiments/diagnosis/sick.py``.

Runs are made sick on purpose, each kind in a way that is known by construction, on several targets, beside healthy runs
that differ in that alone. Instruments are put on all of them, and the cures that they name are tried. Rules were looked
at on other seeds, and on three of the targets only; what is printed is of seeds and targets that they had not seen.
"""

import argparse
import dataclasses
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import matplotlib.pyplot as plt

import chainrule
from chainrule.analysis.shares import Share
from chainrule.registry.loaded import installed
from chainrule.replay.instrumented import Examined, examine, instruments
from chainrule.replay.proof import prove
from chainrule.replay.replays import Replay, together
from chainrule.replay.skill import GOAL
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
TUNING, HELD_OUT = range(5), range(200, 210)  # seeds
PROOFS = 1  # sick runs of each kind and target whose cures are tried
RUNS = 60  # of a proof

NET = ["network.hidden=[16]", "activation=tanh", "initializer=xavier_normal", "training.batch_size=16"]
TARGETS = {  # healthy runs
    "linear": [*NET, "optimizer.lr=0.05", "training.epochs=100"],
    "sine": [*NET, "target=sine", "optimizer.lr=0.1", "training.epochs=400"],
    "two_moons": [*NET, "target=two_moons", "optimizer.lr=0.5", "training.epochs=300"],
    "friedman1": [*NET, "target=friedman1", "optimizer.lr=0.01", "training.epochs=300", "data.samples=500"],
    "xor": [*NET, "target=xor", "optimizer.lr=0.5", "training.epochs=300"],
    "wine": [*NET, "target=wine", "optimizer.lr=0.1", "training.epochs=60"],
}
SEEN = ("linear", "sine", "two_moons")  # targets of the tuning seeds
REGRESSIONS = ("linear", "sine", "friedman1")
RELU, DEEP = ["activation=relu", "initializer=he_normal"], ["network.hidden=[8,8,8,8,8,8,8,8,8,8]"]


@dataclass(frozen=True)
class Kind:
    """A way to make a run sick.

    Attributes:
        name: of the way.
        causes: names of instruments of which one must state it.
        effects: those that state what the sickness itself does, by construction; the reason stands beside each. What
            may come of that in turn, such as a plateau after units have died of a large rate, is no effect.
        words: settings that make a healthy run sick.
        healthy: settings of the healthy run beside it, beside those of its target.
        targets: those that it makes sense on.
    """

    name: str
    causes: Sequence[str]
    effects: Sequence[str]
    words: Sequence[str]
    healthy: Sequence[str] = ()
    targets: Sequence[str] = tuple(TARGETS)


KINDS = (
    Kind("a rate beyond 2 / lambda_max", ["rate_above_curvature"],
         ["exploding_gradients", "update_size"],  # each step is larger than the one before
         ["network.hidden=[]", "training.batch_size=null", "optimizer.lr=4"],
         ["network.hidden=[]", "training.batch_size=null", "optimizer.lr=0.3"], ["linear"]),
    Kind("a rate of 30", ["rate_above_curvature", "exploding_gradients"],
         ["update_size", "oscillation", "dead_units"],  # a step overshoots, or puts all of a ReLU's inputs below 0
         [*RELU, "optimizer.lr=30"], RELU),
    Kind("a rate of 1e-8", ["update_size"],
         ["plateau"],  # the loss cannot fall by 5 % so
         ["optimizer.lr=1e-8"]),
    Kind("weights that are all 0", ["identical_units"],
         ["plateau", "vanishing_gradients", "update_size"],  # no delta passes weights of 0
         ["initializer=zeros"]),
    Kind("ReLUs that never fire", ["dead_units"],
         ["plateau", "vanishing_gradients", "update_size"],  # no delta passes a slope of 0
         [*RELU, "network.hidden=[16,16]", "initializer=normal", "initializer.mean=-4"],
         [*RELU, "network.hidden=[16,16]"]),
    Kind("sigmoids driven into saturation", ["saturated_units"],
         ["plateau", "vanishing_gradients", "update_size",  # no delta passes a slope of 0
          "rate_above_curvature", "oscillation"],  # sixteen units that are 1: a Hessian 17 times as large
         ["network.hidden=[16,16]", "activation=sigmoid", "initializer=normal", "initializer.mean=30"],
         ["network.hidden=[16,16]"]),
    Kind("ten sigmoids in a row", ["vanishing_gradients"],
         ["plateau", "update_size"],  # ten slopes of at most 1/4: only the last layers move
         [*DEEP, "activation=sigmoid"], ["network.hidden=[8,8]"]),
    Kind("weights of a deep net that are too large", ["exploding_gradients", "rate_above_curvature"],
         ["update_size", "oscillation"],  # a step overshoots
         [*DEEP, "activation=identity", "initializer=normal", "initializer.std=3"], ["network.hidden=[8,8]"]),
    Kind("a sigmoid before other values", ["output_range"],
         ["plateau"],  # an error is left that no step can lessen
         ["output=sigmoid"], (), REGRESSIONS),
    Kind("a tanh before other values", ["output_range"],
         ["plateau"],  # likewise
         ["output=tanh"], (), ["linear", "friedman1"]),
    Kind("a squared error behind a saturated output", ["loss_mismatch"],
         ["plateau", "update_size",  # no delta passes a slope of 0
          "saturated_units"],  # hidden units have the same large weights
         ["output=sigmoid", "loss=half_squared_error", "initializer=normal", "initializer.std=40"], (),
         ["two_moons", "xor"]),
    Kind("inputs in thousands", ["input_scale"],
         ["rate_above_curvature", "exploding_gradients", "saturated_units"],  # z and the Hessian are as large
         ["target=table", "target.path=scaled.csv"],
         ["target=table", "target.path=scaled.csv", "target.standardize=true"], ["linear"]),
    Kind("sixteen noisy samples", ["overfitting"], (),
         ["network.hidden=[40]", "optimizer=adam", "optimizer.lr=0.01", "training.epochs=1500", "data.samples=40",
          "data.validation=0.6", "data.noise=0.5"],
         ["network.hidden=[40]", "optimizer=adam", "optimizer.lr=0.01", "data.samples=500"], ["sine"]),
    Kind("noise as large as the signal", ["noise_floor"],
         ["plateau"],  # nothing more can be learned
         ["data.noise=3"], (), ["linear"]),
    Kind("noise twice as large as a sine", ["noise_floor"],
         ["plateau"],  # likewise
         ["data.noise=1.5", "training.epochs=60"], (), ["sine"]),
    Kind("too few epochs", ["too_few_epochs"], (), ["optimizer.lr=0.01", "training.epochs=5"]),
    Kind("single samples at a rate of 0.4", ["oscillation", "rate_above_curvature"],
         ["update_size"],  # a step overshoots
         ["training.batch_size=1", "optimizer.lr=0.4"], ["training.batch_size=1", "optimizer.lr=0.02"], ["sine"]),
    Kind("single samples at a rate of 5", ["oscillation", "rate_above_curvature"],
         ["update_size", "saturated_units"],  # a step overshoots, far into both ends of tanh
         ["training.batch_size=1", "optimizer.lr=5"], ["training.batch_size=1", "optimizer.lr=0.1"],
         ["two_moons", "xor"]),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A run of the study: of a kind, sick or not, on a target, with a seed."""

    kind: Kind
    is_sick: bool
    target: str
    seed: int

    @property
    def words(self) -> tuple[str, ...]:
        """Its settings, but for the seed."""
        own = self.kind.words if self.is_sick else self.kind.healthy
        return (*TARGETS[self.target], *own, "tracking=none")

    @property
    def causes(self) -> set[str]:
        """The instruments that name what it is sick of."""
        return set(self.kind.causes) if self.is_sick else set()

    @property
    def right(self) -> set[str]:
        """The instruments that may state something of it."""
        return {*self.kind.causes, *self.kind.effects} if self.is_sick else set()


def cases(seeds: Sequence[int], targets: Sequence[str] = tuple(TARGETS)) -> list[Case]:
    """Return the runs of the study."""
    return [
        Case(kind, is_sick, target, seed)
        for kind in KINDS
        for target in kind.targets
        if target in targets
        for is_sick in (True, False)
        for seed in seeds
    ]


def write_table() -> None:
    """Write a table whose inputs are in thousands, into the working directory."""
    lines = ["a,b,y"]
    for number in range(200):
        a, b = 1000 + 37 * (number % 50), -3000 + 53 * (number * 7 % 61)
        lines.append(f"{a},{b},{a / 1000 + b / 1000:.4f}")
    Path("scaled.csv").write_text("\n".join(lines) + "\n")


def looked_at(chosen: Sequence[Case]) -> list[tuple[Case, Examined]]:
    """Train runs, as stacks where they can be, and put instruments on each."""
    composed = {words: chainrule.settings(*words) for words in dict.fromkeys(case.words for case in chosen)}
    trained = together([Replay(replace(composed[case.words], seed=case.seed)) for case in chosen])
    replays = [Replay.of_result(each.result) for each in trained]
    return list(zip(chosen, examine(replays, instruments(installed())), strict=True))


def stated(one: Examined) -> set[str]:
    """Return the names of the instruments that state something."""
    return {finding.instrument for finding in one.findings}


def once(found: Sequence[tuple[Case, Examined]]) -> list[tuple[Case, Examined]]:
    """Return runs without those that are there already: several kinds have the same healthy run beside them."""
    return list({(case.words, case.seed): (case, one) for case, one in found}.values())


@dataclass
class Counts:
    """What an instrument has stated; one entry a statement, or a sick run of its kinds.

    Attributes:
        names: whether a statement names the cause.
        right: whether it names the cause, or one of its effects.
        recalled: whether it is stated of a run with its cause.
        first: whether it is stated there before all else.
    """

    names: list[bool] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    recalled: list[bool] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)


def counted(found: Sequence[tuple[Case, Examined]]) -> dict[str, Counts]:
    """Return the counts of each instrument.

    Healthy runs that have not learned, and sick ones that have, do not count.
    """
    counts = {each.name: Counts() for each in instruments(installed())}
    for case, one in found:
        if case.is_sick == (one.skill >= GOAL):
            continue
        names = stated(one)
        for name in names:
            counts[name].names.append(name in case.causes)
            counts[name].right.append(name in case.right)
        if case.is_sick:
            hit = names & set(case.kind.causes)
            first = one.findings[0].instrument if one.findings else ""
            for name in hit or case.kind.causes[:1]:
                counts[name].recalled.append(bool(hit))
                counts[name].first.append(first == name)
    return counts


def share(hits: Sequence[bool]) -> str:
    return str(Share(sum(hits), len(hits))) if hits else "-"


def row(cells: Sequence[object]) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def tried(
    found: Sequence[tuple[Case, Examined]], proofs: int, runs: int
) -> Iterator[tuple[Kind, list[bool], list[str], float]]:
    """Yield of each kind whether a cure that the first finding names cures: of some sick runs of each target.

    Besides, the cures themselves, by how many runs they cure, and the seconds of processor time that it took.
    """
    cures = {each.name: each.cures for each in instruments(installed())}
    for kind in KINDS:
        done: list[bool] = []
        cured: Counter[str] = Counter()
        began = time.process_time()
        for target in kind.targets:
            sick = [one for case, one in found if (case.kind, case.target, case.is_sick) == (kind, target, True)]
            for one in [one for one in sick if one.skill < GOAL and one.findings][:proofs]:
                first = one.findings[0]
                if cures[first.instrument]:
                    named = cures[first.instrument]
                    proof = prove(one.replay, first.onset, GOAL, installed(), runs=runs, chosen=named)
                    done.append(bool(proof.cures))
                    cured.update(trial.change for trial in proof.cures)
        yield kind, done, [f"{name} ({count})" for name, count in cured.most_common()], time.process_time() - began


def tables(found: Sequence[tuple[Case, Examined]]) -> dict[str, Share]:
    """Print the tables; return the share of runs of each kind whose cause is stated."""
    recognized: dict[str, Share] = {}
    row(["kind", "has not learned", "healthy: has learned", "cause stated", "cause first"])
    row(["---"] * 5)
    for kind in KINDS:
        sick = [one for case, one in found if case.kind is kind and case.is_sick]
        healthy = [one for case, one in found if case.kind is kind and not case.is_sick]
        failed = [one for one in sick if one.skill < GOAL]
        causes = set(kind.causes)
        hits = [bool(stated(one) & causes) for one in failed]
        first = [bool(one.findings) and one.findings[0].instrument in causes for one in failed]
        if hits:
            recognized[kind.name] = Share(sum(hits), len(hits))
        learned = [one.skill >= GOAL for one in healthy]
        row([kind.name, share([one.skill < GOAL for one in sick]), share(learned), share(hits), share(first)])
    print()
    row(["instrument", "names the cause", "cause or effect", "recall", "first", "of healthy runs"])
    row(["---"] * 6)
    well = [stated(one) for case, one in once(found) if not case.is_sick and one.skill >= GOAL]
    for name, of in counted(once(found)).items():
        shares = map(share, (of.names, of.right, of.recalled, of.first, [name in names for names in well]))
        row([name, *shares])
    return recognized


def sources() -> None:
    """Print the thresholds of each instrument, and where they are from."""
    row(["thresholds of", "values", "source"])
    row(["---"] * 3)
    for each in instruments(installed()):
        values = ", ".join(f"{name} {value:g}" for name, value in dataclasses.asdict(each).items())
        row([each.name, values, each.source])


def wrong(found: Sequence[tuple[Case, Examined]]) -> Iterator[str]:
    """Yield what is stated wrongly, and what is missed, a line a run: for whoever changes a rule."""
    for case, one in found:
        names, is_well = stated(one), one.skill >= GOAL
        false = names - case.right
        missed = case.is_sick and not is_well and not names & set(case.kind.causes)
        if case.is_sick == is_well or (not false and not missed):
            continue
        what = ", ".join(f"{each.instrument} ({each.sentence})" for each in one.findings if each.instrument in false)
        yield f"{case.kind.name}, {case.target}, seed {case.seed}, sick {case.is_sick}, skill {one.skill:.3g}: " + (
            f"false: {what}" if false else f"missed: {', '.join(names)}"
        )


def main() -> None:
    """Print the tables, and draw how often each kind is recognized."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--quick", action="store_true", help="two seeds of one target, in the working directory")
    command.add_argument("--tuning", action="store_true", help="the seeds and targets that rules are looked at on")
    given = command.parse_args()
    began = time.perf_counter()
    write_table()
    if given.tuning:
        found = looked_at(cases(TUNING, SEEN))
        tables(found)
        print("\n".join(["", *wrong(found)]))
        return
    found = looked_at(cases(HELD_OUT[:2], ["linear"]) if given.quick else cases(HELD_OUT))
    print(f"{len(found)} runs, with instruments: {time.process_time():.0f} s of the processor\n")
    draw(tables(found), Path() if given.quick else HERE)
    print()
    sources()
    print()
    row(["kind of which the first finding's cure is tried", "it cures", "by (of so many)", "s"])
    row(["---"] * 4)
    for kind, cured, by, seconds in tried(found, PROOFS, RUNS):
        row([kind.name, share(cured), ", ".join(by) or "-", f"{seconds:.0f}"])
    print("\n".join(["", *wrong(found)]))
    print(f"\n{time.perf_counter() - began:.0f} s by the clock, {time.process_time():.0f} s of the processor")


def draw(recognized: Mapping[str, Share], folder: Path) -> None:
    """Draw the share of runs of each kind whose cause is stated, with its interval."""
    figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
    for place, each in enumerate(recognized.values()):
        low, high = each.interval
        ax.plot([100 * low, 100 * high], [place, place], color="tab:blue")
        ax.plot(100 * each.value, place, "o", color="tab:blue")
    ax.set_yticks(range(len(recognized)), list(recognized))
    ax.invert_yaxis()
    ax.set_xlim(-2, 102)
    ax.set_xlabel("runs whose cause is stated, % (Wilson's 95 % interval)")
    save(figure, folder / "recognized.png")


if __name__ == "__main__":
    main()

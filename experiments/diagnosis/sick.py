"""How often is a diagnosis right, and does its cure cure?  ``python experiments/diagnosis/sick.py``.

Runs are made sick on purpose, each kind in a way that is known by construction, and beside each kind there is a healthy
one that differs in that alone. Instruments are put on all of them, and what they name is tried.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt

import chainrule
from chainrule.analysis.shares import Share
from chainrule.registry.registry import installed
from chainrule.replay.diagnosis import GOAL
from chainrule.replay.instrumented import Examined, examine, instruments, of_settings
from chainrule.replay.proof import prove, skill
from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
SEEDS, QUICK_SEEDS = 20, 2
PROOFS, QUICK_PROOFS = 5, 1  # sick runs of each kind whose cure is tried
RUNS, QUICK_RUNS = 200, 60  # of a proof

PLANE = ["network.hidden=[]", "training.batch_size=null", "training.epochs=300", "optimizer.lr=0.3"]
NET = ["network.hidden=[8]", "activation=tanh", "initializer=xavier_normal", "training.batch_size=16"]
SMALL = [*NET, "optimizer.lr=0.05", "training.epochs=100"]
WIDE = ["network.hidden=[8,8]"]
DEEP = ["network.hidden=[8,8,8,8,8,8]", "training.batch_size=16", "training.epochs=60", "target=sine"]
XOR = ["target=xor", "network.hidden=[4]", "activation=tanh", "training.epochs=300", "training.batch_size=16"]
NOISY = ["target=sine", "network.hidden=[40]", "activation=tanh", "optimizer=adam", "optimizer.lr=0.01"]


@dataclass(frozen=True)
class Kind:
    """A way to make a run sick.

    Attributes:
        name: of the way.
        sick, healthy: settings.
        causes: names of instruments of which one must state it.
        effects: those that may state what follows from it.
        cures: changes that undo it, by construction.
    """

    name: str
    sick: Sequence[str]
    healthy: Sequence[str]
    causes: Sequence[str]
    effects: Sequence[str]
    cures: Sequence[str]


STUCK = ("plateau", "update_size", "vanishing_gradients")
KINDS = (
    Kind("rate beyond 2 / lambda_max", [*PLANE, "optimizer.lr=2.5"], PLANE,
         ["rate_above_curvature"], ["exploding_gradients", "update_size", "oscillation"], ["rate/10"]),
    Kind("rate 10 in a ReLU net", [*SMALL, "activation=relu", "optimizer.lr=10"], [*SMALL, "activation=relu"],
         ["exploding_gradients", "rate_above_curvature"], ["dead_units", "update_size", "oscillation", *STUCK],
         ["rate/100"]),
    Kind("rate 1e-8", [*SMALL, "optimizer.lr=1e-8"], SMALL, ["update_size"], ["plateau"], ["rate*100"]),
    Kind("zeros", [*SMALL, "initializer=zeros"], SMALL, ["identical_units"], STUCK, ["initializer"]),
    Kind("ReLUs that never fire", [*SMALL, *WIDE, "activation=relu", "initializer=normal", "initializer.mean=-4"],
         [*SMALL, *WIDE, "activation=relu", "initializer=he_normal"], ["dead_units"], STUCK,
         ["activation", "initializer"]),
    Kind("units driven into saturation",
         [*SMALL, *WIDE, "activation=sigmoid", "initializer=normal", "initializer.mean=30"],
         [*SMALL, *WIDE],
         ["saturated_units", "identical_units"], [*STUCK, "oscillation"], ["initializer"]),
    Kind("ten sigmoids in a row",
         [*DEEP, "network.hidden=[8,8,8,8,8,8,8,8,8,8]", "activation=sigmoid", "optimizer.lr=0.05",
          "initializer=xavier_normal"],
         [*DEEP, "activation=tanh", "optimizer.lr=0.05", "initializer=xavier_normal"],
         ["vanishing_gradients"], STUCK, ["shallower", "activation", "norm"]),
    Kind("weights of a deep net too large",
         [*DEEP, "activation=identity", "initializer=normal", "initializer.std=3", "optimizer.lr=1e-5"],
         [*DEEP, "activation=tanh", "optimizer.lr=0.05", "initializer=xavier_normal"],
         ["exploding_gradients", "rate_above_curvature"], [*STUCK, "oscillation"], ["initializer"]),
    Kind("a sigmoid before values from 5 to 15", [*SMALL, "output=sigmoid"], SMALL, ["output_range"], STUCK,
         ["output"]),
    Kind("a tanh before values from 5 to 15", [*SMALL, "output=tanh"], SMALL, ["output_range"], STUCK,
         ["output"]),
    Kind("squared error behind a saturated sigmoid",
         [*XOR, "output=sigmoid", "loss=half_squared_error", "initializer=normal", "initializer.std=40",
          "optimizer.lr=0.05"],
         [*XOR, "optimizer.lr=0.2", "initializer=xavier_normal"], ["loss_mismatch", "saturated_units"], STUCK,
         ["output", "initializer"]),
    Kind("inputs in thousands", ["target=table", "target.path=scaled.csv", *SMALL],
         ["target=table", "target.path=scaled.csv", "target.standardize=true", *SMALL],
         ["input_scale", "saturated_units"],
         ["rate_above_curvature", "exploding_gradients", "oscillation", *STUCK], ["standardized"]),
    Kind("twenty noisy samples", [*NOISY, "data.samples=20", "data.noise=0.5", "training.epochs=1500"],
         [*NOISY, "data.samples=500", "training.epochs=200"], ["overfitting"],
         ["noise_floor", "oscillation", "too_few_epochs"], ["more samples", "l2"]),
    Kind("noise as large as the signal", [*SMALL, "data.noise=2.5", "training.epochs=40"], SMALL,
         ["noise_floor"], ["plateau", "oscillation", "overfitting"], []),
    Kind("ten epochs", [*PLANE, "optimizer.lr=0.02", "training.epochs=10"], PLANE, ["too_few_epochs"], [],
         ["epochs*5", "rate*10"]),
    Kind("a rate at which the loss jumps", [*SMALL, "training.batch_size=1", "optimizer.lr=0.15"],
         [*SMALL, "training.batch_size=1", "optimizer.lr=0.02"], ["oscillation"],
         ["update_size", "rate_above_curvature", "saturated_units", "dead_units", *STUCK], ["rate/10", "cosine"]),
)  # fmt: skip


def write_table() -> None:
    """Write a table whose inputs are in thousands, into the working directory."""
    lines = ["a,b,y"]
    for number in range(200):
        a, b = 1000 + 37 * (number % 50), -3000 + 53 * (number * 7 % 61)
        lines.append(f"{a},{b},{a / 1000 + b / 1000:.4f}")
    Path("scaled.csv").write_text("\n".join(lines) + "\n")


def trained(words: Sequence[str], seeds: int) -> list[Examined]:
    """Train a kind of run with several seeds, and put instruments on each."""
    settings = [chainrule.settings(*words, "tracking=none", f"seed={seed}") for seed in range(seeds)]
    return examine([of_settings(each) for each in settings], instruments(installed()))


def confusion(found: Mapping[str, tuple[list[Examined], list[Examined]]]) -> dict[str, list[int]]:
    """Return of each instrument: stated rightly, stated wrongly, missed."""
    counts = {each.name: [0, 0, 0] for each in instruments(installed())}
    for kind in KINDS:
        if kind.name not in found:
            continue
        for runs, right in zip(found[kind.name], ({*kind.causes, *kind.effects}, set[str]()), strict=True):
            for one in runs:
                stated = {finding.instrument for finding in one.findings}
                for name in stated:
                    counts[name][0 if name in right else 1] += 1
                if right and not stated & set(kind.causes):
                    counts[kind.causes[0]][2] += 1
    return counts


def row(cells: Sequence[object]) -> None:
    print(f"| {' | '.join(map(str, cells))} |")


def main() -> None:
    """Print the tables, and draw how often each kind is recognized."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--quick", action="store_true", help="a few runs of each kind, in the working directory")
    quick = command.parse_args().quick
    seeds, proofs, runs = (QUICK_SEEDS, QUICK_PROOFS, QUICK_RUNS) if quick else (SEEDS, PROOFS, RUNS)
    began = time.perf_counter()
    write_table()
    found = {kind.name: (trained(kind.sick, seeds), trained(kind.healthy, seeds)) for kind in KINDS}
    recognized: dict[str, Share] = {}
    row(["kind", "has not learned", "healthy: has learned", "cause stated", "cause stated first", "named cure cures"])
    row(["---"] * 6)
    for kind in KINDS:
        sick, healthy = found[kind.name]
        failed = [one for one in sick if skill(one.result) < GOAL]
        stated = [bool({finding.instrument for finding in one.findings} & set(kind.causes)) for one in sick]
        first = [bool(one.findings) and one.findings[0].instrument in kind.causes for one in sick]
        recognized[kind.name] = Share(sum(stated), len(sick))
        cured = []
        for one in failed[:proofs] if kind.cures else ():
            onset = min((finding.onset for finding in one.findings), default=0)
            proof = prove(one.replay, onset, GOAL, installed(), runs=runs, chosen=kind.cures)
            cured.append(bool(proof.cures))
        row([
            kind.name,
            Share(len(failed), len(sick)),
            Share(sum(skill(one.result) >= GOAL for one in healthy), len(healthy)),
            recognized[kind.name],
            Share(sum(first), len(first)),
            Share(sum(cured), len(cured)) if cured else "-",
        ])  # fmt: skip
    print()
    row(["instrument", "precision", "recall"])
    row(["---"] * 3)
    for name, (right, wrong, missed) in confusion(found).items():
        precision = Share(right, right + wrong) if right + wrong else "-"
        row([name, precision, Share(right, right + missed) if right + missed else "-"])
    print(f"\n{time.perf_counter() - began:.0f} s")
    draw(recognized, Path() if quick else HERE)


def draw(recognized: Mapping[str, Share], folder: Path) -> None:
    """Draw the share of runs of each kind whose cause is stated, with its interval."""
    figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
    for place, share in enumerate(recognized.values()):
        low, high = share.interval
        ax.plot([100 * low, 100 * high], [place, place], color="tab:blue")
        ax.plot(100 * share.value, place, "o", color="tab:blue")
    ax.set_yticks(range(len(recognized)), list(recognized))
    ax.invert_yaxis()
    ax.set_xlim(-2, 102)
    ax.set_xlabel("runs whose cause is stated, % (Wilson's 95 % interval)")
    save(figure, folder / "recognized.png")


if __name__ == "__main__":
    main()

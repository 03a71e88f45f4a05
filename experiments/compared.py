"""Run the comparison of a study, and draw it:  ``python experiments/compared.py activations``.

The comparison is the command in the study's configuration, ``conf/experiment/STUDY.yaml``. Its runs, report and numbers
lie in ``multirun/STUDY``; if they are there already the command goes on with them. The tables are printed, the figure
goes beside the study's README.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from chainrule_pictures.canvas import save

HERE = Path(__file__).parent
CONFIGURATIONS = HERE.parent / "conf" / "experiment"
QUICK = "--targets sine,two_moons,wine --budget 8 --seeds 10 training.epochs=50"


def compared(study: str, directory: Path, quick: bool) -> dict[str, Any]:
    """Run the comparison of a study, or what is left of it; return its numbers, ``comparison.json``."""
    prefix = "# chainrule "
    line = CONFIGURATIONS.joinpath(f"{study}.yaml").read_text().splitlines()[1]
    if not line.startswith(f"{prefix}compare "):
        sys.exit(f"conf/experiment/{study}.yaml does not begin with the command of a comparison.")
    command = [*shlex.split(line.removeprefix(prefix)), f"hydra.sweep.dir={directory}"]
    if directory.exists():
        command = ["resume", str(directory)]
    elif quick:
        command += QUICK.split()
    subprocess.run([sys.executable, "-m", "chainrule", *command], check=True)
    numbers: dict[str, Any] = json.loads(directory.joinpath("comparison.json").read_text())
    return numbers


class Pairs:
    """What a comparison says about each two contenders.

    Attributes:
        names: of the contenders, from the one that is better than most to the one that is worse than most.
        share: probability that a run of one is better than a run of another, ``(contenders, contenders)``.
        separated: whether the data separate them, of the same shape.
    """

    def __init__(self, numbers: dict[str, Any]) -> None:
        names = numbers["contenders"]
        share, separated = np.full((len(names),) * 2, 0.5), np.zeros((len(names),) * 2, bool)
        for pair in numbers["pairs"]:
            i, j = names.index(pair["better"]), names.index(pair["worse"])
            share[i, j], share[j, i] = pair["probability"], 1 - pair["probability"]
            separated[i, j] = separated[j, i] = pair["separated"]
        order = np.argsort(-share.mean(axis=1), kind="stable")
        self.names = [names[place] for place in order]
        self.share, self.separated = share[np.ix_(order, order)], separated[np.ix_(order, order)]

    def standing(self, place: int) -> tuple[int, int, list[str]]:
        """Return how many others a contender is better than, worse than, and those not separated from it."""
        won = self.separated[place] & (self.share[place] > 0.5)
        lost = self.separated[place] & ~won
        level = [n for n, separated in zip(self.names, self.separated[place], strict=True) if not separated]
        return won.sum(), lost.sum(), [name for name in level if name != self.names[place]]


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*cells: object) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def tables(numbers: dict[str, Any], pairs: Pairs) -> None:
    """Print who is better than whom, and what each does on each target."""
    print(numbers["answer"])
    header("contender", "better than", "worse than", "not separated from", "better than another in % of pairs of runs")
    others = len(pairs.names) - 1
    for place, name in enumerate(pairs.names):
        won, lost, level = pairs.standing(place)
        mean = (pairs.share[place].sum() - 0.5) / others
        row(name, won, lost, ", ".join(level) or "-", f"{100 * mean:.0f}")

    entries = {(entry["contender"], entry["target"]): entry for entry in numbers["results"]}
    best = {t: min(_median(entries[c, t]) for c in pairs.names) for t in numbers["targets"]}
    header("median loss, 95 % interval", *numbers["targets"])
    for c in pairs.names:
        row(c, *(_loss(entries[c, t], best[t]) for t in numbers["targets"]))
    header("median score", *numbers["targets"])
    for c in pairs.names:
        row(c, *(_score(entries[c, t]["score"]) for t in numbers["targets"]))
    header("tuned", *numbers["targets"])
    for c in pairs.names:
        row(c, *(_tuned(entries[c, t]) for t in numbers["targets"]))


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
    """Return the point that was best, with a mark where a number is the outermost that was tried."""
    words = []
    for key, value in entry["tuned"].items():
        number = f"{value:.2g}" if isinstance(value, float) else str(value)
        words.append(f"{number}{' (edge)' if key in entry['at_edge'] else ''}")
    return ", ".join(words)


def draw(numbers: dict[str, Any], pairs: Pairs, path: Path) -> None:
    """Draw who is better than whom, and how close to the best each comes."""
    many = len(pairs.names)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.1 + 0.22 * many), width_ratios=(1.1, 1))
    targets, seeds = len(numbers["targets"]), numbers["seeds"]
    figure.suptitle(f"{numbers['group']}: tuned alike, then {seeds} fresh seeds on each of {targets} targets")
    _matrix(left, pairs)
    factors, shares = numbers["profile"]["factors"], numbers["profile"]["shares"]
    for number, name in enumerate(pairs.names):
        right.plot(factors, 100 * np.array(shares[name]), label=name, linestyle="-" if number < 5 else "--")
    right.set(
        title="how close to the best they come", xlabel="times the smallest median loss", xscale="log",
        ylabel="% of runs with at most that", ylim=(-3, 103),
    )  # fmt: skip
    right.legend(loc="lower right")
    save(figure, path)


def _matrix(axes: Axes, pairs: Pairs) -> None:
    places, size = range(len(pairs.names)), 9 if len(pairs.names) < 6 else 7
    axes.imshow(np.where(pairs.separated, pairs.share, 0.5), cmap="PuOr", vmin=-0.1, vmax=1.1, aspect="auto")
    for i in places:
        for j in places:
            if i != j:
                sure = pairs.separated[i, j]
                style = {"fontsize": size, "color": "black" if sure else "0.5", "ha": "center", "va": "center"}
                axes.text(j, i, f"{100 * pairs.share[i, j]:.0f}", fontweight="bold" if sure else "normal", **style)
    axes.set(title="% of pairs of runs in which the left one is better\n(grey: not separated)")
    axes.set_xticks(places, pairs.names, rotation=40, ha="right")
    axes.set_yticks(places, pairs.names)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = sorted(p.stem for p in CONFIGURATIONS.glob("*.yaml") if "\n# chainrule compare " in p.read_text())
    parser.add_argument("study", choices=studies)
    text = "three targets, few runs; the figure goes to the working directory"
    parser.add_argument("--quick", action="store_true", help=text)
    chosen = parser.parse_args()
    plt.style.use(HERE / "figures.mplstyle")
    begin = time.perf_counter()
    directory = Path("multirun") / f"{chosen.study}{'-quick' if chosen.quick else ''}"
    numbers = compared(chosen.study, directory, chosen.quick)
    pairs = Pairs(numbers)
    tables(numbers, pairs)
    draw(numbers, pairs, (Path() if chosen.quick else HERE / chosen.study) / "comparison.png")
    print(f"\n{numbers['runs']:,} runs, {time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()

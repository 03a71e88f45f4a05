"""The watcher that draws."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainrule.registry.watching import AUTO, EVERY, Watcher

if TYPE_CHECKING:
    from chainrule.records.result import Result

ANIMATION = "animation"
STILL = (  # modules of this package, each with a function ``draw``
    *("loss", "scores", "predictions", "residuals", "surface", "regions"),
    *("network", "parameters", "gradients", "activations", "landscape"),
)
_OF_A_PATH = {"parameters", "gradients", "activations", "landscape", ANIMATION}
_POINTS = 60  # of the path
_FEW, _MANY = (
    60,
    100_000,
)  # parameters: so many can be told apart; of more, no landscape is drawn unless it is asked for


def fitting(result: Result) -> list[str]:
    """Return the pictures that fit a run best: what it is about, and no more than can be drawn in half a second."""
    inputs, size = result.samples.inputs, result.shape.size
    chosen = ["loss", "predictions", "network"]
    if inputs <= 2:
        chosen.append("surface")
    elif result.settings.target.resolved_task == "classification":
        chosen.append("regions")
    chosen.append("parameters" if size <= _FEW and result.shape.layers <= 4 else "gradients")
    return [*chosen, "landscape"] if size <= _MANY else chosen


def draw(name: str, result: Result, path: Path) -> None:
    """Draw one of the still pictures of a run, if the run can have it."""
    from chainrule_pictures import canvas  # matplotlib takes a while to import

    figure = importlib.import_module(f"chainrule_pictures.{name}").draw(result)
    if figure is not None:
        canvas.save(figure, path)


class Pictures(Watcher):
    """Draws pictures of a run into ``pictures/NAME.png`` in its directory, and ``pictures/animation.gif``.

    The same run gives the same bytes. Pictures that an earlier run left in the directory are replaced.

    Args:
        wanted: names of pictures; ``auto`` are those of :func:`fitting`, ``all`` are all.
    """

    draws = (*STILL, ANIMATION)

    def __init__(self, wanted: Sequence[str] = (AUTO,)) -> None:
        self._wanted = frozenset(wanted)
        self.snapshots = _POINTS if self._wanted & {AUTO, EVERY, *_OF_A_PATH} else 0

    def run_trained(self, result: Result, directory: Path) -> None:
        """Draw the pictures of a run that are wanted and that it can have."""
        folder = directory / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        self._clear(folder)
        chosen = self._chosen(result)
        with np.errstate(all="ignore"):  # a run that diverged is drawn as far as it is finite
            for name in STILL:
                if name in chosen:
                    draw(name, result, folder / f"{name}.png")
            if ANIMATION in chosen:
                from chainrule_pictures import animation  # matplotlib takes a while to import

                animation.write(result, folder)

    def _chosen(self, result: Result) -> set[str]:
        """Return the names of the pictures that are wanted of a run."""
        chosen = set(self._wanted & {*self.draws})
        if EVERY in self._wanted:
            chosen |= {*self.draws}
        return chosen | {*fitting(result)} if AUTO in self._wanted else chosen

    def _clear(self, folder: Path) -> None:
        """Remove what an earlier run left."""
        for name in self.draws:
            for ending in (".png", ".gif"):
                (folder / f"{name}{ending}").unlink(missing_ok=True)
        for path in folder.glob(f"{ANIMATION}-*.png"):
            path.unlink()

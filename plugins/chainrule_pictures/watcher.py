"""The watcher that draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainrule.registry.watching import Watcher

if TYPE_CHECKING:
    from chainrule.records.result import Result


class Pictures(Watcher):
    """Draws ``pictures/loss.png``, ``predictions.png`` and, for two inputs, ``surface.png`` into a run's directory.

    The same run gives the same bytes. Pictures that an earlier run left in the directory are replaced.
    """

    def run_trained(self, result: Result, directory: Path) -> None:
        """Draw the pictures of a run."""
        # matplotlib takes a while to import
        from chainrule_pictures import canvas, loss, predictions, surface

        folder = directory / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        for module in (loss, predictions, surface):
            path = folder / f"{module.__name__.rpartition('.')[2]}.png"
            path.unlink(missing_ok=True)
            with np.errstate(all="ignore"):  # a run that diverged is drawn as far as it is finite
                figure = module.draw(result)
                if figure is not None:
                    canvas.save(figure, path)

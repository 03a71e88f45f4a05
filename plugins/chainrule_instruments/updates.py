"""Updates beside the weights that they change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, doc

from chainrule.registry.instruments import Course, Finding, Instrument, Stepped


@dataclass(frozen=True)
class UpdateSize(Instrument):
    """The updates of a layer are far too small or large beside its parameters, in the middle of all steps seen.

    The norm of what a step changes is divided by the norm of the parameters before it. Over an epoch the same is taken
    as often as there are steps in it, so that single samples may move little.
    """

    source: ClassVar[str] = (
        "Karpathy, CS231n, Neural Networks 3: about 1e-3; the factors of 1000 and 100 around it are its own "
        "(SageMaker Debugger, WeightUpdateRatio, has 1e-8 and 10)"
    )
    cures: ClassVar[tuple[str, ...]] = ("rate*10", "rate*100", "rate/10", "rate/100", "adam")

    small: Annotated[float, Gt(0), doc("median ratio of update to parameters, at least")] = 1e-6
    large: Annotated[float, Gt(0), doc("median ratio of update to parameters, at most")] = 1e-1

    def stepped(self, step: Stepped) -> dict[str, Any]:
        """Return the ratio of each layer, ``(layers,)``."""
        with np.errstate(all="ignore"):
            changed, before = step.blocks(step.after - step.before)[1:], step.blocks(step.before)[1:]
            ratios = [np.linalg.norm(new) / np.linalg.norm(old) for new, old in zip(changed, before, strict=True)]
        return {"ratios": np.array(ratios)}

    def findings(self, course: Course) -> Iterator[Finding]:
        """State the layer whose median is farthest out on either side."""
        ratios = course.stepped.get("ratios")
        if ratios is None or not len(ratios):
            return
        medians = np.array([np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else np.nan for own in ratios.T])
        if not np.isfinite(medians).any():
            return
        smallest, largest = int(np.nanargmin(medians)), int(np.nanargmax(medians))
        if medians[smallest] < self.small:
            yield self._of(course, ratios[:, smallest], smallest + 1, "small", self.small)
        if medians[largest] > self.large:
            yield self._of(course, ratios[:, largest], largest + 1, "large", self.large)

    def _of(self, course: Course, ratios: Any, layer: int, word: str, threshold: float) -> Finding:
        beyond = ratios < threshold if word == "small" else ratios > threshold
        median = float(np.median(ratios[np.isfinite(ratios)]))
        return Finding(
            f"updates are far too {word}",
            f"a step changes layer {layer} by {median:.2g} of its norm, the median of {len(ratios)} steps (threshold "
            f"{threshold:g})",
            int(course.step_epochs[np.flatnonzero(beyond)[0]]),
            {"ratio": median},
            layer,
        )

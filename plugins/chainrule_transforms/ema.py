"""An exponential moving average of the parameters, which is what is kept."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval, doc

from chainrule.components.contracts import Array, Transform


@dataclass(frozen=True)
class EMA(Transform, name="ema"):
    """``m <- decay m + (1 - decay) theta`` after each step, ``m = theta`` after the first; ``m`` is measured and saved.

    Training does not see the average. PyTorch's ``AveragedModel`` with ``get_ema_multi_avg_fn``; Polyak and Juditsky
    (1992), Acceleration of stochastic approximation by averaging, with exponential weights as Tarvainen and Valpola
    (2017), Mean teachers are better role models, arXiv:1703.01780.
    """

    decay: Annotated[float, Interval(ge=0, lt=1), doc("decay of the average")] = 0.999

    def init(self, theta: Array) -> dict[str, Array]:
        """Begin with the initial parameters."""
        return {"average": theta.copy()}

    def after(self, theta: Array, state: dict[str, Array], step: int) -> Array:
        """Average."""
        average = state["average"]
        if step == 1:
            average[...] = theta
        else:
            average *= self.decay
            average += (1 - self.decay) * theta
        return theta

    def kept(self, theta: Array, state: dict[str, Array]) -> Array:
        """Return the average."""
        return state["average"]

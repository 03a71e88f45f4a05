# ruff: noqa: D102 - the contract documents adapt
"""Feedback matrices that learn by the same product of activity and delta as the weights do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, doc

from chainrule.components.contracts import Array
from chainrule.engine.network import product
from chainrule_rules.feedback import FeedbackAlignment


@dataclass(frozen=True)
class KolenPollack(FeedbackAlignment):
    """``B <- B - rate (a^(l) delta^(l+1)T + decay B)``, the mean over samples: feedback that becomes the transpose.

    A weight moves along the same product. With ``optimizer=gradient_descent``, ``optimizer.lr`` equal to ``rate`` and
    ``optimizer.weight_decay`` equal to ``decay``, each step multiplies ``B - W^T`` by ``1 - rate decay``. With other
    steps the two come to be aligned, but not equal.

    Kolen and Pollack (1994), Backpropagation without weight transport, ICNN 3:1375-1380; Akrout, Wilson, Humphreys,
    Lillicrap and Tweed (2019), Deep learning without weight transport, arXiv:1904.05391, section 4.
    """

    rate: Annotated[float, Gt(0), doc("step of the feedback matrices, that of the weights if they shall be equal")] = (
        1e-3
    )
    decay: Annotated[float, Ge(0), doc("decay of the feedback matrices, that of the weights likewise")] = 0.1

    def adapt(
        self,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        inputs: Sequence[Array],
        state: dict[str, Array],
        step: int,
    ) -> None:
        share = 1 / deltas[-1].shape[-1]
        for layer in range(1, len(weights) - 1):
            feedback = state[f"B{layer}"]
            gradient = share * product(inputs[layer + 1][:, 1:], deltas[layer + 1].mT)
            feedback -= self.rate * (gradient + self.decay * feedback)

# ruff: noqa: D102 - the contract documents adapt
"""Feedback matrices that learn by the same product of activity and delta as the weights do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, doc

from chainrule.components.contracts import Array
from chainrule.engine.network import product
from chainrule_rules.feedback import FeedbackAlignment


@dataclass(frozen=True)
class KolenPollack(FeedbackAlignment):
    """``B <- B - lr (a^(l) delta^(l+1)T + decay B)``, the mean over samples: feedback that becomes the transpose.

    A weight moves along the same product with the same ``lr``. With ``optimizer=gradient_descent`` and
    ``optimizer.weight_decay`` equal to ``decay`` each step multiplies ``B - W^T`` by ``1 - lr decay``. Without decay
    the two stay as far apart as they were; other optimizers move weights by other steps.

    Kolen and Pollack (1994), Backpropagation without weight transport, ICNN 3:1375-1380; Akrout, Wilson, Humphreys,
    Lillicrap and Tweed (2019), Deep learning without weight transport, arXiv:1904.05391, section 4.
    """

    decay: Annotated[float, Ge(0), doc("decay of the feedback matrices; set optimizer.weight_decay to the same")] = 0.01

    def adapt(
        self,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        inputs: Sequence[Array],
        state: dict[str, Array],
        step: int,
        *,
        lr: Array,
    ) -> None:
        share = 1 / deltas[-1].shape[-1]
        for layer in range(1, len(weights) - 1):
            feedback = state[f"B{layer}"]
            gradient = share * product(inputs[layer + 1][:, 1:], deltas[layer + 1].mT)
            feedback -= lr * (gradient + self.decay * feedback)

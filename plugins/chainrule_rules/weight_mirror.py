# ruff: noqa: D102 - the contract documents adapt
"""Feedback matrices that learn the weights from what the layers make of noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Array
from chainrule.components.random import Random
from chainrule.engine.network import product
from chainrule_rules.feedback import FeedbackAlignment


@dataclass(frozen=True)
class WeightMirror(FeedbackAlignment):
    """``B <- B + rate (xi (W xi)^T - B)`` with noise ``xi``, the mean over ``draws``: feedback that mirrors weights.

    In each step of training every layer is given normal noise of variance 1 and answers by its linear part. Because
    ``E[xi xi^T] = 1``, the matrices move towards the weights' transpose. The gain and the decay of the feedback, two
    numbers in the paper, are both ``rate`` here, so that ``B`` comes to have the size of the weights.

    Akrout, Wilson, Humphreys, Lillicrap and Tweed (2019), Deep learning without weight transport, arXiv:1904.05391,
    section 3.
    """

    rate: Annotated[float, Interval(gt=0, le=1), doc("step of the feedback matrices towards what noise shows")] = 0.1
    draws: Annotated[int, Ge(1), doc("how many samples of noise each step of training has")] = 16

    def adapt(
        self,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        inputs: Sequence[Array],
        state: dict[str, Array],
        step: int,
        *,
        rng: Random,
    ) -> None:
        for layer in range(1, len(weights) - 1):
            forward, feedback = weights[layer + 1], state[f"B{layer}"]
            noise = rng.normal(forward.shape[2], self.draws)
            seen = product(noise, product(forward, noise).mT) / self.draws
            feedback += self.rate * (seen - feedback)

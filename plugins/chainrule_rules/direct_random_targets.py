# ruff: noqa: D102 - the contract documents init and error
"""The target itself in place of an error: no layer waits for the output."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.components.contracts import Array, Rule
from chainrule.engine.network import product
from chainrule_rules.feedback import Scale, direct_feedback


@dataclass(frozen=True)
class DirectRandomTargets(Rule):
    """``-B^(l) y_true`` in place of eq. 5: direct feedback alignment of ``y_pred - y_true``, as if ``y_pred`` were 0.

    For a target in 0 and 1, one of each class, ``y_true`` stands for the sign of the error. Entries of ``B``, which
    never change, are uniform in ``[-scale, scale]``. Where outputs are more than the target's, such as means and then
    variances, it stands for the first ones. Weights of samples count in the last layer only.

    Frenkel, Lefebvre and Bol (2021), Learning without feedback: fixed random learning signals allow for feedforward
    training of deep neural networks, Frontiers in Neuroscience 15:629892.
    """

    scale: Scale = 0.5

    def init(self, rng: np.random.Generator, widths: Sequence[int]) -> dict[str, Array]:
        return direct_feedback(rng, self.scale, widths)

    def error(
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        out: Array | None = None,
        *,
        y_true: Array,
    ) -> Array:
        target = product(state[f"B{layer}"][:, :, : y_true.shape[1]], y_true, out)
        return np.negative(target, target)

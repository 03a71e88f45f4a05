"""Faulty backward rules, each caught by the check that is meant for it."""

from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Gt, doc

from chainrule.components.contracts import Rule
from chainrule.engine.network import product
from mutating import Gallery, require

GALLERY = Gallery()
KEPT = {}


@GALLERY.sound
class Feedback(Rule):
    """Fixed random matrices in place of the transposed weights (Lillicrap et al. 2016)."""

    scale: Annotated[float, Gt(0), doc("of the matrices")] = 1.0

    def init(self, rng, widths):
        return {
            f"B{layer}": self.scale * rng.normal(size=(before, units))
            for layer, (before, units) in enumerate(pairwise(widths[1:]), 1)
        }

    def error(self, layer, weights, deltas, state, out=None):
        return product(state[f"B{layer}"], deltas[layer + 1], out)

    def gradient(self, layer, delta, inputs, out=None):
        return product(delta, inputs.mT, out)


@GALLERY.flawed("learns")
class Ascends(Feedback):
    def gradient(self, layer, delta, inputs):
        return -product(delta, inputs.mT)


@GALLERY.flawed("samples_add_up")
class MeanOfSamples(Feedback):
    def gradient(self, layer, delta, inputs):
        return product(delta, inputs.mT) / np.asarray(delta.shape[-1], delta.dtype)


@GALLERY.flawed("shapes", others=True)
class TransposedMatrices(Feedback):
    def error(self, layer, weights, deltas, state):
        return product(weights[layer + 1], deltas[layer + 1])


@GALLERY.flawed("shapes", others=True)
class WithoutBiases(Feedback):
    def gradient(self, layer, delta, inputs):
        return product(delta, inputs[:, 1:].mT)


@GALLERY.flawed("shapes")
class PromotedError(Feedback):
    def error(self, layer, weights, deltas, state):
        return product(state[f"B{layer}"], deltas[layer + 1]) * np.float64(1)


@GALLERY.flawed("pure", others=True)
class ScalesDeltas(Feedback):
    def error(self, layer, weights, deltas, state):
        deltas[layer + 1] *= 0.5
        return product(state[f"B{layer}"], deltas[layer + 1])


@GALLERY.flawed("buffers", others=True)
class UnfilledBuffer(Feedback):
    def gradient(self, layer, delta, inputs, out=None):
        result = product(delta, inputs.mT)
        if out is None:
            return result
        out[:, :, 1:] = result[:, :, 1:]
        return out


@GALLERY.flawed("pure", others=True)
class RemembersDeltas(Feedback):
    def error(self, layer, weights, deltas, state):
        last = KEPT.get((layer, deltas[layer + 1].shape), 0)
        KEPT[layer, deltas[layer + 1].shape] = deltas[layer + 1].copy()
        return product(state[f"B{layer}"], deltas[layer + 1] + 0.1 * last)


@GALLERY.sound
class OfSevenUnits(Feedback):
    """As many as there are samples elsewhere."""

    widths = (2, 7, 1)


@GALLERY.sound
class OfSixteenUnits(Feedback):
    """With biases as many as there are samples elsewhere, too."""

    widths = (2, 16, 16, 1)

    def error(self, layer, weights, deltas, state):
        return product(weights[layer + 1].mT, deltas[layer + 1])


@GALLERY.flawed("samples_apart")
class NormalizedErrors(Feedback):
    def error(self, layer, weights, deltas, state):
        error = product(state[f"B{layer}"], deltas[layer + 1])
        return error / (1 + np.abs(error).max(axis=(1, 2), keepdims=True))


@GALLERY.flawed("stacking", others=True)
class MatricesOfTheFirstRun(Feedback):
    def error(self, layer, weights, deltas, state):
        return product(np.repeat(state[f"B{layer}"][:1], len(deltas[-1]), axis=0), deltas[layer + 1])


@GALLERY.flawed("stacking", others=True)
class Einsum(Feedback):
    """Adds in another order for one run than for several."""

    def gradient(self, layer, delta, inputs):
        return delta @ inputs.mT if len(delta) == 1 else np.einsum("rus,rks->ruk", delta, inputs)


@GALLERY.flawed("init", others=True)
class GlobalMatrices(Feedback):
    def init(self, rng, widths):
        return super().init(np.random.default_rng(np.random.randint(99)), widths)  # noqa: NPY002


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)

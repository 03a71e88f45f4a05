"""Faulty backward rules, each caught by the check that is meant for it."""

from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt, doc

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


@GALLERY.sound
class Learns(Feedback):
    """Feedback matrices that follow a trace of the weights and noise."""

    rate: Annotated[float, Gt(0), Lt(1), doc("of learning")] = 0.1

    def gradient(self, layer, delta, inputs, *, state):
        return product(delta, inputs.mT)

    def error(self, layer, weights, deltas, state, *, z, inputs, y_true):
        return product(state[f"B{layer}"], deltas[layer + 1]) + 0 * z[layer]

    def adapt(self, weights, deltas, inputs, state, step, *, rng):
        for layer in range(1, len(weights) - 1):
            noise = 0.01 * rng.normal(*state[f"B{layer}"].shape[1:])
            state[f"B{layer}"] += self.rate * (weights[layer + 1].mT - state[f"B{layer}"]) + noise


@GALLERY.flawed("adapts", others=True)
class PutsOthers(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for name in state:
            state[name] = state[name] * 0.99


@GALLERY.flawed("adapts")
class AdaptsNothing(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for B in state.values():
            B = B * 0.99


@GALLERY.flawed("adapts", others=True)
class GrowsWithoutEnd(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for B in state.values():
            B *= 1e6


@GALLERY.flawed("adapts", others=True)
class ScalesWhatItIsGiven(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for layer in range(1, len(weights) - 1):
            deltas[layer + 1] *= 0.5
            state[f"B{layer}"] *= 0.99


@GALLERY.flawed("adapts_apart", "trained")
class NormOverAllRuns(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for B in state.values():
            B -= 0.01 * B / (1 + np.abs(B).mean())


@GALLERY.flawed("adapts_apart")
class NormLate(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        for B in state.values():
            B -= 0.01 * B / (1 + (np.abs(B).mean() if step == 51 else 0))


@GALLERY.flawed("adapts_apart", others=True)
class CountsItself(Learns):
    def adapt(self, weights, deltas, inputs, state, step):
        KEPT["steps"] = KEPT.get("steps", 0) + 1
        for B in state.values():
            B *= 1 - 0.1 / KEPT["steps"]


@GALLERY.flawed("seeded", others=True)
class GlobalNoise(Learns):
    def adapt(self, weights, deltas, inputs, state, step, *, rng):
        for B in state.values():
            B += np.random.normal(size=B.shape)  # noqa: NPY002


@GALLERY.flawed("pure", others=True)
class AdaptsWhileMeasuring(Feedback):
    def error(self, layer, weights, deltas, state):
        state[f"B{layer}"] *= 0.99
        return product(state[f"B{layer}"], deltas[layer + 1])


class Exactly(Rule):
    """Eq. 5 and 6."""

    def gradients(self, network, deltas, y_true, state):
        delta, blocks = deltas[-1], []
        for layer in range(len(network.weights) - 1, 0, -1):
            blocks.append(product(delta, network.inputs[layer].mT))
            if layer > 1:
                below = network.z[layer - 1], network.a[layer - 1]
                delta = network.activations[layer - 1].backward(product(network.weights[layer].mT, delta), *below)
                deltas[layer - 1][...] = delta
        return blocks[::-1]


@GALLERY.sound
class Whole(Exactly):
    pass


@GALLERY.sound
class Jitters(Exactly):
    """Noise on gradients, in training."""

    def gradients(self, network, deltas, y_true, state, *, rng):
        blocks = super().gradients(network, deltas, y_true, state)
        return blocks if rng is None else [b * (1 + 0.1 * rng.normal(*b.shape[1:])) for b in blocks]


@GALLERY.flawed("seeded")
class JittersAlike(Exactly):
    def gradients(self, network, deltas, y_true, state, *, rng):
        blocks = super().gradients(network, deltas, y_true, state)
        if rng is None:
            return blocks
        rng.normal(1)
        return [block * (1 + 0.1 * np.random.default_rng(0).normal()) for block in blocks]


@GALLERY.flawed("shapes", others=True)
class FromTheLastLayer(Exactly):
    def gradients(self, network, deltas, y_true, state):
        return super().gradients(network, deltas, y_true, state)[::-1]


@GALLERY.flawed("samples_add_up")
class MeanGradients(Exactly):
    def gradients(self, network, deltas, y_true, state):
        share = 1 / y_true.shape[-1]
        return [share * block for block in super().gradients(network, deltas, y_true, state)]


@GALLERY.flawed("pure", others=True)
class ChangesTheNetwork(Exactly):
    def gradients(self, network, deltas, y_true, state):
        blocks = super().gradients(network, deltas, y_true, state)
        network.weights[1][...] *= 0.5
        return blocks


@GALLERY.flawed("stacking", others=True)
class ClipsAllRunsAlike(Exactly):
    def gradients(self, network, deltas, y_true, state):
        blocks = super().gradients(network, deltas, y_true, state)
        return [block / np.asarray(1 + np.abs(block).max(), block.dtype) for block in blocks]


@GALLERY.flawed("init", others=True)
class GlobalMatrices(Feedback):
    def init(self, rng, widths):
        return super().init(np.random.default_rng(np.random.randint(99)), widths)  # noqa: NPY002


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)

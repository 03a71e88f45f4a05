"""Optimizers, transforms, schedules and rules that are wrong only at a size, later, at a bound ...: each is caught."""

from collections import Counter
from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Optimizer, Rule, Schedule, Transform
from chainrule.engine.network import product
from mutating import Ways, caught, failures

WAYS = Ways()
CALLS = Counter()
CACHE = {}


@WAYS.correct
class Heavy(Optimizer):
    """Gradient descent with momentum."""

    lr: Annotated[float, Ge(0), doc("rate")] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1), doc("share of the last step")] = 0.9

    def init(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        state["velocity"] *= self.momentum
        state["velocity"] += grad
        theta -= self.lr * state["velocity"]


@WAYS.correct
class Scaled(Optimizer):
    """Adam without a first moment."""

    lr: Annotated[float, Ge(0), doc("rate")] = 0.01
    decay: Annotated[float, Interval(ge=0, lt=1), doc("of the average")] = 0.9
    eps: Annotated[float, Gt(0), doc("added to the root")] = 1e-8

    def init(self, theta):
        return {"square": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        state["square"] *= self.decay
        state["square"] += (1 - self.decay) * grad * grad
        theta -= self.lr * grad / (np.sqrt(state["square"] / (1 - self.decay**step)) + self.eps)


# A size.


@WAYS("size", "stacking")
class CouplesLargeNetworks(Heavy):
    def update(self, theta, grad, state, step):
        if theta.shape[1] > 500:
            grad = grad - grad.mean(axis=0)
        super().update(theta, grad, state, step)


@WAYS("size", "stacking")
class CouplesLargeStacks(Heavy):
    def update(self, theta, grad, state, step):
        if len(theta) > 16:
            grad = grad - grad.mean(axis=0)
        super().update(theta, grad, state, step)


@WAYS("size", "stacking")
class OfTheFirstRuns(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta[:256], grad[:256], {"velocity": state["velocity"][:256]}, step)


@WAYS("size", "stacking")
class SumsOverParameters(Heavy):
    """Whose order depends on the memory layout of long rows."""

    def update(self, theta, grad, state, step):
        if theta.shape[1] > 1000:
            norm = np.sqrt(np.einsum("rp,rp->p", grad, grad).sum())
            grad = grad / norm.astype(grad.dtype)
        super().update(theta, grad, state, step)


# Later, and caches.


@WAYS("later", "stacking")
class CouplesAfter100Steps(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta, grad - grad.mean(axis=0) if step > 100 else grad, state, step)


@WAYS("later", "stacking")
class CouplesAfter1000Steps(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta, grad - grad.mean(axis=0) if step >= 1000 else grad, state, step)


@WAYS("later", "stacking")
class CouplesByItsOwnCount(Heavy):
    def init(self, theta):
        return {**super().init(theta), "count": np.zeros((len(theta), 1), int)}

    def update(self, theta, grad, state, step):
        state["count"] += 1
        super().update(theta, grad - grad.mean(axis=0) if state["count"].max() > 30 else grad, state, step)


@WAYS("later", "descends")
class CountOverflows(Heavy):
    def init(self, theta):
        return {**super().init(theta), "count": np.zeros((len(theta), 1), np.int8)}

    def update(self, theta, grad, state, step):
        state["count"] += 1
        super().update(theta, grad / (1 + state["count"]).astype(theta.dtype), state, step)


@WAYS("later", "resumes")
class RemembersLate(Heavy):
    """After ten steps it scales by what it counted outside of the state."""

    def update(self, theta, grad, state, step):
        CALLS[id(state)] += 1
        super().update(theta, grad * (0.5 if CALLS[id(state)] > 20 else 1), state, step)


@WAYS("cache", "resumes")
class VelocityById(Heavy):
    def update(self, theta, grad, state, step):
        velocity = CACHE.setdefault((type(self), id(theta)), np.zeros_like(theta))
        velocity *= self.momentum
        velocity += grad
        theta -= self.lr * velocity


@WAYS("cache", "nothing_kept")
class VelocityByShape(Heavy):
    def update(self, theta, grad, state, step):
        velocity = CACHE.setdefault((type(self), theta.shape, theta.dtype), np.zeros_like(theta))
        velocity *= self.momentum
        velocity += grad
        theta -= self.lr * velocity


@WAYS("cache", "scheduled")
class CachesTheRate(Heavy):
    def update(self, theta, grad, state, step):
        lr = CACHE.setdefault((type(self), theta.shape, id(self)), np.array(self.lr))
        theta -= lr * grad


# A bound, a parameter.


@WAYS("bound", "finite")
class DividesByMomentum(Heavy):
    def update(self, theta, grad, state, step):
        state["velocity"] *= self.momentum
        state["velocity"] += grad
        theta -= self.lr * state["velocity"] * (self.momentum / self.momentum)


@WAYS("bound", "stacking")
class RootOfAField(Scaled):
    power: Annotated[float, Interval(ge=0, le=1), doc("of the average")] = 0.4

    def update(self, theta, grad, state, step):
        state["square"] *= self.decay
        state["square"] += (1 - self.decay) * grad * grad
        theta -= self.lr * grad / (state["square"] ** self.power + self.eps)


@WAYS("bound", "state")
class OfAnotherPeriod(Heavy):
    period: Annotated[int, Interval(ge=1, le=4), doc("steps between two averages")] = 2

    def update(self, theta, grad, state, step):
        super().update(theta, grad, state, step)
        if step % self.period == 0 and self.period != 2:
            state["velocity"] = state["velocity"].astype(np.float64 if theta.dtype == np.float32 else np.float32)


@WAYS("idle", "effective")
class UnreadMomentum(Heavy):
    def update(self, theta, grad, state, step):
        state["velocity"] *= 0.9
        state["velocity"] += grad
        theta -= self.lr * state["velocity"]


@WAYS("idle", "effective")
class UnreadSwitch(Heavy):
    nesterov: Annotated[bool, doc("look ahead")] = False


@WAYS("idle", "effective")
class UnreadDecay(Heavy):
    weight_decay: Annotated[float, Ge(0), doc("of weights")] = 0.0


# One dtype.


@WAYS("dtype", "precision")
class NoCorrectionInSingle(Scaled):
    def update(self, theta, grad, state, step):
        correction = 1 - self.decay**step if theta.dtype == np.float64 else 1
        state["square"] *= self.decay
        state["square"] += (1 - self.decay) * grad * grad
        theta -= self.lr * grad / (np.sqrt(state["square"] / correction) + self.eps)


@WAYS("dtype", "precision")
class AscendsInSingle(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta, grad if theta.dtype == np.float64 else -grad, state, step)


@WAYS("dtype", "precision")
class SingleInside(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta, grad.astype(np.float32).astype(theta.dtype), state, step)


@WAYS("later", "recommended")
class KeptLate(Heavy):
    def kept(self, theta, state):
        if (np.abs(state["velocity"]) > 50).any():
            theta *= 0.5
        return theta


# Schedules.


@WAYS.correct
class Decays(Schedule):
    """Slower and slower."""

    power: Annotated[float, Ge(0), doc("of the decay")] = 0.7

    def rate(self, lr, epoch, epochs, state):
        return lr * np.exp(-self.power * np.log(np.asarray(1 + epoch, lr.dtype)))


@WAYS.correct
class Steps(Schedule):
    """Lower after some epochs."""

    every: Annotated[int, Gt(0), doc("epochs")] = 30
    factor: Annotated[float, Interval(gt=0, le=1), doc("of the rate")] = 0.5

    def rate(self, lr, epoch, epochs, state):
        return lr * np.exp(np.log(self.factor) * (epoch // self.every))


@WAYS("size", "stacking")
class MeanRateOfLargeStacks(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr if len(lr) < 20 else np.full_like(lr, lr.mean()), epoch, epochs, state)


@WAYS("later", "stacking")
class CouplesAfter50Epochs(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr if epoch < 50 else np.full_like(lr, lr.mean()), epoch, epochs, state)


@WAYS("later", "stacking")
class CouplesAfter500Epochs(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr if epoch < 500 else np.full_like(lr, lr.mean()), epoch, epochs, state)


@WAYS("later", "finite")
class NegativeAfter300Epochs(Decays):
    def rate(self, lr, epoch, epochs, state):
        return lr * (1 - epoch / 300)


@WAYS("bound", "finite")
class DividesByThePower(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr, epoch, epochs, state) * (self.power / self.power)


@WAYS("bound", "finite")
class UndefinedForEachEpoch(Steps):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr, epoch, epochs, state) * (np.float32(self.every - 1) / np.float32(self.every - 1))


@WAYS("idle", "effective")
class UnreadFactor(Steps):
    def rate(self, lr, epoch, epochs, state):
        return lr * lr.dtype.type(0.5) ** (epoch // self.every)


@WAYS("idle", "effective")
class UnreadEvery(Steps):
    def rate(self, lr, epoch, epochs, state):
        return lr * np.exp(np.log(self.factor) * (epoch // 30))


@WAYS("dtype", "precision")
class RateWrongInSingle(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr, epoch, epochs, state) * (1 if lr.dtype == np.float64 else lr.dtype.type(0.99))


@WAYS("dtype", "precision")
class RateSingleInside(Decays):
    def rate(self, lr, epoch, epochs, state):
        return super().rate(lr, epoch, epochs, state).astype(np.float32).astype(lr.dtype)


@WAYS("cache", "stacking")
class RateByEpoch(Decays):
    def rate(self, lr, epoch, epochs, state):
        return CACHE.setdefault((type(self), epoch, epochs, lr.shape, lr.dtype), super().rate(lr, epoch, epochs, state))


@WAYS("later", "pure")
class RateAfterManyCalls(Decays):
    def rate(self, lr, epoch, epochs, state):
        CALLS[type(self)] += 1
        return super().rate(lr, epoch, epochs, state) * (1 if CALLS[type(self)] < 100 else 0.5)


# Rules.


@WAYS.correct
class Feedback(Rule):
    """Fixed random matrices in place of the transposed weights (Lillicrap et al. 2016)."""

    scale: Annotated[float, Gt(0), doc("of the matrices")] = 1.0

    def init(self, rng, widths):
        return {
            f"B{layer}": self.scale * rng.normal(size=(before, units))
            for layer, (before, units) in enumerate(pairwise(widths[1:]), 1)
        }

    def error(self, layer, weights, deltas, state):
        return product(state[f"B{layer}"], deltas[layer + 1])

    def gradient(self, layer, delta, inputs):
        return product(delta, inputs.mT)


@WAYS.correct
class Gained(Rule):
    """Each error is scaled."""

    gain: Annotated[float, Gt(0), doc("factor")] = 0.5

    def error(self, layer, weights, deltas, state):
        return self.gain * product(weights[layer + 1].mT, deltas[layer + 1])


@WAYS("size", "samples_add_up")
class MeanOfLargeBatches(Feedback):
    def gradient(self, layer, delta, inputs):
        return product(delta, inputs.mT) * (1 if delta.shape[-1] <= 64 else 64 / delta.shape[-1])


@WAYS("size", "samples_add_up")
class MeanOfSamples(Feedback):
    def gradient(self, layer, delta, inputs):
        return product(delta, inputs.mT) / delta.shape[-1]


@WAYS("size", "samples_add_up")
class RootOfSamples(Feedback):
    def gradient(self, layer, delta, inputs):
        return product(delta, inputs.mT) / np.sqrt(np.asarray(delta.shape[-1], delta.dtype))


@WAYS("size", "samples_add_up")
class ForgetsTheLastSample(Feedback):
    def gradient(self, layer, delta, inputs):
        last = -1 if delta.shape[-1] > 5 else None
        return product(delta[..., :last], inputs[..., :last].mT)


@WAYS("size", "samples_apart")
class ErrorOfLargeBatches(Gained):
    def error(self, layer, weights, deltas, state):
        return super().error(layer, weights, deltas, state) * (1 if deltas[-1].shape[-1] < 300 else 0.5)


@WAYS("size", "stacking")
class GainOfLargeStacks(Gained):
    def error(self, layer, weights, deltas, state):
        gain = self.gain if len(deltas[-1]) < 20 else self.gain.mean()
        return gain * product(weights[layer + 1].mT, deltas[layer + 1])


@WAYS("size", "shapes")
class OfThreeLayers(Gained):
    """It knows no hidden layer beyond the third."""

    def error(self, layer, weights, deltas, state):
        return self.gain * product(weights[min(layer, 3) + 1].mT, deltas[min(layer, 3) + 1])


@WAYS("size", "stacking")
class MixesWideLayers(Gained):
    def error(self, layer, weights, deltas, state):
        error = super().error(layer, weights, deltas, state)
        return error - error.mean(axis=0) if error.shape[1] > 16 else error


@WAYS("dtype", "precision")
class ErrorWrongInSingle(Gained):
    def error(self, layer, weights, deltas, state):
        error = super().error(layer, weights, deltas, state)
        return error if error.dtype == np.float64 else 0.9 * error


@WAYS("dtype", "precision")
class ErrorSingleInside(Gained):
    def error(self, layer, weights, deltas, state):
        error = super().error(layer, weights, deltas, state)
        return error.astype(np.float32).astype(error.dtype)


@WAYS("idle", "effective")
class UnreadGain(Gained):
    def error(self, layer, weights, deltas, state):
        return 0.5 * product(weights[layer + 1].mT, deltas[layer + 1])


@WAYS("bound", "stacking")
class PowerOfTheErrors(Gained):
    def error(self, layer, weights, deltas, state):
        error = product(weights[layer + 1].mT, deltas[layer + 1])
        return np.sign(error) * np.abs(error) ** self.gain


@WAYS("cache", "pure")
class WeightsById(Gained):
    def error(self, layer, weights, deltas, state):
        key = type(self), id(weights[layer + 1])
        if key not in CACHE:
            CACHE[key] = weights[layer + 1], weights[layer + 1].mT.copy()
        return self.gain * product(CACHE[key][1], deltas[layer + 1])


@WAYS("cache", "pure")
class WeightsByShape(Gained):
    def error(self, layer, weights, deltas, state):
        key = type(self), layer, weights[layer + 1].shape, weights[layer + 1].dtype
        transposed = CACHE.setdefault(key, weights[layer + 1].mT.copy())
        return self.gain * product(transposed, deltas[layer + 1])


@WAYS("later", "pure")
class ErrorAfterManyCalls(Gained):
    def error(self, layer, weights, deltas, state):
        CALLS[type(self)] += 1
        return super().error(layer, weights, deltas, state) * (1 if CALLS[type(self)] < 100 else 0.5)


@WAYS.correct
class Adapting(Rule):
    """Feedback matrices that go towards the weights, and lose a part of themselves."""

    rate: Annotated[float, Gt(0), Interval(lt=1), doc("of learning")] = 0.1
    decay: Annotated[float, Interval(ge=0, lt=1), doc("share that is lost")] = 0.1

    def init(self, rng, widths):
        return {
            f"B{layer}": rng.normal(size=(before, units))
            for layer, (before, units) in enumerate(pairwise(widths[1:]), 1)
        }

    def error(self, layer, weights, deltas, state):
        return product(state[f"B{layer}"], deltas[layer + 1])

    def adapt(self, weights, deltas, inputs, state, step):
        for layer in range(1, len(weights) - 1):
            B = state[f"B{layer}"]
            B += self.rate * (weights[layer + 1].mT - B) - self.decay * B


@WAYS("idle", "effective")
class UnreadDecayOfFeedback(Adapting):
    def adapt(self, weights, deltas, inputs, state, step):
        for layer in range(1, len(weights) - 1):
            state[f"B{layer}"] += self.rate * (weights[layer + 1].mT - state[f"B{layer}"])


@WAYS.correct
class Descending(Rule):
    """Eq. 5 and 6 for the whole network, and errors of hidden layers are scaled."""

    gain: Annotated[float, Gt(0), doc("factor")] = 0.5

    def gradients(self, network, deltas, y_true, state):
        for layer in range(len(network.weights) - 2, 0, -1):
            error = self.gain * product(network.weights[layer + 1].mT, deltas[layer + 1])
            below = network.z[layer], network.a[layer]
            deltas[layer][...] = network.activations[layer].backward(error, *below)
        return [product(delta, inputs.mT) for delta, inputs in zip(deltas[1:], network.inputs[1:], strict=True)]


@WAYS("idle", "effective")
class UnreadGainOfTheWhole(Descending):
    def gradients(self, network, deltas, y_true, state):
        return [product(delta, inputs.mT) for delta, inputs in zip(deltas[1:], network.inputs[1:], strict=True)]


@WAYS("size", "samples_add_up")
class WholeRootOfSamples(Descending):
    def gradients(self, network, deltas, y_true, state):
        share = float(y_true.shape[-1]) ** -0.5
        return [share * block for block in super().gradients(network, deltas, y_true, state)]


@WAYS("size", "samples_add_up")
class WholeForgetsTheLastSample(Descending):
    def gradients(self, network, deltas, y_true, state):
        deltas = [*deltas[:-1], deltas[-1].copy()]
        deltas[-1][..., 5:6] *= 0.5
        return super().gradients(network, deltas, y_true, state)


@WAYS("dtype", "precision")
class WholeSingleInside(Descending):
    def gradients(self, network, deltas, y_true, state):
        blocks = super().gradients(network, deltas, y_true, state)
        return [block.astype(np.float32).astype(block.dtype) for block in blocks]


@WAYS("size", "shapes")
class WholeOfThreeLayers(Descending):
    def gradients(self, network, deltas, y_true, state):
        return super().gradients(network, deltas, y_true, state)[:3]


# Transforms.


@WAYS.correct
class Clipped(Transform):
    """Limits entries of the gradient, and takes a part off the parameters."""

    limit: Annotated[float, Gt(0), doc("largest entry")] = 1.0
    decay: Annotated[float, Interval(ge=0, lt=1), doc("share of a parameter that each step takes off")] = 1e-3

    def gradient(self, grad, theta, state, step):
        return np.clip(grad, -self.limit, self.limit)

    def after(self, theta, state, step):
        return theta * (1 - self.decay)


@WAYS("idle", "effective")
class UnreadLimit(Clipped):
    def gradient(self, grad, theta, state, step):
        return np.clip(grad, -1, 1)


@WAYS("dtype", "precision")
class UnlimitedInSingle(Clipped):
    def gradient(self, grad, theta, state, step):
        return super().gradient(grad, theta, state, step) * (1 if grad.dtype == np.float64 else -1)


@WAYS("dtype", "precision")
class TransformSingleInside(Clipped):
    def after(self, theta, state, step):
        return super().after(theta, state, step).astype(np.float32).astype(theta.dtype)


@WAYS.every
def test_it_is_caught(cls, name):
    CALLS.clear()
    CACHE.clear()
    caught(cls, name)


@WAYS.every_correct
def test_what_they_are_derived_from_passes(cls):
    assert not failures(cls)

"""Faulty transforms, each caught by the check that is meant for it."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Interval, doc

from chainrule.components.contracts import Transform
from mutating import Gallery, require

GALLERY = Gallery()
HELD = {}


@GALLERY.sound
class Ridge(Transform):
    strength: Annotated[float, Ge(0), doc("of the penalty")] = 0.01

    def gradient(self, grad, theta, state, step):
        return grad + self.strength * theta

    def penalty(self, theta):
        return 0.5 * self.strength * (theta * theta).sum(axis=1, keepdims=True)


@GALLERY.sound
class Average(Transform):
    decay: Annotated[float, Interval(ge=0, lt=1), doc("of the average")] = 0.9

    def init(self, theta):
        return {"mean": theta.copy()}

    def after(self, theta, state, step):
        state["mean"] = self.decay * state["mean"] + (1 - self.decay) * theta
        return theta

    def kept(self, theta, state):
        return state["mean"]


@GALLERY.sound
class ShortStep(Transform):
    """A step of a limited length."""

    limit: Annotated[float, Gt(0), doc("longest step")] = 0.1

    def after(self, theta, state, step, *, before):
        moved = theta - before
        length = np.sqrt((moved * moved).sum(axis=1, keepdims=True))
        return before + moved * (self.limit / np.maximum(length, self.limit))


@GALLERY.sound
class Sloppy(Transform):
    """A gradient with random gaps."""

    gaps: Annotated[float, Interval(ge=0, lt=1), doc("share of gradients that are lost")] = 0.2

    def gradient(self, grad, theta, state, step, *, rng):
        return np.where(rng.bernoulli(self.gaps, grad.shape[1]), grad.dtype.type(0), grad)


@GALLERY.sound
class PerLayer(Transform):
    """Gradients of biases at another size, in the first layer only."""

    gain: Annotated[float, Ge(0), doc("factor")] = 0.5

    def gradient(self, grad, theta, state, step, *, shape, lr):
        changed = grad.copy()
        shape.biases(changed)[1][...] *= self.gain
        return changed


@GALLERY.flawed("penalized", others=True)
class WrongSign(Ridge):
    def gradient(self, grad, theta, state, step):
        return grad - self.strength * theta


@GALLERY.flawed("penalized")
class HalfForgotten(Ridge):
    def penalty(self, theta):
        return self.strength * (theta * theta).sum(axis=1, keepdims=True)


@GALLERY.flawed("shapes", others=True)
class FlatPenalty(Ridge):
    def penalty(self, theta):
        return 0.5 * self.strength * (theta * theta).sum(axis=1)


@GALLERY.flawed("pure", others=True)
class InPlace(Ridge):
    def gradient(self, grad, theta, state, step):
        grad += self.strength * theta
        return grad


@GALLERY.flawed("pure", others=True)
class MovesTheta(Average):
    def after(self, theta, state, step):
        theta *= 0.999
        return super().after(theta, state, step)


@GALLERY.flawed("pure", others=True)
class LearnsWhileMeasured(Average):
    def kept(self, theta, state):
        state["mean"] *= 0.999
        return state["mean"]


@GALLERY.flawed("shapes", others=True)
class ReturnsNothing(Ridge):
    def gradient(self, grad, theta, state, step):
        grad + self.strength * theta


@GALLERY.flawed("shapes", others=True)
class Promotes(Ridge):
    def gradient(self, grad, theta, state, step):
        return grad + np.float64(1e-3) * np.ones(theta.shape) * theta


@GALLERY.flawed("state", others=True)
class NoRunAxis(Average):
    def init(self, theta):
        return {"mean": theta[0].copy()}


@GALLERY.flawed("state", others=True)
class Float64State(Average):
    def init(self, theta):
        return {"mean": theta.astype(float)}

    def after(self, theta, state, step):
        state["mean"] = (self.decay * state["mean"] + (1 - self.decay) * theta).astype(float)
        return theta


@GALLERY.flawed("effective", others=True)
class Idle(Transform):
    """It was meant to clip."""

    limit: Annotated[float, Gt(0), doc("largest entry")] = 1.0

    def gradient(self, grad, theta, state, step):
        np.clip(grad, -self.limit, self.limit)
        return grad


@GALLERY.flawed("descends")
class Turned(Transform):
    """Clips to the wrong side."""

    limit: Annotated[float, Gt(0), doc("largest entry")] = 1.0

    def gradient(self, grad, theta, state, step):
        return np.clip(-grad, -self.limit, self.limit)


@GALLERY.flawed("finite", others=True)
class Normalized(Transform):
    """Divides by a norm that may be 0."""

    size: Annotated[float, Gt(0), doc("of every gradient")] = 0.1

    def gradient(self, grad, theta, state, step):
        return grad * (self.size / np.sqrt((grad * grad).sum(axis=1, keepdims=True)))


@GALLERY.flawed("runs_apart", "stacking", "trained")
class SharedNorm(Transform):
    """One norm for all runs."""

    limit: Annotated[float, Gt(0), doc("largest norm")] = 1.0

    def gradient(self, grad, theta, state, step):
        return grad * (self.limit / np.maximum(np.sqrt((grad * grad).sum()), self.limit))


@GALLERY.flawed("stacking", others=True)
class SharedLate(Average):
    """Runs know of each other after many steps."""

    def after(self, theta, state, step):
        super().after(theta, state, step)
        return theta if step < 51 else theta + 0 * theta + 1e-9 * theta.mean(axis=0)


@GALLERY.flawed("seeded", others=True)
class OwnRandomness(Sloppy):
    def gradient(self, grad, theta, state, step):
        return grad + self.gaps * np.random.default_rng().normal(size=grad.shape)


@GALLERY.flawed("nothing_kept", "resumes", others=True)
class KeepsOnTheClass(Average):
    def after(self, theta, state, step):
        HELD["mean"] = theta + 0 if step == 1 else 0.9 * HELD["mean"] + 0.1 * theta
        return HELD["mean"]


@GALLERY.flawed("resumes", others=True)
class CountsCalls(Ridge):
    def gradient(self, grad, theta, state, step):
        HELD["calls"] = HELD.get("calls", 0) + 1
        return grad * (1 + 1e-3 * (HELD["calls"] % 7))

    penalty = Transform.penalty


@GALLERY.flawed("resumes", others=True)
class HoldsTheBuffer(Transform):
    """A part of the last gradient, in an array that the next step overwrites."""

    share: Annotated[float, Interval(ge=0, lt=1), doc("of the last gradient")] = 0.5

    def init(self, theta):
        return {"last": np.zeros_like(theta)}

    def gradient(self, grad, theta, state, step):
        result = grad + self.share * state["last"]
        state["last"] = grad
        return result


@GALLERY.every
def test_every_fault_is_found_by_its_check(cls, checks, others):
    HELD.clear()
    require(cls, checks, others)

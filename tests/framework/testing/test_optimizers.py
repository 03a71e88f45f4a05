"""Faulty optimizers, each caught by the check that is meant for it."""

import functools
from typing import Annotated, ClassVar

import numpy as np
import pytest
from annotated_types import Ge, Interval, doc

from chainrule.components.contracts import Optimizer
from mutating import Gallery, failures, require

GALLERY = Gallery()
VELOCITY = {}


@GALLERY.sound
class Heavy(Optimizer):
    lr: Annotated[float, Ge(0), doc("rate")] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1), doc("kept")] = 0.5
    lookahead: Annotated[bool, doc("as Nesterov")] = False

    def init(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grad
        theta -= self.lr * (grad + self.momentum * velocity if self.lookahead else velocity)


@GALLERY.sound
class ReplacesArrays(Heavy):
    def update(self, theta, grad, state, step):
        state["velocity"] = self.momentum * state["velocity"] + grad
        theta -= self.lr * state["velocity"]


@GALLERY.sound
class History(Optimizer):
    """The state may have more axes, and a run's parameters may depend on each other."""

    lr: Annotated[float, Ge(0), doc("rate")] = 0.01

    def init(self, theta):
        return {"last": np.zeros((len(theta), 3, theta.shape[1]), theta.dtype)}

    def update(self, theta, grad, state, step):
        state["last"] = np.concatenate([state["last"][:, 1:], grad[:, None]], axis=1)
        mean = state["last"].mean(axis=1)
        theta -= self.lr * mean / (1 + np.sqrt((mean * mean).sum(axis=1, keepdims=True)))


@GALLERY.flawed("descends")
class Climbs(Heavy):
    def update(self, theta, grad, state, step):
        theta += self.lr * grad


@GALLERY.flawed("descends")
class ClimbsWithOneSwitch(Heavy):
    def update(self, theta, grad, state, step):
        theta -= self.lr * (-grad if self.lookahead else grad)


@GALLERY.flawed("in_place", "descends", "scheduled")
class NotInPlace(Heavy):
    def update(self, theta, grad, state, step):
        theta = theta - self.lr * grad


@GALLERY.flawed("in_place", others=True)
class Returns(Heavy):
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad
        return theta


@GALLERY.flawed("in_place", others=True)
class SpoilsGrad(Heavy):
    def update(self, theta, grad, state, step):
        grad *= self.lr
        theta -= grad


@GALLERY.sound
class Bias(Optimizer):
    """Adam's correction."""

    lr: Annotated[float, Ge(0), doc("rate")] = 0.01
    beta: Annotated[float, Interval(ge=0, lt=1), doc("decay")] = 0.9

    def init(self, theta):
        return {"mean": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        state["mean"][...] = self.beta * state["mean"] + (1 - self.beta) * grad
        theta -= self.lr * state["mean"] / (1 - self.beta**step)


@GALLERY.flawed("finite", "descends", "scheduled")
class StepFromZero(Bias):
    def update(self, theta, grad, state, step):
        super().update(theta, grad, state, step - 1)


@GALLERY.flawed("finite")
class NoEps(Heavy):
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad / np.sqrt(grad * grad)


@GALLERY.flawed("state")
class PromotedState(Heavy):
    def init(self, theta):
        return {"velocity": np.zeros(theta.shape)}


@GALLERY.flawed("state")
class StateIsTheta(Heavy):
    def init(self, theta):
        return {"velocity": np.zeros_like(theta), "last": theta}


@GALLERY.flawed("state", "trained", others=True)
class NoRunAxis(Heavy):
    def init(self, theta):
        return {"velocity": np.zeros_like(theta), "count": np.zeros(1, theta.dtype)}


@GALLERY.flawed("state")
class GrowingState(Heavy):
    def update(self, theta, grad, state, step):
        super().update(theta, grad, state, step)
        state[f"velocity of {step}"] = state["velocity"].copy()


@GALLERY.flawed("state")
class StateOfFloat64(Heavy):
    def update(self, theta, grad, state, step):
        state["velocity"] = (self.momentum * state["velocity"] + grad).astype(float)
        theta -= self.lr * state["velocity"].astype(theta.dtype)


@GALLERY.flawed("resumes", "nothing_kept", others=True)
class KeepsOnInstance(Heavy):
    """As if it were not frozen."""

    def update(self, theta, grad, state, step):
        velocity = vars(self).setdefault("velocity", np.zeros_like(theta)) if step > 1 else np.zeros_like(theta)
        vars(self)["velocity"] = velocity = self.momentum * velocity + grad
        theta -= self.lr * velocity


@GALLERY.flawed("resumes", "nothing_kept", others=True)
class KeepsOnClass(Heavy):
    velocity: ClassVar = None

    def update(self, theta, grad, state, step):
        last = 0 if step == 1 else type(self).velocity
        type(self).velocity = self.momentum * last + grad
        theta -= self.lr * type(self).velocity


@GALLERY.flawed("resumes", "nothing_kept", others=True)
class KeepsInModule(Heavy):
    def update(self, theta, grad, state, step):
        VELOCITY["velocity"] = grad + (self.momentum * VELOCITY["velocity"] if step > 1 else 0)
        theta -= self.lr * VELOCITY["velocity"]


@GALLERY.flawed("stacking", "trained", "scheduled")
class RateOfTheFirstRun(Heavy):
    def update(self, theta, grad, state, step):
        theta -= np.ravel(self.lr)[0] * grad


@GALLERY.flawed("stacking", "trained", "scheduled", "runs_apart")
class ClipsOverRuns(Heavy):
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad / (1 + np.abs(grad).max())


@GALLERY.flawed("stacking", "runs_apart")
class NormOverRuns(Heavy):
    def update(self, theta, grad, state, step):
        norm = np.sqrt((grad**2).sum())
        theta -= self.lr * grad / np.maximum(1, norm / 50)


@GALLERY.flawed("stacking", others=True)
class SumsByProduct(Heavy):
    """A product with a vector adds in another order for one row than for several."""

    def update(self, theta, grad, state, step):
        theta -= self.lr * grad / (1 + (grad * grad) @ np.ones((grad.shape[1], 1), grad.dtype))


@GALLERY.sound
class Counts(Heavy):
    """A whole number for each run."""

    def init(self, theta):
        return {"taken": np.zeros((len(theta), 1), int)}

    def update(self, theta, grad, state, step):
        state["taken"] += 1
        theta -= self.lr * grad / np.sqrt(state["taken"]).astype(theta.dtype)


@GALLERY.sound
class WithoutRate(Optimizer):
    """Steps of one size, fixed."""

    rate = None

    def update(self, theta, grad, state, step):
        theta -= np.sign(grad) * theta.dtype.type(0.001)


@GALLERY.flawed("frozen", "scheduled", others=True)
class CachesTheStep(Heavy):
    @functools.cached_property
    def size(self):
        return 2 * self.lr

    def update(self, theta, grad, state, step):
        theta -= self.size * grad


@GALLERY.flawed("scheduled")
class KeepsTheRate(Heavy):
    def init(self, theta):
        return {"rate": np.full((len(theta), 1), self.lr, theta.dtype)}

    def update(self, theta, grad, state, step):
        theta -= state["rate"] * grad


@GALLERY.flawed("scheduled")
class AnotherName(Optimizer):
    eta: Annotated[float, Ge(0), doc("rate")] = 0.01

    def update(self, theta, grad, state, step):
        theta -= self.eta * grad


@GALLERY.flawed("scheduled")
class RateOfNoNumber(Heavy):
    rate = "lookahead"


@GALLERY.sound
class Evaluates(Heavy):
    """A gradient and losses beside where it is."""

    def update(self, theta, grad, state, step, *, problem):
        here, before = theta.copy(), problem.loss()
        theta -= self.lr * grad
        theta[:] = here - self.lr * problem.gradient()
        theta[:] = np.where(problem.loss() <= before, theta, here - 0.1 * (here - theta))


@GALLERY.sound
class KnowsLayers(Heavy):
    """Weights decay, biases do not."""

    def update(self, theta, grad, state, step, *, shape):
        for weights in shape.weights(theta):
            weights *= 1 - 0.1 * np.reshape(self.lr, (-1, 1, 1))
        theta -= self.lr * grad


@GALLERY.sound
class Random(Heavy):
    """It is random from the beginning, and averages."""

    def init(self, theta, *, rng):
        return {"average": theta + 0.1 * rng.normal(theta.shape[1])}

    def update(self, theta, grad, state, step, *, rng):
        theta -= self.lr * np.where(rng.bernoulli(0.8, theta.shape[1]), grad, 0)
        state["average"] += 0.1 * (theta - state["average"])

    def kept(self, theta, state):
        return state["average"]


@GALLERY.flawed("stacking", "trained", "scheduled")
class WalksOverRuns(Evaluates):
    """All runs step back because one of them must."""

    def update(self, theta, grad, state, step, *, problem):
        here, before = theta.copy(), problem.loss()
        theta -= self.lr * grad
        if (problem.loss() > before).any():
            theta[:] = here - 0.1 * (here - theta)


@GALLERY.flawed("stacking", "trained", "scheduled", others=True)
class LayersOfTheFirstRun(Heavy):
    def update(self, theta, grad, state, step, *, shape):
        norms = [np.abs(weights[0]).max() if weights.size else 0 for weights in shape.weights(grad)]
        theta -= self.lr * grad / (1 + max(norms))


@GALLERY.flawed("state", others=True)
class StateIsGrad(Heavy):
    """In the next step it is another gradient."""

    def update(self, theta, grad, state, step):
        theta -= self.lr * (grad + self.momentum * state["velocity"])
        state["velocity"] = grad


@GALLERY.flawed("seeded", "nothing_kept", others=True)
class DrawsFromNumPy(Heavy):
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad * np.random.uniform(0.5, 1, theta.shape)  # noqa: NPY002 - the flaw


@GALLERY.flawed("seeded", "stacking", "resumes", others=True)
class DrawsAnew(Heavy):
    def update(self, theta, grad, state, step, *, rng):
        noise = np.random.default_rng().normal(size=theta.shape).astype(theta.dtype)
        theta -= self.lr * (grad + 0.01 * noise * rng.normal(1))


@GALLERY.flawed("recommended", others=True)
class KeptOfAnotherShape(Heavy):
    def kept(self, theta, state):
        return theta[0]


@GALLERY.flawed("recommended", others=True)
class KeptChangesTheta(Heavy):
    def kept(self, theta, state):
        theta *= 0.9
        return theta


@GALLERY.flawed("stacking", "trained", others=True)
class KeptOfAllRuns(Heavy):
    def kept(self, theta, state):
        return theta - theta.mean(axis=0) * theta.dtype.type(0.1)


@GALLERY.flawed("stacking")
class CouplesLate(Heavy):
    """As a warm-up that ends for all runs at once."""

    def update(self, theta, grad, state, step):
        norm = np.sqrt((grad**2).sum()) if step > 50 else 1
        theta -= self.lr * grad / np.maximum(1, norm).astype(theta.dtype)


@GALLERY.flawed("descends")
class Timid(Heavy):
    lr: Annotated[float, Ge(0), doc("rate")] = 1e-6


@pytest.mark.parametrize(
    ("cls", "complaint"),
    [
        (KeepsTheRate, "a schedule that halves the rate in each epoch changes nothing; read self.lr in update"),
        (AnotherName, "AnotherName.rate is 'lr', which is not a float field, so every schedule is refused"),
    ],
)
def test_what_schedules_need_is_said(cls, complaint):
    assert complaint in failures(cls)["scheduled"]


def test_a_rate_that_is_too_small_to_be_seen_is_said():
    message = failures(Timid)["descends"]
    assert " in 1000 steps at the default rate (" in message
    assert message.endswith("look at the sign of the step, and at the default rate, which may be too small.")


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)

"""What optimizers may ask for: gradients and losses elsewhere, layers, random numbers; and what they recommend."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule.components.contracts import Optimizer
from chainrule.components.stacking import stack
from chainrule.config.compose import compose_settings
from chainrule.engine.network import predict
from chainrule.errors import ConfigurationError
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from stacks import LEAVING, everything, left_at

SEEN = []


@dataclass(frozen=True)
class Descent(Optimizer):
    lr: float = 0.02

    def update(self, theta, grad, state, step):
        theta -= self.lr * grad


@dataclass(frozen=True)
class Curious(Descent):
    """It evaluates beside theta, checks what it finds, and goes back."""

    def update(self, theta, grad, state, step, *, problem, shape):
        here, at_first, size = theta.copy(), grad.copy(), 1e-6
        index = step % theta.shape[1]
        losses = []
        for sign in (1, -1):
            theta[:, index] = here[:, index] + sign * size
            losses.append(problem.loss())
        difference = (losses[0] - losses[1]) / (2 * size)
        np.testing.assert_allclose(difference[:, 0], at_first[:, index], rtol=1e-4, atol=1e-6)
        theta[:] = here
        assert problem.gradient() is grad
        assert grad.tobytes() == at_first.tobytes()
        SEEN.append((step, losses[0].shape, [block.shape for block in shape.blocks(theta)]))
        theta -= self.lr * at_first


@dataclass(frozen=True)
class Differentiating(Descent):
    """It keeps the derivatives of each sample's outputs."""

    def update(self, theta, grad, state, step, *, problem):
        before, found = grad.copy(), [jacobian.copy() for jacobian in problem.jacobians()]
        assert grad.tobytes() == before.tobytes()
        SEEN.append((theta.copy(), found))
        theta -= self.lr * grad


@dataclass(frozen=True)
class Backtracking(Optimizer):
    """Halves the step of each run until its loss falls by a share of what the slope promises (Armijo)."""

    lr: float = 1.0

    def update(self, theta, grad, state, step, *, problem):
        start, slope = theta.copy(), np.square(grad).sum(axis=1, keepdims=True)
        before, move = problem.loss(), self.lr * grad.copy()
        searching = np.ones((len(theta), 1), bool)
        for _ in range(12):
            theta[:] = start - move
            after = problem.loss(searching)
            searching &= ~(after <= before - 1e-4 * slope)
            if not searching.any():
                break
            move[searching[:, 0]] /= 2


@dataclass(frozen=True)
class Noisy(Descent):
    """It draws in each step, and recommends an average of its steps."""

    noise: float = 1e-3

    def init(self, theta, *, rng):
        return {"average": theta + self.noise * rng.normal(theta.shape[1])}

    def update(self, theta, grad, state, step, *, rng):
        theta -= self.lr * grad + self.noise * rng.normal(theta.shape[1])
        state["average"] += (theta - state["average"]) / (step + 1)

    def kept(self, theta, state):
        return state["average"]


def runs(optimizer, *overrides, count=4):
    """Settings that differ in seed and rate."""
    base = compose_settings(["training.epochs=5", "training.measure_every=1", "data.samples=60", *overrides])
    for seed in range(count):
        own = dataclasses.replace(optimizer, lr=optimizer.lr * (1 + seed / 8))
        yield prepare(dataclasses.replace(base, seed=seed, optimizer=own))


@pytest.mark.parametrize("batch_size", ["null", "1", "16"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [Backtracking(), Noisy()], ids=lambda one: type(one).__name__)
def test_a_run_in_a_stack_that_others_leave_has_the_bytes_and_evaluations_of_the_run_alone(
    optimizer, dtype, batch_size
):
    overrides = f"training.batch_size={batch_size}", f"training.dtype={dtype}"
    together = train_stack(list(runs(optimizer, *overrides)), prune=left_at(LEAVING))
    for number, alone in enumerate(runs(optimizer, *overrides)):
        (result,) = train_stack([alone], prune=left_at({0: LEAVING.get(number)}))
        assert everything(result) == everything(together[number])
        assert result.epochs == LEAVING.get(number, 5)


@pytest.mark.parametrize(("batch_size", "batches"), [("null", 1), ("16", 3), ("1", 48)])
def test_gradients_elsewhere_are_those_of_the_batch_s_loss_and_are_counted(batch_size, batches):
    SEEN.clear()
    overrides = f"training.batch_size={batch_size}", "training.epochs=3", "seed=1"
    curious, plain = (list(runs(cls(), *overrides, count=1)) for cls in (Curious, Descent))
    (result,), (expected,) = train_stack(curious), train_stack(plain)
    assert result.theta.tobytes() == expected.theta.tobytes()
    steps = 3 * batches
    assert [step for step, _, _ in SEEN] == list(range(1, steps + 1))
    assert SEEN[0][1:] == ((1, 1), [(1, 0, 1), (1, 2, 3), (1, 2, 3), (1, 1, 3)])
    assert (expected.evaluations, result.evaluations) == ((steps, 0), (2 * steps, 2 * steps))


def test_what_is_recommended_is_measured_predicted_with_and_kept():
    (run,) = runs(Noisy(), count=1)
    (result,) = train_stack([run])
    x, y = result.samples.raw(result.samples.train)
    loss = 0.5 * np.square(result.predict(x) - y).mean()
    assert result.metrics["train/loss"] == pytest.approx(loss, rel=1e-12)
    assert result.curves.values["train/loss"][-1] == result.metrics["train/loss"]


def test_the_recommended_parameters_do_not_change_the_training():
    """An average that nobody trains with leaves the steps as they are."""

    @dataclass(frozen=True)
    class Forgets(Noisy):
        def kept(self, theta, state):
            return theta.copy()

    @dataclass(frozen=True)
    class Silent(Noisy):
        kept = Optimizer.kept

    for batch_size in ("null", "16"):
        both = [list(runs(cls(), f"training.batch_size={batch_size}", count=2)) for cls in (Forgets, Silent)]
        (first, second) = map(train_stack, both)
        assert [everything(one) for one in first] == [everything(one) for one in second]


def test_what_is_random_follows_from_the_seed_and_changes_nothing_else():
    one, again, plain = (train_stack(list(runs(cls(), count=2))) for cls in (Noisy, Noisy, Descent))
    assert [everything(result) for result in one] == [everything(result) for result in again]
    for noisy, usual in zip(one, plain, strict=True):
        assert noisy.samples.train.tobytes() == usual.samples.train.tobytes()
        assert noisy.theta.tobytes() != usual.theta.tobytes()


@pytest.mark.parametrize(
    "overrides",
    [
        ["network.hidden=[]"],
        ["network.hidden=[1]", "activation=sigmoid"],
        ["network.hidden=[3,2]", "activation=tanh"],
        ["network.hidden=[4]", "activation=tanh", "target=wine", "output=softmax", "loss=categorical_cross_entropy"],
    ],
    ids=["linear", "one unit", "two layers", "three classes"],
)
@pytest.mark.parametrize("samples", [1, 9])
def test_derivatives_of_each_sample_s_outputs_are_those_of_differences(overrides, samples):
    SEEN.clear()
    settings = compose_settings([*overrides, f"data.samples={samples + 1}", "training.epochs=1", "seed=1",
                                 "training.batch_size=null", f"data.validation={1 / (samples + 1)}"])  # fmt: skip
    run = prepare(dataclasses.replace(settings, optimizer=Differentiating()))
    (result,) = train_stack([run])
    ((theta, found),) = SEEN
    outputs = run.shape.widths[-1]
    assert [jacobian.shape for jacobian in found] == [(1, samples, run.shape.size)] * outputs
    assert result.evaluations == (1 + outputs, 0)

    x, size = run.samples.train[1 : 1 + run.shape.widths[0]], 1e-6

    def predicted(at):
        shape, activations = run.shape, (settings.activation, settings.output)
        return predict(shape, at, *(stack([each], float) for each in activations), x)

    for number, column in enumerate(np.eye(run.shape.size)):
        difference = (predicted(theta[0] + size * column) - predicted(theta[0] - size * column)) / (2 * size)
        ours = np.array([jacobian[0, :, number] for jacobian in found])
        np.testing.assert_allclose(ours, difference, rtol=1e-6, atol=1e-8)


def test_derivatives_are_refused_where_a_rule_has_others():
    settings = compose_settings(["rule=feedback_alignment", "training.epochs=1"])
    with pytest.raises(ConfigurationError, match="derivatives of the predictions, which rule=feedback_alignment does"):
        train_stack([prepare(dataclasses.replace(settings, optimizer=Differentiating()))])

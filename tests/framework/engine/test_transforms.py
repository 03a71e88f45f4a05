"""Where transforms stand in a training step, and what they are given."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from chainrule.components.contracts import Optimizer, Transform
from chainrule.config.compose import compose_settings
from chainrule.errors import PluginError
from chainrule.runs.execute import stopwatch, train_stack
from chainrule.runs.prepare import prepare
from chainrule_optimizers import GradientDescent
from chainrule_transforms import L1, L2, Clip, ClipValue

SEEN = []


@dataclass(frozen=True)
class Probe(Transform):
    """It changes nothing and writes down what it is given."""

    number: float = 1.0

    def gradient(self, grad, theta, state, step, *, lr, shape):
        SEEN.append(("gradient", step, lr[:, 0].tolist(), grad.copy(), theta.copy()))
        assert shape.size == theta.shape[1]
        return grad

    def after(self, theta, state, step, *, before, lr):
        SEEN.append(("after", step, lr[:, 0].tolist(), before.copy(), theta.copy()))
        return theta


@dataclass(frozen=True)
class Curious(Optimizer):
    """It compares the gradient with differences of the loss at each step, and evaluates both anew."""

    lr: float = 0.01

    def update(self, theta, grad, state, step, *, problem):
        here, at_first, size = theta.copy(), grad.copy(), 1e-6
        index = step % theta.shape[1]
        losses = []
        for sign in (1, -1):
            theta[:, index] = here[:, index] + sign * size
            losses.append(problem.loss()[:, 0])
        np.testing.assert_allclose((losses[0] - losses[1]) / (2 * size), at_first[:, index], rtol=1e-4, atol=1e-6)
        theta[:] = here
        assert problem.gradient() is grad
        assert grad.tobytes() == at_first.tobytes()
        theta -= self.lr * at_first


def settings(*transforms, words=(), **parts):
    base = compose_settings(["training.epochs=3", "data.samples=20", "training.batch_size=5", *words])
    return dataclasses.replace(base, transforms=transforms, **parts)


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


def test_without_transforms_the_step_is_the_optimizer_s_own_method():
    timer = stopwatch([prepare(settings(optimizer=GradientDescent()))])
    for update, _, _ in timer._machine._parts[0]:
        assert update.__func__ is GradientDescent.update


def test_the_gradient_comes_before_the_optimizer_and_after_comes_after():
    probe, descent = Probe(), GradientDescent(lr=0.5)
    train_stack([prepare(settings(probe, optimizer=descent))])
    assert [entry[:2] for entry in SEEN[:4]] == [("gradient", 1), ("after", 1), ("gradient", 2), ("after", 2)]
    for (_, _, _, grad, theta), (_, _, lr, before, moved) in zip(SEEN[::2], SEEN[1::2], strict=True):
        assert lr == [0.5]
        assert before.tobytes() == theta.tobytes()
        assert moved.tobytes() == (theta - 0.5 * grad).tobytes()


def test_the_learning_rate_is_that_of_the_schedule():
    words = ["schedule=exponential", "schedule.gamma=0.5", "training.batch_size=null", "optimizer.lr=0.4"]
    train_stack([prepare(settings(Probe(), words=words))])
    assert [entry[2] for entry in SEEN[::2]] == [[0.4], [0.2], [0.1]]


def test_runs_that_leave_take_their_states_along():
    runs = [settings(Probe(), seed=seed, words=["training.measure_every=1"]) for seed in range(3)]
    train_stack([prepare(run) for run in runs], prune=lambda epoch, active, losses: (active == 0) & (epoch == 1))
    assert {len(entry[2]) for entry in SEEN} == {3, 2}


@pytest.mark.parametrize(
    "transforms",
    [(L2(strength=0.2),), (L1(strength=0.2), L2(strength=0.3, biases=True)), ()],
    ids=["l2", "two", "none"],
)
def test_a_problem_has_the_penalties_in_its_gradients_and_in_its_losses(transforms):
    for words in ([], ["training.batch_size=null"]):
        (result,) = train_stack([prepare(settings(*transforms, optimizer=Curious(), words=words))])
        assert result.evaluations[0] == 2 * result.epochs * (1 if words else 4)


def test_every_gradient_of_a_problem_passes_through_the_list():
    @dataclass(frozen=True)
    class Elsewhere(Optimizer):
        lr: float = 0.01

        def update(self, theta, grad, state, step, *, problem):
            assert np.abs(grad).max() <= 0.125
            theta += 1
            assert np.abs(problem.gradient()).max() == 0.125
            theta -= 1 + self.lr * grad

    train_stack([prepare(settings(ClipValue(limit=0.125), optimizer=Elsewhere()))])


def test_norms_and_losses_are_measured_without_transforms():
    """Before the first step, a run with them and one without are the same."""
    plain, clipped = (
        train_stack([prepare(settings(*transforms))])[0].curves.values
        for transforms in ((), (Clip(limit=1e-3), L2(strength=5.0)))
    )
    for name, curve in plain.items():
        assert curve[0] == clipped[name][0]


def test_what_is_kept_passes_through_the_list_after_the_optimizer():
    @dataclass(frozen=True)
    class Shifted(GradientDescent):
        def kept(self, theta, state):
            return theta + 1

    @dataclass(frozen=True)
    class Doubled(Transform):
        def kept(self, theta, state):
            return 2 * theta

    @dataclass(frozen=True)
    class Negated(Transform):
        def kept(self, theta, state):
            return -theta

    run = settings(optimizer=Shifted(lr=0.0))
    for transforms, factor in (((), 1), ((Doubled(),), 2), ((Doubled(), Negated()), -2)):
        prepared = prepare(dataclasses.replace(run, transforms=transforms))
        (result,) = train_stack([prepared])
        np.testing.assert_array_equal(result.theta, factor * (prepared.theta + 1))


@pytest.mark.parametrize(
    ("method", "returned", "sentence"),
    [
        ("gradient", lambda theta: None, "Odd.gradient returned an array of shape (), not (1, 15)."),
        ("after", lambda theta: theta[0], "Odd.after returned an array of shape (15,), not (1, 15)."),
        ("kept", lambda theta: theta[:, :2], "Odd.kept returned an array of shape (1, 2), not (1, 15)."),
        ("init", lambda theta: {"a": theta[0]}, "transforms=odd keeps 'a' of shape (15,); its first axis must be"),
    ],
)
def test_wrong_shapes_are_named(method, returned, sentence):
    given = {"init": lambda self, theta: returned(theta), "kept": lambda self, theta, state: returned(theta)}
    given["gradient"] = lambda self, grad, theta, state, step: returned(theta)
    given["after"] = lambda self, theta, state, step: returned(theta)
    function = given[method]
    function.__qualname__ = f"Odd.{method}"
    odd = dataclass(frozen=True)(type("Odd", (Transform,), {method: function}))
    with pytest.raises(PluginError) as caught:
        train_stack([prepare(settings(odd()))])
    assert sentence in str(caught.value)

"""An onlooker sees the steps that it wants and changes no bit."""

import numpy as np
import pytest
from scipy.special import expit

import chainrule
from chainrule.engine.onlooker import Onlooker
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from stacks import LEAVING, everything, left_at


class Seeing(Onlooker):
    """Keeps the steps with these numbers, or all, and copies of some of what is measured."""

    def __init__(self, numbers=None):
        self.numbers, self.steps, self.points = numbers, [], []

    def wants(self, step):
        return self.numbers is None or step in self.numbers

    def stepped(self, step):
        self.steps.append(step)

    def measured(self, point):
        values = {name: column.copy() for name, column in point.values.items()}
        self.points.append((point.epoch, point.step, point.runs.tolist(), point.theta.copy(), values))


STRUCTURES = [
    [],
    ["training.batch_size=null", "optimizer=adam"],
    ["training.batch_size=64", "schedule=cosine", "transforms=[clip,ema]", "transforms.clip.limit=0.1"],
    ["training.batch_size=64", "network.dropout=0.3", "norm=batch_norm", "optimizer=sam"],
    ["rule=kolen_pollack", "training.batch_size=32"],
    ["training.batch_size=null", "rule=forward_gradient"],
]


@pytest.mark.parametrize("words", STRUCTURES, ids=" ".join)
def test_a_stack_that_is_seen_has_the_bits_of_one_that_is_not(words):
    configurations = [["training.epochs=4", "training.measure_every=1", *words, f"seed={seed}"] for seed in range(4)]
    seen = Seeing()
    runs = [[prepare(chainrule.settings(*one)) for one in configurations] for _ in range(2)]
    plain = train_stack(runs[0], None, left_at(LEAVING))
    watched = train_stack(runs[1], None, left_at(LEAVING), onlooker=seen)
    assert list(map(everything, plain)) == list(map(everything, watched))
    per_epoch = len([step for step in seen.steps if step.epoch == 0])
    assert [step.number for step in seen.steps] == list(range(1, 4 * per_epoch + 1))
    assert [step.runs.tolist() for step in seen.steps[::per_epoch]] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2, 3], [0, 3]]
    for step, following in zip(seen.steps, seen.steps[1:], strict=False):
        rows = np.flatnonzero(np.isin(step.runs, following.runs))
        assert step.after[rows].tobytes() == following.before.tobytes()
        for name, array in step.optimizer_after.items():
            assert array[rows].tobytes() == following.optimizer_before[name].tobytes()
    for row, run in enumerate(seen.points[-1][2]):
        assert seen.points[-1][3][row].tobytes() == watched[run].theta.tobytes()
    assert [(epoch, step) for epoch, step, *_ in seen.points] == [(epoch, epoch * per_epoch) for epoch in range(5)]


class Changing(Onlooker):
    """Keeps what steps change, of some points alone."""

    def __init__(self):
        self.changes, self.epochs = [], []

    def wants(self, step):
        return step % 3 == 1

    def changed(self, change):
        self.changes.append(change)

    def wants_point(self, epoch):
        return epoch in (0, 2)

    def measured(self, point):
        self.epochs.append(point.epoch)


@pytest.mark.parametrize("words", STRUCTURES, ids=" ".join)
def test_who_wants_only_what_steps_change_is_shown_the_same_bits(words):
    """Also of optimizers that evaluate the loss themselves, and with dropout, whose generators are not copied then."""
    configurations = [["training.epochs=4", "training.measure_every=1", *words, f"seed={seed}"] for seed in range(4)]
    seen, changing = Seeing(), Changing()
    for onlooker in (seen, changing):
        runs = [prepare(chainrule.settings(*one)) for one in configurations]
        train_stack(runs, None, left_at(LEAVING), onlooker=onlooker)
    wanted = [step for step in seen.steps if step.number % 3 == 1]
    assert [change.number for change in changing.changes] == [step.number for step in wanted]
    for change, step in zip(changing.changes, wanted, strict=True):
        assert (change.epoch, change.runs.tolist()) == (step.epoch, step.runs.tolist())
        for name in ("before", "after", "grad", "rate"):
            assert getattr(change, name).tobytes() == getattr(step, name).tobytes()
        assert not hasattr(change, "randoms")
    assert changing.epochs == [0, 2]


def test_a_step_is_that_of_a_loop_over_samples():
    run = prepare(chainrule.settings("training.epochs=1"))
    (W1, W2, W3), (b1, b2, b3) = run.shape.split(run.theta)
    seen = Seeing()
    train_stack([run], onlooker=seen)
    for step in seen.steps[:5]:
        x, y = step.x[0, :, 0], step.y[0, :, 0]
        a1 = expit(W1 @ x + b1)
        a2 = expit(W2 @ a1 + b2)
        d3 = W3 @ a2 + b3 - y
        d2 = W3.T @ d3 * a2 * (1 - a2)
        d1 = W2.T @ d2 * a1 * (1 - a1)
        for found, expected in zip(step.delta[1:], (d1, d2, d3), strict=True):
            np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-10)
        np.testing.assert_allclose(step.a[2][0, :, 0], a2, rtol=1e-12)
        rate = step.rate[0]
        for W, b, delta, a in ((W3, b3, d3, a2), (W2, b2, d2, a1), (W1, b1, d1, x)):
            W -= rate * np.outer(delta, a)
            b -= rate * delta
        np.testing.assert_allclose(step.after[0], run.shape.flatten([W1, W2, W3], [b1, b2, b3]), rtol=1e-10)
        np.testing.assert_allclose(step.after, step.before - rate * step.grad, rtol=1e-15)


def test_what_a_transform_makes_of_the_gradient_is_seen_beside_it():
    run = prepare(chainrule.settings("training.epochs=1", "transforms=[clip]", "transforms.clip.limit=0.1"))
    seen = Seeing([1])
    train_stack([run], onlooker=seen)
    (step,) = seen.steps
    assert np.linalg.norm(step.grad) > 1
    np.testing.assert_allclose(np.linalg.norm(step.used), 0.1, rtol=1e-5)


def test_an_optimizer_that_evaluates_by_itself_has_no_other_gradient_to_show():
    seen = Seeing([2])
    train_stack([prepare(chainrule.settings("training.epochs=1", "optimizer=sam"))], onlooker=seen)
    assert [step.used for step in seen.steps] == [None]


def test_weights_of_samples_are_seen():
    words = ["target=xor", "output=sigmoid", "loss=binary_cross_entropy", "data.class_weights=[1,3]"]
    seen = Seeing([1])
    train_stack([prepare(chainrule.settings("training.epochs=1", "training.batch_size=16", *words))], onlooker=seen)
    (step,) = seen.steps
    assert step.weights.shape == (1, 16)
    assert len(np.unique(step.weights)) == 2


@pytest.mark.parametrize("words", [[], ["training.batch_size=null"], ["training.gradient_norms=true"]], ids=" ".join)
def test_a_point_has_the_gradient_over_all_samples_whether_the_run_measures_it_or_not(words):
    found = []

    class Asking(Onlooker):
        def measured(self, point):
            delta, grad = point.backward()
            found.append((point.theta.copy(), grad.copy(), [each.copy() for each in delta], point.a[-1].copy()))

    words = ["training.epochs=3", "training.measure_every=1", "training.gradient_norms=false", *words]
    run = prepare(chainrule.settings(*words))
    (seen,) = train_stack([run], onlooker=Asking())
    (plain,) = train_stack([prepare(chainrule.settings(*words))])
    assert everything(seen) == everything(plain)
    assert len(found) == 4
    for theta, grad, delta, predicted in found:
        np.testing.assert_allclose(grad[0], chainrule.gradient(run, theta[0]), rtol=1e-12)
        np.testing.assert_allclose(delta[-1], predicted - run.samples.train[None, 3:], rtol=1e-12)


def test_nobody_wants_anything_by_default():
    train_stack([prepare(chainrule.settings("training.epochs=1"))], onlooker=Onlooker())

"""Activations that are random in training: what they are given, and what each run draws."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import Activation, Optimizer

SHORT = ["network.hidden=[3,2]", "data.samples=20", "training.epochs=5", "training.measure_every=1"]


@dataclass(frozen=True)
class Noisy(Activation):
    """``z`` with noise in training, more in higher layers."""

    noise: float = 0.5

    def forward(self, z, *, rng, layer):
        return z if rng is None else z + self.noise * layer * rng.normal(*z.shape[1:])

    def slope(self, z, a):
        return np.ones_like(z)


@dataclass(frozen=True)
class Seen(Activation):
    """Notes what it is given."""

    def forward(self, z, out=None, *, rng, layer):
        SEEN.append((layer, rng is not None, z.shape[2]))
        return np.multiply(z, 1.0, out)

    def slope(self, z, a):
        return np.ones_like(z)


SEEN = []


@dataclass(frozen=True)
class Halving(Optimizer):
    """Halves a run's step until its loss falls: runs need different numbers of evaluations."""

    lr: float = 1.0

    def update(self, theta, grad, state, step, *, problem):
        start, size = theta.copy(), np.full((len(theta), 1), 1.0) * self.lr
        before, direction = problem.loss(), grad.copy()
        search = np.full((len(theta), 1), True)
        for _ in range(6):
            np.copyto(theta, start - size * direction, where=search)
            search = search & ~(problem.loss(search) < before)
            if not search.any():
                break
            size = np.where(search, size / 2, size)
        problem.gradient(search)
        theta -= 0.01 * grad


def prepared(*overrides, seeds=range(5), **parts):
    base = chainrule.settings(*SHORT, *overrides)
    parts = {"activation": Noisy(), **parts}
    return [chainrule.prepare(dataclasses.replace(base, seed=seed, **parts)) for seed in seeds]


@pytest.mark.parametrize(
    "optimizer", [Halving(), chainrule.component("optimizer", "sam"), chainrule.component("optimizer", "sgld")]
)
@pytest.mark.parametrize("batch_size", [1, 7, "null"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_draws_in_a_stack_what_it_draws_alone(batch_size, optimizer, dtype):
    overrides = [f"training.batch_size={batch_size}", f"training.dtype={dtype}"]
    parts = {"optimizer": optimizer, "output": Noisy()}
    leaving = {1: 1, 2: 3}
    stop = lambda epoch, runs, _: np.array([leaving.get(run) == epoch for run in runs], bool)  # noqa: E731
    together = chainrule.train(prepared(*overrides, **parts), stop=stop)
    for number in (0, 3, 4):
        (alone,) = chainrule.train(prepared(*overrides, seeds=[number], **parts))
        assert together[number].theta.tobytes() == alone.theta.tobytes()
        assert together[number].evaluations == alone.evaluations


def test_measuring_and_predicting_are_not_random():
    (result,) = chainrule.train(prepared("training.batch_size=null", "data.validation=0", seeds=[0]))
    x, y = result.samples.raw(result.samples.train)
    np.testing.assert_array_equal(result.predict(x), result.predict(x))
    assert np.square(result.predict(x) - y).sum() / 2 / x.shape[1] == pytest.approx(
        result.curves.values["train/loss"][-1]
    )


def test_full_batches_are_random_from_the_first_step_on():
    still = [
        dataclasses.replace(run, settings=dataclasses.replace(run.settings, activation=Noisy(noise=0.0)))
        for run in prepared("training.batch_size=null", "training.epochs=1", seeds=[0])
    ]
    (noisy,), (quiet,) = (
        chainrule.train(runs) for runs in (prepared("training.batch_size=null", "training.epochs=1", seeds=[0]), still)
    )
    assert not np.array_equal(noisy.theta, quiet.theta)
    assert noisy.curves.values["train/loss"][0] == quiet.curves.values["train/loss"][0]


def test_layers_count_from_1_and_randomness_is_for_training_only():
    SEEN.clear()
    chainrule.train(
        prepared("training.epochs=1", "training.batch_size=16", seeds=[0], activation=Seen(), output=Seen())
    )
    measured, trained = ([(layer, random) for layer in (1, 2, 3)] for random in (False, True))
    found = [(layer, random) for layer, random, _ in SEEN]
    assert found[:9] == [*measured, *measured, *trained]
    assert found[9:15] == [*measured, *measured]

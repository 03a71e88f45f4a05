"""Dropout: what it does to a layer, its gradient, and what each run draws."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Truth, mean_loss
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Pass, Shape

SHORT = ["network.hidden=[6,5]", "activation=tanh", "data.samples=20", "training.epochs=5", "training.measure_every=1"]


def passed(theta, rate, seed=5):
    shape = Shape((2, 6, 5, 1))
    chosen = {"tanh": "activation", "identity": "activation", "half_squared_error": "loss", "exact": "rule"}
    parts = [stack([chainrule.component(kind, name)], float) for name, kind in chosen.items()]
    random = Random([np.random.default_rng(seed)], float)
    forward = Pass(
        shape, theta[None], parts[0], parts[1], 9, random, dropout=None if rate is None else np.array([rate])
    )
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1, 3, 9)), rng.normal(size=(1, 1, 9))
    x[:, 0] = 1
    backprop = Backprop(forward, parts[2], parts[3], {}, np.empty((1, shape.size)))
    return backprop, backprop.batch(x, y)


THETA = np.random.default_rng(0).normal(size=Shape((2, 6, 5, 1)).size)


def test_units_are_left_out_with_the_probability_and_the_others_make_up_for_them():
    """Srivastava et al. 2014, sec. 4, scaled in training as PyTorch does."""
    backprop, batch = passed(THETA, 0.3)
    found = []
    for _ in range(400):
        backprop.forward.forward(batch.first)
        a, whole = backprop.forward.a[1], np.tanh(backprop.forward.z[1])
        kept = a != 0
        np.testing.assert_allclose(a[kept], whole[kept] / 0.7, rtol=1e-12)
        found.append(kept.mean())
    assert np.mean(found) == pytest.approx(0.7, abs=0.01)  # four deviations are 0.0125
    assert len(np.unique(found)) > 10


def test_the_gradient_is_that_of_the_loss_with_the_same_units_left_out():
    backprop, batch = passed(THETA, 0.4)
    actual = backprop(batch)[0].copy()

    def loss(theta):
        one, same = passed(theta, 0.4)
        one.forward.forward(same.first)
        return float(mean_loss(one.forward, one.loss, Truth(same.truth.y, None))[0])

    np.testing.assert_allclose(actual, central_differences(loss, THETA), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "identity", "prelu", "[tanh,swish]"])
@pytest.mark.parametrize("batch_size", [1, 7, "null"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_draws_in_a_stack_what_it_draws_alone(batch_size, dtype, activation):
    overrides = [*SHORT, f"activation={activation}", f"training.batch_size={batch_size}", f"training.dtype={dtype}"]
    base = chainrule.settings(*overrides)

    def run(seed):
        network = dataclasses.replace(base.network, dropout=0.1 + 0.1 * seed)
        return dataclasses.replace(base, seed=seed, network=network)

    leaving = {1: 1, 2: 3}
    together = chainrule.train(
        map(run, range(5)), stop=lambda epoch, runs, _: np.array([leaving.get(r) == epoch for r in runs], bool)
    )
    for number in (0, 3, 4):
        (alone,) = chainrule.train([run(number)])
        assert together[number].theta.tobytes() == alone.theta.tobytes()


def test_nothing_is_left_out_where_a_run_is_measured_or_predicts():
    (result,) = chainrule.train([[*SHORT, "network.dropout=0.5", "data.validation=0"]])
    x, y = result.samples.raw(result.samples.train)
    assert np.square(result.predict(x) - y).mean() / 2 == pytest.approx(result.curves.values["train/loss"][-1])


def test_runs_without_are_as_before_and_stack_apart():
    plain, none, some = chainrule.train([SHORT, [*SHORT, "network.dropout=0"], [*SHORT, "network.dropout=0.1"]])
    assert plain.theta.tobytes() == none.theta.tobytes() != some.theta.tobytes()


@pytest.mark.parametrize("value", ["1", "-0.1"])
def test_a_share_is_below_one(value):
    with pytest.raises(chainrule.ConfigurationError, match=r"network\.dropout must be a number >= 0 and < 1"):
        chainrule.settings(f"network.dropout={value}")

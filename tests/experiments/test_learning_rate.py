"""Gradient descent is stable below ``2 / lambda_max`` and unstable above it."""

import re

import numpy as np
import pytest
from scipy.special import expit

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.engine.gradcheck import central_differences
from studies import load, small


@pytest.fixture(scope="module")
def study():
    return load("learning_rate", "sharpness")


@pytest.fixture(scope="module")
def place(study):
    """A run, and parameters at which it has nearly come to rest."""
    run = chainrule.prepare(compose_settings(["experiment=learning_rate", "training.epochs=20000"]))
    return run, chainrule.train([run])[0].theta


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, rows = small("learning_rate", "sharpness")
    assert float(re.search(r"within ([\d.e-]+) of the bound", printed)[1]) <= 1e-3
    ends = {row[0]: row for row in rows[1:]}
    assert (ends["0.5"][1], ends["2"][1]) == ("0", "2"), "unstable places"
    assert ends["2"][2] == "0", "beyond the bound nothing diverges at once"
    assert float(ends["1.5"][4].split()[0]) == pytest.approx(1, abs=0.1), "the edge of stability"


def test_the_hessian_is_that_of_the_loss(study, place):
    run, theta = place
    x, y = np.split(run.samples.train[1:], [2])

    def loss(theta):
        (W1, W2, W3), (b1, b2, b3) = run.shape.split(theta)
        a = expit(W2 @ expit(W1 @ x + b1[:, None]) + b2[:, None])
        return np.square(y - W3 @ a - b3[:, None]).mean() / 2

    rows = [central_differences(lambda t, n=n: central_differences(loss, t)[n], theta) for n in range(len(theta))]
    np.testing.assert_allclose(study.hessian(run, theta), rows, atol=1e-4 * np.abs(rows).max())


@pytest.mark.parametrize(("factor", "grows"), [(0.95, False), (1.05, True)])
def test_a_disturbance_shrinks_below_the_bound_and_grows_above_it(study, place, factor, grows):
    run, theta = place
    value, direction = study.sharpness(run, theta)
    rate = factor * 2 / value
    stack = [study.onward(run, start, rate, 10, 1) for start in (theta, theta + 1e-6 * direction)]
    still, disturbed = chainrule.train(stack)
    left = abs((disturbed.theta - still.theta) @ direction) / 1e-6
    assert (left > 1) == grows
    assert left == pytest.approx(abs(1 - rate * value) ** 10, rel=0.02)


def test_the_quadratic_bound_is_sharp(study):
    run = chainrule.prepare(compose_settings(["experiment=learning_rate", "network.hidden=[]"]))
    x = run.samples.train[:3]
    np.testing.assert_allclose(study.hessian(run, run.theta), x @ x.T / x.shape[1], atol=1e-9)
    bound = 2 / np.linalg.eigvalsh(x @ x.T / x.shape[1])[-1]
    below, above = chainrule.train([study.onward(run, run.theta, f * bound, 20_000, 1000) for f in (0.999, 1.001)])
    assert below.metrics["train/loss"] < 1e-9
    assert above.metrics["train/loss"] > 1e9


def test_a_scan_sees_what_lies_above_the_bound(study, place):
    run, theta = place
    (at,) = chainrule.train([study.onward(run, theta, 0.02, 0, 1)])
    (seen,) = study.scan([run], [at], [study.sharpness(run, theta)])
    assert not seen[study.FACTORS <= 0.95].any()
    assert seen[study.FACTORS >= 1.05].all()


def test_medians_of_groups_tell_how_much_twenty_places_say(study):
    values = np.concatenate([np.full(20, 0.5), np.full(20, 4.0), np.full(20, 1.5)])
    assert study.grouped(values) == "1.5 (0.5 to 4)"
    assert study.grouped(np.array([1.0, 3.0])) == "2 (2 to 2)", "fewer than a group"


def test_a_share_has_the_exact_interval(study):
    """Of none in n the upper end is ``1 - 0.025^(1/n)``, of all the lower end is ``0.025^(1/n)``."""
    assert study.share(0, 9) == f"0 [0, {100 * (1 - 0.025 ** (1 / 9)):.0f}]"
    assert study.share(9, 9) == f"100 [{100 * 0.025 ** (1 / 9):.0f}, 100]"


def test_a_loss_that_is_no_number_counts_as_infinite(study, place):
    run, theta = place
    ends = chainrule.train([study.onward(run, theta, rate, 50, 10) for rate in (0.01, 1e6)])
    calm, lost = study.last_losses(ends)
    assert calm == ends[0].metrics["train/loss"]
    assert lost == np.inf

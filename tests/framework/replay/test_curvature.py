"""Curvature against Hessians that are known."""

import numpy as np
import pytest

import chainrule
from chainrule.replay.curvature import Gradients, curvature, hessian
from chainrule.replay.replays import Replay


@pytest.fixture(scope="module")
def plane():
    """A linear regression without a hidden layer: its Hessian is the second moment of (1, x)."""
    return Replay(chainrule.settings("network.hidden=[]", "tracking=none")).prepare()


def of_plane(run):
    train = run.samples.train.astype(float)
    return Gradients(run.settings, run.shape, train, 2, run.states), train[:3] @ train[:3].T / train.shape[1]


def test_the_hessian_of_a_linear_regression_is_the_second_moment_of_its_inputs(plane):
    gradients, moments = of_plane(plane)
    assert np.allclose(hessian(gradients, plane.theta), moments, rtol=1e-7, atol=1e-9)
    found = curvature(gradients, plane.theta)
    assert found.is_exact
    assert np.allclose([found.smallest, found.largest], np.linalg.eigvalsh(moments)[[0, -1]])


@pytest.mark.parametrize(("low", "high"), [(-3.0, 2.0), (-0.5, 7.0), (0.25, 4.0)])
def test_power_iteration_finds_both_ends_of_a_known_spectrum(low, high):
    values = np.array([low, *np.linspace(0.8 * low, 0.8 * high, 298), high])
    found = curvature(lambda thetas: thetas * values, np.ones(300))
    assert not found.is_exact
    assert found.largest == pytest.approx(high, rel=0.03, abs=0.03)
    assert found.smallest == pytest.approx(low, rel=0.03, abs=0.06 * (high - low))


def test_where_gradients_are_not_finite_there_are_no_eigenvalues():
    found = curvature(lambda thetas: thetas * np.nan, np.ones(3))
    assert np.isnan([found.largest, found.smallest, found.gradient]).all()

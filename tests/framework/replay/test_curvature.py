"""Curvature against Hessians that are known."""

from dataclasses import replace

import numpy as np
import pytest

import chainrule
from chainrule.replay.curvature import Gradients, curvature, hessian, lanczos
from chainrule.replay.replays import Replay


@pytest.fixture(scope="module")
def plane():
    """A linear regression without a hidden layer: its Hessian is the second moment of (1, x)."""
    return Replay(chainrule.settings("network.hidden=[]", "tracking=none")).prepare()


def of_plane(run):
    train = run.samples.train.astype(float)
    return Gradients(run.settings, run.shape, train, 2, run.states), train[:3] @ train[:3].T / train.shape[1]


def found_at(run, theta, **changes):
    """The curvature of a run somewhere, with other work than it has."""
    work = replace(Replay(run.settings).work, **changes)
    train = run.samples.train.astype(float)
    return curvature(run.settings, run.shape, train, run.samples.inputs, run.states, theta, work)


def test_the_hessian_of_a_linear_regression_is_the_second_moment_of_its_inputs(plane):
    gradients, moments = of_plane(plane)
    gradient, found = hessian(gradients, plane.theta)
    assert np.allclose(found, moments, rtol=1e-6, atol=1e-7)  # differences are exact to the root of rounding
    assert np.array_equal(gradient, gradients(plane.theta[None])[0]), "the bits of the gradient alone"
    found = found_at(plane, plane.theta)
    assert found.is_exact
    assert np.allclose([found.smallest, found.largest], np.linalg.eigvalsh(moments)[[0, -1]])


def test_the_parts_in_which_gradients_are_evaluated_change_no_bit(plane, monkeypatch):
    gradients, _ = of_plane(plane)
    thetas = np.random.default_rng(0).normal(size=(7, 3))
    whole = gradients(thetas)
    monkeypatch.setattr("chainrule.replay.curvature._BYTES", 1)
    assert np.array_equal(gradients(thetas), whole)
    monkeypatch.setattr("chainrule.replay.curvature._BYTES", 3 * 8 * (205 * (3 * 1 + 3) + 3 * 3))  # 3, 3, and 1
    assert np.array_equal(gradients(thetas), whole)


@pytest.mark.parametrize(("low", "high"), [(-3.0, 2.0), (-0.5, 7.0), (0.25, 4.0)])
def test_lanczos_finds_both_ends_of_a_known_spectrum_from_within(low, high):
    values = np.array([low, *np.linspace(0.8 * low, 0.8 * high, 298), high])
    smallest, largest = lanczos(lambda direction: values * direction, 300, 16)
    assert 0.93 * high <= largest <= high * (1 + 1e-12)
    assert low - 1e-12 <= smallest <= low + 0.05 * (high - low)


def test_lanczos_is_exact_with_as_many_products_as_directions():
    matrix = np.random.default_rng(0).normal(size=(6, 6))
    matrix += matrix.T
    assert np.allclose(lanczos(matrix.dot, 6, 16), np.linalg.eigvalsh(matrix)[[0, -1]])


def test_of_a_large_network_the_curvature_is_near_the_exact_one_and_within():
    words = ["network.hidden=[10,10]", "activation=tanh", "initializer=xavier_normal", "tracking=none"]
    run = Replay(chainrule.settings(*words)).prepare()
    exact, few = found_at(run, run.theta, epochs=10**9), found_at(run, run.theta, epochs=1)
    assert (exact.is_exact, few.is_exact, exact.samples) == (True, False, 0)
    assert few.largest == pytest.approx(exact.largest, rel=0.02)
    assert exact.smallest <= few.smallest + 1e-6 * exact.largest


def test_where_gradients_are_not_finite_there_are_no_eigenvalues(plane):
    found = found_at(plane, np.full(3, np.nan))
    assert np.isnan([found.largest, found.smallest, found.gradient]).all()

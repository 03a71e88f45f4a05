"""Each component against a closed form or a published number; what all components must keep, the kit checks."""

from math import log, pi, sqrt

import numpy as np
import pytest
from chainrule.compose import settings_from

from chainrule_menagerie import AdaBelief, Cauchy, Ishigami, Sparse, Squareplus


def test_squareplus_solves_the_quadratic_that_defines_it():
    """``a (a - z) = b / 4``."""
    z = np.linspace(-5, 5, 41)
    a = Squareplus(3.0).forward(z)
    np.testing.assert_allclose(a * (a - z), 3 / 4, rtol=1e-13)
    assert (a > 0).all()


def test_squareplus_at_zero_is_half_the_root_of_b_with_slope_one_half():
    assert Squareplus(4.0).forward(np.zeros(1)) == [1.0]
    assert Squareplus(4.0).slope(np.zeros(1), np.ones(1)) == [0.5]


def test_cauchy_at_its_scale_and_far_beyond():
    y_pred, y_true = np.array([[[2.0, 0.0], [2.0, 1e200]]]), np.zeros((1, 2, 2))
    np.testing.assert_allclose(Cauchy(2.0).value(y_pred, y_true), [[4 * log(2), 4 * log(1e200 / 2)]])
    errors = np.linspace(0, 20, 2001)[None, None]
    pull = Cauchy(3.0).gradient(errors, np.zeros_like(errors))
    assert errors[..., pull.argmax()] == 3.0


def test_the_first_step_of_adabelief_in_closed_form():
    """``m = (1 - beta1) g``, so the surprise is ``beta1 g``, and both corrections cancel."""
    theta = np.zeros((1, 2))
    optimizer = AdaBelief(lr=0.1, beta1=0.8, eps=0.0)
    optimizer.update(theta, np.array([[3.0, -1e-3]]), optimizer.init(theta), 1)
    np.testing.assert_allclose(theta, [[-0.1 / 0.8, 0.1 / 0.8]], rtol=1e-12)


def test_adabelief_speeds_up_where_the_gradient_stays():
    theta, optimizer = np.zeros((1, 1)), AdaBelief(lr=0.1)
    state, places = optimizer.init(theta), [0.0]
    for step in range(1, 40):
        optimizer.update(theta, np.ones((1, 1)), state, step)
        places.append(theta.item())
    steps = -np.diff(places)
    assert (np.diff(steps) > 0).all()
    assert steps[-1] > 2 * steps[0]


def test_ishigami_has_the_published_mean_and_variance():
    x, y = Ishigami().data(np.random.default_rng(0), 400_000)
    variance = 7**2 / 8 + 0.1 * pi**4 / 5 + 0.1**2 * pi**8 / 18 + 1 / 2
    assert abs(y.mean() - 7 / 2) < 4 * sqrt(variance / len(y))
    assert abs(y.var() / variance - 1) < 0.01
    assert (-pi <= x.min(), x.max() <= pi) == (True, True)


@pytest.mark.parametrize(("fan_in", "expected"), [(40, 15), (15, 15), (3, 3)])
def test_sparse_units_have_their_number_of_connections(fan_in, expected):
    weights = Sparse().weights(np.random.default_rng(0), fan_in, 50)
    assert (np.count_nonzero(weights, axis=1) == expected).all()


@pytest.mark.parametrize(("fan_in", "expected"), [(3, 12.0), (15, 60.0), (16, 60.0), (4000, 60.0)])
def test_the_input_of_a_sparse_unit_varies_with_its_connections_and_not_with_the_layer_before(fan_in, expected):
    """Of inputs 1, it is the sum of as many independent weights of variance 4 as there are connections."""
    sparse = Sparse(std=2.0)
    assert fan_in * sparse.variance(fan_in, 50) == pytest.approx(expected, rel=1e-14)
    inputs = sparse.weights(np.random.default_rng(0), fan_in, 20_000).sum(axis=1)
    assert abs(inputs.var() / expected - 1) < 5 * sqrt(2 / len(inputs))  # of the sample variance of normal numbers


def test_the_experiment_and_the_variant_are_options():
    settings = settings_from(["experiment=ishigami", "optimizer.eps=1e-6"])
    assert (settings.optimizer, settings.target) == (AdaBelief(lr=0.01, eps=1e-6), Ishigami())
    assert settings_from(["optimizer=adabelief_bold"]).optimizer == AdaBelief(lr=0.01)

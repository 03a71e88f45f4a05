"""Under log-loss the network is scikit-learn's logistic regression; under squared error it is another model."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import expit

from studies import load, small, table


@pytest.fixture(scope="module")
def study():
    return load("logistic_regression", "likelihood")


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, rows = small("logistic_regression", "likelihood")
    assert table(printed, "data sets that a plane separates")["two moons"]["with the noise"] == "0 of 3"
    distances = [(row[1], float(row[2].split()[0])) for row in rows if row[2:] and "(" in row[2]]
    assert len(distances) == 4
    for loss, distance in distances:
        assert distance < 1e-10 if loss == "log-loss" else 0.01 < distance < 0.5


def test_under_squared_error_it_is_scipy_s_minimum(study):
    (result,) = study.trained([1], *study.CASES["two moons, 2-1", "squared error"])
    x, y = study.parts(result.samples.train)
    rows = np.column_stack([np.ones(len(x)), x])
    fit = least_squares(lambda w: expit(rows @ w) - y, np.zeros(3), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(study.effective(result), fit.x, rtol=1e-6)


def test_real_data_with_noise(study):
    """The gradient of the log-likelihood vanishes: ``X^T (p - y) = 0``."""
    (result,) = study.trained([0], *study.CASES["breast cancer, 30-1", "log-loss"])
    x, y = study.parts(result.samples.train)
    rows = np.column_stack([np.ones(len(x)), x])
    slope = rows.T @ (expit(rows @ study.effective(result)) - y) / len(y)
    assert np.abs(slope).max() < 1e-12
    assert study.compared(result)[0] < 1e-9


def test_what_a_plane_separates(study):
    (noisy,), (sharp,) = (
        study.trained([0], "training.epochs=0"),
        study.trained([0], "data.noise=0", "training.epochs=0"),
    )
    assert not study.separable(noisy.samples.train)
    assert study.separable(sharp.samples.train)
    ones, x = np.ones(4), np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])
    assert study.separable(np.array([ones, *x, [0, 0, 0, 1]])), "and"
    assert not study.separable(np.array([ones, *x, [0, 1, 1, 0]])), "exclusive or"


def test_data_that_seeds_have_in_common_count_once(study):
    words = "data.noise=0", "training.epochs=0"
    assert study.separated(study.trained(range(3), *words)) == "1 of 1"
    different = study.trained(range(3), *words, *study.PATIENTS)
    assert study.separated(different) == "3 of 3"
    assert len({result.samples.train[1:31].tobytes() for result in different}) == 3, "other patients for each seed"


def test_the_interval_of_a_gain_is_that_of_student_s_sleep_data(study):
    """Ten patients with two drugs (Student, 1908): 1.58 hours more, from 0.70 to 2.46 with 95 % confidence."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    assert study.gain(second / 100, first / 100) == "1.58 [0.70, 2.46]"
    assert study.gain(first, first) == "0"

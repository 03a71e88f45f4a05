"""Without activations the network ends at least squares, whatever its depth."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from studies import load, small


@pytest.fixture(scope="module")
def study():
    return load("linear_regression", "least_squares")


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    _, rows = small("linear_regression", "least_squares")
    assert len(rows) == 11
    for _, noise, line, farthest, _ in rows[1:7]:
        assert float(farthest) < 1e-11
        if noise == "0":
            assert line == "10.000000, 2.000000, 3.000000"
    epochs = [int(row[1].split()[0]) for row in rows[8:]]
    assert epochs[0] > 3 * epochs[1] > 3 * epochs[2], "the deeper, the sooner"


def test_it_is_scikit_learn_s_line(study):
    (result,) = study.trained([5], "training.epochs=10000")
    model = LinearRegression().fit(result.samples.train[1:3].T, result.samples.train[3])
    np.testing.assert_allclose(study.effective(result), [model.intercept_, *model.coef_], rtol=0, atol=1e-11)
    x = np.array([[0.3, -0.7], [1.0, 1.0]]).T
    np.testing.assert_allclose(result.predict(x)[0], model.predict(x.T), rtol=0, atol=1e-11)


def test_without_a_hidden_layer_the_way_is_the_known_one(study):
    """Each step multiplies the distance to least squares by ``I - rate H``."""
    (start,) = study.trained([3], "network.hidden=[]", "training.epochs=0")
    (result,) = study.trained([3], "network.hidden=[]", "training.epochs=50")
    x = result.samples.train[:3]
    factor = np.eye(3) - 0.01 * x @ x.T / x.shape[1]
    goal = study.least_squares(result)
    expected = goal + np.linalg.matrix_power(factor, 50) @ (study.effective(start) - goal)
    np.testing.assert_allclose(study.effective(result), expected, rtol=1e-12)


def test_the_epochs_until_it_is_near_follow_from_the_known_way(study):
    """The loss above least squares is ``d^T H d / 2``, where each step multiplies ``d`` by ``I - rate H``."""
    results = study.trained([3, 4], "network.hidden=[]", "training.epochs=4000", "training.measure_every=5")
    starts = study.trained([3, 4], "network.hidden=[]", "training.epochs=0")
    expected = []
    for result, start in zip(results, starts, strict=True):
        x = result.samples.train[:3]
        H = x @ x.T / x.shape[1]
        d = study.effective(start) - study.least_squares(result)
        ways = ((n, np.linalg.matrix_power(np.eye(3) - 0.01 * H, n) @ d) for n in range(0, 4001, 5))
        expected.append(next(n for n, left in ways if left @ H @ left / 2 <= study.NEAR))
    np.testing.assert_array_equal(study.arrival(results), expected)
    assert study.arrival(starts).tolist() == [np.inf, np.inf]

"""The optimizer against what follows from its definition by other ways."""

import numpy as np

from chainrule_yesterday.optimizer import SignDescent


def walk(optimizer, gradients):
    """Return where one parameter is after each step, from 0."""
    theta = np.zeros((1, 1))
    state, places = optimizer.init(theta), []
    for step, gradient in enumerate(gradients, 1):
        optimizer.update(theta, np.full((1, 1), gradient), state, step)
        places.append(theta.item())
    return places


def test_the_size_of_the_gradient_does_not_matter():
    assert walk(SignDescent(lr=0.5), [3.0, 3.0, 3.0]) == walk(SignDescent(lr=0.5), [1e-9] * 3) == [-0.5, -1.0, -1.5]


def test_a_small_gradient_of_other_sign_is_outvoted_by_the_average():
    """After a gradient of 1 the average is 0.01, which counts 0.009, and a second gradient counts a tenth."""
    assert walk(SignDescent(lr=0.5), [1.0, -0.08]) == [-0.5, -1.0]
    assert walk(SignDescent(lr=0.5), [1.0, -0.10]) == [-0.5, 0.0]


def test_weight_decay_takes_its_share_of_theta_before_the_step():
    theta = np.array([[2.0]])
    SignDescent(lr=0.5, weight_decay=0.1).update(theta, np.ones((1, 1)), {"mean": np.zeros((1, 1))}, 1)
    np.testing.assert_allclose(theta, 2 * 0.95 - 0.5)

"""The loss against what follows from its definition by other ways."""

import numpy as np
import pytest

from chainrule_yesterday.loss import Pinball


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_constant_with_the_least_loss_is_the_quantile(q):
    y = np.random.default_rng(0).normal(size=101)
    candidates = np.sort(y)[:, None, None]  # each a run that predicts the same for all samples
    losses = Pinball(q).value(np.broadcast_to(candidates, (101, 1, 101)), y[None, None]).mean(axis=1)
    assert candidates[losses.argmin(), 0, 0] == np.quantile(y, q, method="inverted_cdf")


def test_a_median_costs_half_the_absolute_error():
    y_pred, y_true = np.array([[[1.0, 5.0], [2.0, 2.0]]]), np.array([[[3.0, 1.0], [2.0, 3.0]]])
    assert Pinball(0.5).value(y_pred, y_true).tolist() == [[1.0, 2.5]]
    assert Pinball(0.5).gradient(y_pred, y_true).tolist() == [[[-0.5, 0.5], [0.0, -0.5]]]

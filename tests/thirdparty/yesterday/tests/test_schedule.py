"""The schedule against what follows from its definition by other ways."""

import numpy as np

from chainrule_yesterday.schedule import SearchThenConverge


def test_half_the_rate_after_tau_epochs_and_a_hundredth_after_99():
    lr = np.array([[0.5], [2.0]])
    schedule = SearchThenConverge(tau=8.0)
    for epoch, share in [(0, 1), (8, 1 / 2), (8 * 99, 1 / 100)]:
        np.testing.assert_allclose(schedule.rate(lr, epoch, 1000, schedule.init(lr)), lr * share)

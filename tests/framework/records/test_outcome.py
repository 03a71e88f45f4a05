"""What became of one run of a sweep."""

import math

import pytest

from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome


def outcome(reason, settings=(), **metrics):
    return Outcome(0, "0", dict(settings), 3, Reason(reason), metrics)


@pytest.mark.parametrize("reason", ["epochs", "converged", "plateau", "pruned"])
def test_a_run_is_compared_by_its_loss(reason):
    assert outcome(reason, loss=0.25).value("loss") == 0.25


@pytest.mark.parametrize(
    "lost",
    [outcome("diverged", loss=0.25), outcome("epochs", loss=None), outcome("failed"), outcome("epochs", other=1.0)],
)
def test_a_run_without_a_loss_that_counts_is_the_worst(lost):
    assert lost.value("loss") == math.inf


def test_its_title_are_its_settings():
    assert outcome("epochs", {"optimizer": "adam", "optimizer.lr": 0.1}).title == "optimizer=adam, optimizer.lr=0.1"
    assert outcome("epochs").title == "all runs"

"""Instruments on runs that are trained again: which points they see, and that they change nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import chainrule
from chainrule.registry.instruments import Course, Finding, Instrument, Seen, Stepped
from chainrule.registry.registry import installed
from chainrule.replay.instrumented import POINTS, examine, instruments, of_settings

SHORT = ["training.batch_size=64", "tracking=none"]


@dataclass(frozen=True)
class Everything(Instrument):
    """Says what it was shown."""

    source: ClassVar[str] = "made for a test"

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return the loss, and what must agree with it."""
        gradient = np.concatenate([block.ravel() for block in seen.blocks(seen.grad)[1:]])
        z = seen.blocks(seen.theta)[1] @ np.vstack([np.ones(seen.x.shape[1]), seen.x])
        return {
            "loss": seen.losses["train/loss"],
            "own": float(((seen.a[-1] - seen.y) ** 2).sum(axis=0).mean() / 2),
            "grad": np.abs(gradient - seen.grad).max(),
            "z": np.abs(z - seen.z[1]).max(),
            "epoch": seen.epoch,
            "theta": seen.theta.copy(),
        }

    def stepped(self, step: Stepped) -> dict[str, Any]:
        """Return what must be the point before it."""
        return {"before": step.before.copy(), "epoch": step.epoch}

    def findings(self, course: Course) -> Iterator[Finding]:
        """Check all of it, and state the points."""
        assert np.allclose(course.seen["loss"], course.seen["own"], rtol=1e-12)
        assert not course.seen["grad"].any()
        assert course.seen["z"].max() < 1e-12
        assert list(course.seen["epoch"]) == list(course.epochs)
        assert list(course.stepped["epoch"]) == list(course.step_epochs) == list(course.epochs[:-1])
        assert np.array_equal(course.stepped["before"], course.seen["theta"][:-1])
        assert set(course.epochs) <= set(course.curves.epochs)
        yield Finding("seen", "it was seen", 0, {str(epoch): float(epoch) for epoch in course.epochs})


@pytest.mark.parametrize(
    ("words", "points"),
    [
        (["training.epochs=30", "training.measure_every=10"], 16),
        (["training.epochs=400", "training.measure_every=100"], POINTS),
        (["training.epochs=500", "training.measure_every=1"], POINTS),
        (["training.epochs=40", "training.measure_every=10", "training.restore_best=true"], 5),
    ],
)
def test_points_are_few_and_those_of_the_run_unless_more_change_nothing(words, points):
    (examined,) = examine([of_settings(chainrule.settings(*SHORT, *words))], [Everything()])
    (finding,) = examined.findings
    assert len(finding.numbers) == points
    assert {0, examined.result.epochs} <= set(map(int, finding.numbers.values()))
    assert examined.ended.difference is None


def test_runs_of_different_stacks_have_their_own_instruments():
    words = ["training.epochs=6", "training.measure_every=2"]
    chosen = [[f"seed={seed}", f"network.hidden=[{units}]"] for seed, units in ((0, 2), (1, 3), (2, 2), (3, 2))]
    replays = [of_settings(chainrule.settings(*SHORT, *words, *each)) for each in chosen]
    together = examine(replays, instruments(installed()))
    for replay, one in zip(replays, together, strict=True):
        (alone,) = examine([replay], instruments(installed()))
        assert (one.findings, one.ended.difference) == (alone.findings, None)
        assert np.array_equal(one.result.theta, alone.result.theta)


def test_a_curve_with_a_better_point_between_those_of_the_run_ends_in_the_same_bits():
    words = ["training.epochs=60", "tracking=none"]  # single samples: the validation loss goes up and down
    (examined,) = examine([of_settings(chainrule.settings(*words))], [])
    assert examined.ended.difference is None
    assert len(examined.result.curves.epochs) == 61


def test_a_condition_that_lasts_to_the_end():
    since = [Course.since(np.array(holds, bool)) for holds in ([0, 1, 0, 1, 1], [1, 1], [1, 0], [], [0, 1])]
    assert since == [3, 0, None, None, 1]


def test_every_instrument_is_in_the_list_once_with_a_source():
    found = instruments(installed())
    assert len({each.name for each in found}) == len(found) >= 15
    assert all(each.source for each in found)

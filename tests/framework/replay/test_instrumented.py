"""Instruments on runs that are trained again: which points they see, and that they change nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pytest

import chainrule
from chainrule.compiled.machine_code import available
from chainrule.registry.instruments import Backward, Course, Finding, Instrument, Seen, Stepped
from chainrule.registry.loaded import installed
from chainrule.replay.curvature import Gradients
from chainrule.replay.instrumented import POINTS, examine, instruments, of_settings, ordered
from chainrule.replay.replays import Replay

SHORT = ["training.batch_size=64", "tracking=none"]


@dataclass(frozen=True)
class Everything(Instrument):
    """Says what it was shown."""

    source: ClassVar[str] = "made for a test"

    def measured(self, seen: Seen) -> dict[str, Any]:
        """Return the loss, and what must agree with it."""
        z = seen.blocks(seen.theta)[1] @ np.vstack([np.ones(seen.x.shape[1]), seen.x])
        return {
            "loss": seen.losses["train/loss"],
            "own": float(((seen.a[-1] - seen.y) ** 2).sum(axis=0).mean() / 2),
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
        assert course.seen["z"].max() < 1e-12
        assert list(course.seen["epoch"]) == list(course.epochs)
        assert np.array_equal(course.theta, course.seen["theta"])
        places = np.searchsorted(course.epochs, course.step_epochs)
        assert list(course.stepped["epoch"]) == list(course.step_epochs) == list(course.epochs[places])
        assert len(places) >= min(3, len(course.epochs) - 1)
        assert np.array_equal(course.stepped["before"], course.theta[places])
        assert set(course.epochs) <= set(course.curves.epochs)
        yield Finding("seen", "it was seen", 0, {str(epoch): float(epoch) for epoch in course.epochs})


@dataclass(frozen=True)
class Slopes(Instrument):
    """Asks for the backward pass."""

    source: ClassVar[str] = "made for a test"

    def measured(self, seen: Seen, *, backward: Backward) -> dict[str, Any]:
        """Return what must agree: the gradient of a linear regression."""
        whole = np.vstack([np.ones(seen.x.shape[1]), seen.x])
        delta = seen.a[-1] - seen.y
        off = np.abs(backward.grad - (delta @ whole.T).ravel() / seen.x.shape[1]).max()
        norm = np.linalg.norm(seen.blocks(backward.grad)[1][:, 1:])
        return {"off": off, "delta": np.abs(backward.delta[-1] - delta).max(), "norm": backward.norms[0] - norm}

    def findings(self, course: Course) -> Iterator[Finding]:
        """Check all of it, and state the points."""
        assert max(np.abs(each).max() for each in course.seen.values()) < 1e-12
        assert all(len(each) == len(course.epochs) for each in course.seen.values())
        assert {0, course.curves.epochs[-1]} <= set(course.epochs)
        yield Finding("seen", "it was seen", 0, {str(epoch): float(epoch) for epoch in course.epochs})


def test_gradients_are_those_of_the_points_and_these_are_few():
    words = ["network.hidden=[]", "training.batch_size=64", "training.epochs=60", "training.measure_every=1"]
    replay = of_settings(chainrule.settings(*words, "tracking=none"))
    (examined,) = examine([replay], [Slopes()])
    (finding,) = examined.findings
    work = replay.work
    assert len(finding.numbers) == work.backward_points(work.points(work.looking, POINTS))
    assert 2 <= len(finding.numbers) < POINTS


@pytest.mark.parametrize(
    ("words", "fewest"),
    [
        (["training.epochs=30", "training.measure_every=10"], 4),
        (["training.epochs=1200", "training.measure_every=300"], 5),
        (["training.epochs=1200", "training.measure_every=1"], 5),
        (["training.epochs=40", "training.measure_every=10", "training.restore_best=true"], 5),
    ],
)
def test_points_are_few_and_those_of_the_run_unless_more_change_nothing(words, fewest):
    (examined,) = examine([of_settings(chainrule.settings(*SHORT, *words))], [Everything()])
    (finding,) = examined.findings
    assert fewest <= len(finding.numbers) <= POINTS
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
    words = [
        "training.epochs=60",
        "training.engine=numpy",
        "tracking=none",
    ]  # single samples: the validation loss goes up and down
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
    names = {each.name for each in found}
    assert all(set(each.follows) <= names - {each.name} for each in found)


def test_reasons_come_before_what_may_follow_from_them_unless_they_begin_later():
    def finding(name, onset):
        return Finding(name, "sentence", onset, {"number": 1.0}, instrument=name)

    dead, plateau, rate = finding("dead_units", 3), finding("plateau", 3), finding("rate_above_curvature", 5)
    found, reasons = ordered([plateau, rate, dead], instruments(installed()))
    assert found == (dead, plateau, rate)
    assert reasons == ((), (dead,), ())
    early = finding("rate_above_curvature", 0)
    found, reasons = ordered([plateau, dead, early], instruments(installed()))
    assert found == (early, dead, plateau)
    assert reasons == ((), (early,), (early, dead))


class Counting:
    """Counts the multiply-adds of gradients that are evaluated for curvatures, and backward passes of points."""

    def __init__(self, monkeypatch, replay):
        self.work, self.curvature, self.points = replay.work, 0, 0
        evaluate, passes = Gradients._at, Backward._both.func

        def at(gradients, thetas):
            self.curvature += len(thetas) * gradients._x.shape[1] * self.work.step
            return evaluate(gradients, thetas)

        def both(backward):
            self.points += 1
            return passes(backward)

        monkeypatch.setattr(Gradients, "_at", at)
        counted = cached_property(both)
        counted.__set_name__(Backward, "_both")
        monkeypatch.setattr(Backward, "_both", counted)


@pytest.mark.parametrize(
    "words",
    [
        ["training.epochs=200", "training.batch_size=4", "optimizer.lr=1e-6", "training.engine=numpy"],
        ["target=friedman1", "network.hidden=[32]", "training.batch_size=8", "optimizer.lr=1e-7", "training.epochs=60"],
        ["training.batch_size=null", "training.epochs=2000", "optimizer.lr=1e-6", "network.hidden=[8,8]"],
    ],
    ids=["mini-batches", "wider", "full batches"],
)
def test_what_instruments_do_is_a_fifth_of_training_at_most_by_counting(monkeypatch, words):
    replay = of_settings(chainrule.settings(*words, "tracking=none"))
    counting, work = Counting(monkeypatch, replay), replay.work
    (examined,) = examine([replay], instruments(installed()))
    assert examined.skill < 0.9  # or nothing would ask for a Hessian
    assert counting.curvature > 0
    assert 2 <= counting.points <= POINTS
    looking = work.points(work.looking, POINTS) * work.looking
    assert counting.curvature + counting.points * work.backward + looking <= work.training / 5


def test_fewer_points_are_seen_where_machine_code_makes_training_cheap():
    plain, compiled = (
        Replay(chainrule.settings("training.epochs=60", f"training.engine={engine}", "tracking=none")).work
        for engine in ("numpy", "compiled")
    )
    assert plain.training > 5 * compiled.training
    assert plain.points(plain.looking, POINTS) > compiled.points(compiled.looking, POINTS) >= 5


@pytest.mark.skipif(bool(available()), reason=available() or "it can")
def test_machine_code_does_the_steps_that_no_instrument_wants_with_the_same_bits():
    words = ["training.epochs=40", "training.batch_size=4", "tracking=none"]
    plain, compiled = (
        examine([of_settings(chainrule.settings(*words, f"training.engine={engine}"))], instruments(installed()))[0]
        for engine in ("numpy", "compiled")
    )
    assert (plain.result.engine, compiled.result.engine) == ("numpy", "compiled")
    assert plain.result.theta.tobytes() == compiled.result.theta.tobytes()
    assert compiled.ended.difference is None


def test_steps_that_are_seen_between_steps_of_machine_code_are_those_that_are_seen_without():
    words = ["training.epochs=6", "training.measure_every=1", "training.batch_size=48", "optimizer=momentum"]
    found = []
    for engine in ("numpy", "compiled"):
        (one,) = examine(
            [of_settings(chainrule.settings(*words, f"training.engine={engine}", "tracking=none"))], [Everything()]
        )
        found.append((one.findings, one.result.theta.tobytes()))
    assert found[0] == found[1]

"""A tracker is told from the side: whatever it does, nobody waits for it for long, and nothing is told twice."""

import contextlib
import os
import threading
import time

import numpy as np
import pytest

import chainrule
from chainrule.records.run import Membership, Record
from chainrule.records.sweep import new_sweep
from chainrule.registry import aside
from chainrule.registry.aside import LATER, Aside, at_work, told_at_work
from chainrule.registry.watching import Progress, Watchers
from processes import saying, wait_until


class Slow(chainrule.Tracker):
    """Waits at a gate, and remembers what it was told."""

    def __init__(self):
        self.gate, self.told, self.threads = threading.Event(), [], set()

    def runs_recorded(self, records):
        self.gate.wait(100)
        self.told.append([record.directory for record in records])
        self.threads.add(threading.current_thread())
        for record in records:
            record.links["shown"] = "there"

    def epochs_recorded(self, progress):
        self.gate.wait(100)
        self.told.append(progress.epoch)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(aside, "_lines", {})
    monkeypatch.setattr(aside, "component_config", lambda tracker: {"one": str(id(tracker))})
    for name in ("_QUICK", "_LEAST"):
        monkeypatch.setattr(aside, name, 60.0)  # what ends within it, ends at once where nothing else runs


def record(place, tmp_path, member=None):
    return Record(tmp_path / str(place), {}, member=member)


def test_nobody_waits_and_records_that_wait_are_told_together_in_order(tmp_path):
    tracker = Slow()
    told = Aside(tracker)
    began = time.monotonic()
    for place in range(5):
        told.runs_recorded([record(place, tmp_path)])
    assert time.monotonic() - began < 60
    tracker.gate.set()
    assert told.settle()
    assert [place.name for batch in tracker.told for place in batch] == ["0", "1", "2", "3", "4"]
    assert len(tracker.told) <= 2
    assert threading.current_thread() not in tracker.threads


def test_thousands_of_records_do_not_make_a_quick_tracker_slow(tmp_path, monkeypatch):
    """Such as those that a killed sweep has left: all together take longer than one that is quick may."""
    monkeypatch.setattr(aside, "_QUICK", 0.5)

    class Steady(chainrule.Tracker):
        told = 0

        def runs_recorded(self, records):
            self.told += len(records)
            time.sleep(len(records) / 4000)

    tracker = Steady()
    told = Aside(tracker)
    for _ in range(2):
        told.runs_recorded([record(place, tmp_path) for place in range(3000)])
        assert told.settle(), "it is waited for"
    assert tracker.told == 6000


def test_what_begins_at_the_end_of_training_does_not_wait_for_the_last_records(tmp_path):
    class Drawing(Slow):
        def sweep_trained(self, sweep, outcomes):
            self.told.append("trained")
            self.gate.set()

        def sweep_finished(self, sweep, outcomes):
            self.told.append("finished")

    tracker = Drawing()
    told, sweep = Aside(tracker), new_sweep(tmp_path, [], tmp_path, {}, {})
    told.runs_recorded([record(0, tmp_path)])
    told.sweep_trained(sweep, None)
    told.sweep_finished(sweep, None)
    assert tracker.told == ["trained", [tmp_path / "0"], "finished"]


def test_links_are_there_when_the_run_is_finished(tmp_path):
    tracker, run = Slow(), record(0, tmp_path)
    tracker.gate.set()
    watchers = Watchers([Aside(tracker)])
    watchers.tell("runs_recorded", [run])
    watchers.tell("finished", run)
    assert run.links == {"shown": "there"}


def test_a_tracker_that_is_late_is_waited_for_once_and_then_says_how_to_send_and_why(tmp_path, monkeypatch):
    monkeypatch.setattr(aside, "_LEAST", 0.2)
    monkeypatch.setattr(aside, "_QUICK", 0.1)
    monkeypatch.setattr(aside, "_SHARE", 0.0)
    waited, wait = [], aside._Line.is_done_within
    monkeypatch.setattr(
        aside._Line, "is_done_within", lambda line, seconds: waited.append(seconds) or wait(line, seconds)
    )
    tracker, runs = Slow(), [record(place, tmp_path) for place in range(4)]
    told = Aside(tracker)
    for run in runs:
        told.runs_recorded([run])
        told.finished(run)
    assert waited == [0.2, 0.0, 0.0, 0.0]
    why = "  # Slow takes long: training does not wait for it"
    assert {run.links[LATER] for run in runs} == {f"chainrule sync {tmp_path / str(place)}{why}" for place in range(4)}
    tracker.gate.set()
    told.runs_recorded([record(4, tmp_path)])
    wait_until(lambda: tracker.told and tracker.told[-1][-1].name == "4")
    monkeypatch.setattr(aside, "_LEAST", 60.0)
    assert told.settle(), "it has caught up"


def test_what_ends_by_itself_may_take_longer(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(aside.time, "monotonic", lambda: now[0])

    class Making(chainrule.Tracker):
        def runs_recorded(self, records):
            with at_work(), at_work():
                now[0] += 100

    told = Aside(Making())
    told.runs_recorded([record(0, tmp_path)])
    assert told.settle()
    with at_work():  # elsewhere it means nothing
        pass


@pytest.mark.parametrize(("needs", "seconds"), [(0.9, 3.0), (1.1, 0.5)])
def test_who_took_long_before_is_waited_for_a_hundredth_of_the_time(tmp_path, monkeypatch, needs, seconds):
    for name, value in {"_QUICK": 1.0, "_LEAST": 3.0, "_SHARE": 0.01}.items():
        monkeypatch.setattr(aside, name, value)
    now = [0.0]
    monkeypatch.setattr(aside.time, "monotonic", lambda: now[0])
    told = Aside(Slow())
    now[0] = 50.0
    assert told._patience() == 3.0
    clock = iter([0.0, needs])
    with monkeypatch.context() as patch:
        patch.setattr(told._line, "clock", lambda: next(clock))
        told._tell("finished", record(0, tmp_path))
    assert told._patience() == seconds


def test_who_takes_long_over_something_now_is_waited_for_no_longer(tmp_path, monkeypatch):
    now, tracker = [0.0], Slow()
    told = Aside(tracker)
    told.runs_recorded([record(0, tmp_path)])
    wait_until(lambda: told._line._busy_since is not None)
    monkeypatch.setattr(aside.time, "monotonic", lambda: now[0] + time.perf_counter())
    assert told._patience() >= 60
    now[0] += 1e6
    assert told._patience() == pytest.approx(1e4, rel=0.1)
    tracker.gate.set()


def test_a_process_of_a_tracker_may_say_that_it_is_at_work():
    said = []
    with told_at_work(saying(said)), at_work():
        said.append("works")
    with at_work():
        pass
    assert said == ["begins", "works", "ends"]


def test_what_a_tracker_raises_leaves_it_out_and_reaches_nobody(tmp_path, caplog):
    class Broken(chainrule.Tracker):
        def runs_recorded(self, records):
            raise SystemExit("no")

    for _ in range(2):  # another session asks it again
        told, run = Aside(Broken()), record(0, tmp_path)
        told.runs_recorded([run])
        told.finished(run)
        told.runs_recorded([run])
        assert told.settle()
        assert run.links == {}
    assert caplog.text.count("is left out from now on") == 2


def test_what_a_tracker_changes_of_numpy_stays_in_its_thread(tmp_path):
    class Changing(chainrule.Tracker):
        def runs_recorded(self, records):
            np.seterr(all="raise")

    before, told = np.geterr(), Aside(Changing())
    told.runs_recorded([record(0, tmp_path)])
    assert told.settle()
    assert np.geterr() == before


def test_progress_is_dropped_where_a_tracker_is_far_behind(monkeypatch):
    monkeypatch.setattr(aside, "_MANY", 10)
    tracker = Slow()
    told = Aside(tracker)
    for epoch in range(100):
        told.epochs_recorded(Progress(epoch, (1.0,), 1))
    tracker.gate.set()
    assert told.settle()
    assert tracker.told[:10] == list(range(10))
    assert len(tracker.told) <= 11


def test_events_that_a_tracker_does_not_hear_cost_nothing():
    class Deaf(chainrule.Tracker):
        pass

    told = Aside(Deaf())
    told.epochs_recorded(Progress(0, (1.0,), 1))
    assert told._line._thread is None


def test_curves_of_records_that_wait_are_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(aside, "_MANY", 3)
    seen = []

    class Seeing(Slow):
        def runs_recorded(self, records):
            self.gate.wait(100)
            seen.extend(each.written for each in records)

    tracker = Seeing()
    told = Aside(tracker)
    member = Membership(tmp_path, "key", 8, 0, {})
    for place in range(8):
        told.runs_recorded([Record(tmp_path / str(place), {}, written="curves", member=member)])
    tracker.gate.set()
    assert told.settle()
    assert len(seen) == 8
    assert seen[-3:] == [None] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_a_forked_process_has_a_thread_of_its_own(tmp_path):
    tracker = Slow()
    tracker.gate.set()
    told = Aside(tracker)
    told.runs_recorded([record(0, tmp_path)])
    assert told.settle()
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            again = Aside(tracker)
            again.runs_recorded([record(1, tmp_path)])
            code = 0 if again.settle() else 2
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0

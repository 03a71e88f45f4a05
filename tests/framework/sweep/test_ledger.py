"""The ledger of a sweep: one process at a time, and everybody is told what became of the runs."""

import gc
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import chainrule
from chainrule import interrupts
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError
from chainrule.records.run import Failure
from chainrule.records.sweep import JobEntry, Sweep, SweepManifest, new_sweep, read_sweep
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.ledger import Ledger
from chainrule_untracked import NoTracking


def ledger(key="", folder="sweep"):
    sweep = new_sweep(Path(folder).absolute(), [], Path.cwd(), {}, {})
    return Ledger(Sweep(sweep.directory, SweepManifest({**sweep.manifest, "key": key})), [], resumed=True)


def test_a_third_process_is_kept_out_when_a_second_takes_over():
    with ledger().working():
        second = sqlite3.connect("sweep/.sweep.lock", isolation_level=None)
    with closing(second):
        second.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ChainruleError, match="is being worked on by another process"), ledger().working():
            pass


def test_what_another_process_has_done_in_the_meantime_is_kept():
    early, other = ledger(), ledger("another sweep")
    with ledger().working():
        early.sweep.write(jobs=[{"overrides": ["seed=1"], "directory": "0"}])
    with early.working():
        assert early.sweep.runs == 1
    with pytest.raises(ChainruleError, match="is being worked on by another process"), other.working():
        pass


def test_afterwards_garbage_is_collected_as_before():
    def frozen():
        with ledger().working():
            return gc.get_freeze_count()

    gc.unfreeze()  # what the tests freeze
    try:
        assert frozen() > 0
        assert gc.get_freeze_count() == 0
    finally:
        gc.freeze()
    frozen()
    assert gc.get_freeze_count() > 0, "what somebody else has frozen stays so"


def test_what_an_interrupt_leaves_is_said_at_any_time():
    before = interrupts.advise(None)
    try:
        own = ledger()
        with own.working():
            said = interrupts.advise(None)
        assert said() == "Nothing was recorded."
        own.sweep = own.sweep.write(jobs=[JobEntry(overrides=[], directory="0")])
        assert said().startswith("0 of 1 run is recorded; `chainrule resume ")
    finally:
        interrupts.advise(before)


class Told(chainrule.Watcher):
    """Remembers what it was told."""

    def __init__(self):
        self.records, self.finished, self.progress = [], [], []

    def runs_recorded(self, records):
        self.records += records

    def sweep_progressed(self, progress):
        self.progress.append(progress)

    def sweep_finished(self, sweep, outcomes):
        self.finished.append((sweep, outcomes))


@pytest.fixture
def told():
    """What a watcher was told of a sweep of two runs, of which one failed."""
    watcher = Told()
    sweep = new_sweep(Path("sweep").absolute(), ["-m"], Path.cwd(), {}, {})
    found = Ledger(sweep, [watcher], resumed=False)
    places = [sweep.directory / str(number) for number in range(2)]
    overrides = [("seed=5", f"optimizer={name}") for name in ("adam", "rprop")]
    jobs = [Job(n, overrides[n], None, (), {"seed": 5}, str(places[n]), "") for n in range(2)]
    with found.working():
        found.add(jobs, [NoTracking()], [])
        chainrule.run("training.epochs=0", "tracking=none", *overrides[0], directory=places[0])
        found.end([(0, chainrule.load(places[0]).record), (1, Failure.of(places[1], ArithmeticError("no"), seed=5))])
        found.finish()
    return watcher


def test_records_are_told_their_place(told):
    (record,) = told.records
    sweep = read_sweep(Path("sweep"))
    assert record.member == sweep.member(0)
    assert (record.member.key, record.member.number, record.member.settings) == (
        sweep.manifest.key, 0, {"optimizer": "adam"},
    )  # fmt: skip


def test_what_came_of_the_sweep_is_told_at_its_end(told):
    ((sweep, outcomes),) = told.finished
    assert isinstance(outcomes, SweepOutcomes)
    assert [(each.seed, each.reason) for each in outcomes] == [(5, "epochs"), (5, "failed")]
    assert outcomes.ranking[0].settings == {"optimizer": "adam"}
    assert sweep.manifest == read_sweep(Path("sweep")).manifest
    assert Path(sweep.links["report"]).is_file()
    last = told.progress[-1]
    assert (last.runs, last.done, last.failed, last.fraction) == (2, 2, 1, 1.0)


def test_a_resumed_sweep_tells_for_how_many_records_it_has_looked(monkeypatch):
    watcher = Told()
    found = Ledger(new_sweep(Path("sweep").absolute(), ["-m"], Path.cwd(), {}, {}), [watcher], resumed=True)
    jobs = [Job(n, (f"seed={n}",), None, (), {}, str(found.sweep.directory / str(n)), "") for n in range(2)]
    monkeypatch.setitem(Ledger.recorded.__globals__, "recorded", lambda job, damaged: found._tell_progress())
    assert found.recorded(jobs) == {}
    found._tell_progress()
    assert [progress.checked for progress in watcher.progress] == [1, 2, 0]

"""Faulty trackers, each caught by the check that is meant for it."""

from pathlib import Path
from typing import ClassVar

from chainrule.records.tracked import TrackedRuns
from chainrule.registry.watching import Tracker, Watcher
from chainrule.testing import kit
from mutating import Gallery, failures, require

GALLERY = Gallery()


@GALLERY.sound
class Diary(Tracker):
    events: ClassVar = []

    def __getattribute__(self, name):
        if name in vars(Watcher) or name in vars(Tracker):
            Diary.events.append(name)
        return super().__getattribute__(name)


@GALLERY.flawed("told")
class FailsOnRecords(Tracker):
    def runs_recorded(self, records):
        raise OSError("the disk is full")


@GALLERY.flawed("told")
class FailsOnSecondSending(Tracker):
    def send(self, record):
        if record.links:
            raise ValueError("sent already")
        record.links["sent"] = "yes"


@GALLERY.flawed("registered", kit.COMPLETE)
class ForgetsSweeps(Tracker):
    def sweep_finished(self, sweep):
        pass


@GALLERY.flawed("told")
class AltersRecords(Tracker):
    def runs_recorded(self, records):
        (Path(records[0].directory) / "curves.npz").write_bytes(b"")


@GALLERY.flawed("told")
class HasPagesOfSentRunsOnly(Tracker):
    sent: ClassVar = {}

    def pages(self, shown, port):
        return self.sent[shown]


@GALLERY.flawed("read")
class HasEveryExperiment(Tracker):
    def read(self, experiment):
        return TrackedRuns(experiment, "here", ())


@GALLERY.flawed("read")
class FailsOnUnknownExperiments(Tracker):
    def read(self, experiment):
        return {}[experiment]


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)


def test_every_event_is_told():
    Diary.events.clear()
    assert not failures(Diary)
    promised = {name for base in (Watcher, Tracker) for name in vars(base) if not name.startswith("_")} - {"name"}
    promised -= {"draws", "snapshots"}  # of watchers that draw, and no event
    assert promised <= set(Diary.events)

"""Watchers are told one after another, and none of them can stop a run."""

import errno
import logging
import os

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.registry.watching import Tracker, Watcher, Watchers


class Ear(Watcher):
    """Notes what it hears, and raises where it is told to."""

    def __init__(self, name, heard, raises=None):
        self.name, self.heard, self.raises = name, heard, raises

    def epochs_recorded(self, progress):
        self.heard.append((self.name, progress))
        if self.raises:
            raise self.raises


def test_each_is_told_in_turn_with_whatever_there_is_to_tell():
    heard = []
    Watchers(iter([Ear("a", heard), Ear("b", heard)])).tell("epochs_recorded", 1)
    assert heard == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(3)])
def test_one_that_raises_is_reported_once_and_left_out(caplog, error):
    heard = []
    watchers = Watchers([Ear("a", heard, error), Ear("b", heard)])
    with caplog.at_level(logging.ERROR):
        watchers.tell("epochs_recorded", 1)
        watchers.tell("epochs_recorded", 2)
    assert heard == [("a", 1), ("b", 1), ("b", 2)]
    (record,) = caplog.records
    assert record.getMessage() == f"{__name__}.Ear failed in epochs_recorded and is left out from now on"
    assert record.exc_info[1] is error


def test_a_full_disk_is_said_in_a_line_of_the_watcher_without_a_traceback(caplog):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "loss.png")
    Watchers([Ear("a", [], full)]).tell("epochs_recorded", 1)
    (record,) = caplog.records
    assert record.exc_info is None
    said = "is left out from now on: OSError: [Errno 28] No space left on device: 'loss.png'."
    assert record.getMessage().endswith(said)


def test_a_reader_who_has_closed_the_output_is_nothing_to_report(caplog):
    heard = []
    watchers = Watchers([Ear("a", heard, BrokenPipeError()), Ear("b", heard)])
    watchers.tell("epochs_recorded", 1)
    watchers.tell("epochs_recorded", 2)
    assert heard == [("a", 1), ("b", 1), ("b", 2)]
    assert not caplog.records


def test_ctrl_c_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        Watchers([Ear("a", [], KeyboardInterrupt())]).tell("epochs_recorded", 1)


def test_what_a_watcher_sets_in_numpy_is_undone():
    class Strict(Watcher):
        def epochs_recorded(self, progress):
            np.seterr(divide="raise")

    with np.errstate(divide="ignore"):
        Watchers([Strict()]).tell("epochs_recorded", 1)
        assert np.geterr()["divide"] == "ignore"


def test_a_watcher_need_not_do_anything():
    events = [name for name, value in vars(Watcher).items() if callable(value) and not name.startswith("_")]
    assert {"stack_started", "run_trained", "sweep_finished"} <= set(events)
    for event in events:
        method = getattr(Watcher(), event)
        assert method(*[None] * (method.__code__.co_argcount - 1)) is None


def test_what_is_no_watcher_is_left_out_like_one_that_raises(caplog):
    heard = []
    Watchers([object(), Ear("b", heard)]).tell("epochs_recorded", 1)
    assert heard == [("b", 1)]
    assert "builtins.object failed in epochs_recorded" in caplog.text


def test_a_tracker_keeps_no_runs_to_be_read_unless_it_says_so():
    class Mute(Tracker, name="mute"):
        pass

    with pytest.raises(ChainruleError, match="tracking=mute keeps no runs"):
        Mute().read("any")

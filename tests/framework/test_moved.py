"""Names of modules that plugin packages of the first interface import from."""

import importlib
import pickle

import pytest

import chainrule
from chainrule.components.contracts import Component
from chainrule.config.compose import compose_settings
from chainrule.records.run import read_record
from forking import python

FORMER = [
    ("chainrule.watchers", "Watcher", chainrule.Watcher),
    ("chainrule.watchers", "Tracker", chainrule.Tracker),
    ("chainrule.watchers", "Session", chainrule.Session),
    ("chainrule.watchers", "Start", chainrule.Start),
    ("chainrule.watchers", "Progress", chainrule.Progress),
    ("chainrule.watchers", "SweepProgress", chainrule.SweepProgress),
    ("chainrule.outcomes", "Outcome", chainrule.Outcome),
    ("chainrule.sweeps", "Sweep", chainrule.Sweep),
    ("chainrule.records", "Record", chainrule.Record),
    ("chainrule.records", "read", read_record),
    ("chainrule.compose", "settings_from", compose_settings),
]


@pytest.mark.parametrize(("module", "name", "thing"), FORMER)
def test_a_former_name_is_the_thing_that_it_was(module, name, thing):
    assert getattr(importlib.import_module(module), name) is thing


@pytest.mark.slow
def test_former_names_are_imported_in_a_new_process():
    code = "\n".join(f"from {module} import {name}" for module, name, _ in FORMER)
    done = python("-c", f"{code}\nimport chainrule.watchers\nprint(chainrule.watchers.Watcher is Watcher)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_what_comes_by_a_former_name_is_pickled_by_the_present_one():
    from chainrule.watchers import Progress

    assert b"watching" in pickle.dumps(Progress(1, (0.5,), 1))
    assert issubclass(importlib.import_module("chainrule.watchers").Tracker, Component)


@pytest.mark.parametrize("module", ["watchers", "outcomes", "sweeps", "compose", "records"])
def test_a_name_that_never_was_is_an_error(module):
    with pytest.raises(AttributeError, match="Wacther"):
        _ = importlib.import_module(f"chainrule.{module}").Wacther

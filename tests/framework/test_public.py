"""What is importable from ``chainrule``: everything that a notebook or a plugin needs."""

import ast
import inspect
import subprocess
import sys
import typing

import pytest

import chainrule
from chainrule.registry.hookspecs import HOOKS
from chainrule.registry.kinds import KINDS
from chainrule.registry.watching import Tracker, Watcher
from rooms import FRAMEWORK


def stub():
    """The module that type checkers read."""
    return ast.parse((FRAMEWORK / "__init__.pyi").read_text())


def types_in(hint):
    """The classes of chainrule in a type hint, in whatever they are nested."""
    inner = [cls for argument in typing.get_args(hint) for cls in types_in(argument)]
    own = inspect.isclass(hint) and hint.__module__.partition(".")[0] == "chainrule"
    return [hint, *inner] if own else inner


def told_to(cls):
    """The classes of chainrule that the methods of a class are told, or return."""
    events = [event for _, event in inspect.getmembers(cls, inspect.isfunction) if not event.__name__.startswith("_")]
    return {found for event in events for hint in typing.get_type_hints(event).values() for found in types_in(hint)}


@pytest.mark.parametrize("cls", [Watcher, Tracker])
def test_whatever_a_watcher_is_told_is_importable(cls):
    told = told_to(cls)
    assert {"Start", "Progress", "Result", "Record", "Sweep", "SweepProgress", "SweepOutcomes"} <= {
        found.__name__ for found in told
    }
    for found in told:
        assert getattr(chainrule, found.__name__, None) is found, f"{found.__name__} is not importable from chainrule"


def test_whatever_hooks_take_and_return_is_importable():
    told = {cls for hook in HOOKS.values() for hint in typing.get_type_hints(hook).values() for cls in types_in(hint)}
    assert {kind.contract for kind in KINDS.values()} <= told
    for found in told:
        assert getattr(chainrule, found.__name__, None) is found, f"{found.__name__} is not importable from chainrule"


def test_what_belongs_to_a_run_is_importable():
    for name in ("Curves", "Outcome", "Prepared", "Reason", "Settings", "Session"):
        assert inspect.isclass(getattr(chainrule, name))
    for name in ("component", "gradient", "load", "prepare", "run", "settings", "settings_of", "trace_step", "train"):
        assert inspect.isfunction(getattr(chainrule, name))


def test_type_checkers_see_what_is_importable():
    imported = {
        alias.name: node.module for node in ast.walk(stub()) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == chainrule._HOME_OF


def test_both_lists_of_names_are_the_same_and_in_order():
    (listed,) = [node.value for node in stub().body if isinstance(node, ast.Assign)]
    assert ast.literal_eval(listed) == chainrule.__all__ == sorted(chainrule.__all__)


def test_every_name_is_there():
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    assert set(chainrule.__all__) <= set(dir(chainrule))
    with pytest.raises(AttributeError, match="has no attribute 'Wacther'"):
        _ = chainrule.Wacther


def test_the_function_sweep_is_not_hidden_by_the_package_of_that_name():
    """Whichever is asked for first."""
    told = "print(inspect.isfunction(chainrule.sweep), chainrule.sweep is chainrule.notebook.sweeping.sweep)"
    code = f"import inspect, chainrule.sweep.grid, chainrule.notebook.sweeping; {told}"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == [
        "True",
        "True",
    ]

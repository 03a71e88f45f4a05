"""What a command that is run from Python finds, and what it leaves as it was."""

import logging
import os
import sys
import types

import pytest

from chainrule.notebook import surroundings
from chainrule.registry.watching import Session


def test_logging_and_the_environment_are_left_as_they_were(monkeypatch, tmp_path):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "x")
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    handler = logging.FileHandler(tmp_path / "log")
    with surroundings.kept():
        assert os.environ["HYDRA_FULL_ERROR"] == "1"
        root.addHandler(handler)
        root.setLevel(1)
    assert (root.level, root.handlers) == before
    assert handler.stream is None, "it is closed"
    assert os.environ["HYDRA_FULL_ERROR"] == "x"


@pytest.mark.parametrize(("kernel", "seen"), [(None, False), (object(), True)])
def test_a_kernel_is_a_notebook_and_a_terminal_is_not(monkeypatch, kernel, seen):
    shell = types.SimpleNamespace(kernel=kernel)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert surroundings.in_notebook() is seen
    assert surroundings.of_sweeps(quiet=False) == Session(interactive=False, notebook=seen)
    assert surroundings.of_runs(quiet=False) == Session(interactive=False, quiet=not seen, notebook=seen)
    assert surroundings.of_sweeps(quiet=True).quiet
    assert surroundings.of_runs(quiet=True).quiet


def test_without_ipython_there_is_no_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not surroundings.in_notebook()

"""What tests of the framework share: processes that are gone when a test has ended."""

import os
import signal

import pytest

from chainrule.registry import declared, loaded
from processes import of_group


@pytest.fixture
def afresh(monkeypatch):
    """Plugins are found anew in this test, and nothing is declared before it or by it for others."""
    monkeypatch.setattr(declared, "_declared", {})
    monkeypatch.setattr(loaded, "_received", None)
    loaded._loaded_once.cache_clear()
    yield
    loaded._loaded_once.cache_clear()


@pytest.fixture
def kept():
    """Returns a process, and leaves nothing of it and of those that it has started."""
    processes = []

    def keep(process):
        processes.append(process)
        return process

    yield keep
    for process in processes:
        if of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            pass

"""What tests of the framework share: processes that are gone when a test has ended."""

import os
import signal

import pytest

from processes import of_group


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

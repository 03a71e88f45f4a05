"""Servers that tests start on this machine, and stop."""

import contextlib
import os
import signal
import socket
import subprocess
import time

from chainrule.registry.aside import at_work


@contextlib.contextmanager
def running(*words, folder, environment=None):
    """A process and those that it starts, for as long as the block lasts; by default in this environment."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=folder, env=environment, start_new_session=True, **silent)
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def of_group(first):
    """The command lines of the processes that still run of a group, which is named by its first process."""
    listing = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    processes = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [args[0] for group, state, *args in processes if group == str(first) and not state.startswith("Z") and args]


def wait_until(condition):
    """Wait for what comes within seconds, on a machine that is busy within minutes."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def saying(said):
    """A context that adds to a list when it begins, and when it ends."""

    @contextlib.contextmanager
    def context():
        said.append("begins")
        yield
        said.append("ends")

    return context


def at_work_for_long():
    """Something that a tracker says of itself: it says it twice, one in the other."""
    with at_work(), at_work():
        return os.getpid()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True

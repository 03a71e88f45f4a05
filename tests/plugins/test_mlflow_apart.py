"""MLflow's client is in a process of its own while runs are trained, which ends with them, however they end."""

import os
import signal
import subprocess
import sys

import pytest

import chainrule
from chainrule.errors import ChainruleError
from chainrule.registry.aside import told_at_work
from chainrule_mlflow import apart
from processes import at_work_for_long, saying, wait_until
from sizes import one_in

STARTS = """
import os, time
from chainrule_mlflow import apart
print(os.getpid(), apart.call(os.getpid), flush=True)
{}
"""


@pytest.fixture(autouse=True)
def _in_its_own_process(apart):
    pass


@pytest.fixture(autouse=True)
def _ended():
    yield
    apart.end()
    assert not apart.is_running()


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_asked_for_is_done_elsewhere_and_what_is_wrong_is_said_here():
    other = apart.call(os.getpid)
    assert other != os.getpid()
    with pytest.raises(ChainruleError, match="holds no finished record"):
        apart.call(chainrule.load, "nothing")
    with pytest.raises(ChainruleError, match=r"\[Errno 2\] No such file or directory: 'gone'"):
        apart.call(os.listdir, "gone")
    assert apart.call(os.getpid) == other
    with pytest.raises(ChainruleError, match=r"^The process that sends to MLflow has ended\.$"):
        apart.call(signal.raise_signal, signal.SIGKILL)
    assert apart.call(os.getpid) not in (other, os.getpid())


def test_what_it_does_by_itself_is_said_here_with_its_start():
    said = []
    with told_at_work(saying(said)):
        for _ in range(2):
            assert apart.call(at_work_for_long) != os.getpid()
    assert said == ["begins", "ends"] * 3


def test_what_it_is_told_of_the_environment_is_what_is_so_now(monkeypatch):
    for value in ("1", "2"):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", value)
        assert apart.call(os.getenv, "MLFLOW_HTTP_REQUEST_TIMEOUT") == value


def test_ctrl_c_does_not_reach_it():
    other = apart.call(os.getpid)
    os.kill(other, signal.SIGINT)
    assert apart.call(os.getpid) == other
    assert apart.call(os.getsid, 0) == other


@pytest.mark.parametrize("end", one_in(4, ["os.kill(os.getpid(), 9)", "", "os._exit(0)", "raise KeyboardInterrupt"]))
def test_it_ends_with_the_process_that_has_started_it(end):
    words = [sys.executable, "-c", STARTS.format(end)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    first, other = map(int, done.stdout.split())
    assert first != other
    wait_until(lambda: not is_there(other))

"""Ctrl-C ends a process with one sentence, is deferred, or does nothing; of sweeps see sweep/test_interrupts.py."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule import interrupts
from chainrule.files import locks
from processes import wait_until
from sweeping import interrupted


@pytest.fixture
def script(kept):
    """Starts a process that is given Python."""
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return lambda source: kept(subprocess.Popen([sys.executable, "-c", source], **options))


def test_a_call_that_does_not_return_holds_nothing_up(tmp_path, script):
    process = script("""
from pathlib import Path
from chainrule import interrupts
from chainrule.files import locks
with interrupts.handled():
    Path("here").touch()
    with locks.exclusive(Path("lock"), wait=3600):
        pass
""")
    with locks.exclusive(tmp_path / "lock", wait=1):
        wait_until(lambda: Path("here").exists())
        assert interrupted(process) == "chainrule: interrupted.\n"


def test_the_second_time_nobody_is_patient(script):
    """But what is to be done at exit is done."""
    process = script("""
import atexit
import time
from pathlib import Path
from chainrule import interrupts
interrupts._PATIENCE = 3600
with interrupts.handled():
    atexit.register(Path("tidied").touch)
    try:
        Path("here").touch()
        time.sleep(3600)
    finally:
        Path("there").touch()
        time.sleep(3600)
""")
    wait_until(lambda: Path("here").exists())
    process.send_signal(signal.SIGINT)
    wait_until(lambda: Path("there").exists())
    assert interrupted(process) == "chainrule: interrupted.\n"
    assert Path("tidied").exists()


@pytest.mark.parametrize(("seconds", "told"), [(0.6, "interrupted. All is kept."), (3600, "interrupted.")])
@pytest.mark.parametrize("caught", [True, False])
def test_what_is_kept_is_said_though_the_disk_is_slow_and_less_if_it_does_not_answer(seconds, told, caught):
    """Also if the thread that is ended by force was about to say it."""
    source = f"""
import signal
import time
from chainrule import interrupts
interrupts._PATIENCE = 0.2
interrupts.advise(lambda: time.sleep({seconds}) or "All is kept.")
with interrupts.handled():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        time.sleep({0 if caught else 3600})
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, f"chainrule: {told}\n")


@pytest.mark.parametrize(
    "source",
    [
        "exec('signal.raise_signal(signal.SIGINT)')",  # after which Python alone would die of the signal
        "try: signal.raise_signal(signal.SIGINT)\n    except BaseException as error: raise ImportError from error",
    ],
)
def test_the_exit_code_is_its_own_whatever_becomes_of_the_exception(source):
    script = f"import signal\nfrom chainrule import interrupts\nwith interrupts.handled():\n    {source}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "chainrule: interrupted.\n")


def test_it_is_deferred_and_not_lost():
    source = """
import time
from pathlib import Path
from chainrule import interrupts
with interrupts.handled():
    with interrupts.deferred():
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.1)
        Path("here").touch()
    Path("there").touch()
"""
    done = subprocess.run([sys.executable, "-c", "import signal" + source], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "chainrule: interrupted.\n")
    assert Path("here").exists()
    assert not Path("there").exists()


def test_a_process_that_starts_while_it_is_deferred_ignores_it_and_its_own_children_do_not():
    interrupt = "import signal, subprocess, sys; signal.raise_signal(signal.SIGINT); "
    words = [sys.executable, "-c", interrupt]
    again = (
        f"from chainrule import interrupts; interrupts.ignored_here(); {interrupt} sys.exit(-subprocess.call({words}))"
    )
    with interrupts.deferred():
        assert subprocess.run(words).returncode == 0
        done = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True)
    assert done.returncode == signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")  # not said by the process itself, but by the one it starts

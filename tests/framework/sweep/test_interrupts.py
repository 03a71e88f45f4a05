"""Ctrl-C ends a sweep and all its processes at any moment, in one sentence, and nothing that was finished is lost."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import distributions
from chainrule import interrupts
from chainrule.files import locks
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from distributions import MOODY
from processes import of_group
from sweeping import LONG, command, started, wait_for

# Three runs that converge at once, although each is expected to take long, and three that wait for a file to go.
SWEEP = ["-m", *LONG, "training.tolerance=1e9", "output.raises=0,2", "seed=range(3)", "hydra.sweep.dir=sweep"]
SOURCE = (
    """
import os
import time
from pathlib import Path
Path(f"loaded-{os.getpid()}").touch()
"""
    + MOODY
).replace(
    "        return np.tanh",
    """
        while np.any(self.raises == 2) and os.path.exists("hold"):
            time.sleep(0.05)
        return np.tanh""",
)


def files(pattern):
    return len(list(Path().glob(pattern)))


# What is going on, and what shows that it is.
MOMENTS = {
    "plugins are loaded": lambda process: files("loaded-*"),
    "jobs are composed": lambda process: len(of_group(process.pid)) > 1,  # meanwhile processes start
    "another process has started": lambda process: files("loaded-*") > 1,
    "the sweep is recorded": lambda process: files("sweep/sweep.json"),
    "runs are trained": lambda process: files("sweep/*/chainrule.log"),
    "runs are recorded": lambda process: files("sweep/*/manifest.json") == 3,
}


@pytest.fixture
def plugin(tmp_path):
    distributions.install(tmp_path / "site", "chainrule-moody", SOURCE, entry_point="moody")
    Path("hold").touch()
    return tmp_path / "site"


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


@pytest.fixture
def start(plugin, kept):
    return lambda *words: kept(started(*SWEEP, *words, path=plugin))


@pytest.fixture
def script(kept):
    """Starts a process that is given Python."""
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return lambda source: kept(subprocess.Popen([sys.executable, "-c", source], **options))


def interrupted(process, to_all=True, times=1):
    """What a process says at its end, after which none of those that it has started is left."""
    for _ in range(times):
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)  # as long as anybody can write there
    wait_for(lambda: not of_group(process.pid))
    assert process.returncode == 130, errors
    return errors


def sentence():
    if not Path("sweep/sweep.json").exists():
        return r"chainrule: interrupted\.\n"
    directory = re.escape(str(Path("sweep").absolute()))
    return rf"chainrule: interrupted\. \d+ of \d+ runs have ended; `chainrule resume {directory}` goes on\.\n"


@pytest.mark.parametrize("to_all", [True, False])
@pytest.mark.parametrize("moment", MOMENTS)
def test_all_processes_end_at_any_moment(start, moment, to_all):
    """A terminal sends it to all processes, a manager of jobs to the first."""
    jobs = ["seed=range(300)"] if moment == "jobs are composed" else []
    process = start(*jobs)
    wait_for(lambda: MOMENTS[moment](process))
    assert re.fullmatch(sentence(), interrupted(process, to_all))


def test_nothing_that_was_finished_is_lost_or_trained_again(plugin, start):
    process = start()
    wait_for(lambda: files("sweep/*/manifest.json") == 3)
    assert re.fullmatch(sentence(), interrupted(process))
    before = {path: path.stat().st_mtime_ns for path in Path("sweep").glob("*/manifest.json")}
    Path("hold").unlink()
    command("resume", "sweep", path=plugin)
    assert read_sweep(Path("sweep")).manifest["finished"]
    assert files("sweep/*/manifest.json") == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_work_that_waits_for_a_process_holds_nothing_up(start):
    """More of it than a pipe takes in while the processes are busy."""
    jobs = ["seed=range(1500)", "output.raises=2", "training.epochs=20", "hydra.launcher.stack=250"]
    process = start(*jobs)
    wait_for(lambda: files("sweep/*/chainrule.log") >= 400)
    assert re.fullmatch(sentence(), interrupted(process))


WATCHER = """
import time
from pathlib import Path
from chainrule import Watcher, hookimpl

class Deaf(Watcher):
    def sweep_started(self, sweep, notes):
        while True:
            try:
                Path("listening").touch()
                time.sleep(3600)
            except BaseException:
                Path("swallowed").touch()

@hookimpl
def chainrule_watchers(session):
    return [Deaf()]
"""


@pytest.mark.parametrize("times", [1, 2])
def test_a_plugin_that_swallows_it_holds_nothing_up(plugin, start, times):
    distributions.install(plugin, "chainrule-deaf", WATCHER)
    process = start("seed=range(300)")
    wait_for(lambda: Path("listening").exists())
    errors = interrupted(process, times=times)
    assert re.fullmatch(sentence(), errors)
    assert "0 of 600 runs have ended" in errors
    assert Path("swallowed").exists()


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
        wait_for(lambda: Path("here").exists())
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
    wait_for(lambda: Path("here").exists())
    process.send_signal(signal.SIGINT)
    wait_for(lambda: Path("there").exists())
    assert interrupted(process) == "chainrule: interrupted.\n"
    assert Path("tidied").exists()


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


def test_it_is_ignored_where_whoever_started_the_sweep_wants_that(kept):
    """As a shell does for what runs in the background."""
    words = ["-m", "training.epochs=4", "tracking=none", "hydra.sweep.dir=sweep", "seed=0,1"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = kept(started(*words, path=""))
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    wait_for(lambda: files("sweep/*/.hydra"))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert read_record(Path("sweep/1"))

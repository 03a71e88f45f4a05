"""Ctrl-C ends a sweep and all its processes at any moment, in one sentence, and nothing that was finished is lost."""

import os
import re
import signal
from pathlib import Path

import pytest

import distributions
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from distributions import MOODY
from processes import of_group, wait_until
from sizes import one_in
from sweeping import LONG, PLACE, command, hold, interrupted, started

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
def start(plugin, kept):
    return lambda *words: kept(started(*SWEEP, *words, path=plugin))


def sentence():
    """What was to be said, known when all have ended: until then the sweep may be recorded."""
    if not Path("sweep/sweep.json").exists():
        return r"chainrule: interrupted\. Nothing was recorded\.\n"
    directory = re.escape(str(Path("sweep").absolute()))
    left = rf"\d+ of \d+ runs are recorded; `chainrule resume {directory}` goes on\."
    return rf"chainrule: interrupted\. ({left}|All \d+ runs are recorded in {directory}\.)\n"


@pytest.mark.parametrize("to_all", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("moment", one_in(5, MOMENTS, ci=2))
def test_all_processes_end_at_any_moment(start, moment, to_all):
    """A terminal sends it to all processes, a manager of jobs to the first."""
    jobs = ["seed=range(300)"] if moment == "jobs are composed" else []
    process = start(*jobs)
    wait_until(lambda: MOMENTS[moment](process))
    errors = interrupted(process, to_all)
    assert re.fullmatch(sentence(), errors)


@pytest.mark.slow
def test_nothing_that_was_finished_is_lost_or_trained_again(plugin, start):
    process = start()
    wait_until(lambda: files("sweep/*/manifest.json") == 3)
    errors = interrupted(process)
    assert re.fullmatch(sentence(), errors)
    before = {path: path.stat().st_mtime_ns for path in Path("sweep").glob("*/manifest.json")}
    Path("hold").unlink()
    command("resume", "sweep", path=plugin)
    assert read_sweep(Path("sweep")).manifest["finished"]
    assert files("sweep/*/manifest.json") == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_work_that_waits_for_a_process_holds_nothing_up(start):
    """More of it than a pipe takes in while the processes are busy."""
    jobs = ["seed=range(1500)", "output.raises=2", "training.epochs=20", "hydra.launcher.stack=250"]
    process = start(*jobs)
    wait_until(lambda: files("sweep/*/chainrule.log") >= 400)
    errors = interrupted(process)
    assert re.fullmatch(sentence(), errors)


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


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_plugin_that_swallows_it_holds_nothing_up(plugin, start, times):
    distributions.install(plugin, "chainrule-deaf", WATCHER)
    process = start("seed=range(300)")
    wait_until(lambda: Path("listening").exists())
    errors = interrupted(process, times=times)
    assert re.fullmatch(sentence(), errors)
    assert "0 of 600 runs are recorded" in errors
    assert Path("swallowed").exists()


@pytest.mark.slow
def test_it_is_ignored_where_whoever_started_the_sweep_wants_that(kept):
    """As a shell does for what runs in the background."""
    words = ["-m", "training.epochs=4", "tracking=none", "hydra.sweep.dir=sweep", "seed=0,1"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = kept(started(*words, path=""))
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    wait_until(lambda: files("sweep/*/.hydra"))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert read_record(Path("sweep/1"))


def test_a_sweep_that_is_interrupted_says_how_to_go_on(plugin):
    """As by Ctrl-C, which reaches every process of the terminal."""
    hold(plugin)
    process = started("-m", *LONG, PLACE, "seed=range(6)", path=plugin)
    wait_until(lambda: len(list(Path("sweep").glob("*/chainrule.log"))) == 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    sentence = f"interrupted. 0 of 6 runs are recorded; `chainrule resume {Path('sweep').absolute()}` goes on."
    assert f"chainrule: {sentence}\n" in errors

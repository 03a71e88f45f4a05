"""A single run that is killed or interrupted at any instant loses little, and ends with the bits of one left alone."""

import contextlib
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from broken_off import files, kept
from distributions import plugin_folder
from processes import of_group, wait_until
from sweeping import command, started

# An optimizer with a state of its own that is random, too; an activation that keeps nothing from happening.
PLUGINS = '''
"""Of a stranger."""
import time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from chainrule import Activation, Optimizer

@dataclass(frozen=True)
class Wanders(Optimizer):
    """Descends with noise that fades, by a factor that it keeps."""
    lr: float = 0.02
    def init(self, theta):
        return {"noise": np.full_like(theta, 0.01), "mean": np.zeros_like(theta)}
    def update(self, theta, grad, state, step, *, rng):
        state["mean"] += 0.1 * (grad - state["mean"])
        state["noise"] *= 0.999
        theta -= self.lr * state["mean"] + state["noise"] * rng.normal(theta.shape[1])

@dataclass(frozen=True)
class Deaf(Activation):
    """Never returns, and swallows every interrupt."""
    def forward(self, z):
        while True:
            try:
                Path("listening").touch()
                time.sleep(3600)
            except BaseException:
                Path("swallowed").touch()
    def slope(self, z, a):
        return np.ones_like(z)
'''
RUN = [
    *("training.epochs=1500", "training.batch_size=16", "training.tolerance=0", "training.checkpoint_every=0.01"),
    *("optimizer=wanders", "transforms=[ema]", "network.dropout=0.1", "sampling=noise", "training.restore_best=true"),
    *("tracking=none", "hydra.run.dir=run", "pictures=[loss]"),
]
ENDED = r"The run has ended, and is recorded in \S+/run\."
KEPT = r"The run is kept up to epoch \d+ of 1500; `chainrule resume \S+/run` goes on\."
NOTHING = r"Nothing of the run is kept: it had just begun\."


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a run leaves that nobody disturbs, and how long it takes."""
    folder = tmp_path_factory.mktemp("alone")
    plugin_folder(folder, stranger=PLUGINS)
    with contextlib.chdir(folder):
        process = started(*RUN, path="")
        begin = time.perf_counter()
        errors = process.communicate(timeout=120)[1]
        assert process.returncode == 0, errors
        return files("run"), time.perf_counter() - begin


@pytest.fixture
def alone(undisturbed, tmp_path):
    plugin_folder(tmp_path, stranger=PLUGINS)
    return undisturbed


def finish():
    """Go on with what is there until the run has ended."""
    command(*(["resume", "run"] if kept("run") else RUN))


def clear():
    for path in sorted(Path("run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.slow
def test_a_run_that_is_killed_ends_with_the_same_bits(alone, extent):
    """One in three is killed again while it goes on."""
    expected, seconds = alone
    trials, chance = extent(few=1, ci=2, all=200), random.Random(0)
    went_on = 0
    for trial in range(trials):
        for _ in range(1 if chance.random() < 2 / 3 else 2):
            words = ["resume", "run"] if kept("run") else RUN
            process = started(*words, path="")
            time.sleep((trial + chance.random()) / trials * seconds)
            process.kill()
            process.communicate(timeout=120)
            went_on += bool(kept("run"))
        if not Path("run/manifest.json").exists():
            finish()
        assert files("run") == expected
        clear()
    assert went_on


@pytest.mark.slow
def test_a_run_that_is_interrupted_says_what_is_kept_and_ends_with_the_same_bits(alone, extent):
    expected, seconds = alone
    trials, chance = extent(few=1, ci=2, all=200), random.Random(1)
    for trial in range(trials):
        number = (signal.SIGINT, signal.SIGTERM)[trial % 2]
        process = started(*RUN, path="")
        wait_until(lambda: Path("run/chainrule.log").exists())  # until then Python itself may be starting
        time.sleep(chance.random() * 0.6 * seconds)
        begin = time.perf_counter()
        process.send_signal(number)
        errors = process.communicate(timeout=120)[1]
        took = time.perf_counter() - begin
        if process.returncode == 0:  # it had ended
            assert not errors
        else:
            assert process.returncode == 128 + number
            word = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}[number]
            assert re.fullmatch(rf"chainrule: {word}\.( {KEPT}| {NOTHING}| {ENDED}| Nothing was recorded\.)\n", errors)
            assert ("is kept up to" in errors or "is recorded" in errors) == bool(kept("run"))
            assert ("is recorded" in errors) <= Path("run/manifest.json").exists()
            assert took < 30  # seconds; it is 2 at most where no other process takes the time
        if not Path("run/manifest.json").exists():
            finish()
        assert files("run") == expected
        clear()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(tmp_path, number):
    plugin_folder(tmp_path, stranger=PLUGINS)
    process = started("activation=deaf", "tracking=none", path="")
    wait_until(lambda: Path("listening").exists())
    process.send_signal(number)
    wait_until(lambda: Path("swallowed").exists())
    process.send_signal(number)
    errors = process.communicate(timeout=120)[1]
    word = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM"}[number]
    assert (process.returncode, errors) == (128 + number, f"chainrule: {word}. {NOTHING}\n".replace("\\", ""))


def test_sigterm_ends_a_sweep_with_all_its_processes():
    """As a manager of jobs sends it: to the first process, or to all."""
    words = ["-m", "training.epochs=20000", "seed=range(4)", "tracking=none", "hydra.sweep.dir=sweep"]
    process = started(*words, "hydra.launcher.workers=2", "hydra.launcher.stack=1", path="")
    try:
        wait_until(lambda: len(list(Path("sweep").glob("*/chainrule.log"))) >= 2)
        os.killpg(process.pid, signal.SIGTERM)
        errors = process.communicate(timeout=120)[1]
        wait_until(lambda: not of_group(process.pid))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 143
    assert re.fullmatch(
        r"chainrule: ended by SIGTERM\. \d of 4 runs are recorded; `chainrule resume \S+` goes on\.\n", errors
    )

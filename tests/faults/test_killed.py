"""A run that kills its process fails, and changes no bit of another run: in sweeps, searches and comparisons."""

import json
import re
from pathlib import Path

import pytest

from distributions import plugin_folder
from sweeping import PLACE, command

SOURCE = '''
"""Ends its process in various ways."""
import ctypes, os, signal, sys, threading, time
from dataclasses import dataclass
import numpy as np
from chainrule import Activation, Optimizer

def segfault(): ctypes.string_at(0)
def leave(): os._exit(0)
def leave_in_c(): ctypes.CDLL(None)._exit(0)
def kill(): os.kill(os.getpid(), signal.SIGKILL)
def abort(): os.abort()
def wait():
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass
def move(): os.chdir("/")
def listen():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
def no_memory(): raise MemoryError
def leave_in_thread():
    thread = threading.Thread(target=lambda: ctypes.CDLL(None)._exit(3))
    thread.start()
    thread.join()
def ask_to_end(): sys.exit(0)

WAYS = [None, segfault, leave, leave_in_c, kill, abort, wait, move, listen, no_memory, leave_in_thread, ask_to_end]

@dataclass(frozen=True)
class Deadly(Activation):
    """tanh, and one of several ways to end the process."""
    way: float = 0.0
    def forward(self, z):
        for way in np.unique(np.asarray(self.way, int)):
            if way:
                WAYS[way]()
        return np.tanh(z)
    def slope(self, z, a):
        return 1 - a * a

@dataclass(frozen=True)
class Killer(Optimizer):
    """Descends, and kills its process in the fifth step."""
    lr: float = 0.1
    def update(self, theta, grad, state, step):
        if step == 5:
            segfault()
        theta -= self.lr * grad
'''
LEFT = "SystemExit: os._exit(0) was called"
DIES = {
    1: "its process was ended by SIGSEGV.",
    2: LEFT,
    3: "it ended its process, with exit code 0.",
    4: "its process was ended by SIGKILL, perhaps because memory ran out.",
    5: "its process was ended by SIGABRT.",
    6: "it hung: nothing was heard of it for hydra.launcher.timeout=4 seconds.",
    9: "MemoryError",
    10: "it ended its process, with exit code 3.",
    11: "SystemExit: 0",
}
LIVES = (0, 7, 8)
RUNS = ["output=deadly", "training.epochs=20", "training.batch_size=16", "tracking=none"]
TIMEOUT = "hydra.launcher.timeout=4"


@pytest.fixture(autouse=True)
def plugin(tmp_path):
    plugin_folder(tmp_path, deadly=SOURCE)


def ends(folder="sweep"):
    """What became of each run: the sentence of its failure, or the files that hold numbers."""
    found = {}
    for path in Path(folder).glob("*/"):
        if (path / "failure.json").exists():
            assert not (path / "manifest.json").exists()
            error = json.loads((path / "failure.json").read_text())["error"]
            raised = re.match(r"plugin plugins/deadly\.py raised (.*) \(", error)  # where is said, too
            found[int(path.name)] = raised[1] if raised else error
        elif (path / "manifest.json").exists():
            found[int(path.name)] = [(path / name).read_bytes() for name in ("weights.npz", "curves.npz")]
    return found


def test_whatever_a_run_does_the_others_are_trained(extent):
    """All are one stack, except where there are more workers."""
    ways = [*LIVES, *extent(few=(1,), ci=DIES, all=DIES)]
    for workers in extent(few=[1], ci=[2], all=[1, 2, 3]):
        place = f"sweep{workers}"
        words = [f"output.way={','.join(map(str, ways))}", "seed=0,1", f"hydra.launcher.workers={workers}"]
        done = command("-m", *RUNS, *words, TIMEOUT, f"hydra.sweep.dir={place}", code=1)
        assert f"chainrule: {2 * (len(ways) - 3)} of {2 * len(ways)} runs failed" in done.stderr
        assert "Traceback" not in done.stderr
        found = ends(place)
        for number, way in enumerate(way for way in ways for _ in range(2)):
            assert found[number] == DIES.get(way, found[number])
        command("-m", *RUNS, f"output.way={','.join(map(str, LIVES))}", "seed=0,1", f"hydra.sweep.dir=alone{workers}")
        assert ends(f"alone{workers}") == {number: found[number] for number in range(6)}
        assert not list(Path(place).glob(".progress/*"))


@pytest.mark.slow
def test_a_sweep_of_one_process_that_dies_is_finished_by_another(extent):
    """It cannot survive; but which runs it was about is written down, and other processes train them then."""
    for way, code in extent(few={3: 0}, ci={3: 0}, all={1: -11, 3: 0, 4: -9, 5: -6, 10: 3}).items():
        place = f"sweep{way}"
        words = ["-m", *RUNS, f"output.way=0,{way}", "seed=0,1", f"hydra.sweep.dir={place}"]
        command(*words, "hydra.launcher.workers=1", code=code)
        assert ends(place) == {}
        done = command("resume", place, code=1)
        assert "chainrule: 2 of 4 runs failed" in done.stderr
        found = ends(place)
        assert [found[2], found[3]] == [DIES[way]] * 2
        assert not any(isinstance(found[number], str) for number in (0, 1))


@pytest.mark.parametrize("way", [2, 11])
def test_a_single_run_that_wants_to_end_the_command_does_not_exit_with_0(way):
    done = command(*RUNS, f"output.way={way}", "hydra.run.dir=run", code=1)
    assert done.stderr.startswith(f"chainrule: plugin plugins/deadly.py raised {DIES[way]}")
    assert done.stderr.count("\n") == 1
    assert not Path("run/manifest.json").exists()


def test_a_search_goes_on(extent):
    if extent(few=True, ci=False, all=False):
        pytest.skip("takes several processes")
    words = ["hydra/sweeper=stacked_optuna", "output.way=0,1", "hydra.sweeper.trials=6", "hydra.sweeper.batch=3"]
    done = command("-m", *RUNS, *words, "hydra.sweeper.sampler=random", TIMEOUT, PLACE, code=1)
    found = ends()
    assert sorted(found) == list(range(6))
    assert 0 < sum(end == DIES[1] for end in found.values()) < 6
    assert "Traceback" not in done.stderr


def test_a_comparison_goes_on(extent):
    if extent(few=True, ci=False, all=False):
        pytest.skip("takes several processes")
    words = ["optimizer=adam,killer", "target=sine", "training.epochs=20", "tracking=none", TIMEOUT]
    few = ["--budget", "2", "--tunings", "2", "--seeds", "1", "--tuning-seeds", "1"]
    done = command("compare", *words, *few, PLACE, code=1)
    found = ends()
    failed = sum(end == DIES[1] for end in found.values())
    assert failed * 2 == len(found)
    assert f"chainrule: {failed} of {len(found)} runs failed" in done.stderr
    assert "Traceback" not in done.stderr

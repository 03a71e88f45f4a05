"""Dask: a cluster that is started for a sweep, and one that runs already, whose workers are somewhere else."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest

import distributions
from chainrule.sweep.execution import clusters
from distributions import MOODY, plugin_folder
from processes import answers, free_port, of_group, running, wait_until
from sweeping import COMMAND, command

distributed = pytest.importorskip("distributed")
DASK = "hydra.launcher.backend=dask"
# An hour of training, so that what ends earlier was given up.
LONG = ["-m", "training.epochs=1000000", "training.measure_every=20", "seed=0,1", "tracking=none"]
LONG += ["hydra.launcher.stack=1", "hydra.sweep.dir=long"]
DEADLY = """
import ctypes
from dataclasses import dataclass
import numpy as np
from chainrule import Activation

@dataclass(frozen=True)
class Deadly(Activation):
    \"\"\"tanh, and a way to end the process.\"\"\"
    way: float = 0.0
    def forward(self, z):
        if np.any(self.way):
            ctypes.string_at(0)
        return np.tanh(z)
    def slope(self, z, a):
        return 1 - a * a
"""
SHORT = ["-m", "training.epochs=2", "seed=0,1", "tracking=none", "hydra.sweep.dir=short"]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A function that starts a scheduler and workers with a number of threads each, and returns its address."""
    with contextlib.ExitStack() as servers:
        folder = tmp_path_factory.mktemp("elsewhere")

        def call(*threads):
            port = free_port()
            address = f"tcp://127.0.0.1:{port}"
            dask = [sys.executable, "-m", "dask"]
            place = ["--host", "127.0.0.1", "--no-dashboard"]
            servers.enter_context(running(*dask, "scheduler", *place, "--port", str(port), folder=folder))
            for number in threads:
                worker = ["worker", address, *place, "--nthreads", str(number)]
                servers.enter_context(running(*dask, *worker, folder=folder))
            wait_until(lambda: answers(port))
            with client(address) as here:
                wait_until(lambda: len(here.nthreads()) == len(threads))
            return address

        yield call


@pytest.fixture(scope="module")
def scheduler(start):
    return start(1, 1)


def _progress():
    """Names of the files in which workers write how far they are with what takes an hour."""
    return set(os.listdir("long/.progress")) if os.path.isdir("long/.progress") else set()


def client(address):
    return distributed.Client(address, set_as_default=False)


def test_a_cluster_started_for_the_sweep_leaves_the_same_bytes(train):
    done = train(DASK, "hydra.launcher.workers=2", "hydra.launcher.stack=1", again=False)
    assert done.stderr == ""


def test_a_running_cluster_leaves_the_same_bytes(train, scheduler):
    done = train(DASK, f"hydra.launcher.address={scheduler}", "hydra.launcher.stack=1")
    assert done.stderr == ""
    with client(scheduler) as here:
        seen = here.run(lambda: "chainrule.sweep.execution.worker" in sys.modules)
    assert set(seen.values()) == {True}, "trained here"


def test_nothing_is_said_by_what_dask_is_made_of(scheduler):
    """What it tells while it closes, or of tasks that nobody wants any more, is no error of the sweep."""
    with clusters.OPENED["dask"](2, scheduler):
        said = [name for name in ("asyncio", "distributed", "distributed.client", "tornado.application")
                if logging.getLogger(name).isEnabledFor(logging.CRITICAL)]  # fmt: skip
    assert said == []


@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_ends_a_cluster_started_for_the_sweep(to_all):
    """A terminal sends it to all processes; a manager of jobs to the first."""
    process = subprocess.Popen(
        [*COMMAND, *LONG, DASK, "hydra.launcher.workers=2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: len(_progress()) == 2)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
        told = f"interrupted. 0 of 2 runs are recorded; `chainrule resume {os.path.abspath('long')}` goes on."
        assert process.communicate(timeout=120)[0] == f"2 runs: 2 seeds\nchainrule: {told}\n"
        assert process.returncode == 130
        wait_until(lambda: not of_group(process.pid))
    finally:
        if of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_workers_give_up_what_nobody_waits_for(scheduler, ending):
    words = [*COMMAND, *LONG, DASK, f"hydra.launcher.address={scheduler}"]
    with running(*words, folder=".") as process:
        wait_until(lambda: len(_progress()) == 2)
        process.send_signal(ending)
        process.wait(120)
    if ending == signal.SIGKILL:  # nobody has tidied up, which the next attempt does
        left = _progress()
        allowed = ["--allow", f"hydra.launcher.address={scheduler}"]
        with running(*COMMAND, "resume", "long", *allowed, folder=".") as process:
            wait_until(lambda: not left & _progress())
            process.send_signal(signal.SIGINT)
            process.wait(120)
    with client(scheduler) as here:
        workers = here.scheduler_info(n_workers=-1)["workers"]
        for worker in workers:
            here.submit(os.getpid, workers=[worker], pure=False).result(timeout=120)
        assert len(workers) == 2


def test_what_is_wrong_with_a_cluster_is_said_in_a_sentence(tmp_path, start, scheduler):
    def refused(address, *arguments, path=None):
        done = command(*SHORT, DASK, f"hydra.launcher.address={address}", *arguments, code=1, path=path)
        assert done.stderr.count("\n") == 1
        return done.stderr

    begin = time.monotonic()
    assert refused(f"tcp://127.0.0.1:{free_port()}").startswith("chainrule: no Dask scheduler answers at hydra.launch")
    assert time.monotonic() - begin < 60
    assert "has no workers: start some with `dask worker tcp://" in refused(start())
    assert "--nthreads 1 --nworkers 3`" in refused(start(3))
    assert "start two workers at least" in refused(scheduler, "hydra.launcher.workers=1")
    assert not (tmp_path / "short").exists()
    there = tmp_path / "site"
    distributions.install(there, "chainrule-moody", MOODY, entry_point="moody")
    complaint = refused(scheduler, "activation=moody", path=there)
    assert "would not train the same: plugin chainrule-moody:moody: here 1.0 " in complaint
    assert ", there not there. Install the same there" in complaint


def test_a_run_that_kills_its_worker_fails_alone(tmp_path):
    plugin_folder(tmp_path, deadly=DEADLY)
    words = ["output=deadly", "output.way=0,1", "training.epochs=2", "tracking=none", "hydra.sweep.dir=sweep"]
    done = command("-m", *words, "seed=0,1", DASK, "hydra.launcher.workers=2", "hydra.launcher.stack=2", code=1)
    assert "chainrule: 2 of 4 runs failed" in done.stderr
    for number in (2, 3):
        failure = json.loads((tmp_path / "sweep" / str(number) / "failure.json").read_text())
        assert failure["error"] == "its process was ended by SIGSEGV."
    assert all((tmp_path / "sweep" / str(number) / "manifest.json").exists() for number in (0, 1))

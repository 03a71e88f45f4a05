"""Ray: a cluster that is started for a sweep, one that runs already, and Hydra's own launcher."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from processes import answers, free_port, running, wait_until
from sweeping import command

pytest.importorskip("ray")
pytest.importorskip("hydra_plugins.hydra_ray_launcher")
RAY = "hydra.launcher.backend=ray"


@pytest.fixture(autouse=True, scope="module")
def _own_ray():
    """Ray on 127.0.0.1, and without a token, which it would keep in the home directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield


def test_a_cluster_started_for_the_sweep_leaves_the_same_bytes(train):
    done = train(RAY, "hydra.launcher.workers=2", "hydra.launcher.stack=1", again=False)
    assert done.stderr == ""


def test_a_running_cluster_leaves_the_same_bytes(train):
    port = free_port()
    place = tempfile.mkdtemp(dir="/tmp")  # names of sockets must be short
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=2", f"--port={port}"]
    local = ["--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--temp-dir={place}"]
    try:
        with running(*ray, *local, folder=place):
            wait_until(lambda: answers(port))
            wait_until(lambda: any(Path(place).glob("session_latest/sockets/raylet*")))
            done = train(RAY, f"hydra.launcher.address=127.0.0.1:{port}", "hydra.launcher.stack=1")
            assert done.stderr == ""
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_a_cluster_that_is_not_there_is_said_in_a_sentence(tmp_path):
    done = command("-m", "seed=0,1", RAY, f"hydra.launcher.address=127.0.0.1:{free_port()}", code=1)
    assert done.stderr.startswith("chainrule: no Ray cluster answers at hydra.launcher.address=127.0.0.1:")
    assert done.stderr.count("\n") == 1
    assert not os.listdir(tmp_path)


def test_hydra_s_launcher_leaves_the_same_bytes(train):
    init = ["+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"]
    train("hydra/launcher=ray", *init)

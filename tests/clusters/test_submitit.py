"""Hydra's launchers for Slurm, and the one that does the same without Slurm."""

import pytest

from sweeping import command

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")


def test_submitit_local_leaves_the_same_bytes(train):
    train("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5")


def test_slurm_is_told_what_was_typed(tmp_path):
    slurm = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=short", "hydra.launcher.timeout_min=90"]
    shown = command(*slurm, "--cfg", "hydra").stdout
    for line in ("partition: short", "timeout_min: 90", "_target_: hydra_plugins.hydra_submitit_launcher."):
        assert line in shown
    listed = command("-m", "seed=0,1", *slurm, "hydra.sweeper.dry_run=true").stdout
    assert "run one by one by the launcher that was chosen; nothing was trained" in listed
    assert not list(tmp_path.iterdir())

"""Sweeps and comparisons from Python."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
from chainrule.records.run import MANIFEST
from sweeping import command

# A program as people write it: its class can be imported nowhere else.
PROGRAM = """
from dataclasses import dataclass
import numpy as np
import chainrule

def absolute(z):
    return np.abs(z)

@chainrule.plugin
@dataclass(frozen=True)
class Bent(chainrule.Activation):
    bend: float = 1.0
    def forward(self, z):
        return z / (1 + absolute(z) / self.bend)
    def slope(self, z, a):
        return 1 / (1 + absolute(z) / self.bend) ** 2

if __name__ == "__main__":
    quick = ["training.batch_size=16", "tracking=none", "hydra.launcher.workers=2", "hydra.launcher.stack=2"]
    long = ["training.epochs=2000", "network.hidden=[2,2,2,2]"]
    found = chainrule.sweep("activation=bent,tanh", "seed=0,1", *quick, *long, directory="swept")
    assert [outcome.reason for outcome in found] == ["epochs"] * 4
    alone = chainrule.run("activation=bent", "seed=1", *quick[:2], *long)
    recorded = chainrule.load("swept/1")
    assert (recorded.weights()["W1"] == alone.weights[0]).all()
    (recorded.directory / "manifest.json").unlink()
    (again,) = (one for one in chainrule.resume("swept") if one.directory == "1")
    assert again.metrics == recorded.manifest.metrics
    assert chainrule.load("swept/1").manifest.plugins == recorded.manifest.plugins
    few = [f"hydra.sweeper.{name}=2" for name in ("budget", "tunings", "seeds")]
    compared = chainrule.compare("activation=bent,tanh", "target=sine", "training.epochs=2", *quick, *few)
    assert compared.comparison.comparison.contenders == ("bent", "tanh")
    print(recorded.manifest.plugins["__main__:Bent"]["sha256"])
"""


def test_a_class_of_a_program_is_swept_compared_and_resumed_with_the_bytes_of_a_run_alone(tmp_path):
    """In processes of their own, to which it is sent."""
    Path("program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == hashlib.sha256(PROGRAM.encode()).hexdigest()
    (tmp_path / "swept" / "1" / MANIFEST).unlink()
    assert "the class Bent of __main__, which is not declared here" in command("resume", "swept", code=1).stderr


def test_a_sweep_that_is_wrong_is_one_sentence(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'tanh'"):
        chainrule.sweep("activation=tnah,relu", "tracking=none")
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'training'"):
        chainrule.sweep("trainin.epochs=1,2")
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert not list(Path().iterdir())

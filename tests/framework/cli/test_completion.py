"""What a shell is told at TAB."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli import main as command
from chainrule.cli.completion import offer


@pytest.fixture
def offered(monkeypatch, capsys):
    """A function that returns what is offered for a line; nothing else may be said."""

    def ask(line):
        monkeypatch.setenv("COMP_LINE", line)
        offer(["-sc", "query=bash"], command._COMMANDS)
        told = capsys.readouterr()
        assert told.err == ""
        return told.out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chainrule ver", ["verify"]),
        ("chainrule compare activation=ta", ["activation=tanh"]),
        ("chainrule compare activation=tanh,re", ["activation=tanh,relu"]),
        ("chainrule compare activation=tanh,relu training.ep", ["training.epochs="]),
        ("chainrule --ov", ["--overwrite"]),
        ("chainrule --ver", ["--version"]),
        ("chainrule resume out --acc", ["--accept"]),
        ("chainrule compare activation=tanh,relu --tun", ["--tuning-seeds", "--tunings"]),
        ("chainrule training.dtype=", ["training.dtype=float32", "training.dtype=float64"]),
        ("chainrule training.engine=c", ["training.engine=compiled"]),
        ("chainrule data.stratify=", ["data.stratify=false", "data.stratify=true"]),
        ("chainrule optimizer=adam optimizer.ams", ["optimizer.amsgrad="]),
        ("chainrule optimizer=adam optimizer.amsgrad=t", ["optimizer.amsgrad=true"]),
        ("chainrule transforms=[cl", ["transforms=[clip", "transforms=[clip_layer", "transforms=[clip_value"]),
        ("chainrule transforms=[clip,clip_v", ["transforms=[clip,clip_value"]),
        ("chainrule activation=[tanh,relu] training.ep", ["training.epochs="]),
        ("chainrule --overwrite optimizer=adamw", ["optimizer=adamw"]),
        ("chainrule pictures=", []),
        ("chainrule resume out", []),
        ("chainrule report ", []),
        ("chainrule compare $(x '", []),
        ("chainrule optimizer=nothing optimizer.l", []),
        ("chainrule ===", []),
    ],
)
def test_what_is_typed_decides_what_is_offered(offered, line, expected):
    assert offered(line) == expected


def test_first_are_commands_and_all_that_hydra_offers(offered):
    found = offered("chainrule ")
    assert {*command._COMMANDS, "optimizer=", "training.", "seed="} <= set(found)
    assert "compare" not in offered("chainrule seed=1 ")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_by_what_it_installs():
    script = """eval "$(chainrule -sc install=bash)"
    for COMP_LINE in "chainrule compare activation=ta" "chainrule transforms=[cl" "chainrule resume out"; do
        words=($COMP_LINE); COMP_CWORD=$((${#words[@]} - 1)); COMP_POINT=${#COMP_LINE}
        COMPREPLY=(); hydra_bash_completion; echo "${COMPREPLY[@]}"
    done"""
    folder = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": folder})
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "activation=tanh", "transforms=[clip transforms=[clip_layer transforms=[clip_value", "",
    ]  # fmt: skip

"""Hydra, run with the arguments of a command."""

import argparse
import sys
from pathlib import Path

import pytest

from chainrule.config import application, task
from chainrule.errors import ConfigurationError
from chainrule.files import paths
from sweeping import SHORT, command


def test_no_flag_may_be_abbreviated():
    assert "--multi is not a flag" in command("--multi", *SHORT, "seed=0,1", code=2).stderr
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--zzz"], "--zzz is not a flag; see chainrule --help and --hydra-help."),
        (
            ["optimizer=adam", "--overwite"],
            "--overwite is not a flag (did you mean '--overwrite'?); see chainrule --help and --hydra-help.",
        ),
        (["--cfg", "jobs"], "argument --cfg/-c: invalid choice: 'jobs'"),
    ],
)
def test_a_wrong_flag_is_said_in_one_sentence(capsys, words, sentence):
    with pytest.raises(SystemExit, match="2"):
        application.run(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"chainrule: {sentence}")


def test_a_pickled_experiment_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.setattr(application, "_run_hydra", lambda **_: pytest.fail("Hydra was asked"))
    with pytest.raises(ConfigurationError, match="--experimental-rerun is not available"):
        application.run(["--experimental-rerun", "config.pickle"])


@pytest.fixture
def _checked(monkeypatch):
    """Let argparse check the help of options as Python 3.14 does."""
    options = argparse._ActionsContainer
    add = options.add_argument

    def check(self, action):
        if not isinstance(action.help, str | None):
            raise ValueError("badly formed help string")

    def checked(self, *words, **more):
        action = add(self, *words, **more)
        self._check_help(action)
        return action

    monkeypatch.setattr(options, "_check_help", check, raising=False)
    monkeypatch.setattr(options, "add_argument", checked)


@pytest.mark.usefixtures("_checked")
def test_the_help_of_hydras_options_need_be_no_text(monkeypatch, capsys):
    """Neither at the start nor when words of a shell are completed."""
    application.run(["--cfg", "job", "seed=4"])
    assert "seed: 4" in capsys.readouterr().out
    monkeypatch.setenv("COMP_LINE", "chainrule optimizer=ada")
    application.run(["-sc", "query=bash"])
    assert "optimizer=adam" in capsys.readouterr().out.split()
    with pytest.raises(ValueError, match="badly formed"):
        argparse.ArgumentParser().add_argument("--mine", help=3)


def test_hydra_is_given_the_arguments_the_task_and_the_configuration(monkeypatch):
    given = {}
    monkeypatch.setattr(application, "_run_hydra", lambda **words: given.update(words))
    application.run(["-m", "seed=0,1", "optimizer=adam"])
    assert given["args"].multirun
    assert given["args"].overrides == ["seed=0,1", "optimizer=adam"]
    assert task.is_own(given["task_function"])
    assert Path(given["config_path"], given["config_name"]).with_suffix(".yaml").is_file()
    assert given["config_path"] == str(paths.configuration())


def test_the_arguments_are_known_while_the_command_runs(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["chainrule", "resume", "sweep"])
    seen = []

    def fail(**_):
        seen.append(application.typed_arguments())
        seen[-1].append("a copy")
        seen.append(application.typed_arguments())
        raise ArithmeticError

    monkeypatch.setattr(application, "_run_hydra", fail)
    with pytest.raises(ArithmeticError):
        application.run(["-m", "seed=0,1"])
    assert seen == [["-m", "seed=0,1", "a copy"], ["-m", "seed=0,1"]]
    assert application.typed_arguments() == ["resume", "sweep"], "those of the process, as before"

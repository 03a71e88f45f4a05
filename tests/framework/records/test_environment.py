"""The user, the code and the machine of a run."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from chainrule.records import environment as module

ME = ["-c", "user.name=me", "-c", "user.email=me@example.org"]


def found():
    """The environment, not that of an earlier call."""
    module._unchanging.cache_clear()
    module._commit.cache_clear()
    return module.environment()


@pytest.fixture(autouse=True)
def afterwards():
    """No other test sees what was made up here."""
    yield
    found()


def git(*words):
    done = subprocess.run(["git", *ME, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A working directory with one file in git, and nothing above it."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", "code.py")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_commit_is_that_of_the_working_directory_with_a_mark_where_files_differ_from_it(checkout):
    commit = git("rev-parse", "HEAD")
    assert len(commit) == 40
    assert found()["git_commit"] == commit
    (checkout / "new.csv").touch()
    assert found()["git_commit"] == commit, "files that are not in git do not count"
    (checkout / "code.py").write_text("x = 2\n")
    assert found()["git_commit"] == f"{commit}-dirty"


def test_a_process_that_lives_long_or_goes_elsewhere_asks_again(checkout, monkeypatch):
    """As a notebook does."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    first = found()["git_commit"]
    (checkout / "code.py").write_text("x = 2\n")
    git("commit", "--quiet", "--all", "--message", "second")
    assert module.environment()["git_commit"] == first
    now[0] += 11
    assert module.environment()["git_commit"] == git("rev-parse", "HEAD") != first
    (checkout / "inner").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(checkout))
    monkeypatch.chdir("inner")
    assert "git_commit" not in module.environment()


def test_outside_of_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "git_commit" not in found()


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 5)])
def test_a_git_that_cannot_be_asked_does_no_harm(monkeypatch, error):
    def run(*_, **__):
        raise error

    monkeypatch.setattr(module.subprocess, "run", run)
    assert "git_commit" not in found()


def test_versions_are_those_that_are_installed(monkeypatch):
    monkeypatch.setattr(module, "_git", lambda *_: "")
    monkeypatch.setattr(module.getpass, "getuser", lambda: "somebody")
    assert found() == {
        "user": "somebody",
        "python": platform.python_version(),
        "platform": platform.platform(),
        **module.processor(),
        **{name: version(name) for name in ("chainrule", "numpy", "hydra-core", "mlflow")},
    }


@pytest.mark.parametrize("error", [KeyError("no such user"), OSError("no user")])
def test_a_user_without_a_name_is_unknown(monkeypatch, error):
    def getuser():
        raise error

    monkeypatch.setattr(module, "_git", lambda *_: "")
    monkeypatch.setattr(module.getpass, "getuser", getuser)
    assert found()["user"] == "unknown"


INTRODUCE = "import json; from chainrule.records.environment import processor; print(json.dumps(processor()))"


def dispatched():
    """The features that NumPy can be told not to use, as its own public report of this process names them."""
    found = dict.fromkeys(np.lib.introspect.opt_func_info(func_name="^exp$")["exp"]["dd"]["available"].split(), "")
    return [name for name in found if not name.startswith("baseline")]


def test_the_processor_is_what_numpy_was_not_told_to_leave_alone():
    here = module.processor()
    used = np.lib.introspect.opt_func_info(func_name="^exp$")["exp"]["dd"]["current"]
    assert used in here["processor"].split() or used.startswith("baseline")
    off = [name for name in dispatched() if name in here["processor"].split()]
    if not off:
        pytest.skip("NumPy has no code for further features of this processor")
    variables = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(off), "OPENBLAS_CORETYPE": "Sandybridge"}
    words = [sys.executable, "-c", INTRODUCE]
    there = json.loads(subprocess.run(words, env=variables, check=True, capture_output=True).stdout)
    assert set(there["processor"].split()) == set(here["processor"].split()) - set(off)
    if here["blas"].startswith("openblas") and platform.machine() == "x86_64":
        assert there["blas"].split()[-1] == "Sandybridge" != here["blas"].split()[-1]
    switched = module.switches(there, here)
    assert switched.startswith("NPY_DISABLE_CPU_FEATURES='")
    assert switched == module.switches(here, there)
    assert set(switched.split("'")[1].split()) == set(off)


OLD = {"processor": "X86_V2 X86_V3", "blas": "openblas 0.3.30 Haswell"}
NEW = {"processor": "X86_V2 X86_V3 X86_V4 AVX512_ICL", "blas": "openblas 0.3.30 SkylakeX"}


@pytest.mark.parametrize(
    ("one", "other", "variables"),
    [
        (OLD, OLD, ""),
        (OLD, NEW, "NPY_DISABLE_CPU_FEATURES='X86_V4 AVX512_ICL' OPENBLAS_CORETYPE=Haswell"),
        (NEW, OLD, "NPY_DISABLE_CPU_FEATURES='X86_V4 AVX512_ICL' OPENBLAS_CORETYPE=Haswell"),
        (OLD, {**NEW, "blas": OLD["blas"]}, "NPY_DISABLE_CPU_FEATURES='X86_V4 AVX512_ICL'"),
        (OLD, {**OLD, "blas": "openblas 0.3.30 Zen"}, "OPENBLAS_CORETYPE=Haswell"),
        ({**OLD, "blas": "openblas 0.3.30 Zen"}, OLD, "OPENBLAS_CORETYPE=Zen"),
        (OLD, {**NEW, "blas": "openblas 0.3.29 SkylakeX"}, ""),
        (OLD, {**NEW, "blas": "mkl 2026"}, ""),
        (OLD, {"processor": "NEON ASIMD SVE"}, ""),
        ({"processor": "X86_V2"}, {"processor": "X86_V2 X86_V3"}, "NPY_DISABLE_CPU_FEATURES='X86_V3'"),
    ],
)
def test_two_processors_give_the_same_numbers_if_one_leaves_alone_what_the_other_lacks(one, other, variables):
    assert module.switches(one, other) == variables

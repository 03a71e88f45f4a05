"""The user, the code and the machine of a run."""

import platform
import subprocess
from importlib.metadata import version

import pytest

from chainrule.records import environment as module

ME = ["-c", "user.name=me", "-c", "user.email=me@example.org"]


def found():
    """The environment, not that of an earlier call."""
    return module.environment.__wrapped__()


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
        **{name: version(name) for name in ("chainrule", "numpy", "hydra-core", "mlflow")},
    }


@pytest.mark.parametrize("error", [KeyError("no such user"), OSError("no user")])
def test_a_user_without_a_name_is_unknown(monkeypatch, error):
    def getuser():
        raise error

    monkeypatch.setattr(module, "_git", lambda *_: "")
    monkeypatch.setattr(module.getpass, "getuser", getuser)
    assert found()["user"] == "unknown"

"""Where the configuration lies, and which folder is the project's."""

from pathlib import Path

import pytest

from chainrule.files import paths


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_the_project_is_the_nearest_folder_with_a_mark(tmp_path, monkeypatch, mark):
    inner = tmp_path / "outer" / "inner"
    below = inner / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "outer" / ".git").mkdir()
    monkeypatch.chdir(below)
    assert paths.project() == tmp_path / "outer"
    (inner / mark).touch()
    assert paths.project() == inner
    monkeypatch.chdir(inner)
    assert paths.project() == inner


def test_without_a_mark_the_project_is_where_one_is():
    with paths.started_in(Path("/nowhere/at/all")):
        assert paths.project() == Path("/nowhere/at/all")


def test_where_a_run_was_started_counts_until_the_block_ends(tmp_path, monkeypatch):
    for name in ("here", "there", "elsewhere"):
        (tmp_path / name / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with paths.started_in(tmp_path / "there"):
        with paths.started_in(tmp_path / "elsewhere"):
            assert paths.project() == tmp_path / "elsewhere"
        assert paths.project() == tmp_path / "there"
    with pytest.raises(ArithmeticError), paths.started_in(tmp_path / "there"):
        raise ArithmeticError
    assert paths.project() == tmp_path / "here"


def test_a_packaged_configuration_comes_before_that_of_the_checkout(tmp_path, monkeypatch):
    module = tmp_path / "framework" / "chainrule" / "files" / "paths.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(paths, "__file__", str(module))
    assert paths.configuration() == tmp_path / "conf"
    packaged = tmp_path / "framework" / "chainrule" / "conf"
    packaged.mkdir()
    assert paths.configuration() == packaged

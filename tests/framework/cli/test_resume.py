"""``chainrule resume`` runs the command of a sweep again, in its folder and with its plugins."""

import os
from pathlib import Path

import pytest

from chainrule.cli import resume
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.records.sweep import new_sweep
from chainrule.sweep.resume import resumed
from sweeping import command


def test_resuming_what_is_no_sweep(tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("resume", "empty", code=1).stderr == "chainrule: empty holds no sweep: there is no sweep.json.\n"


@pytest.fixture
def asked(monkeypatch):
    """What Hydra is asked to do, where, and which sweep is then resumed."""
    found = []
    monkeypatch.setattr(resume.application, "run", lambda words: found.append((words, Path.cwd(), resumed())))
    monkeypatch.setattr(resume, "load_plugins", lambda words: found.append(words))
    return found


def written(working_directory, state=None):
    Path("sweep").mkdir()
    arguments = ["-m", "seed=0,1", "plugins.block=[lynx]"]
    return new_sweep(Path("sweep").absolute(), arguments, working_directory, state or {}, {}).write()


def test_the_arguments_of_the_sweep_are_run_again_where_they_were_typed(tmp_path, asked):
    (tmp_path / "project").mkdir()
    sweep = written(tmp_path / "project")
    resume.main(["sweep"])
    plugins, (arguments, folder, again) = asked
    assert plugins == arguments == ["-m", "seed=0,1", "plugins.block=[lynx]"]
    assert folder == tmp_path / "project"
    assert again.manifest == sweep.manifest
    assert again.directory == tmp_path / "sweep"
    assert resumed() is None


def test_a_folder_that_is_no_longer_there_is_named(tmp_path, asked):
    written(tmp_path / "project")
    with pytest.raises(ChainruleError) as caught:
        resume.main(["sweep"])
    assert str(caught.value) == f"the sweep was started in {tmp_path / 'project'}, which no longer exists."
    assert asked == []


def test_without_a_plugin_of_the_sweep_nothing_is_run(tmp_path, asked):
    written(tmp_path, {"code": {"plugin chainrule-lynx:lynx": "1.0 x"}})
    with pytest.raises(ConfigurationError, match=r"needs a plugin of chainrule-lynx 1\.0, which is not installed"):
        resume.main(["sweep"])
    assert len(asked) == 1, "the plugins were loaded, to find out"
    assert os.getcwd() == str(tmp_path)


@pytest.mark.parametrize("words", [[], ["sweep", "other"]])
def test_one_directory_is_wanted(asked, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        resume.main(words)
    assert "usage: chainrule resume" in capsys.readouterr().err

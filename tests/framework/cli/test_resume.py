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
    told = "chainrule: empty holds no sweep and no run to go on with: there is no sweep.json, no checkpoint and no "
    assert command("resume", "empty", code=1).stderr == f"{told}finished record.\n"


@pytest.fixture
def asked(monkeypatch):
    """What Hydra is asked to do, where, which sweep is then resumed, and what is said of it after a signal."""
    found = []
    monkeypatch.setattr(
        resume.application, "run", lambda words, kept: found.append((words, Path.cwd(), resumed(), kept()))
    )
    monkeypatch.setattr(resume, "load_plugins", lambda words: found.append(words))
    return found


def written(working_directory, state=None, place="sweep", words=("-m", "seed=0,1", "plugins.block=[lynx]")):
    Path(place).mkdir(parents=True)
    return new_sweep(Path(place).absolute(), words, working_directory, state or {}, {}).write()


def test_the_arguments_of_the_sweep_are_run_again_where_they_were_typed(tmp_path, asked):
    sweep = written(tmp_path / "project", place="project/sweep")
    resume.main(["project/sweep"])
    plugins, (arguments, folder, again, kept) = asked
    assert kept == f"0 of 0 runs are recorded; `chainrule resume {tmp_path}/project/sweep` goes on."
    assert plugins == arguments == ["-m", "seed=0,1", "plugins.block=[lynx]"]
    assert folder == tmp_path / "project"
    assert again.manifest == sweep.manifest
    assert again.directory == tmp_path / "project" / "sweep"
    assert resumed() is None


def test_programs_of_another_folder_are_not_run(tmp_path, asked):
    written(tmp_path / "project", place="project/sweep")
    (tmp_path / "project" / "conf").mkdir()
    with pytest.raises(ChainruleError, match=r"whose conf/ and plugins/ are programs: `cd .*project` first"):
        resume.main(["project/sweep"])
    os.chdir("project")
    resume.main(["sweep"])
    assert len(asked) == 2


def test_a_sweep_that_lies_elsewhere_is_resumed_where_it_was_started(tmp_path, asked):
    (tmp_path / "project").mkdir()
    written(tmp_path / "project")
    with pytest.raises(ChainruleError, match=r"where its files and its tracker are: `cd .*project` first"):
        resume.main(["sweep"])
    os.chdir("project")
    resume.main(["../sweep"])
    assert len(asked) == 2


def test_what_is_no_multirun_trains_nothing(tmp_path, asked):
    written(tmp_path, words=[])
    with pytest.raises(ChainruleError, match="whose arguments are those of no sweep"):
        resume.main(["sweep"])
    assert not asked


def test_words_that_could_do_more_than_train_must_be_named(tmp_path, asked):
    server = "tracking.uri=http://example.org"
    written(tmp_path, words=["-m", "seed=0,1", server])
    with pytest.raises(ChainruleError, match=f"`chainrule resume .*sweep --allow {server}` goes on"):
        resume.main(["sweep"])
    assert not asked
    resume.main(["sweep", "--allow", server])
    assert len(asked) == 2


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

"""A sweep is started in a directory of its own, and resumed where it broke off."""

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import distributions
from chainrule.errors import ConfigurationError
from chainrule.records.environment import processor
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record
from chainrule.records.sweep import new_sweep, read_sweep
from chainrule.registry.loaded import installed
from chainrule.registry.versions import label
from chainrule.sweep import resume
from distributions import BENT, MOODY
from processes import wait_until
from sweeping import COMMAND, LONG, PLACE, SHORT, command, contents, environment, hold, started


def test_a_new_sweep_takes_over_nothing_that_lies_there_and_replaces_it_only_if_that_is_said(tmp_path):
    command("-m", *SHORT, "hydra.sweep.dir=other", "seed=7,8", "optimizer.lr=0.5")
    for number in ("0", "1"):
        shutil.copytree(tmp_path / "other" / number, tmp_path / "sweep" / number)
    before = contents("sweep")
    done = command("-m", *SHORT, PLACE, "seed=0,1", code=1)
    assert "0 holds the record of a run already: choose another directory, or write --overwrite" in done.stderr
    assert {name: content for name, content in contents("sweep").items() if name in before} == before
    command("-m", *SHORT, PLACE, "seed=0,1", "--overwrite")
    assert [read_record(Path("sweep") / n).manifest["configuration"]["seed"] for n in ("0", "1")] == [0, 1]
    assert "--overwrite" not in read_sweep(Path("sweep")).manifest.arguments


def test_a_directory_holds_one_sweep():
    command("-m", *SHORT, "seed=0,1", PLACE)
    before = contents("sweep")
    done = command("-m", *SHORT, "seed=0,1", PLACE, code=1)
    assert "holds a sweep already" in done.stderr
    assert contents("sweep") == before


def test_what_a_kill_has_left_of_a_sweep_that_had_not_begun_is_replaced(tmp_path):
    command("-m", *SHORT, "seed=0,1", PLACE)
    whole = (tmp_path / "sweep" / "multirun.yaml").read_bytes()
    shutil.rmtree("sweep")
    Path("sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_bytes(whole[:100])
    command("-m", *SHORT, "seed=0,1", PLACE)
    assert (tmp_path / "sweep" / "multirun.yaml").read_bytes() == whole


@pytest.mark.slow
def test_what_has_changed_is_named_and_nothing_is_resumed(tmp_path, plugin):
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    Path("conf/optimizer").mkdir(parents=True)
    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    command("-m", *SHORT, PLACE, "seed=0,1", "target=table", "target.path=mine.csv", "target.label=y",
            "optimizer=hasty", "activation=moody", path=plugin)  # fmt: skip
    (tmp_path / "sweep" / "1" / MANIFEST).unlink()
    before = contents("sweep")

    def refused(*phrases):
        done = command("resume", "sweep", code=1, path=plugin)
        for phrase in phrases:
            assert phrase in done.stderr
        assert contents("sweep") == before

    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.25\n")
    refused("cannot be resumed", "optimizer.lr: was 0.5, is 0.25")
    Path("conf/optimizer/hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{3 * i}\n" for i in range(20)))
    refused("the data of target=table", "mine.csv", ": was ", ", is ")
    Path("mine.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    (plugin / "chainrule_moody.py").write_text(MOODY.replace("1 - a * a", "1.0 - a * a"))
    refused("plugin chainrule-moody:moody: was 1.0 ", ", is 1.0 ")
    (plugin / "chainrule_moody.py").write_text(MOODY)
    command("resume", "sweep", path=plugin)
    assert read_record(tmp_path / "sweep" / "1")


@pytest.mark.slow
def test_of_two_resumes_at_once_one_is_refused(plugin):
    hold(plugin)
    process = started("-m", *LONG, PLACE, "seed=0,1", path=plugin)
    wait_until(lambda: list(Path("sweep").glob("*/.hydra")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    both = [started("resume", "sweep", path=plugin) for _ in range(2)]
    wait_until(lambda: any(resumed.poll() is not None for resumed in both))
    Path("hold").unlink()  # which the other has been waiting for
    ends = {resumed.communicate()[1]: resumed.returncode for resumed in both}
    sentence = f"chainrule: {Path('sweep').absolute()} is being worked on by another process.\n"
    assert ends == {sentence: 1, "": 0}
    sweep = read_sweep(Path("sweep"))
    assert sweep.manifest["finished"]
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "epochs"]


def test_failed_runs_are_tried_again(plugin):
    command("-m", *SHORT, PLACE, "activation=moody", "activation.raises=0,1", code=1, path=plugin)
    command("resume", "sweep", code=1, path=plugin)
    sweep = read_sweep(Path("sweep"))
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "failed"]


MENDED = MOODY.replace('raise ArithmeticError("not in the mood")', "pass")


@pytest.mark.slow
def test_after_a_plugin_is_mended_a_sweep_goes_on_with_it_and_says_so(tmp_path, plugin):
    command("-m", *SHORT, PLACE, "activation=moody", "activation.raises=0,1", code=1, path=plugin)
    before = contents("sweep")
    (plugin / "chainrule_moody.py").write_text(MENDED)
    refused = command("resume", "sweep", code=1, path=plugin).stderr
    assert f"Was a plugin mended? `chainrule resume {tmp_path / 'sweep'} --accept plugin` goes on with it." in refused
    assert contents("sweep") == before
    done = command("resume", "sweep", "--accept", "plugin", path=plugin)
    sweep = read_sweep(Path("sweep"))
    assert [outcome.reason for outcome in sweep.outcomes()] == ["epochs", "epochs"]
    old, new = [read_record(sweep.place(number)).manifest.plugins["chainrule-moody:moody"].sha256 for number in (0, 1)]
    assert old != new, "what was trained keeps the source that trained it"
    (change,) = sweep.manifest.changes
    assert (change.plugin, change.runs) == ("chainrule-moody:moody", 1)
    assert (change.before, change.after) == (f"1.0 {old}", f"1.0 {new}")
    sentence = f"chainrule-moody:moody was 1.0 {old[:12]} for 1 run until {change.when[:16]} UTC, then 1.0 {new[:12]}"
    assert sentence in done.stdout
    assert sentence in Path("sweep/report.html").read_text()
    assert read_record(sweep.place(0)).manifest == before["0/manifest.json"] | {
        key: read_record(sweep.place(0)).manifest[key] for key in ("started", "seconds", "stack")
    }
    command("resume", "sweep", path=plugin)
    assert len(read_sweep(Path("sweep")).manifest.changes) == 1, "the mended plugin is now the sweep's own"


def test_nothing_but_a_plugin_is_accepted(tmp_path, plugin):
    command("-m", *SHORT, PLACE, "activation=moody", "seed=0,1", path=plugin)
    before = contents("sweep")
    further = '    cheer: Annotated[float, doc("of no use")] = 2.0\n    def forward'
    (plugin / "chainrule_moody.py").write_text(MOODY.replace("    def forward", further))
    refused = command("resume", "sweep", "--accept", "plugin", code=1, path=plugin).stderr
    assert "activation.cheer: was not there, is 2.0; plugin chainrule-moody:moody: was" in refused
    assert "--accept" not in refused
    assert contents("sweep") == before


@pytest.mark.slow
def test_another_processor_is_told_and_refused_or_accepted(tmp_path):
    """The sweep is begun by a process that may use everything, and is gone on with by one that may not."""
    here = processor()
    off = [name for name in here["processor"].split()[1:] if name.startswith(("X86_V", "AVX512_", "AVX2", "FMA3"))]
    if not off:
        pytest.skip("NumPy cannot be told to leave features of this processor alone")
    command("-m", *SHORT, PLACE, "seed=0,1,2")
    (tmp_path / "sweep" / "1" / MANIFEST).unlink()
    before = contents("sweep")
    variables = {**environment(None), "NPY_DISABLE_CPU_FEATURES": " ".join(off)}

    def elsewhere(*words):
        words = [*COMMAND, "resume", "sweep", *words]
        return subprocess.run(words, env=variables, capture_output=True, text=True)

    there = " ".join(name for name in here["processor"].split() if name not in off)
    refused = elsewhere()
    assert refused.returncode == 1
    assert f"Changed: processor: was {here['processor']}, is {there}." in refused.stderr
    again = f"`chainrule resume {tmp_path / 'sweep'} --accept processor`"
    assert (
        f"Numbers of another processor may differ in their last bits: {again} goes on all the same." in refused.stderr
    )
    assert contents("sweep") == before
    done = elsewhere("--accept", "processor", "--accept", "plugin")
    assert done.returncode == 0, done.stderr
    sweep = read_sweep(Path("sweep"))
    found = [read_record(sweep.place(number)).manifest.environment["processor"] for number in range(3)]
    assert found == [here["processor"], there, here["processor"]]
    (change,) = sweep.manifest.changes
    assert (change.plugin, change.before, change.after, change.runs) == ("processor", here["processor"], there, 2)
    assert f"processor was {here['processor']} for 2 runs" in done.stdout
    back = command("resume", "sweep", code=1).stderr
    assert f"With NPY_DISABLE_CPU_FEATURES='{' '.join(off)}' before the command NumPy computes as it did." in back


def sweep_with(code, directory="sweep"):
    """The record of a sweep whose jobs had this code; nothing is written."""
    return new_sweep(Path(directory).absolute(), ["-m"], Path.cwd(), {"code": code}, {})


def test_a_sweep_is_resumed_until_the_block_ends():
    one, other = sweep_with({}), sweep_with({})
    assert resume.resumed() is None
    with resume.resuming(one):
        with resume.resuming(other):
            assert resume.resumed() is other
        assert resume.resumed() is one
    with pytest.raises(ArithmeticError), resume.resuming(one):
        raise ArithmeticError
    assert resume.resumed() is None


def test_a_plugin_that_is_missing_is_named_with_the_version_that_was_used():
    there = {label(plugin.provider): f"1.0 {64 * 'a'}" for plugin in installed().plugins}
    resume.require_plugins(sweep_with({"numpy": "1.0", **there}))
    resume.require_plugins(sweep_with({}))
    missing = sweep_with({**there, "plugin chainrule-lynx:lynx": f"2.5 {64 * 'b'}"})
    with pytest.raises(ConfigurationError) as caught:
        resume.require_plugins(missing)
    assert str(caught.value) == (
        f"{missing.directory} needs a plugin of chainrule-lynx 2.5, which is not installed: install it."
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("plugins/mine.py:mine", "the plugin plugins/mine.py, which is not in {} or is switched off: put it back."),
        ("__main__:Bent", "the class Bent of __main__, which is not declared here: resume it in Python."),
    ],
)
def test_a_file_or_a_class_that_is_missing_is_named(tmp_path, name, sentence):
    missing = sweep_with({f"plugin {name}": 64 * "b"})
    with pytest.raises(ConfigurationError) as caught:
        resume.require_plugins(missing)
    assert str(caught.value) == f"{missing.directory} needs {sentence.format(tmp_path)}"


@pytest.mark.slow
def test_a_sweep_with_a_file_of_the_project_is_resumed_there_but_not_with_another_file(tmp_path):
    home = tmp_path / "home"
    path = distributions.plugin_folder(home, mine=BENT) / "mine.py"
    quick = [*SHORT, PLACE, "seed=range(4)", "activation=bent", "hydra.launcher.workers=2", "hydra.launcher.stack=2"]
    command("-m", *quick, "training.epochs=2000", "network.hidden=[2,2,2,2]", folder=home)
    before = contents(home / "sweep")
    sha256 = hashlib.sha256(BENT.encode()).hexdigest()
    for number in range(4):
        assert read_record(home / "sweep" / f"{number}").manifest.plugins["plugins/mine.py:mine"]["sha256"] == sha256
    (home / "sweep" / "1" / MANIFEST).unlink()
    path.write_text(f"{BENT}# changed\n")
    done = command("resume", home / "sweep", code=1)
    assert f"was started in {home}, whose conf/ and plugins/ are programs: `cd {home}` first." in done.stderr
    done = command("resume", "sweep", code=1, folder=home)
    assert f"Changed: plugin plugins/mine.py:mine: was {sha256[:12]}, is " in done.stderr
    path.write_text(BENT)
    command("resume", "sweep", folder=home)
    assert contents(home / "sweep") == before


def test_the_configuration_of_a_sweep_is_kept_when_it_begins_and_not_replaced_when_it_is_resumed():
    folder = Path("some/where")
    resume.save_master(OmegaConf.create({"seed": "${other}", "other": 3}), folder)
    assert (folder / "multirun.yaml").read_text() == "seed: ${other}\nother: 3\n"
    with resume.resuming(sweep_with({})):
        resume.save_master(OmegaConf.create({"seed": 4}), folder)
    assert (folder / "multirun.yaml").read_text() == "seed: ${other}\nother: 3\n"


STATE = {"configurations": [], "data": {}, "code": {"numpy": "2.0"}}


def test_a_new_sweep_has_a_directory_of_its_own(monkeypatch):
    monkeypatch.setattr(resume, "typed_arguments", lambda: ["-m", "seed=0,1"])
    made = resume._started(Path("sweep"), STATE, {"%Y": "2026"}, None, None)
    assert made.manifest.arguments == ["-m", "seed=0,1"]
    assert (made.manifest.state, made.manifest.times) == (STATE, {"%Y": "2026"})
    assert made.manifest.working_directory == str(Path.cwd())
    made.directory.mkdir()
    made.write()
    with pytest.raises(ConfigurationError, match=r"^sweep holds a sweep already: `chainrule resume sweep` finishes it"):
        resume._started(Path("sweep"), STATE, {}, None, None)


def test_a_resumed_sweep_must_lie_where_it_did_and_be_what_it_was(monkeypatch):
    former = new_sweep(Path("sweep").absolute(), ["-m"], Path.cwd(), STATE, {})
    with resume.resuming(former):
        assert resume._started(Path("sweep"), STATE, {}, None, None) is former
        assert resume._started(Path("a/../sweep"), STATE, {}, None, None) is former
        with pytest.raises(ConfigurationError, match=r"says hydra\.sweep\.dir=elsewhere: move it there to resume it"):
            resume._started(Path("elsewhere"), STATE, {}, None, None)
        changed = {**STATE, "code": {"numpy": "2.1"}, "data": {"d": "1"}}
        with pytest.raises(ConfigurationError) as caught:
            resume._started(Path("sweep"), changed, {}, None, None)
    assert str(caught.value) == (
        "sweep cannot be resumed, because its runs would not be comparable. "
        "Changed: the data of d: was not there, is 1; numpy: was 2.0, is 2.1."
    )

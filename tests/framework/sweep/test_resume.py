"""Starting a sweep where another one lies, and resuming one that broke off."""

import os
import shutil
import signal
from pathlib import Path

from chainrule.records.run import MANIFEST, read_record
from chainrule.records.sweep import read_sweep
from distributions import MOODY
from sweeping import LONG, PLACE, SHORT, command, contents, hold, started, wait_for


def test_a_new_sweep_takes_over_nothing_that_lies_there(tmp_path):
    command("-m", *SHORT, "hydra.sweep.dir=other", "seed=7,8", "optimizer.lr=0.5")
    for number in ("0", "1"):
        shutil.copytree(tmp_path / "other" / number, tmp_path / "sweep" / number)
    command("-m", *SHORT, PLACE, "seed=0,1")
    assert [read_record(Path("sweep") / n).manifest["configuration"]["seed"] for n in ("0", "1")] == [0, 1]


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


def test_of_two_resumes_at_once_one_is_refused(plugin):
    hold(plugin)
    process = started("-m", *LONG, PLACE, "seed=0,1", path=plugin)
    wait_for(lambda: list(Path("sweep").glob("*/.hydra")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    both = [started("resume", "sweep", path=plugin) for _ in range(2)]
    wait_for(lambda: any(resumed.poll() is not None for resumed in both))
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

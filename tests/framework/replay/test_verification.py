"""What is recorded is trained again: the same bits, or where and why not; nothing of a directory is executed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli.verify import main
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.entries import sealed
from chainrule.records.manifest import WEIGHTS
from chainrule.records.run import read_record
from chainrule.registry.loaded import installed
from chainrule.replay.verification import to_json, verify
from sealing import identified

SHORT = ["training.epochs=4", "training.measure_every=1", "tracking=none"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of two stacks, one run of which diverges."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    words = ["seed=range(3)", "training.batch_size=1,32", "optimizer.lr=0.01,1000"]
    chainrule.sweep(*SHORT, *words, directory=folder, quiet=True)
    return folder


@pytest.fixture
def copied(sweep):
    return Path(shutil.copytree(sweep, "copied"))


def records(folder):
    return sorted(path.parent for path in folder.rglob("manifest.json"))


def altered(directory, change):
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_bytes(sealed(identified(content)))


def test_a_sweep_ends_in_the_recorded_bits_and_so_does_each_of_its_runs(sweep):
    found = verify(sweep, installed())
    assert found.holds
    assert found.summary == "12 of 12 runs end in the recorded bits"
    (one,) = verify(records(sweep)[3], installed()).runs
    assert str(one) == "trained again, it ends in the recorded bits"
    told = []
    assert verify(sweep.parent, installed(), lambda *numbers: told.append(numbers)).holds
    assert told == [(12, 12)]


def test_a_run_that_differs_is_named_with_the_reason(copied):
    def change(content):
        content["configuration"]["optimizer"]["lr"] *= 1.0000001
        content["environment"]["numpy"] = "1.26.0"
        content["plugins"]["chainrule:rules"]["sha256"] = "0" * 64

    altered(records(copied)[0], change)
    found = verify(copied, installed())
    assert not found.holds
    assert found.summary == "11 of 12 runs end in the recorded bits"
    (line,) = found.lines()
    assert "it differs in one of the steps 1 to 205 (train/loss" in line
    assert f"numpy: was 1.26.0, is {np.__version__}" in line
    assert "plugin chainrule:rules: was 0.1.0 000000000000, is 0.1.0 " in line
    content = json.loads(to_json(found))
    assert (content["holds"], len(content["runs"])) == (False, 12)
    assert "numpy" in content["runs"][0]["why"]


def test_files_that_were_changed_and_plugins_that_are_gone_are_no_verdict_about_bits(copied):
    first, second, third, *_ = records(copied)
    (first / "curves.npz").write_bytes(b"")
    altered(second, lambda content: content["configuration"]["activation"].update(name="cubed"))
    (third / "manifest.json").unlink()
    found = verify(copied, installed())
    assert found.summary == (
        "9 of 11 runs end in the recorded bits; 2 could not be trained again; 1 has no finished record"
    )
    assert found.complaint.startswith("has 2 runs that could not be trained again: ")
    lines = list(found.lines())
    assert "curves.npz is missing or was changed after it was recorded" in lines[0]
    assert "cannot be trained again: activation=cubed is unknown" in lines[1]
    assert found.without == [third.absolute()]


def test_a_class_that_is_not_declared_any_more_is_named_and_is_no_verdict_about_bits(copied, capsys):
    def change(content):
        content["configuration"]["activation"].update(name="cubed")
        content["plugins"]["__main__:Cubed"] = {"version": "", "sha256": "0" * 64}

    altered(records(copied)[0], change)
    with pytest.raises(ChainruleError, match=r"has 1 run that could not be trained again: the run needs the class "):
        main([str(copied)])
    assert "the class Cubed of __main__, which is not declared here: do this in Python" in capsys.readouterr().out


def test_data_that_have_changed_are_named():
    Path("data.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    chainrule.run(*SHORT, "target=table", "target.path=data.csv", directory="run", quiet=True)
    assert verify(Path("run"), installed()).holds
    Path("data.csv").write_text("x,y\n" + "".join(f"{i},{3 * i}\n" for i in range(20)))
    (line,) = verify(Path("run"), installed()).lines()
    assert "it differs before the first step" in line
    assert "data: was " in line
    Path("data.csv").unlink()
    (line,) = verify(Path("run"), installed()).lines()
    assert "cannot be trained again: target.path=data.csv does not exist" in line


def test_a_start_that_has_changed_is_named():
    chainrule.run(*SHORT, directory="p", quiet=True)
    chainrule.run(*SHORT, "training.start=p", directory="q", quiet=True)
    assert verify(Path("q"), installed()).holds
    chainrule.run(*SHORT, "seed=1", directory="p", overwrite=True, quiet=True)
    (line,) = verify(Path("q"), installed()).lines()
    before, after = (read_record(Path(name)).manifest for name in "qp")
    was, now = before["start"]["weights"][:12], after.files[WEIGHTS].sha256[:12]
    assert line.endswith(f"; changed since: parameters of training.start: was {was}, is {now}")


def test_data_in_memory_are_given_again():
    x, y = np.arange(20.0)[:, None], np.arange(20.0) * 2
    chainrule.run(*SHORT, data=(x, y), directory="run", quiet=True)
    assert chainrule.verify("run", data=(x, y)).holds


def test_of_many_runs_that_differ_the_first_are_listed(copied):
    for directory in records(copied):
        altered(directory, lambda content: content["configuration"].update(seed=99))
    found = verify(copied, installed())
    lines = list(found.lines(most=5))
    assert len(lines) == 6
    assert lines[-1] == "... and 7 more"
    assert str(found).startswith("0 of 12 runs end in the recorded bits")


def test_the_command_ends_with_an_error_where_something_differs(copied, capsys):
    main([str(copied), "--json"])
    assert json.loads(capsys.readouterr().out)["holds"]
    altered(records(copied)[0], lambda content: content["configuration"].update(seed=99))
    with pytest.raises(ChainruleError, match="does not come to the same"):
        main([str(copied)])
    assert "11 of 12 runs" in capsys.readouterr().out


def test_where_nothing_is_recorded_it_is_said():
    Path("empty").mkdir()
    with pytest.raises(RecordError, match="holds no finished record: name the directory of a run"):
        verify(Path("empty"), installed())
    with pytest.raises(RecordError, match="nowhere is no directory"):
        verify(Path("nowhere"), installed())

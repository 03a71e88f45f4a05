"""``chainrule data``: how a file is read, and a command that trains on it."""

import json
import shlex
from pathlib import Path

import pytest

from chainrule.cli.data import main
from chainrule.config.compose import compose_settings
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.runs.prepare import prepare

MESSY = ",a,b,c,y\n1,1,x,2020-01-01,1\n2,,y,2020-01-02,\n3,3,y,2020-01-03,4\n"


@pytest.fixture(autouse=True)
def _messy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("it's messy.csv").write_text(MESSY)


def test_columns_and_what_is_wrong_are_shown_with_a_command_that_works(capsys):
    main(["it's messy.csv"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:6] == [
        "it's messy.csv: 3 rows, 5 columns",
        "  (no name)  left out  numbers",
        "  a          feature   numbers        1 missing",
        "  b          feature   text           2 levels (x, y)",
        "  c          feature   dates          3 levels (2020-01-01, 2020-01-02, 2020-01-03)",
        "  y          label     numbers        1 missing",
    ]
    assert lines[-1].startswith("train: chainrule target=table ")
    words = shlex.split(lines[-1].removeprefix("train: chainrule "))
    assert words[2:] == ["target.drop=c", "target.missing=mean", "target.text=onehot", "target.standardize=true"]
    assert prepare(compose_settings(words)).samples.inputs == 3


def test_json_is_for_programs(capsys):
    main(["it's messy.csv", "target.drop=[b,c]", "target.missing=drop", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["task"], found["label"], found["error"]) == (3, "regression", ["y"], None)
    assert [column["use"] for column in found["columns"]] == ["left out", "feature", "left out", "left out", "label"]
    assert found["notes"][-1].endswith(": 1 row of 3 without some value is left out.")
    compose_settings(shlex.split(found["command"])[1:])


def test_classes_are_shown_and_get_an_output_that_suits_them(capsys):
    Path("t.csv").write_text("a,kind\n1,x\n2,y\n3,z\n")
    main(["t.csv"])
    out = capsys.readouterr().out
    assert "classification of kind, 3 classes: x, y, z" in out
    words = shlex.split(out.splitlines()[-1])[2:]
    assert words[2:] == ["target.standardize=true"]
    settings = prepare(compose_settings(words)).settings
    assert (settings.output.name, settings.loss.name) == ("softmax", "categorical_cross_entropy")


def test_what_cannot_be_mended_is_said(capsys):
    Path("t.csv").write_text("a,y\n,1\n,2\n")
    main(["t.csv"])
    assert capsys.readouterr().out.endswith("Correct the file.\nIt cannot be trained on before this is mended.\n")


def test_wrong_words_are_refused():
    with pytest.raises(ConfigurationError, match=r"none.csv does not exist"):
        main(["none.csv"])
    with pytest.raises(ChainruleError, match=r"seed=1 is no parameter of target=table"):
        main(["it's messy.csv", "seed=1"])


def test_a_second_file_is_shown_by_a_command_of_its_own():
    with pytest.raises(ChainruleError, match=r"^One file is shown at a time, and t\.csv is .*`chainrule data t\.csv`"):
        main(["it's messy.csv", "t.csv"])

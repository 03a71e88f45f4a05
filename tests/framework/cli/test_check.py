"""``chainrule check``: lines, sentences, and an error where something is wrong."""

import json
import re

import pytest

from chainrule.cli.check import main
from chainrule.errors import ChainruleError
from chainrule.registry.loaded import installed
from chainrule.testing import kit
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check
from distributions import BENT, plugin_folder


def test_one_line_a_component(capsys):
    main(["activation=relu", "initializer=zeros"])
    assert capsys.readouterr().out == (
        "activation=relu: 20 passed, 5 not applicable\ninitializer=zeros: 10 passed, 2 not applicable\n"
    )


@pytest.mark.usefixtures("afresh")
def test_a_file_of_the_project_is_checked(tmp_path, capsys):
    plugin_folder(tmp_path, mine=BENT)
    main(["plugins/mine.py"])
    assert re.fullmatch(r"activation=bent: \d+ passed, 6 not applicable\n", capsys.readouterr().out)
    with pytest.raises(ChainruleError, match=r"There is no file plugins/mien.py \(did you mean 'plugins/mine.py'"):
        main(["plugins/mien.py"])


def test_a_file_that_is_no_plugin_says_what_one_is(tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "_mine.py").write_text("import chainrule\n")
    with pytest.raises(ChainruleError, match=r"^plugins/_mine.py is no plugin: that is a file of the folder plugins"):
        main(["plugins/_mine.py"])


def test_parameters_without_a_default_are_given(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i % 3}\n" for i in range(9)))
    main(["target=table", "target.path=t.csv"])
    assert capsys.readouterr().out.startswith("target=table: ")
    with pytest.raises(ChainruleError, match=r"^\d checks failed\.$"):
        main(["target=table"])
    assert (
        ", shapes, seeds, labels, subsets: Table._found raised ConfigurationError: target=table needs "
        in capsys.readouterr().out
    )


def test_the_same_sentence_is_said_once(capsys):
    with pytest.raises(ChainruleError, match=r"^\d checks failed\.$"):
        main(["target=table"])
    assert capsys.readouterr().out.count("needs target.path=FILE.csv") == 1


def test_expected_failures(capsys):
    with pytest.raises(ChainruleError, match=r"^1 check failed\.$"):
        main(["activation=relu", "--expect", "activation=relu gradient: it was wrong once"])
    assert "  gradient: It passes, but is expected to fail (it was wrong once)" in capsys.readouterr().out
    with pytest.raises(ChainruleError, match=r"An expected failure names activation=rleu, which is not registered"):
        main(["activation=relu", "--expect", "activation=rleu gradient: x"])
    with pytest.raises(ChainruleError, match=r"--expect is 'relu'; it reads KIND=NAME CHECK: REASON\."):
        main(["activation=relu", "--expect", "relu"])


def test_a_failure_that_is_expected_is_none(monkeypatch, capsys):
    def wrong(subject):
        """Nothing is right."""
        raise FindingError("It is wrong.")

    monkeypatch.setitem(kit._OWN, "activation", (*kit._OWN["activation"], Check(wrong)))
    main(["activation=relu", "--expect", "activation=relu wrong: as published"])
    assert "activation=relu: 20 passed, 5 not applicable, 1 expected to fail" in capsys.readouterr().out


def test_one_broken_plugin_does_not_keep_others_from_being_checked(monkeypatch, capsys):
    relu = installed().find("activation", "relu")
    broken = ["the module lion of chainrule-zoo cannot be imported."]
    monkeypatch.setattr(kit, "offered", lambda *_: ([Subject(relu)], broken))
    with pytest.raises(ChainruleError, match=r"^1 check failed\.$"):
        main(["chainrule-zoo"])
    told = capsys.readouterr()
    assert told.out.startswith("activation=relu: 20 passed")
    assert "chainrule-zoo: the module lion of chainrule-zoo cannot be imported." in told.err


def test_what_a_project_expects_is_read_where_its_file_lies(monkeypatch, tmp_path, capsys):
    relu = installed().find("activation", "relu")
    monkeypatch.setattr(kit, "offered", lambda *_: ([Subject(relu)], []))
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "chainrule_zoo"\n[tool.pytest.ini_options]\n'
        'chainrule_expected_failures = ["activation=relu gradient: it was wrong once"]\n'
    )
    with pytest.raises(ChainruleError, match=r"^1 check failed\.$"):
        main(["chainrule-zoo"])
    assert "is expected to fail (it was wrong once)" in capsys.readouterr().out
    main(["chainrule-ape"])


def test_json(capsys):
    main(["--json", "rule=exact"])
    (report,) = json.loads(capsys.readouterr().out)
    assert report["component"] == "rule=exact"
    assert report["results"][-1]["check"] == kit.COMPLETE


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["activation=rleu"], r"activation=rleu is unknown \(did you mean 'relu'\?\)"),
        (["activision=relu"], "'activision' is not a kind"),
        (["chainrule-tiger"], "The distribution chainrule-tiger is not installed"),
        (["target.path=x"], "neither KIND=NAME nor"),
    ],
)
def test_what_does_not_exist_is_refused(words, complaint):
    with pytest.raises(ChainruleError, match=complaint):
        main(words)

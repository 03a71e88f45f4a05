"""``chainrule check``: lines, sentences, and an error where something is wrong."""

import json
import re

import pytest

from chainrule.cli.check import main
from chainrule.errors import ChainruleError
from chainrule.testing import kit
from distributions import BENT, plugin_folder


def test_one_line_a_component(capsys):
    main(["activation=relu", "initializer=zeros"])
    assert capsys.readouterr().out == ("activation=relu: 18 passed\ninitializer=zeros: 10 passed, 1 not applicable\n")


@pytest.mark.usefixtures("afresh")
def test_a_file_of_the_project_is_checked(tmp_path, capsys):
    plugin_folder(tmp_path, mine=BENT)
    main(["plugins/mine.py"])
    assert re.fullmatch(r"activation=bent: \d+ passed, 1 not applicable\n", capsys.readouterr().out)
    with pytest.raises(ChainruleError, match=r"The distribution plugins/mien.py is not installed \(did you mean 'plug"):
        main(["plugins/mien.py"])


def test_parameters_without_a_default_are_given(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i % 3}\n" for i in range(9)))
    main(["target=table", "target.path=t.csv"])
    assert capsys.readouterr().out.startswith("target=table: ")
    with pytest.raises(ChainruleError, match=r"^\d checks failed\.$"):
        main(["target=table"])
    assert (
        "  shapes: Table._found raised ConfigurationError: target=table needs target.path=" in capsys.readouterr().out
    )


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

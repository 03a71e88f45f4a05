"""``chainrule plugins``: what is installed, and what each plugin brings."""

import json

import pytest

import distributions
from distributions import BENT, LYNX
from sweeping import command


@pytest.fixture
def lynxes(tmp_path):
    """Two distributions with an optimizer of one name."""
    site = tmp_path / "site"
    distributions.install(site, "chainrule-lynx", LYNX)
    distributions.install(site, "chainrule-lynxcub", LYNX.replace("1e-4", "1e-3"), "2.0")
    return site


def test_plugins_are_listed_with_all_that_they_bring(lynxes):
    distributions.install(lynxes, "chainrule-bad", "import nothing_of_that_name\n")
    listed = json.loads(command("plugins", "--json", "plugins", path=lynxes, code=1).stdout or "{}")
    assert not listed  # 'plugins' is no name of one
    listed = json.loads(command("plugins", "--json", path=lynxes).stdout)
    assert [report.partition(" ")[0] for report in listed["reports"]] == ["optimizer=lynx", "plugin"]
    found = {plugin["entry_point"]: plugin for plugin in listed["plugins"]}
    assert found["chainrule_bad"]["status"] == "broken"
    assert found["chainrule_bad"]["file"] == str(lynxes / "chainrule_bad.py")
    lynx = found["chainrule_lynx"]
    assert (lynx["distribution"], lynx["version"], lynx["status"], lynx["description"]) == (
        "chainrule-lynx", "1.0", "ok", "A lynx.",
    )  # fmt: skip
    (component,) = lynx["components"]
    assert (component["kind"], component["name"], component["status"]) == ("optimizer", "lynx", "broken")
    assert component["description"] == "Descends."
    assert component["parameters"] == [
        {"name": "lr", "type": "float", "many": False, "optional": False, "default": 0.0001, "bounds": {"gt": 0}}
        | {"accepts": "a number > 0", "description": "learning rate"}
    ]
    text = command("plugins", "chainrule_lynx", "initializer", path=lynxes).stdout
    assert "chainrule-lynx 1.0, entry point chainrule_lynx: ok\n" in text
    assert "    lr=0.0001                        learning rate (a number > 0)\n" in text
    assert "initializer=zeros" in text
    assert "activation=tanh" not in text


@pytest.mark.slow
def test_a_file_of_the_project_is_listed_with_its_path(tmp_path):
    path = distributions.plugin_folder(tmp_path, mine=BENT) / "mine.py"
    text = "plugins/mine.py: ok\n  {}\n  My idea.\n  activation=bent: a = z / (1 + |z|): softsign.\n"
    for name in ("mine", "plugins/mine.py", "bent"):
        assert command("plugins", name).stdout == text.format(path)
    listed = json.loads(command("plugins", "--json", "mine").stdout)["plugins"]
    assert [(one["distribution"], one["file"]) for one in listed] == [("plugins/mine.py", str(path))]
    assert "activation=bent" not in command("plugins", "plugins.files=false").stdout


def test_a_plugin_that_is_not_there_has_no_listing():
    done = command("plugins", "activation", "tnah", code=1)
    assert done.stderr == (
        "chainrule: no distribution with plugins, entry point, kind or component is called tnah "
        "(did you mean 'tanh'?).\n"
    )

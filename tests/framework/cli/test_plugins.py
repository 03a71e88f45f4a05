"""``chainrule plugins``: what is installed, and what each plugin brings."""

import json

import pytest

import distributions
from distributions import BENT, LION
from sweeping import command


@pytest.fixture
def lions(tmp_path):
    """Two distributions with an optimizer of one name."""
    site = tmp_path / "site"
    distributions.install(site, "chainrule-lion", LION)
    distributions.install(site, "chainrule-lioness", LION.replace("1e-4", "1e-3"), "2.0")
    return site


def test_plugins_are_listed_with_all_that_they_bring(lions):
    distributions.install(lions, "chainrule-bad", "import nothing_of_that_name\n")
    listed = json.loads(command("plugins", "--json", "plugins", path=lions, code=1).stdout or "{}")
    assert not listed  # 'plugins' is no name of one
    listed = json.loads(command("plugins", "--json", path=lions).stdout)
    assert [report.partition(" ")[0] for report in listed["reports"]] == ["optimizer=lion", "plugin"]
    found = {plugin["entry_point"]: plugin for plugin in listed["plugins"]}
    assert found["chainrule_bad"]["status"] == "broken"
    assert found["chainrule_bad"]["file"] == str(lions / "chainrule_bad.py")
    lion = found["chainrule_lion"]
    assert (lion["distribution"], lion["version"], lion["status"], lion["description"]) == (
        "chainrule-lion", "1.0", "ok", "A lion.",
    )  # fmt: skip
    (component,) = lion["components"]
    assert (component["kind"], component["name"], component["status"]) == ("optimizer", "lion", "broken")
    assert component["description"] == "Descends."
    assert component["parameters"] == [
        {"name": "lr", "type": "float", "many": False, "optional": False, "default": 0.0001, "bounds": {"gt": 0}}
        | {"accepts": "a number > 0", "description": "learning rate"}
    ]
    text = command("plugins", "chainrule_lion", "initializer", path=lions).stdout
    assert "chainrule-lion 1.0, entry point chainrule_lion: ok\n" in text
    assert "    lr=0.0001                        learning rate (a number > 0)\n" in text
    assert "initializer=zeros" in text
    assert "activation=tanh" not in text


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

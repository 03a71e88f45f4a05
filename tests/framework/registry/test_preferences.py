"""The person decides which plugins count: on the command line, in a file, in the environment."""

import json
import os
import re
from pathlib import Path

import pytest

import chainrule
import distributions
import forking
from chainrule.errors import ConfigurationError
from chainrule.records.manifest import MANIFEST
from chainrule.registry import preferences
from chainrule.registry.preferences import Preferences, read_preferences
from distributions import LYNX
from sweeping import command

RUN = ["training.epochs=1", "tracking=none"]


@pytest.fixture
def lynxes(tmp_path):
    """Two distributions with an optimizer of one name."""
    site = tmp_path / "site"
    distributions.install(site, "chainrule-lynx", LYNX)
    distributions.install(site, "chainrule-lynxcub", LYNX.replace("1e-4", "1e-3"), "2.0")
    return site


def plugins_of(folder="outputs"):
    """What the records below a folder say about plugins that are not built in."""
    found = [json.loads(path.read_text())["plugins"] for path in Path(folder).rglob(MANIFEST)]
    return [{name: p["version"] for name, p in one.items() if not name.startswith("chainrule:")} for one in found]


CONFLICT = (
    "optimizer=lynx cannot be used: it is provided by chainrule-lynx 1.0 (entry point 'chainrule_lynx') and by "
    "chainrule-lynxcub 2.0 (entry point 'chainrule_lynxcub'); "
    "plugins.prefer=[chainrule-lynx] or [chainrule-lynxcub] settles it."
)


def test_a_conflict_is_said_at_start_and_refused_when_it_matters(lynxes):
    done = command(*RUN, path=lynxes)
    assert done.stderr.startswith(f"chainrule: {CONFLICT}\n")
    done = command("optimizer=lynx", *RUN, path=lynxes, code=1)
    assert done.stderr.endswith(f"chainrule: {CONFLICT}\n")
    assert len(plugins_of()) == 1


@pytest.mark.slow
def test_a_preference_on_the_command_line_holds_in_every_process(lynxes):
    arguments = [
        "-m",
        "optimizer=lynx",
        "plugins.prefer=[chainrule-lynxcub]",
        "seed=range(4)",
        "hydra.launcher.stack=1",
    ]
    done = command(*arguments, "hydra.launcher.workers=2", "training.epochs=200", "tracking=none", path=lynxes)
    assert "chainrule-lynx 1.0" not in done.stderr
    assert plugins_of("multirun") == [{"chainrule-lynxcub:chainrule_lynxcub": "2.0"}] * 4


def test_a_file_of_the_project_decides(lynxes):
    Path("conf").mkdir()
    Path("conf", "plugins.yaml").write_text("plugins:\n  prefer: [Chainrule_Lynx]\n  block: []\n")
    assert not command("optimizer=lynx", *RUN, path=lynxes).stderr.startswith("chainrule:")
    assert plugins_of() == [{"chainrule-lynx:chainrule_lynx": "1.0"}]
    shown = command("--cfg", "job", "plugins.block=[relu]", path=lynxes).stdout
    assert "plugins:\n  prefer:\n  - Chainrule_Lynx\n  block:\n  - relu\n" in shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prefer: []\n", "conf/plugins.yaml must have the key plugins, with prefer and block beneath it."),
        ("plugins: {blok: []}\n", "plugins.blok is not a parameter of plugins (did you mean 'block'?)"),
        ("plugins: {block: {a: 1}}\n", "plugins.block must be a list, each entry text, not {'a': 1}."),
        ("plugins: [\n", "conf/plugins.yaml cannot be read: while parsing"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text, sentence):
    Path("conf").mkdir()
    Path("conf", "plugins.yaml").write_text(text)
    with pytest.raises(chainrule.ConfigurationError) as caught:
        preferences.read_preferences()
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("value", ["0", "null", "[a]", "x", "", "true"])
def test_a_section_that_is_no_group_is_refused_before_anything_else(value):
    sentence = f"plugins={value} is no group of settings: write plugins.prefer=[NAME] or plugins.block=[NAME]."
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        read_preferences([f"+plugins={value}"])
    assert read_preferences(["plugins={prefer:[a,b]}"]).prefer[:2] == ("a", "b")


def test_the_environment_blocks(monkeypatch):
    monkeypatch.setenv("CHAINRULE_BLOCK_PLUGINS", "mlflow, tanh")
    done = command("training.epochs=1", code=1)
    assert done.stderr == (
        "chainrule: tracking=mlflow cannot be used: plugin chainrule 0.1.0 (entry point 'mlflow') is blocked: "
        "'mlflow' is in plugins.block or CHAINRULE_BLOCK_PLUGINS.\n"
    )
    done = command("activation=tanh", *RUN, code=1)
    assert done.stderr == (
        "chainrule: activation=tanh cannot be used: that of chainrule 0.1.0 (entry point 'activations') is blocked: "
        "'tanh' is in plugins.block or CHAINRULE_BLOCK_PLUGINS.\n"
    )
    assert not Path("outputs").exists()


def test_strictness_makes_every_report_a_failure(lynxes, monkeypatch):
    monkeypatch.setenv("CHAINRULE_STRICT_PLUGINS", "1")
    for arguments in (RUN, ["--help"]):
        done = command(*arguments, path=lynxes, code=1)
        assert done.stderr == f"chainrule: {CONFLICT[:-1]} (CHAINRULE_STRICT_PLUGINS is set).\n"
    done = command("plugins", "chainrule-lynx", path=lynxes, code=1)
    assert "optimizer=lynx (broken: it is provided by" in done.stdout
    assert done.stderr == "chainrule: 1 report about plugins (CHAINRULE_STRICT_PLUGINS is set).\n"
    command(*RUN)


def test_a_preference_that_comes_too_late_is_refused():
    with pytest.raises(chainrule.ConfigurationError, match=r"plugins.block must be known before plugins are loaded: "):
        chainrule.run("plugins.block=[relu]")
    Path("conf", "experiment").mkdir(parents=True)
    Path("conf", "experiment", "late.yaml").write_text("# @package _global_\nplugins: {prefer: [chainrule-lynx]}\n")
    assert "or into the environment variable CHAINRULE_PREFER_PLUGINS." in command("experiment=late", code=1).stderr


def test_preferences_add_up():
    typed, environment = Preferences(prefer=("a",), block=("x",)), Preferences(prefer=("b", "a"))
    assert typed.merged_with(environment) == Preferences(prefer=("a", "b"), block=("x",))


def test_a_sweep_names_the_plugin_that_it_lacks(lynxes):
    command("-m", "optimizer=lynx,adam", "plugins.block=[chainrule-lynxcub]", *RUN, path=lynxes)
    (sweep,) = Path("multirun").glob("*/*")
    done = command("resume", str(sweep), code=1)
    assert done.stderr.splitlines()[-1] == (
        f"chainrule: {sweep.absolute()} needs a plugin of chainrule-lynx 1.0, which is not installed: install it."
    )
    assert command("resume", str(sweep), path=lynxes).returncode == 0


def test_a_damaged_distribution_harms_no_other(tmp_path, lynxes):
    for name, text in (("other", "[console_scripts]\nnonsense\n"), ("ours", "[chainrule]\nnonsense\n")):
        information = distributions.install(lynxes, f"damaged-{name}", "")
        (information / "entry_points.txt").write_text(text)
    done = command("optimizer=lynx", "plugins.prefer=[chainrule-lynx]", *RUN, path=lynxes)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("chainrule: ")]
    assert line.startswith(f"chainrule: the distribution at {lynxes}/damaged_ours-1.0.dist-info cannot be read: ")


def test_a_notebook_heeds_the_file_of_the_project():
    Path("conf").mkdir()
    Path("conf", "plugins.yaml").write_text("plugins: {block: [relu], prefer: []}\n")
    code = (
        "import chainrule\nprint(chainrule.run('training.epochs=0').reason)\n"
        "try: chainrule.component('activation', 'relu')\nexcept chainrule.ConfigurationError as error: print(error)"
    )
    done = forking.python("-c", code)
    assert done.stdout.startswith("epochs\nactivation=relu cannot be used: that of chainrule ")


def test_what_is_typed_takes_the_place_of_the_file():
    Path("conf").mkdir()
    Path("conf", "plugins.yaml").write_text("plugins: {block: [relu], prefer: []}\n")
    assert "activation=relu cannot be used" in command("activation=relu", *RUN, code=1).stderr
    command("activation=relu", "plugins.block=[]", *RUN)
    done = command("activation=tanh", "plugins={block:[tanh],prefer:[]}", *RUN, code=1)
    assert "activation=tanh cannot be used" in done.stderr


def test_completion_is_not_disturbed_by_reports(lynxes, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "chainrule optimizer=ada")
    monkeypatch.setenv("COMP_POINT", "23")
    done = command("-sc", "query=bash", path=lynxes)
    assert done.stdout.split() == [f"optimizer={name}" for name in ("adabound", "adadelta", "adagrad", "adam", "adamw")]
    assert not done.stderr


def test_files_that_are_no_configuration_are_said_in_a_sentence():
    Path("conf", "experiment").mkdir(parents=True)
    for content in ("a: [", "5"):
        Path("conf", "experiment", "odd.yaml").write_text(content)
        done = command("experiment=odd", *RUN, code=1)
        assert done.stderr.startswith("chainrule: a file of the configuration cannot be read: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("cause", ["0", "1"])  # OmegaConf keeps causes of its errors, as it does under a debugger
def test_a_missing_parameter_is_said_in_a_sentence(tmp_path, monkeypatch, cause):
    monkeypatch.setenv("OC_CAUSE", cause)
    source = LYNX.replace("= 1e-4", "")
    distributions.install(tmp_path / "site", "chainrule-lynx", source)
    done = command("optimizer=lynx", *RUN, path=tmp_path / "site", code=1)
    assert done.stderr == "chainrule: optimizer.lr is missing: write optimizer.lr=VALUE.\n"
    command("optimizer=lynx", "optimizer.lr=0.1", *RUN, path=tmp_path / "site")


def test_a_component_that_refuses_its_values_or_ends_the_run_is_named(tmp_path):
    source = LYNX.replace(
        "    def update", "    def __post_init__(self):\n        raise ValueError('odd')\n    def update"
    )
    distributions.install(tmp_path / "site", "chainrule-lynx", source)
    done = command("optimizer=lynx", *RUN, path=tmp_path / "site", code=1)
    assert done.stderr == "chainrule: optimizer does not take these values: odd.\n"
    source = LYNX.replace("Lynx", "Tiger").replace("theta -= self.lr * grad", "raise SystemExit(7)")
    distributions.install(tmp_path / "site", "chainrule-tiger", source)
    done = command("optimizer=tiger", *RUN, path=tmp_path / "site", code=1)
    said = done.stderr.splitlines()[-1]
    assert said.startswith(
        "chainrule: plugin chainrule-tiger 1.0 (entry point 'chainrule_tiger') raised SystemExit: 7 ("
    )


def test_sub_commands_heed_preferences_too(lynxes):
    done = command("plugins", "lynx", "plugins.prefer=[chainrule-lynxcub]", path=lynxes)
    assert "optimizer=lynx (shadowed: " in done.stdout
    assert "optimizer=lynx: Descends." in done.stdout


def test_files_of_the_project_are_switched_off_anywhere(tmp_path, monkeypatch):
    assert preferences.read_preferences([]).files
    assert not preferences.read_preferences(["plugins.files=false"]).files
    monkeypatch.setenv(preferences.FILES, "0")
    assert not preferences.read_preferences(["plugins.files=true"]).files
    monkeypatch.setenv(preferences.FILES, "1")
    distributions.plugin_folder(tmp_path)
    Path("conf", "plugins.yaml").write_text("plugins: {files: false}\n")
    assert not preferences.read_preferences([]).files
    preferences.read_preferences([]).export()
    assert os.environ[preferences.FILES] == "0"
    with pytest.raises(chainrule.ConfigurationError, match=r"plugins.files must be .*, not"):
        preferences.read_preferences(["plugins.files=perhaps"])


def test_that_files_are_off_must_be_known_at_the_start():
    with pytest.raises(chainrule.ConfigurationError, match=r"plugins\.files must be known before plugins are loaded"):
        chainrule.settings("plugins.files=false")

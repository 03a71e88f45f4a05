"""Plugins are found by entry point; what is wrong with one is said, and the others work."""

import importlib.metadata
import sys

import pytest

import chainrule
from chainrule.registry import loaded
from chainrule.registry.folder import plugin_files
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import Preferences
from chainrule.registry.registry import Registry, Status
from chainrule.registry.watching import Session
from distributions import BENT, LYNX, plugin_folder


def refusal(registry, name, group="optimizer"):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        registry.make(group, name, {})
    return str(caught.value)


def test_everything_promised_is_built_in():
    promised = {
        "activation": "identity sigmoid relu tanh leaky_relu elu softplus gelu silu softmax",
        "loss": "half_squared_error absolute_error huber log_cosh binary_cross_entropy categorical_cross_entropy",
        "optimizer": "gradient_descent momentum nesterov adagrad adadelta rmsprop adam adamw nadam rprop",
        "target": "linear xor sine friedman1 two_moons spirals table diabetes breast_cancer wine digits",
        "initializer": "normal uniform xavier_normal xavier_uniform he_normal he_uniform zeros",
        "schedule": "constant step exponential cosine warmup_cosine reduce_on_plateau",
        "rule": "exact as_printed feedback_alignment direct_feedback_alignment sign_symmetric",
        "tracker": "mlflow none",
    }
    assert not installed().reports
    for kind, names in promised.items():
        assert set(names.split()) <= set(installed().names(kind))


def test_a_stranger_s_component_is_made_by_name(install):
    registry = install("chainrule-lynx", LYNX)
    assert registry.make("optimizer", "lynx", {"lr": 1}).lr == 1.0
    assert str(registry.provider("optimizer", "lynx")) == "chainrule-lynx 1.0 (entry point 'chainrule_lynx')"


def test_a_broken_plugin_is_reported_and_the_others_work(install, tmp_path):
    install("chainrule-lynx", LYNX)
    registry = install("chainrule-bad", "import nothing_of_that_name\n" + LYNX.replace("Lynx", "Tiger"))
    sentence = (
        "plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: "
        f"ModuleNotFoundError: No module named 'nothing_of_that_name' ({tmp_path}/chainrule_bad.py, line 1)"
    )
    assert registry.reports == [sentence]
    assert registry.names("optimizer") == ["lynx"]
    assert refusal(registry, "tiger") == f"optimizer=tiger cannot be used: {sentence}."
    assert refusal(registry, "lnyx") == (
        f"optimizer=lnyx is unknown (did you mean 'lynx'?); choose one of lynx. Besides, {sentence}."
    )


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("def broken(:\n    pass", "SyntaxError: invalid syntax ({file}, line 1)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 ({file}, line 2)"),
        (
            "x = 1\n",
            "it has no component: define a class that derives from a contract such as chainrule.Activation, or mark a "
            "function such as chainrule_activations with @hookimpl",
        ),
    ],
)
def test_no_module_can_end_the_process(install, tmp_path, source, cause):
    (report,) = install("chainrule-bad", source).reports
    cause = cause.format(file=tmp_path / "chainrule_bad.py")
    assert report == f"plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: {cause}"


def test_a_module_that_is_not_there_is_reported(install, tmp_path):
    install("chainrule-lynx", LYNX)
    (tmp_path / "chainrule_lynx.py").unlink()
    sys.modules.pop("chainrule_lynx", None)
    importlib.invalidate_caches()
    (plugin,) = install.registry().plugins
    assert plugin.provider.file is None
    assert plugin.reason.startswith("ModuleNotFoundError: No module named 'chainrule_lynx'")


def test_two_plugins_with_one_component_are_both_named(install):
    install("chainrule-lynx", LYNX)
    registry = install("chainrule-lynxcub", LYNX, "2.0")
    reason = (
        "it is provided by chainrule-lynx 1.0 (entry point 'chainrule_lynx') and by chainrule-lynxcub 2.0 (entry point "
        "'chainrule_lynxcub'); plugins.prefer=[chainrule-lynx] or [chainrule-lynxcub] settles it"
    )
    assert refusal(registry, "lynx") == f"optimizer=lynx cannot be used: {reason}."
    assert registry.reports == [f"optimizer=lynx cannot be used: {reason}"]
    assert registry.names("optimizer") == []


def test_one_distribution_with_a_name_twice_is_told_what_helps(install, tmp_path):
    install("chainrule-lynx", LYNX)
    (tmp_path / "chainrule_lynx-1.0.dist-info" / "entry_points.txt").write_text(
        "[chainrule]\nlynx = chainrule_lynx\nlynxcub = chainrule_lynxcub\n"
    )
    (tmp_path / "chainrule_lynxcub.py").write_text(LYNX)
    assert refusal(install.registry(), "lynx").endswith("; plugins.block=[lynxcub] leaves one out.")
    assert install.registry(block=["lynxcub"]).names("optimizer") == ["lynx"]


@pytest.mark.parametrize("preferred", ["chainrule-lynx", "Chainrule_Lynx"])
def test_the_preferred_distribution_has_the_name(install, preferred):
    install("chainrule-lynx", LYNX)
    registry = install("chainrule-lynxcub", LYNX.replace("1e-4", "1e-3"), prefer=[preferred, "chainrule-lynxcub"])
    assert registry.make("optimizer", "lynx", {}).lr == 1e-4
    assert not registry.reports
    shadowed = registry.plugins[1].offers[0]
    assert shadowed.status is Status.SHADOWED
    assert shadowed.reason.endswith("and chainrule-lynx is preferred")


def test_two_plugins_with_one_entry_point_are_both_named(install):
    install("chainrule-lynx", LYNX, entry_point="cat")
    registry = install("chainrule-tiger", LYNX.replace("Lynx", "Tiger"), "2.0", entry_point="cat")
    cause = (
        "was skipped: chainrule-lynx 1.0 and chainrule-tiger 2.0 use the same entry point; "
        "plugins.prefer=[chainrule-lynx] or [chainrule-tiger] settles it"
    )
    assert registry.reports == [
        f"plugin chainrule-lynx 1.0 (entry point 'cat') {cause}",
        f"plugin chainrule-tiger 2.0 (entry point 'cat') {cause}",
    ]
    assert refusal(registry, "tiger") == (
        f"optimizer=tiger cannot be used: plugin chainrule-tiger 2.0 (entry point 'cat') {cause}."
    )
    registry = install.registry(prefer=["chainrule-tiger"])
    assert registry.names("optimizer") == ["tiger"]
    assert refusal(registry, "lynx") == (
        "optimizer=lynx cannot be used: plugin chainrule-lynx 1.0 (entry point 'cat') is shadowed: "
        "chainrule-lynx 1.0 and chainrule-tiger 2.0 use the same entry point, and chainrule-tiger is preferred."
    )
    assert install.registry(block=["chainrule-lynx"]).names("optimizer") == ["tiger"]


@pytest.mark.parametrize("name", ["chainrule-lynx", "Chainrule.Lynx", "chainrule_lynx"])
def test_a_blocked_plugin_is_not_even_imported(install, name):
    registry = install("chainrule-lynx", "raise SystemExit\n" + LYNX, block=[name])
    assert not registry.reports
    assert registry.plugins[0].status is Status.BLOCKED
    assert refusal(registry, "lynx") == (
        "optimizer=lynx cannot be used: plugin chainrule-lynx 1.0 (entry point 'chainrule_lynx') is blocked: "
        f"{name!r} is in plugins.block or CHAINRULE_BLOCK_PLUGINS."
    )


def test_a_component_can_be_blocked(install):
    registry = install("chainrule-lynx", LYNX, block=["lynx"])
    assert registry.plugins[0].status is Status.OK
    assert refusal(registry, "lynx") == (
        "optimizer=lynx cannot be used: that of chainrule-lynx 1.0 (entry point 'chainrule_lynx') is blocked: "
        "'lynx' is in plugins.block or CHAINRULE_BLOCK_PLUGINS."
    )


def test_blocking_one_of_two_settles_a_conflict(install):
    install("chainrule-lynx", LYNX)
    registry = install("chainrule-lynxcub", LYNX, block=["chainrule_lynxcub"])
    assert registry.names("optimizer") == ["lynx"]


def test_names_that_are_misspelt_are_reported_and_those_of_other_machines_are_not(install):
    registry = install("chainrule-lynx", LYNX, block=["chainrule-lnyx", "mish"], prefer=["somebody"])
    assert registry.reports == [
        "plugins.block names 'chainrule-lnyx', which is no distribution, entry point or component "
        "(did you mean 'chainrule-lynx'?)",
    ]


PRESETS = (
    LYNX
    + """
@hookimpl
def chainrule_configurations():
    return ["{}"]
"""
)


def test_configuration_of_plugins_is_found_and_hides_nothing(install, tmp_path):
    folder = "lynx_conf"
    registry = install("chainrule-lynx", PRESETS.format(folder), files=[f"{folder}/optimizer/hasty.yaml"])
    assert registry.folders == {folder: tmp_path / folder}
    (report,) = install.registry(reserved=["optimizer/hasty"]).reports
    assert report == (
        "the configuration of plugin chainrule-lynx 1.0 (entry point 'chainrule_lynx') is left out: "
        "optimizer/hasty.yaml would hide that of chainrule itself"
    )
    (tmp_path / folder / "optimizer" / "lynx.yaml").write_text("")
    (report,) = install.registry().reports
    assert report.endswith("optimizer/lynx.yaml would hide that of chainrule-lynx 1.0 (entry point 'chainrule_lynx')")


def test_of_two_configurations_with_one_name_the_preferred_one_stays(install):
    install("chainrule-lynx", PRESETS.format("lynx_conf"), files=["lynx_conf/experiment/cat.yaml"])
    source = PRESETS.replace("Lynx", "Tiger").format("tiger_conf")
    registry = install("chainrule-tiger", source, files=["tiger_conf/experiment/cat.yaml"])
    assert list(registry.folders) == ["lynx_conf"]
    assert list(install.registry(prefer=["chainrule-tiger"]).folders) == ["tiger_conf"]


def test_a_configuration_that_is_not_there_is_told(install):
    (report,) = install("chainrule-lynx", PRESETS.format("nothing.of.that.name")).reports
    assert report.endswith("chainrule_configurations names 'nothing.of.that.name', which is no package")


def test_a_plugin_whose_watchers_fail_is_reported_and_the_others_watch(install, caplog):
    source = "from chainrule import Watcher, hookimpl\n@hookimpl\ndef chainrule_watchers({}):\n    return [{}]\n"
    install("chainrule-bad", source.format("session", "1 / 0"))
    registry = install("chainrule-good", source.format("", "Watcher()"))
    assert len(registry.watchers(Session(interactive=False))) == 1
    assert "plugin chainrule-bad:chainrule_bad provides no watcher" in caplog.text


def test_a_module_that_is_not_there_promises_nothing_of_the_working_directory(install, tmp_path):
    install("chainrule-gone", "")
    (tmp_path / "chainrule_gone.py").unlink()
    (tmp_path / "mine.py").write_text(LYNX)
    importlib.invalidate_caches()
    (plugin,) = install.registry().plugins
    assert plugin.provider.promised == frozenset()
    assert plugin.provider.digest == ""
    assert refusal(install.registry(), "lynx").startswith("optimizer=lynx is unknown; choose one of ")


def test_two_entry_points_for_one_module_are_told_so(install, tmp_path):
    install("chainrule-lynx", LYNX)
    text = "[chainrule]\nlynx = chainrule_lynx\nagain = chainrule_lynx\n"
    (tmp_path / "chainrule_lynx-1.0.dist-info" / "entry_points.txt").write_text(text)
    (report,) = install.registry().reports
    assert report.endswith("was skipped: chainrule_lynx has another entry point already")
    assert install.registry().names("optimizer") == ["lynx"]


@pytest.mark.parametrize("body", ["return [object()]", "raise SystemExit(3)", "return 3"])
def test_a_hook_for_watchers_that_returns_something_else_watches_nothing(install, caplog, body):
    source = f"from chainrule import hookimpl\n@hookimpl\ndef chainrule_watchers(session):\n    {body}\n"
    registry = install("chainrule-bad", source)
    assert registry.watchers(Session(interactive=False)) == []
    assert "plugin chainrule-bad:chainrule_bad provides no watcher" in caplog.text


def test_members_that_answer_to_everything_are_no_hooks(install):
    assert not install("chainrule-lynx", f"from unittest.mock import MagicMock\ncol = MagicMock()\n{LYNX}").reports


HARMLESS = LYNX.replace("Lynx", "Tame")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("class Skip(BaseException): pass\nraise Skip('no')", "Skip: no ({file}, line 2)"),
        ("class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute", "Mute ({file}, line 3)"),
        ("raise RuntimeError", "RuntimeError ({file}, line 1)"),
        (LYNX.replace("@hookimpl", "@hookimpl(wrapper=True)"), "chainrule_optimizers is a wrapper of other plugins' "),
        (
            LYNX.replace("return [Lynx]", "return None"),
            "chainrule_optimizers returned None, which is no list of classes",
        ),
        (LYNX.replace("(Optimizer)", "(Optimizer, name='null')"), "Lynx is called 'null'; names have small letters"),
        (LYNX.replace("lr: Ann", "defaults: float = 1.0\n    lr: Ann"), "Lynx has a parameter called 'defaults'"),
        (LYNX.replace("Gt(0)", "Gt('a')"), "Lynx.lr has the bound 'a', which is not a number"),
        (PRESETS.format(""), "chainrule_configurations names '', which is no package"),
    ],
)
def test_whatever_a_plugin_does_the_others_work(install, tmp_path, source, cause):
    install("chainrule-tame", HARMLESS)
    registry = install("chainrule-bad", source)
    (report,) = registry.reports
    assert report.startswith("plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: ")
    assert cause.format(file=tmp_path / "chainrule_bad.py") in report
    assert registry.names("optimizer") == ["tame"]


def test_a_docstring_that_is_no_text_and_an_odd_entry_point_do_no_harm(install, tmp_path, capsys):
    assert not install("chainrule-lynx", f"print('hello')\n__doc__ = 5\n{LYNX}").reports
    assert capsys.readouterr() == ("", "hello\n")
    text = "[chainrule]\nlynx = a b c\nbuiltin = sys:nothing\n"
    (tmp_path / "chainrule_lynx-1.0.dist-info" / "entry_points.txt").write_text(text)
    assert len(install.registry().reports) == 2


def test_configuration_of_hydra_is_not_replaced(install):
    registry = install("chainrule-lynx", PRESETS.format("lynx_conf"), files=["lynx_conf/hydra/launcher/joblib.yaml"])
    assert not registry.folders
    assert registry.reports[0].endswith("hydra/launcher/joblib.yaml would hide that of Hydra")


def of_files(tmp_path, prefer=(), block=(), **files):
    """The registry of built-in activations and of plugin files."""
    plugin_folder(tmp_path, **files)
    entries = [entry for entry in loaded._entry_points()[0] if entry.name == "activations"]
    return Registry(entries, Preferences(tuple(prefer), tuple(block)), files=plugin_files(tmp_path)[0])


def test_a_file_of_the_project_is_a_plugin(tmp_path):
    found = of_files(tmp_path, mine=BENT)
    assert found.reports == []
    assert str(found.provider("activation", "bent")) == "plugins/mine.py"
    assert found.provider("activation", "bent").file == tmp_path / "plugins" / "mine.py"
    (plugin,) = (plugin for plugin in found.plugins if plugin.provider.entry_point == "mine")
    assert (plugin.status, plugin.description) == (Status.OK, "My idea.")


def test_a_broken_file_is_one_sentence_and_harms_nothing(tmp_path):
    found = of_files(tmp_path, mine=BENT, torn=BENT.replace("Bent", "Torn") + "def f(:\n")
    sentence = f"plugin plugins/torn.py was skipped: SyntaxError: invalid syntax ({tmp_path}/plugins/torn.py, line 14)"
    assert found.reports == [sentence]
    assert {"bent", "tanh"} <= set(found.names("activation"))
    assert refusal(found, "torn", "activation") == f"activation=torn cannot be used: {sentence}."
    assert "chainrule_file_torn" not in sys.modules


def test_a_file_may_be_called_like_a_plugin_but_not_its_component(tmp_path):
    found = of_files(tmp_path, activations=BENT, other=BENT.replace("Bent", "Tanh"))
    assert found.find("activation", "bent")
    (report,) = found.reports
    assert report.startswith("activation=tanh cannot be used: it is provided by chainrule ")
    assert report.endswith("and by plugins/other.py; plugins.prefer=[chainrule] or [plugins/other.py] settles it")
    files = {"activations": BENT, "other": BENT.replace("Bent", "Tanh")}
    preferred = of_files(tmp_path, prefer=["plugins/other.py"], **files)
    assert preferred.provider("activation", "tanh").entry_point == "other"
    blocked = of_files(tmp_path, block=["other"], **files)
    assert blocked.provider("activation", "tanh").distribution == "chainrule"


def test_hooks_of_a_file_work_and_then_say_which_components_there_are(tmp_path):
    hook = "from chainrule import hookimpl\n@hookimpl\ndef {}:\n    return {}\n"
    watching = BENT + hook.format("chainrule_watchers(session)", "[]")
    assert of_files(tmp_path, mine=watching).find("activation", "bent")
    found = of_files(tmp_path, mine=BENT + hook.format("chainrule_activations()", "[]"))
    assert "bent" not in found.names("activation")

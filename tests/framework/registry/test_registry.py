"""Plugins are found by entry point; what is wrong with one is said, and the others work."""

import importlib.metadata
import sys

import pytest

import chainrule
import distributions
from chainrule.registry import hookspecs, registry
from chainrule.registry.kinds import KINDS
from chainrule.registry.preferences import Preferences
from chainrule.registry.registry import Registry, Status, installed
from chainrule.registry.watching import Session
from distributions import LION


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a made-up distribution and return the registry of all made-up ones."""
    monkeypatch.syspath_prepend(tmp_path)
    found, modules = [], []

    def _install(name, source, version="1.0", entry_point=None, prefer=(), block=(), files=()):
        modules.append(name.replace("-", "_"))
        sys.modules.pop(modules[-1], None)
        importlib.invalidate_caches()
        found.append(
            importlib.metadata.PathDistribution(distributions.install(tmp_path, name, source, version, entry_point))
        )
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("")
        return _registry(prefer, block)

    def _registry(prefer=(), block=(), reserved=()):
        entries = [entry for distribution in found for entry in distribution.entry_points]
        return Registry(entries, Preferences(tuple(prefer), tuple(block)), reserved)

    _install.registry = _registry
    yield _install
    for module in modules:
        sys.modules.pop(module, None)


def refusal(registry, name, group="optimizer"):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        registry.make(group, name, {})
    return str(caught.value)


def test_every_kind_has_its_hook_and_every_hook_its_kind():
    hooks = {kind.hook for kind in KINDS.values()} | {"chainrule_watchers", "chainrule_configurations"}
    assert hooks == hookspecs.HOOKS.keys()


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
    registry = install("chainrule-lion", LION)
    assert registry.make("optimizer", "lion", {"lr": 1}).lr == 1.0
    assert str(registry.provider("optimizer", "lion")) == "chainrule-lion 1.0 (entry point 'chainrule_lion')"


def test_a_broken_plugin_is_reported_and_the_others_work(install, tmp_path):
    install("chainrule-lion", LION)
    registry = install("chainrule-bad", "import nothing_of_that_name\n" + LION.replace("Lion", "Tiger"))
    sentence = (
        "plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: "
        f"ModuleNotFoundError: No module named 'nothing_of_that_name' ({tmp_path}/chainrule_bad.py, line 1)"
    )
    assert registry.reports == [sentence]
    assert registry.names("optimizer") == ["lion"]
    assert refusal(registry, "tiger") == f"optimizer=tiger cannot be used: {sentence}."
    assert refusal(registry, "lino") == (
        f"optimizer=lino is unknown (did you mean 'lion'?); choose one of lion. Besides, {sentence}."
    )


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("def broken(:\n    pass", "SyntaxError: invalid syntax ({file}, line 1)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 ({file}, line 2)"),
        ("x = 1\n", "it implements no hook: mark a function such as chainrule_activations with @hookimpl"),
    ],
)
def test_no_module_can_end_the_process(install, tmp_path, source, cause):
    (report,) = install("chainrule-bad", source).reports
    cause = cause.format(file=tmp_path / "chainrule_bad.py")
    assert report == f"plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: {cause}"


def test_a_module_that_is_not_there_is_reported(install, tmp_path):
    install("chainrule-lion", LION)
    (tmp_path / "chainrule_lion.py").unlink()
    sys.modules.pop("chainrule_lion", None)
    importlib.invalidate_caches()
    (plugin,) = install.registry().plugins
    assert plugin.provider.file is None
    assert plugin.reason.startswith("ModuleNotFoundError: No module named 'chainrule_lion'")


def test_two_plugins_with_one_component_are_both_named(install):
    install("chainrule-lion", LION)
    registry = install("chainrule-lioness", LION, "2.0")
    reason = (
        "it is provided by chainrule-lion 1.0 (entry point 'chainrule_lion') and by chainrule-lioness 2.0 (entry point "
        "'chainrule_lioness'); plugins.prefer=[chainrule-lion] or [chainrule-lioness] settles it"
    )
    assert refusal(registry, "lion") == f"optimizer=lion cannot be used: {reason}."
    assert registry.reports == [f"optimizer=lion cannot be used: {reason}"]
    assert registry.names("optimizer") == []


def test_one_distribution_with_a_name_twice_is_told_what_helps(install, tmp_path):
    install("chainrule-lion", LION)
    (tmp_path / "chainrule_lion-1.0.dist-info" / "entry_points.txt").write_text(
        "[chainrule]\nlion = chainrule_lion\nlioness = chainrule_lioness\n"
    )
    (tmp_path / "chainrule_lioness.py").write_text(LION)
    assert refusal(install.registry(), "lion").endswith("; plugins.block=[lioness] leaves one out.")
    assert install.registry(block=["lioness"]).names("optimizer") == ["lion"]


@pytest.mark.parametrize("preferred", ["chainrule-lion", "Chainrule_Lion"])
def test_the_preferred_distribution_has_the_name(install, preferred):
    install("chainrule-lion", LION)
    registry = install("chainrule-lioness", LION.replace("1e-4", "1e-3"), prefer=[preferred, "chainrule-lioness"])
    assert registry.make("optimizer", "lion", {}).lr == 1e-4
    assert not registry.reports
    shadowed = registry.plugins[1].offers[0]
    assert shadowed.status is Status.SHADOWED
    assert shadowed.reason.endswith("and chainrule-lion is preferred")


def test_two_plugins_with_one_entry_point_are_both_named(install):
    install("chainrule-lion", LION, entry_point="cat")
    registry = install("chainrule-tiger", LION.replace("Lion", "Tiger"), "2.0", entry_point="cat")
    cause = (
        "was skipped: chainrule-lion 1.0 and chainrule-tiger 2.0 use the same entry point; "
        "plugins.prefer=[chainrule-lion] or [chainrule-tiger] settles it"
    )
    assert registry.reports == [
        f"plugin chainrule-lion 1.0 (entry point 'cat') {cause}",
        f"plugin chainrule-tiger 2.0 (entry point 'cat') {cause}",
    ]
    assert refusal(registry, "tiger") == (
        f"optimizer=tiger cannot be used: plugin chainrule-tiger 2.0 (entry point 'cat') {cause}."
    )
    registry = install.registry(prefer=["chainrule-tiger"])
    assert registry.names("optimizer") == ["tiger"]
    assert refusal(registry, "lion") == (
        "optimizer=lion cannot be used: plugin chainrule-lion 1.0 (entry point 'cat') is shadowed: "
        "chainrule-lion 1.0 and chainrule-tiger 2.0 use the same entry point, and chainrule-tiger is preferred."
    )
    assert install.registry(block=["chainrule-lion"]).names("optimizer") == ["tiger"]


@pytest.mark.parametrize("name", ["chainrule-lion", "Chainrule.Lion", "chainrule_lion"])
def test_a_blocked_plugin_is_not_even_imported(install, name):
    registry = install("chainrule-lion", "raise SystemExit\n" + LION, block=[name])
    assert not registry.reports
    assert registry.plugins[0].status is Status.BLOCKED
    assert refusal(registry, "lion") == (
        "optimizer=lion cannot be used: plugin chainrule-lion 1.0 (entry point 'chainrule_lion') is blocked: "
        f"{name!r} is in plugins.block or CHAINRULE_BLOCK_PLUGINS."
    )


def test_a_component_can_be_blocked(install):
    registry = install("chainrule-lion", LION, block=["lion"])
    assert registry.plugins[0].status is Status.OK
    assert refusal(registry, "lion") == (
        "optimizer=lion cannot be used: that of chainrule-lion 1.0 (entry point 'chainrule_lion') is blocked: "
        "'lion' is in plugins.block or CHAINRULE_BLOCK_PLUGINS."
    )


def test_blocking_one_of_two_settles_a_conflict(install):
    install("chainrule-lion", LION)
    registry = install("chainrule-lioness", LION, block=["chainrule_lioness"])
    assert registry.names("optimizer") == ["lion"]


def test_names_that_are_misspelt_are_reported_and_those_of_other_machines_are_not(install):
    registry = install("chainrule-lion", LION, block=["chainrule-loin", "mish"], prefer=["somebody"])
    assert registry.reports == [
        "plugins.block names 'chainrule-loin', which is no distribution, entry point or component "
        "(did you mean 'chainrule-lion'?)",
    ]


@pytest.mark.parametrize(
    ("declared", "cure"),
    [(0, "upgrade the plugin"), (2, "upgrade chainrule")],
)
def test_a_plugin_for_another_interface_is_told_both_versions(install, declared, cure):
    (report,) = install("chainrule-lion", f"CHAINRULE_API = {declared}\n{LION}").reports
    assert report == (
        "plugin chainrule-lion 1.0 (entry point 'chainrule_lion') was skipped: it is written for version "
        f"{declared} of the plugin interface, and this chainrule has version {hookspecs.API_VERSION}: {cure}"
    )


def test_a_version_of_the_interface_that_is_no_number_is_refused(install):
    (report,) = install("chainrule-lion", f"CHAINRULE_API = '1'\n{LION}").reports
    assert report.endswith("its CHAINRULE_API is '1', which is no whole number")


def test_what_another_interface_lacks_is_not_blamed(install):
    source = "CHAINRULE_API = 2\nfrom chainrule import Quantizer\n"
    (report,) = install("chainrule-lion", source).reports
    assert "it is written for version 2 of the plugin interface" in report


def test_the_present_interface_may_be_declared(install):
    assert install("chainrule-lion", f"CHAINRULE_API = {hookspecs.API_VERSION}\n{LION}").names("optimizer") == ["lion"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            ("chainrule_optimizers", "chainrule_optimisers"),
            "there is no hook chainrule_optimisers (did you mean 'chainrule_optimizers'?)",
        ),
        (("@hookimpl", ""), "chainrule_optimizers is not marked with @hookimpl"),
        (("@hookimpl\ndef chainrule_optimizers", "def chainrule_optimisers"), "is not marked with @hookimpl (did you"),
        (("chainrule_optimizers()", "chainrule_optimizers(theta)"), "chainrule_optimizers(theta) must be "),
        (("@dataclass(frozen=True)", ""), "Lion must be a frozen dataclass: add @dataclass(frozen=True)"),
        (("(frozen=True)", ""), "Lion must be a frozen dataclass: add @dataclass(frozen=True)"),
        (
            ("theta, grad, state, step):", "theta, grad, state):"),
            "Lion.update(self, theta, grad, state) must take what ",
        ),
        (("return [Lion]", "return [Lion, Lion]"), "it has two components optimizer=lion"),
        (("return [Lion]", "return Lion"), "which is no list of classes"),
        (("(Optimizer)", "(Optimizer, name='Big Lion')"), "names have small letters, digits and _ only"),
        (("Annotated[float", "Annotated[complex"), "parameters are float, int, bool, str"),
        (("def update", "def updated"), "Lion lacks update"),
        (
            ("return [Lion]", "return [int]"),
            "chainrule_optimizers returned <class 'int'>, which is no subclass of Optimizer",
        ),
        (("lr: Annotated", "name: str = 'x'\n    lr: Annotated"), "Lion has a parameter called 'name'"),
    ],
)
def test_a_plugin_that_breaks_its_contract_says_how(install, change, cause):
    (report,) = install("chainrule-lion", LION.replace(*change)).reports
    assert cause in report


SQUARE = """
from dataclasses import dataclass
from chainrule import Activation, Loss, hookimpl

@dataclass(frozen=True)
class Square(Activation):
    def forward(self, z):
        return z * z

@dataclass(frozen=True)
class Half(Loss):
    paired_output = "square"
    def value(self, y_pred, y_true): ...
    def gradient(self, y_pred, y_true): ...
    def paired_value(self, z, y_true): ...

@hookimpl
def {hook}():
    return [{cls}]
"""


@pytest.mark.parametrize(
    ("hook", "cls", "cause"),
    [
        ("chainrule_activations", "Square", "Square lacks slope or backward"),
        ("chainrule_losses", "Half", "Half declares a paired output and lacks paired_delta"),
    ],
)
def test_what_would_fail_in_training_fails_at_start(install, hook, cls, cause):
    (report,) = install("chainrule-square", SQUARE.format(hook=hook, cls=cls)).reports
    assert report.endswith(cause)


PRESETS = (
    LION
    + """
@hookimpl
def chainrule_configurations():
    return ["{}"]
"""
)


def test_configuration_of_plugins_is_found_and_hides_nothing(install, tmp_path):
    folder = "lion_conf"
    registry = install("chainrule-lion", PRESETS.format(folder), files=[f"{folder}/optimizer/hasty.yaml"])
    assert registry.folders == {folder: tmp_path / folder}
    (report,) = install.registry(reserved=["optimizer/hasty"]).reports
    assert report == (
        "the configuration of plugin chainrule-lion 1.0 (entry point 'chainrule_lion') is left out: "
        "optimizer/hasty.yaml would hide that of chainrule itself"
    )
    (tmp_path / folder / "optimizer" / "lion.yaml").write_text("")
    (report,) = install.registry().reports
    assert report.endswith("optimizer/lion.yaml would hide that of chainrule-lion 1.0 (entry point 'chainrule_lion')")


def test_of_two_configurations_with_one_name_the_preferred_one_stays(install):
    install("chainrule-lion", PRESETS.format("lion_conf"), files=["lion_conf/experiment/cat.yaml"])
    source = PRESETS.replace("Lion", "Tiger").format("tiger_conf")
    registry = install("chainrule-tiger", source, files=["tiger_conf/experiment/cat.yaml"])
    assert list(registry.folders) == ["lion_conf"]
    assert list(install.registry(prefer=["chainrule-tiger"]).folders) == ["tiger_conf"]


def test_a_configuration_that_is_not_there_is_told(install):
    (report,) = install("chainrule-lion", PRESETS.format("nothing.of.that.name")).reports
    assert report.endswith("chainrule_configurations names 'nothing.of.that.name', which is no package")


def test_a_plugin_whose_watchers_fail_is_reported_and_the_others_watch(install, caplog):
    source = "from chainrule import Watcher, hookimpl\n@hookimpl\ndef chainrule_watchers({}):\n    return [{}]\n"
    install("chainrule-bad", source.format("session", "1 / 0"))
    registry = install("chainrule-good", source.format("", "Watcher()"))
    assert len(registry.watchers(Session(interactive=False))) == 1
    assert "plugin chainrule-bad:chainrule_bad provides no watcher" in caplog.text


def test_component_by_hand():
    assert chainrule.component("optimizer", "adam", lr=0.01).lr == 0.01
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer=adm is unknown \(did you mean 'adam'\?\)"):
        chainrule.component("optimizer", "adm")
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer.lr must be a number >= 0, not -1"):
        chainrule.component("optimizer", "adam", lr=-1)
    with pytest.raises(chainrule.ConfigurationError, match=r"'optimiser' is not a kind \(did you mean 'optimizer'\?\)"):
        chainrule.component("optimiser", "adam")


def test_a_module_that_is_not_there_promises_nothing_of_the_working_directory(install, tmp_path):
    install("chainrule-gone", "")
    (tmp_path / "chainrule_gone.py").unlink()
    (tmp_path / "mine.py").write_text(LION)
    importlib.invalidate_caches()
    (plugin,) = install.registry().plugins
    assert plugin.provider.promised == frozenset()
    assert plugin.provider.digest == ""
    assert refusal(install.registry(), "lion").startswith("optimizer=lion is unknown; choose one of ")


def test_the_digest_is_that_of_the_whole_package(install, tmp_path):
    """Also where the entry point names a module in it, which leaves most of the work to others."""
    for name in ("pride", "pride/inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "pride" / "plugin.py").write_text(LION)
    (tmp_path / "pride" / "inner" / "core.py").write_text("x = 1\n")
    information = distributions.install(tmp_path, "chainrule-pride", "")
    digests = []
    for value in ("pride.plugin", "pride", "pride.plugin"):
        (information / "entry_points.txt").write_text(f"[chainrule]\npride = {value}\n")
        (entry,) = importlib.metadata.PathDistribution(information).entry_points
        (plugin,) = Registry([entry]).plugins
        digests.append(plugin.provider.digest)
        (tmp_path / "pride" / "inner" / "core.py").write_text("x = 2\n" if len(digests) == 2 else "x = 1\n")
    assert digests[0] == digests[1] != digests[2]
    for name in [name for name in sys.modules if name.partition(".")[0] == "pride"]:
        del sys.modules[name]


def test_two_entry_points_for_one_module_are_told_so(install, tmp_path):
    install("chainrule-lion", LION)
    text = "[chainrule]\nlion = chainrule_lion\nagain = chainrule_lion\n"
    (tmp_path / "chainrule_lion-1.0.dist-info" / "entry_points.txt").write_text(text)
    (report,) = install.registry().reports
    assert report.endswith("was skipped: chainrule_lion has another entry point already")
    assert install.registry().names("optimizer") == ["lion"]


@pytest.mark.parametrize("body", ["return [object()]", "raise SystemExit(3)", "return 3"])
def test_a_hook_for_watchers_that_returns_something_else_watches_nothing(install, caplog, body):
    source = f"from chainrule import hookimpl\n@hookimpl\ndef chainrule_watchers(session):\n    {body}\n"
    registry = install("chainrule-bad", source)
    assert registry.watchers(Session(interactive=False)) == []
    assert "plugin chainrule-bad:chainrule_bad provides no watcher" in caplog.text


def test_members_that_answer_to_everything_are_no_hooks(install):
    assert not install("chainrule-lion", f"from unittest.mock import MagicMock\ncol = MagicMock()\n{LION}").reports


HARMLESS = LION.replace("Lion", "Tame")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("class Skip(BaseException): pass\nraise Skip('no')", "Skip: no ({file}, line 2)"),
        ("class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute", "Mute ({file}, line 3)"),
        ("raise RuntimeError", "RuntimeError ({file}, line 1)"),
        (LION.replace("@hookimpl", "@hookimpl(wrapper=True)"), "chainrule_optimizers is a wrapper of other plugins' "),
        (
            LION.replace("return [Lion]", "return None"),
            "chainrule_optimizers returned None, which is no list of classes",
        ),
        (LION.replace("(Optimizer)", "(Optimizer, name='null')"), "Lion is called 'null'; names have small letters"),
        (LION.replace("lr: Ann", "defaults: float = 1.0\n    lr: Ann"), "Lion has a parameter called 'defaults'"),
        (LION.replace("Gt(0)", "Gt('a')"), "Lion.lr has the bound 'a', which is not a number"),
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
    assert not install("chainrule-lion", f"print('hello')\n__doc__ = 5\n{LION}").reports
    assert capsys.readouterr() == ("", "hello\n")
    text = "[chainrule]\nlion = a b c\nbuiltin = sys:nothing\n"
    (tmp_path / "chainrule_lion-1.0.dist-info" / "entry_points.txt").write_text(text)
    assert len(install.registry().reports) == 2


def test_configuration_of_hydra_is_not_replaced(install):
    registry = install("chainrule-lion", PRESETS.format("lion_conf"), files=["lion_conf/hydra/launcher/joblib.yaml"])
    assert not registry.folders
    assert registry.reports[0].endswith("hydra/launcher/joblib.yaml would hide that of Hydra")


def test_a_distribution_found_twice_counts_once(tmp_path, monkeypatch):
    """The one that comes first on the path is also the one that Python imports."""
    for name, version in (("chainrule_lion", "0.9"), ("chainrule-lion", "1.0")):
        distributions.install(tmp_path / version, name, LION, version)
        monkeypatch.syspath_prepend(tmp_path / version)
    importlib.invalidate_caches()
    entries, damaged = registry._entry_points()
    assert not damaged
    (lion,) = [entry for entry in entries if entry.value == "chainrule_lion"]
    assert lion.dist.version == "1.0"

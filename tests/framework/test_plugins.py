"""Plugins are found by entry point; what is wrong with one is said, and the others work."""

import importlib.metadata
import sys

import pytest

import chainrule
from chainrule import hookspecs
from chainrule.kinds import KINDS
from chainrule.plugins import Registry, installed
from chainrule.watchers import Session

LION = """
from dataclasses import dataclass
from typing import Annotated
from annotated_types import Gt
from chainrule import Optimizer, hookimpl

@dataclass(frozen=True)
class Lion(Optimizer):
    lr: Annotated[float, Gt(0)] = 1e-4
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad

@hookimpl
def chainrule_optimizers():
    return [Lion]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a made-up distribution and return the registry of all made-up ones."""
    monkeypatch.syspath_prepend(tmp_path)
    found = []

    def _install(name, source, version="1.0"):
        module = name.replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[chainrule]\n{module} = {module}\n")
        found.append(importlib.metadata.PathDistribution(info))
        return Registry(found)

    return _install


def test_every_kind_has_its_hook_and_every_hook_its_kind():
    hooks = {name for name in vars(hookspecs) if name.startswith("chainrule_")}
    assert {kind.hook for kind in KINDS.values()} | {"chainrule_watchers"} == hooks


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
    assert not installed().broken
    for kind, names in promised.items():
        assert set(names.split()) <= set(installed().names(kind))


def test_a_stranger_s_component_is_made_by_name(install):
    registry = install("chainrule-lion", LION)
    assert registry.make("optimizer", "lion", {"lr": 1}).lr == 1.0
    assert str(registry.provider("optimizer", "lion")) == "chainrule-lion 1.0 (entry point 'chainrule_lion')"


def test_a_broken_plugin_is_reported_and_the_others_work(install):
    install("chainrule-lion", LION)
    registry = install("chainrule-bad", "import nothing_of_that_name")
    (broken,) = registry.broken
    assert str(broken).startswith(
        "plugin chainrule-bad 1.0 (entry point 'chainrule_bad') was skipped: "
        "ModuleNotFoundError: No module named 'nothing_of_that_name'"
    )
    assert registry.names("optimizer") == ["lion"]
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer=tiger is unknown.* plugin chainrule-bad 1.0"):
        registry.make("optimizer", "tiger", {})


def test_a_distribution_found_twice_counts_once(install):
    install("chainrule-lion", LION)
    registry = install("Chainrule_Lion", LION.replace("1e-4", "1e-3"), version="0.9")
    assert not registry.broken
    assert registry.make("optimizer", "lion", {}).lr == 1e-4


def test_two_plugins_with_one_name_are_both_named(install):
    install("chainrule-lion", LION)
    registry = install("chainrule-lioness", LION, "2.0")
    with pytest.raises(chainrule.ConfigurationError) as caught:
        registry.make("optimizer", "lion", {})
    assert str(caught.value) == (
        "optimizer=lion is provided twice, by chainrule-lion 1.0 (entry point 'chainrule_lion') and "
        "chainrule-lioness 2.0 (entry point 'chainrule_lioness'); uninstall one of them."
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            ("chainrule_optimizers", "chainrule_optimisers"),
            "there is no hook chainrule_optimisers (did you mean chainrule_optimizers?)",
        ),
        (("@dataclass(frozen=True)", ""), "Lion must be a dataclass"),
        (("def update", "def updated"), "Lion lacks update"),
        (
            ("return [Lion]", "return [int]"),
            "chainrule_optimizers returned <class 'int'>, which is no subclass of Optimizer",
        ),
        (("lr: Annotated", "name: str = 'x'\n    lr: Annotated"), "Lion has a parameter called 'name'"),
    ],
)
def test_a_plugin_that_breaks_its_contract_says_how(install, change, cause):
    (broken,) = install("chainrule-lion", LION.replace(*change)).broken
    assert cause in broken.cause


def test_a_plugin_whose_watchers_fail_is_reported_and_the_others_watch(install, caplog):
    source = "from chainrule import Watcher, hookimpl\n@hookimpl\ndef chainrule_watchers({}):\n    return [{}]\n"
    install("chainrule-bad", source.format("session", "1 / 0"))
    registry = install("chainrule-good", source.format("", "Watcher()"))
    assert len(registry.watchers(Session(interactive=False))) == 1
    assert "plugin chainrule-bad:chainrule_bad watches nothing" in caplog.text


def test_component_by_hand():
    assert chainrule.component("optimizer", "adam", lr=0.01).lr == 0.01
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer=adm is unknown \(did you mean 'adam'\?\)"):
        chainrule.component("optimizer", "adm")
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer.lr must be a number >= 0, not -1"):
        chainrule.component("optimizer", "adam", lr=-1)
    with pytest.raises(chainrule.ConfigurationError, match=r"'optimiser' is no kind \(did you mean 'optimizer'\?\)"):
        chainrule.component("optimiser", "adam")

"""What a plugin must be, and what is said of one that is not."""

import re

import pytest

from chainrule.cli.plugins import plugin_rows
from chainrule.errors import ConfigurationError
from chainrule.registry import hookspecs
from distributions import LYNX


@pytest.mark.parametrize(
    ("declared", "cure"),
    [(0, "upgrade the plugin"), (2, "upgrade chainrule")],
)
def test_a_plugin_for_another_interface_is_told_both_versions(install, declared, cure):
    (report,) = install("chainrule-lynx", f"CHAINRULE_API = {declared}\n{LYNX}").reports
    assert report == (
        "plugin chainrule-lynx 1.0 (entry point 'chainrule_lynx') was skipped: it is written for version "
        f"{declared} of the plugin interface, and this chainrule has version {hookspecs.API_VERSION}: {cure}"
    )


def test_a_version_of_the_interface_that_is_no_number_is_refused(install):
    (report,) = install("chainrule-lynx", f"CHAINRULE_API = '1'\n{LYNX}").reports
    assert report.endswith("its CHAINRULE_API is '1', which is no whole number")


def test_what_another_interface_lacks_is_not_blamed(install):
    source = "CHAINRULE_API = 2\nfrom chainrule import Quantizer\n"
    (report,) = install("chainrule-lynx", source).reports
    assert "it is written for version 2 of the plugin interface" in report


def test_the_present_interface_may_be_declared(install):
    assert install("chainrule-lynx", f"CHAINRULE_API = {hookspecs.API_VERSION}\n{LYNX}").names("optimizer") == ["lynx"]


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
        (("@dataclass(frozen=True)", ""), "Lynx must be a frozen dataclass: add @dataclass(frozen=True)"),
        (("(frozen=True)", ""), "Lynx must be a frozen dataclass: add @dataclass(frozen=True)"),
        (
            ("theta, grad, state, step):", "theta, grad, state):"),
            "Lynx.update(self, theta, grad, state) must take what ",
        ),
        (("return [Lynx]", "return [Lynx, Lynx]"), "it has two components optimizer=lynx"),
        (("return [Lynx]", "return Lynx"), "which is no list of classes"),
        (("(Optimizer)", "(Optimizer, name='Big Lynx')"), "names have small letters, digits and _ only"),
        (("Annotated[float", "Annotated[complex"), "parameters are float, int, bool, str"),
        (("def update", "def updated"), "Lynx lacks update"),
        (
            ("return [Lynx]", "return [int]"),
            "chainrule_optimizers returned <class 'int'>, which is no subclass of Optimizer",
        ),
        (("lr: Annotated", "name: str = 'x'\n    lr: Annotated"), "Lynx has a parameter called 'name'"),
    ],
)
def test_a_plugin_that_breaks_its_contract_says_how(install, change, cause):
    (report,) = install("chainrule-lynx", LYNX.replace(*change)).reports
    assert cause in report


RULE = """
from dataclasses import dataclass
from chainrule import Rule, hookimpl

@dataclass(frozen=True)
class Settles(Rule):
    def gradients(self, network, deltas, y_true, state):
        return []

@hookimpl
def chainrule_rules():
    return [Settles]
"""


@pytest.mark.parametrize(
    ("further", "cause"),
    [
        (
            "def error(self, layer, weights, deltas, state):\n        return 0",
            "Settles defines gradients, so that its error is never called: remove one of them",
        ),
        (
            "def adapt(self, weights, deltas, inputs, state, step, *, net):\n        pass",
            "Settles.adapt asks for 'net', which there is not (did you mean 'network'?); it may ask for network, lr, "
            "rng",
        ),
        (
            "def adapt(self, weights, deltas, state, step):\n        pass",
            "Settles.adapt(self, weights, deltas, state, step) must take what the contract gives it: "
            "adapt(weights, deltas, inputs, state, step)",
        ),
    ],
)
def test_a_rule_that_breaks_its_contract_says_how(install, further, cause):
    source = RULE.replace("\n@hookimpl", f"    {further}\n\n@hookimpl", 1)
    (report,) = install("chainrule-settles", source).reports
    assert cause in report


def test_without_hooks_the_public_classes_of_a_module_are_its_components(install):
    """Not those that it imports, begin with an underscore, or derive from no contract."""
    own = LYNX.partition("@hookimpl")[0]
    source = f"{own}\nfrom chainrule_optimizers import Adam\nAlias = Lynx\nclass Helper: pass\n"
    abstract = "class _Base(Optimizer):\n    def init(self, theta):\n        return {}\n"
    registry = install("chainrule-lynx", source + abstract)
    assert (registry.reports, registry.names("optimizer")) == ([], ["lynx"])


def test_a_class_that_is_broken_is_named_with_its_line_and_the_others_are_used(install):
    own = LYNX.partition("@hookimpl")[0]
    broken = (
        "class Base(Optimizer):\n    pass\n\n@dataclass(frozen=True)\nclass Odd(Optimizer):\n    lr: complex = 1j\n"
    )
    broken += "    def update(self, theta, grad, state, step): ...\n"
    source = own + broken
    registry = install("chainrule-lynx", source)
    line = 1 + source[: source.index("class Base")].count("\n")
    base, odd = registry.reports
    where = "of plugin chainrule-lynx 1.0 (entry point 'chainrule_lynx') was skipped: "
    assert base.startswith(f"optimizer=base {where}Base lacks update (")
    assert base.endswith(f"chainrule_lynx.py, line {line})")
    assert odd.startswith(f"optimizer=odd {where}chainrule_lynx.Odd.lr has type <class 'complex'>;")
    assert odd.endswith(f"chainrule_lynx.py, line {line + 3})")
    assert registry.names("optimizer") == ["lynx"]
    with pytest.raises(ConfigurationError, match=r"^optimizer=base cannot be used: Base lacks update \(.*, line "):
        registry.find("optimizer", "base")
    assert [each["parameters"] for each in plugin_rows(registry)[0]["components"]][1:] == [[], []]


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
    assert re.sub(r" \(\S+, line \d+\)$", "", report).endswith(cause)


TRANSFORM = """
from dataclasses import dataclass

from chainrule import Transform, hookimpl


@dataclass(frozen=True)
class Idle(Transform):
    def {method}(self, theta{arguments}):
        return theta


@hookimpl
def chainrule_transforms():
    return [Idle]
"""


@pytest.mark.parametrize(
    ("method", "arguments", "cause"),
    [
        ("penalty", "", "Idle changes nothing: it lacks gradient, after, kept, of which one is enough"),
        ("after", ", state, step, *, before, lr, rng, shape", None),
        (
            "after",
            ", state, step, *, befor",
            "Idle.after asks for 'befor', which there is not (did you mean 'before'?)",
        ),
        ("after", ", state, step, *, problem", "it may ask for shape, lr, before, rng"),
        ("kept", ", state, *, shape", "Idle.kept asks for 'shape', which there is not; it gets no optional arguments"),
        ("after", ", step", "Idle.after(self, theta, step) must take what the contract gives it: after(theta, state, "),
    ],
)
def test_a_transform_changes_something_and_asks_for_what_there_is(install, method, arguments, cause):
    reports = install("chainrule-idle", TRANSFORM.format(method=method, arguments=arguments)).reports
    assert not reports if cause is None else cause in reports[0]


LEARNED = """
from dataclasses import dataclass
from chainrule import Activation, hookimpl

@dataclass(frozen=True)
class Learned(Activation):
    gain: float = 1.0
    power: int = 2
    trained = ("gain",)

    def forward(self, z):
        return self.gain * z

    def slope(self, z, a):
        return self.gain + 0 * z

    def field_gradient(self, name, grad_a, z, a):
        return grad_a * z

@hookimpl
def chainrule_activations():
    return [Learned]
"""


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (('("gain",)', '("gian",)'), "Learned trains 'gian', which is no float field; it has gain"),
        (('("gain",)', '("power",)'), "Learned trains 'power', which is no float field; it has gain"),
        (('("gain",)', '("gain", "gain")'), "Learned names 'gain' twice in trained and trained_per_unit"),
        (("def field_gradient", "def gradient"), "Learned lacks field_gradient, by which gain would be trained"),
        (("power: int", "pieces = 0\n    power: int"), "Learned.pieces is 0; it must be a whole number, 1 at least"),
        (
            ("power: int", "pieces = 2.0\n    power: int"),
            "Learned.pieces is 2.0; it must be a whole number, 1 at least",
        ),
        (
            ("power: int", "pieces = 2\n    power: int"),
            "Learned has several pieces and lacks backward; a slope is that of one",
        ),
        (("power: int", "pieces: int"), "Learned has several pieces and lacks backward; a slope is that of one"),
        (
            ("forward(self, z)", "forward(self, z, *, epoch)"),
            "which there is not; it may ask for out, rng, layer, training, state",
        ),
    ],
)
def test_an_activation_that_would_fail_in_training_is_refused(install, change, cause):
    (report,) = install("chainrule-learned", LEARNED.replace(*change)).reports
    assert re.sub(r" \(\S+, line \d+\)$", "", report).endswith(cause)


def test_an_activation_that_can_be_trained_is_taken(install):
    assert install("chainrule-learned", LEARNED).names("activation") == ["learned"]

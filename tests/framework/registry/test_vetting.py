"""What a plugin must be, and what is said of one that is not."""

import pytest

from chainrule.registry import hookspecs
from distributions import LION


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
        (("forward(self, z)", "forward(self, z, *, epoch)"), "which there is not; it may ask for out, rng, layer"),
    ],
)
def test_an_activation_that_cannot_be_trained_is_refused(install, change, cause):
    (report,) = install("chainrule-learned", LEARNED.replace(*change)).reports
    assert report.endswith(cause)


def test_an_activation_that_can_be_trained_is_taken(install):
    assert install("chainrule-learned", LEARNED).names("activation") == ["learned"]

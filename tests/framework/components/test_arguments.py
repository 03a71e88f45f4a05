"""Optional arguments are looked up by signature, and refused where there are none."""

from dataclasses import dataclass

import pytest

from chainrule.components.arguments import asked, given, offered, takes_out
from chainrule.components.contracts import Activation, Optimizer, Rule
from chainrule.errors import PluginError
from chainrule.registry.kinds import KINDS
from chainrule.registry.vetting import require_contract


@dataclass(frozen=True)
class Plain(Optimizer):
    def update(self, theta, grad, state, step):
        state["seen"] = ()


@dataclass(frozen=True)
class Asks(Optimizer):
    def init(self, theta, rng):
        return {"seen": (theta, rng)}

    def update(self, theta, grad, state, step, *, problem, shape):
        state["seen"] = (problem, shape)


@dataclass(frozen=True)
class Inherits(Asks):
    pass


OFFERED = {"shape": "the shape", "problem": "the problem", "rng": "the generators"}


def test_what_a_contract_offers_is_known_of_its_components():
    for cls in (Optimizer, Plain, Asks, Inherits):
        assert offered(cls, "update") == ("shape", "problem", "rng")
        assert offered(cls, "init") == ("shape", "rng")
        assert offered(cls, "kept") == ()
    assert offered(Activation, "forward") == ("out", "rng", "layer", "training", "state")
    assert offered(Rule, "error") == ("out", "y_true", "inputs", "z")
    assert offered(Rule, "gradient") == ("out", "state")
    assert offered(Rule, "gradients") == ("rng",)
    assert offered(Rule, "adapt") == ("network", "lr", "rng")


@pytest.mark.parametrize("cls", [Asks, Inherits])
def test_a_method_receives_what_it_names_and_nothing_else(cls):
    assert asked(cls, "update") == ("shape", "problem")
    state = given(cls(), "init", **OFFERED)("theta")
    assert state == {"seen": ("theta", "the generators")}
    given(cls(), "update", **OFFERED)(None, None, state, 1)
    assert state == {"seen": ("the problem", "the shape")}


def test_a_method_that_asks_for_nothing_is_called_as_it_is():
    plain = Plain()
    assert asked(Plain, "update") == ()
    assert given(plain, "update", **OFFERED) == plain.update


def test_out_is_a_name_like_any_other():
    assert takes_out(lambda z, out=None: z)
    assert not takes_out(lambda z: z)


def refusal(**methods):
    cls = dataclass(frozen=True)(type("Own", (Plain,), methods))
    with pytest.raises(PluginError) as error:
        require_contract(KINDS["optimizer"], cls)
    return str(error.value)


def test_what_there_is_not_is_refused_with_what_there_is():
    assert refusal(update=lambda self, theta, grad, state, step, *, rgn: None) == (
        "Own.update asks for 'rgn', which there is not (did you mean 'rng'?); it may ask for shape, problem, rng"
    )
    assert "asks for 'layers', which there is not; it may" in refusal(update=lambda s, t, g, a, n, layers: None)
    assert "it may ask for shape, rng" in refusal(init=lambda self, theta, problem: {})
    assert "asks for 'step', which there is not; it gets no optional" in refusal(kept=lambda self, t, s, step: t)
    misspelt = refusal(update=lambda self, theta, grad, state, step, *, problm=None: None)
    assert "did you mean 'problem'?" in misspelt, "though it has a default"
    assert "must take what the contract gives it: update(theta, grad, state, step)" in refusal(
        update=lambda self, theta, grad, *, rng: None
    )


@pytest.mark.parametrize(
    "update",
    [
        lambda self, t, g, s, n: None,
        lambda self, t, g, s, n, rng: None,
        lambda self, t, g, s, n, *, rng, shape: None,
        lambda self, *anything: None,
        lambda self, t, g, s, n, scale=2: None,
        lambda self, t, g, s, n, rng=None, **further: None,
    ],
)
def test_everything_that_can_be_called_is_accepted(update):
    require_contract(KINDS["optimizer"], dataclass(frozen=True)(type("Own", (Plain,), {"update": update})))

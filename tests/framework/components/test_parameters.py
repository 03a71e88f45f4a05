"""Typed, bounded, documented fields."""

import enum
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval, doc

import chainrule
from chainrule.components.parameters import build, parameters, plain, plain_defaults
from chainrule.errors import ConfigurationError, PluginError


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True)
class Example:
    lr: Annotated[float, Gt(0), doc("learning rate")] = 0.1
    beta: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    steps: Annotated[int, Ge(1)] = 3
    mode: Mode = Mode.FAST
    widths: Annotated[tuple[int, ...], Ge(1)] = (2, 2)
    path: str | None = None
    loud: bool = False


def test_fields_are_described():
    found = parameters(Example)
    assert found["lr"].description == "learning rate"
    assert found["lr"].wanted() == "a number > 0"
    assert found["beta"].wanted() == "a number >= 0 and < 1"
    assert found["widths"].wanted() == "a list, each entry a whole number >= 1"
    assert found["mode"].wanted() == "one of fast, slow"
    assert [name for name, p in found.items() if p.is_stackable] == ["lr", "beta"]


def test_plain_data_and_back():
    example = build(Example, {"lr": 1, "mode": "slow", "widths": [3], "path": "x.csv"}, "it")
    assert example == Example(lr=1.0, mode=Mode.SLOW, widths=(3,), path="x.csv")
    assert build(Example, plain(example), "it") == example
    assert plain_defaults(Example)["mode"] == "fast"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 0}, "it.lr must be a number > 0, not 0."),
        ({"lr": "abc"}, "it.lr must be a number > 0, not 'abc'."),
        ({"lr": float("nan")}, "it.lr must be a number > 0, not nan."),
        ({"lr": True}, "it.lr must be a number > 0, not True."),
        ({"lr": None}, "it.lr must be a number > 0, not null."),
        ({"steps": 1.5}, "it.steps must be a whole number >= 1, not 1.5."),
        ({"beta": 1}, "it.beta must be a number >= 0 and < 1, not 1."),
        ({"widths": [2, 0]}, "it.widths[1] must be a whole number >= 1, not 0."),
        ({"widths": 2}, "it.widths must be a list, each entry a whole number >= 1, not 2."),
        ({"widths": "2"}, "it.widths must be a list, each entry a whole number >= 1, not '2'."),
        ({"mode": "slwo"}, "it.mode must be one of fast, slow, not 'slwo' (did you mean 'slow'?)."),
        ({"loud": 1}, "it.loud must be true or false, not 1."),
        (
            {"stepz": 1},
            "it.stepz is not a parameter of it (did you mean 'steps'?); "
            "it takes lr, beta, steps, mode, widths, path, loud.",
        ),
    ],
)
def test_a_wrong_value_gives_one_sentence(values, sentence):
    with pytest.raises(ConfigurationError) as caught:
        build(Example, values, "it")
    assert str(caught.value) == sentence


def test_a_required_value():
    @dataclass(frozen=True)
    class Needy:
        path: str

    with pytest.raises(ConfigurationError, match=r"^it.path is missing: give it text.$"):
        build(Needy, {}, "it")


def test_a_type_that_options_cannot_hold():
    @dataclass(frozen=True)
    class Odd:
        table: dict[str, int]

    with pytest.raises(PluginError, match=r"Odd.table has type dict\[str, int\]; parameters are float"):
        parameters(Odd)


def test_scalars_of_numpy_are_numbers():
    assert chainrule.component("optimizer", "adam", lr=np.float64(0.01)).lr == 0.01
    assert type(chainrule.component("optimizer", "adam", lr=np.float32(0.5)).lr) is float
    with pytest.raises(chainrule.ConfigurationError, match="must be a number"):
        chainrule.component("optimizer", "adam", lr=np.bool_(True))

"""An error names the plugin that has caused it."""

from pathlib import Path

import pytest

import chainrule
from chainrule.errors import PluginError
from chainrule.registry import loaded
from chainrule.registry.blame import blamed
from chainrule.registry.loaded import installed

SOURCE = """
from dataclasses import dataclass
import numpy as np
from chainrule import Loss

@dataclass(frozen=True)
class Odd(Loss):
    def value(self, y_pred, y_true):
        raise ValueError("odd")

    def gradient(self, y_pred, y_true):
        return y_pred
"""


@pytest.fixture
def registry(afresh):
    Path("conf").mkdir()
    Path("plugins").mkdir()
    Path("plugins/odd.py").write_text(SOURCE)
    yield installed()
    loaded._loaded_once.cache_clear()


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    pytest.fail("it raised nothing")


def test_by_the_code_that_raised_it(registry):
    odd = registry.make("loss", "odd", {})
    error = caught(odd.value, 1, 2)
    assert blamed(error, registry) == (
        f"plugin plugins/odd.py raised ValueError: odd (value in {Path('plugins/odd.py').absolute()}, line 9)"
    )


def test_by_what_the_run_uses(registry):
    error = caught(int, "x")
    uses, uses_not = (chainrule.settings(f"loss={name}") for name in ("odd", "huber"))
    assert blamed(error, registry, uses) == (
        "ValueError: invalid literal for int() with base 10: 'x' (this run uses the plugin plugins/odd.py)"
    )
    assert blamed(error, registry, uses_not) is None
    assert blamed(error, registry) is None
    assert blamed(PluginError("Odd.value is odd."), registry, uses) == (
        "Odd.value is odd (this run uses the plugin plugins/odd.py)"
    )


def test_what_the_person_did_is_no_plugin_s_fault(registry):
    assert blamed(chainrule.ConfigurationError("no"), registry, chainrule.settings("loss=odd")) is None

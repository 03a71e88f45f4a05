"""``@chainrule.plugin``: at once usable, replaced when it is declared again, refused where it cannot be."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
import distributions
from chainrule.errors import PluginError
from chainrule.registry import loaded
from distributions import BENT

pytestmark = pytest.mark.usefixtures("afresh")


def softsign(usual=1.0, name="softsign"):
    """Declare an activation, as a cell of a notebook does."""

    @chainrule.plugin
    @dataclass(frozen=True)
    class Softsign(chainrule.Activation, name=name):
        """``a = z / (1 + |z|)``, times a slope."""

        factor: float = usual

        def forward(self, z):
            return self.factor * z / (1 + np.abs(z))

        def slope(self, z, a):
            return self.factor / (1 + np.abs(z)) ** 2

    return Softsign


def test_a_declared_class_is_a_choice_at_once_and_is_replaced():
    first = softsign()
    assert isinstance(chainrule.component("activation", "softsign"), first)
    chainrule.settings("activation=softsign", "output=softsign", "activation.factor=0.5")
    second = softsign(2.0)
    assert isinstance(chainrule.component("activation", "softsign"), second)
    assert chainrule.settings("activation=softsign").activation.factor == 2.0
    assert loaded.found().names("activation").count("softsign") == 1


def test_its_source_is_in_the_record(tmp_path):
    softsign()
    chainrule.run("activation=softsign", "training.epochs=1", "tracking=none", directory=tmp_path / "run")
    plugins = chainrule.load(tmp_path / "run").record.manifest.plugins
    name = f"{__name__}:softsign.<locals>.Softsign"
    assert plugins[name] == {"version": "", "sha256": loaded.found().provider("activation", "softsign").digest}


def test_runs_in_a_stack_have_the_bytes_of_runs_alone():
    softsign()
    lists = [["activation=softsign", "training.epochs=3", f"seed={seed}"] for seed in range(3)]
    for overrides, result in zip(lists, chainrule.train(lists), strict=True):
        assert chainrule.run(*overrides).theta.tobytes() == result.theta.tobytes()


def test_the_name_of_a_plugin_s_component_is_refused_once():
    softsign(name="tanh")
    with pytest.raises(PluginError, match=r"chainrule .* has activation=tanh already: give the class another name"):
        loaded.found()
    assert type(chainrule.component("activation", "tanh")).__name__ == "Tanh"


def test_in_a_notebook_a_name_is_refused_in_its_cell(monkeypatch):
    def declare():
        @dataclass(frozen=True)
        class Tanh(chainrule.Activation):
            def forward(self, z):
                return z

            def slope(self, z, a):
                return z

        Tanh.__module__ = "__main__"
        return chainrule.plugin(Tanh)

    with pytest.raises(PluginError, match="has activation=tanh already"):
        declare()


def test_what_is_no_component_is_refused():
    with pytest.raises(PluginError, match="for classes that derive from a contract such as chainrule"):
        chainrule.plugin(int)
    with pytest.raises(PluginError, match=r"Half must be a frozen dataclass: add @dataclass\(frozen=True\)"):

        @chainrule.plugin
        class Half(chainrule.Activation):
            def forward(self, z):
                return z / 2

            def slope(self, z, a):
                return z / z / 2


def test_in_a_module_that_is_a_plugin_the_decorator_does_nothing(tmp_path, monkeypatch):
    source = BENT.replace("from chainrule", "import chainrule\nfrom chainrule")
    source = source.replace("@dataclass", "@chainrule.plugin\n@dataclass")
    distributions.plugin_folder(tmp_path, mine=source)
    assert loaded.found().provider("activation", "bent").key == "plugins/mine.py:mine"
    assert not loaded.declared()
    # Nor in one that is installed, if it is imported before it is found.
    site = tmp_path / "site"
    distributions.install(site, "chainrule-curved", source.replace("Bent", "Curved"))
    monkeypatch.syspath_prepend(site)
    import chainrule_curved

    loaded._loaded_once.cache_clear()
    assert loaded.found().find("activation", "curved") is chainrule_curved.Curved
    assert loaded.found().provider("activation", "curved").distribution == "chainrule-curved"
    del sys.modules["chainrule_curved"]

"""Classes that a program declares, and how they reach other processes."""

import pickle
import sys
import threading
import types
from pathlib import Path

import pytest

import distributions
import forking
from chainrule.errors import PluginError
from chainrule.registry.declared import Declared, Parcel, declare, declared, forget
from chainrule.registry.providers import ClassProvider, FileProvider
from distributions import BENT

pytestmark = pytest.mark.usefixtures("afresh")

# As in a notebook: neither the class nor what it uses can be imported elsewhere.
CELL = """
import dataclasses
import numpy as np
import chainrule

def absolute(z):
    return np.abs(z)

@dataclasses.dataclass(frozen=True)
class Bent(chainrule.Activation):
    bend: float
    many: tuple[float, ...] = dataclasses.field(default_factory=tuple)
    def forward(self, z):
        return z / (1 + absolute(z) / self.bend)
    def slope(self, z, a):
        return 1 / (1 + absolute(z) / self.bend) ** 2
"""


def made(monkeypatch, source=CELL):
    """The class that a cell of a notebook defines."""
    program = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", program)
    exec(source, vars(program))
    return program.Bent


def parcel_of(cls):
    return Parcel.of([], [Declared("activation", cls, ClassProvider("__main__", "", "Bent", "__main__", b"source"))])


# In another process, because this one would find the very class that it has pickled.
ARRIVE = """
import dataclasses, pathlib, pickle
from chainrule.components.parameters import parameters
(one,) = pickle.loads(pathlib.Path("parcel").read_bytes()).declared()
bend = parameters(one.component)["bend"].default is dataclasses.MISSING
print(one.provider, one.component.name, one.component(bend=2.0).forward(-4.0), one.component(bend=1.0).many, bend)
"""


def test_a_class_that_cannot_be_imported_arrives_whole(monkeypatch):
    Path("parcel").write_bytes(pickle.dumps(parcel_of(made(monkeypatch))))
    done = forking.python("-c", ARRIVE)
    assert (done.stdout, done.stderr) == (f"the class Bent of __main__ bent {-4 / 3} () True\n", "")


def test_what_cannot_be_pickled_or_unpickled_is_named(monkeypatch):
    cls = made(monkeypatch, CELL.replace("return np.abs(z)", "return LOCK"))
    sys.modules["__main__"].LOCK = threading.Lock()
    with pytest.raises(PluginError, match=r"the class Bent of __main__ cannot be sent .*TypeError: cannot pickle"):
        parcel_of(cls)
    (whole,) = parcel_of(made(monkeypatch)).classes
    parcel = Parcel((), ((*whole[:-1], b"?"),))
    with pytest.raises(PluginError, match="the class Bent of __main__ does not reach a process that trains it"):
        parcel.declared()


def test_the_source_is_that_of_the_file_or_of_the_cell(tmp_path, monkeypatch):
    (tmp_path / "ideas.py").write_text(BENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ideas", raising=False)
    import ideas

    assert declare("activation", ideas.Bent, "elsewhere").provider.source == BENT.encode()
    (tmp_path / "ideas.py").write_text(f"{BENT}# changed\n")
    assert declare("activation", ideas.Bent, "elsewhere").provider.source.endswith(b"# changed\n")
    (one,) = declared()
    assert one.provider.key == "ideas:Bent"
    forget(one)
    assert not declared()
    monkeypatch.delitem(sys.modules, "ideas")


def test_without_a_source_nothing_is_declared(monkeypatch):
    with pytest.raises(PluginError, match="the source of Bent cannot be read, so no record could say what was trained"):
        declare("activation", made(monkeypatch), "<stdin>")
    assert not declared()


def test_a_file_is_sent_as_it_was_executed(tmp_path):
    path = distributions.plugin_folder(tmp_path, mine=BENT) / "mine.py"
    parcel = Parcel.of([FileProvider.of(path)], [])
    path.unlink()
    (provider,) = parcel.files
    assert provider.load().Bent.name == "bent"
    del sys.modules[provider.module]

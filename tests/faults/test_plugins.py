"""Plugins that misbehave: a sentence that names each, and nothing else changes."""

import json
import logging
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from answering import REFUSED, chainrule
from chainrule.registry import loaded

SHORT = ["training.epochs=2", "data.samples=12", "network.hidden=[3]", "tracking=none", "plugins.block=[pictures]"]
PLUGIN = """
import sys
import threading
import warnings
from dataclasses import dataclass

import numpy as np

from chainrule import Activation


class RudeError(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


@dataclass(frozen=True)
class Bad(Activation):
    def forward(self, z):
        {deed}
        return np.tanh(z)

    def slope(self, z, a):
        return 1 - a**2
"""
WHOSE = "plugins/bad.py"
RAISED = f"plugin {WHOSE} raised "
USED = f"(this run uses the plugin {WHOSE})"
# What is done in a forward pass, and what is said of it.
DEEDS = {
    "raises": ("raise ValueError('oh')", [f"{RAISED}ValueError: oh (forward in ", "bad.py, line 23)"]),
    "raises with a long text": ("raise ValueError('x' * 70_000)", [f"{RAISED}ValueError: xxx", "x ... (forward in "]),
    "raises what cannot be said": ("raise RudeError", [f"{RAISED}RudeError (forward in "]),
    "raises a sentence of ours": ("import chainrule; raise chainrule.PluginError('y' * 70_000)", ["yyy ... yyy", USED]),
    "ends the process": ("sys.exit(3)", [f"{RAISED}SystemExit: 3"]),
    "ends the process well": ("sys.exit()", [f"{RAISED}SystemExit (forward in"]),
    "recurs": ("return self.forward(z)", [f"{RAISED}RecursionError"]),
    "takes all memory": ("np.empty((10**9, 10**6))", [f"{RAISED}", "MemoryError"]),
    "returns nothing": ("return None", ["Bad.forward returned an array of shape ()", USED]),
    "returns fewer units": ("return z[:, :1]", ["Bad.forward returned an array of shape (1, 1, ", USED]),
    "returns another order": ("return z.ravel()", ["Bad.forward returned an array of shape (", USED]),
    "returns a number": ("return 3.0", ["Bad.forward returned an array of shape ()", USED]),
    "returns text": ("return 'a'", ["Bad.forward returned an array of shape ()", USED]),
    "returns complex numbers": ("return z * 1j", ["Cannot cast", USED]),
    "returns objects": ("return z.astype(object)", ["Cannot cast", USED]),
    "computes with huge numbers": ("return z * 10**400", [f"{RAISED}OverflowError"]),
    "returns NaN": ("return z * np.nan", []),
    "changes its input": ("z *= 0", []),
    "prints": ("print('hello')", []),
    "warns": ("warnings.warn('careful')", []),
    "lets NumPy raise": ("np.seterr(all='raise')", []),
    "seeds NumPy": ("np.random.seed(0)", []),
    "changes what is printed": ("np.set_printoptions(precision=1)", []),
    "starts a thread that fails": ("threading.Thread(target=int, args=('x',)).start()", []),
}
IMPORTED = {
    "raises": ("raise ValueError('oh')", "ValueError: oh ("),
    "raises what cannot be said": (
        "class E(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise E",
        "was skipped: E (",
    ),
    "raises with a long text": ("raise ValueError('x' * 70_000)", "ValueError: xxx"),
    "ends the process": ("import sys\nsys.exit(0)", "was skipped: SystemExit: 0"),
    "is no Python": ("def (", "SyntaxError"),
    "has a hook that raises": (
        "from chainrule import hookimpl\n@hookimpl\ndef chainrule_losses():\n    raise ValueError('oh')",
        "ValueError: oh",
    ),
    "has a hook that returns nothing": (
        "from chainrule import hookimpl\n@hookimpl\ndef chainrule_losses():\n    return None",
        "chainrule_losses returned None, which is no list of classes",
    ),
    "has a hook that returns something else": (
        "from chainrule import hookimpl\nclass R:\n    def __repr__(self):\n        return 'r' * 70_000\n"
        "@hookimpl\ndef chainrule_losses():\n    return [R()]",
        "which is no subclass of Loss",
    ),
    "has watchers that are none": (
        "from chainrule import hookimpl\n@hookimpl\ndef chainrule_watchers():\n    return [3]",
        "plugin plugins/bad.py:bad provides no watcher: chainrule_watchers returned 3, which is no Watcher",
    ),
    "has watchers that raise": (
        "from chainrule import Watcher, hookimpl\nclass Mean(Watcher):\n    def stack_started(self, start):\n"
        "        raise ValueError('oh')\n@hookimpl\ndef chainrule_watchers():\n    return [Mean()]",
        "Mean failed in stack_started and is left out from now on",
    ),
}


@pytest.fixture(autouse=True)
def _afresh(monkeypatch):
    """Plugins are found anew for each command, and NumPy and logging are afterwards as before."""
    monkeypatch.setattr(loaded, "_received", None)
    loaded._loaded_once.cache_clear()
    with np.errstate(), np.printoptions(), warnings.catch_warnings():
        warnings.simplefilter("default")  # the tests make errors of them
        yield
    logging.disable(logging.NOTSET)
    loaded._loaded_once.cache_clear()


def files(source):
    return {"conf/empty.yaml": "", "plugins/bad.py": f"import chainrule\n{source}"}


def results(place):
    """What runs have learned, by the activation in their configuration."""
    found = {}
    for path in Path(place).rglob("manifest.json"):
        name = json.loads(path.read_text())["configuration"]["activation"]["name"]
        found[name] = [(path.parent / file).read_bytes() for file in ("weights.npz", "curves.npz")]
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a run has learned where there is no such plugin."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("alone"))
    try:
        loaded._loaded_once.cache_clear()
        done = chainrule("activation=tanh", *SHORT, watched=True)
    finally:
        os.chdir(before)
    assert done.code == 0
    return results(done.place)["tanh"]


FEW = {"raises", "raises what cannot be said", "ends the process", "returns fewer units", "returns NaN"}


def cases(known, few):
    """Cases by their names; those that are not among a few are tried where there is time."""
    return [pytest.param(*known[name], id=name, marks=[pytest.mark.slow] * (name not in few)) for name in known]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(("deed", "words"), cases(DEEDS, FEW))
def test_in_a_run(deed, words):
    done = chainrule("activation=bad", *SHORT, files=files(PLUGIN.replace("{deed}", deed)), watched=True)
    assert done.code == (REFUSED if words else 0), done.err
    if words:
        sentence = done.err.splitlines()[-1]
        assert all(word in sentence for word in words), sentence
        assert len(sentence) < 2500
        (failure,) = done.place.rglob("failure.json")
        assert not list(done.place.rglob("manifest.json"))
        assert json.loads(failure.read_text())["error"] in sentence
    else:
        assert len(results(done.place)) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_in_a_sweep_the_other_runs_have_the_bits_that_they_have_without_them(alone, extent):
    """All of them misbehave in one process, one after the other; the run that does not comes last."""
    tried = extent(few=["raises", "lets NumPy raise"], ci=list(DEEDS), all=list(DEEDS))
    sources = {
        f"plugins/bad{number}.py": f"import chainrule\n{PLUGIN}".replace("{deed}", DEEDS[name][0]).replace(
            "class Bad(", f"class Bad{number}("
        )
        for number, name in enumerate(tried)
    }
    chosen = "activation=" + ",".join([*(f"bad{number}" for number in range(len(tried))), "tanh"])
    alike = ("-m", chosen, *SHORT, "hydra.launcher.workers=1")
    done = chainrule(*alike, files={"conf/empty.yaml": "", **sources}, watched=True, longest=120)
    assert done.code == REFUSED, done.err
    found = results(done.place)
    assert found["tanh"] == alone
    failures = {int(path.parent.name): path.read_text() for path in done.place.rglob("failure.json")}
    for number, name in enumerate(tried):
        words = [word.replace("bad.py", f"bad{number}.py").replace("Bad.", f"Bad{number}.") for word in DEEDS[name][1]]
        assert (number in failures, f"bad{number}" in found) == (bool(words), not words), name
        assert not words or all(word in json.loads(failures[number])["error"] for word in words), name
    assert f"{len(failures)} of {len(tried) + 1} runs" in done.err


@pytest.mark.parametrize(
    ("source", "sentence"), cases(IMPORTED, {"raises", "raises with a long text", "has watchers that raise"})
)
def test_in_its_import_and_its_hooks(source, sentence, alone, caplog):
    done = chainrule("activation=tanh", *SHORT, files=files(source), watched=True)
    said = done.err + done.out + caplog.text
    assert done.code == 0, said
    assert sentence in said
    assert WHOSE in said or "Mean" in said
    assert max(map(len, done.err.splitlines() or [""])) < 1000
    assert results(done.place)["tanh"] == alone

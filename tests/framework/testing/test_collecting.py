"""The checks as items of pytest, in a project of an author's own."""

import importlib.metadata
import json
import os
import sys
import time
import tomllib

import pytest

import forking
from chainrule.errors import ChainruleError, PluginError
from chainrule.registry.registry import Registry
from chainrule.testing import REQUIRED, check_distribution, described, kit
from chainrule.testing.collecting import Selection
from rooms import ROOT
from sizes import one_in

pytest_plugins = "pytester"

LYNX = '''
"""A plugin."""
from dataclasses import dataclass
from typing import Annotated, ClassVar
from pathlib import Path
import numpy as np
from annotated_types import Gt, Interval, doc
from chainrule import Optimizer, Target, hookimpl

@dataclass(frozen=True)
class Lynx(Optimizer):
    """Steps of one size (Chen et al. 2023)."""

    lr: Annotated[float, Gt(0), doc("rate")] = 1e-4
    beta: Annotated[float, Interval(ge=0, lt=1), doc("decay")] = 0.9

    def init(self, theta):
        return {"mean": np.zeros_like(theta)}

    def update(self, theta, grad, state, step):
        theta -= self.lr * np.sign(state["mean"] + grad)
        state["mean"] *= self.beta
        state["mean"] += (1 - self.beta) * grad

@hookimpl
def chainrule_optimizers():
    return [Lynx]
'''
POINTS = '''
@dataclass(frozen=True)
class Points(Target):
    """Multiples."""

    path: Annotated[str, doc("file with a factor")]
    inputs: ClassVar = 1
    outputs: ClassVar = 1

    def __call__(self, x):
        return x * float(Path(self.path).read_text())

@hookimpl
def chainrule_targets():
    return [Points]
'''
ENTRIES = "[chainrule]\nlynx = chainrule_lynx\n"
ITEMS = len(described()["optimizer"]) + 1


@pytest.fixture
def project(pytester, monkeypatch):
    """Return a function that writes a project, as if it were installed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytester.path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def write(source=LYNX, options="", entries=ENTRIES, name="chainrule-lynx"):
        pytester.makepyprojecttoml(
            f'[project]\nname = "{name}"\n[tool.pytest.ini_options]\naddopts = "-p chainrule.testing"\n'
            f'filterwarnings = ["error"]\n{options}'
        )
        (pytester.path / "chainrule_lynx.py").write_text(source)
        (pytester.path / "test_own.py").write_text("def test_own():\n    pass\n")
        info = pytester.path / "chainrule_lynx-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chainrule-lynx\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entries)
        return pytester

    return write


def run(author, *arguments):
    """Run pytest in a process of its own."""
    begin = time.monotonic()
    temporary = f"--basetemp={author.path / 'temporary'}"
    done = forking.python(*forking.PYTEST, temporary, *arguments, folder=author.path)
    lines = done.stdout.splitlines(), done.stderr.splitlines()
    return pytest.RunResult(done.returncode, *lines, time.monotonic() - begin)


@pytest.mark.slow  # it checks all that is there
def test_one_line_in_pyproject_checks_everything_that_is_registered(project):
    done = run(project(), "-v")
    done.assert_outcomes(passed=ITEMS + 1)
    done.stdout.fnmatch_lines(["chainrule-lynx::optimizer=lynx::descends PASSED*", "*::complete PASSED*"])


def test_checks_are_chosen_by_k(project):
    run(project(), "-k", "lynx and descends").assert_outcomes(passed=1, deselected=ITEMS)


def test_a_run_of_single_files_checks_nothing_else(project):
    author = project()
    run(author, "test_own.py").assert_outcomes(passed=1)
    run(author, "test_own.py::test_own").assert_outcomes(passed=1)
    done = run(author, "test_own.py", "--chainrule-results", "all.json")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--chainrule-results needs a run of all tests: name folders, or nothing."])


TYPED = {
    "nothing": ([], ITEMS + 1),
    "folder of all": (["."], ITEMS + 1),
    "another folder": (["folder"], ITEMS),
    "file": (["test_own.py"], 1),
    "test": (["test_own.py::test_own"], 1),
}


@pytest.mark.parametrize(
    ("name", "processes"),
    [
        *one_in(len(TYPED), [(name, []) for name in TYPED]),
        *(pytest.param(name, ["-n", "1"], marks=pytest.mark.slow) for name in ("nothing", "file")),
    ],
)
def test_files_that_the_configuration_names_are_not_typed(project, name, processes):
    author = project(options='testpaths = ["test_own.py"]\n')
    (author.path / "folder").mkdir()
    typed, items = TYPED[name]
    run(author, *processes, *typed).assert_outcomes(passed=items)


@pytest.mark.slow
def test_processes_of_xdist_share_the_checks_and_one_file_has_all_results(project):
    author = project()
    done = run(author, "-n", "2", "--chainrule-results", "all.json", ".")
    done.assert_outcomes(passed=ITEMS + 1)
    content = json.loads((author.path / "all.json").read_text())
    assert content["distribution"] == "chainrule-lynx"
    assert {result["check"] for result in content["results"]} == {*described()["optimizer"], kit.COMPLETE}
    (complete,) = (result for result in content["results"] if result["check"] == kit.COMPLETE)
    # It has parameters, and draws nothing, so that two more apply.
    assert complete["figures"] == {"ran": REQUIRED["optimizer"] + 2, "required": REQUIRED["optimizer"]}


def test_a_failure_is_one_sentence(project):
    author = project(LYNX.replace("theta -=", "theta +="))
    done = run(author, "-k", "lynx", "--chainrule-results", "all.json")
    done.assert_outcomes(passed=ITEMS - 1, failed=1, deselected=1)
    lines = done.stdout.lines
    title = next(at for at, line in enumerate(lines) if " chainrule-lynx::optimizer=lynx::descends " in line)
    assert lines[title + 1].startswith("Lynx.update takes the loss of a quadratic from 2.2 to ")
    assert lines[title + 2].startswith("====")
    results = json.loads((author.path / "all.json").read_text())["results"]
    (failed,) = (result for result in results if result["outcome"] == "failed")
    assert failed["message"] == lines[title + 1]


def test_expected_failures_need_a_reason_and_something_to_expect(project):
    climbs = LYNX.replace("theta -=", "theta +=")
    options = 'chainrule_expected_failures = ["{}"]\n'
    author = project(climbs, options.format("optimizer=lynx descends: it climbs, as published"))
    done = run(author, "-k", "lynx", "-rx")
    done.assert_outcomes(passed=ITEMS - 1, xfailed=1, deselected=1)
    done.stdout.fnmatch_lines(
        ["XFAIL chainrule-lynx::optimizer=lynx::descends - it climbs, as published: Lynx.update *"]
    )
    done = run(author, "-k", "stacking", "-o", "chainrule_expected_failures=optimizer=lynx stacking: x")
    done.stdout.fnmatch_lines(["It passes, but is expected to fail (x); remove the expectation."])


def test_examples_are_paths_from_the_root_and_values_as_in_yaml(project):
    author = project(LYNX + POINTS, 'chainrule_examples = ["target=points target.path=factor.txt"]\n')
    (author.path / "factor.txt").write_text("2")
    (author.path / "folder").mkdir()
    run(author, "-k", "points", "--rootdir", ".", "folder").assert_outcomes(passed=13, skipped=3, deselected=ITEMS)
    done = run(author, "-k", "points and shapes", "-o", "chainrule_examples=")
    done.stdout.fnmatch_lines(["*Points.path has no default, so nothing can be checked; give it one, or an example: *"])


class Configuration:
    """What a plan reads of pytest's."""

    def __init__(self, **values):
        self._values = {"chainrule_distribution": "chainrule", **values}

    def getini(self, name):
        return self._values.get(name, [])


@pytest.mark.parametrize(
    ("option", "line", "complaint"),
    [
        ("expected_failures", "rule=exact learns", r"rule=exact: give the reason why learns is expected to fail\."),
        (
            "expected_failures",
            "rule=exact learn: x",
            r"rule=exact: there is no check learn \(did you mean 'learns'\?\)",
        ),
        (
            "expected_failures",
            "rule=exat learns: x",
            "An expected failure names rule=exat, which is not registered",
        ),
        ("expected_failures", "exact", "has the line 'exact'; it reads KIND=NAME CHECK: REASON"),
        (
            "examples",
            "target=tabel target.path=x",
            r"An example names target=tabel, which is not registered \(did you mean 'target=",
        ),
        (
            "examples",
            "target.path=x",
            "'target.path=x' is neither KIND=NAME nor KIND.PARAMETER=VALUE of the component be",
        ),
    ],
)
def test_a_wrong_line_is_an_error(option, line, complaint):
    with pytest.raises(ChainruleError, match=complaint):
        Selection(Configuration(**{f"chainrule_{option}": [line]}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"source": "import nothing_of_that_name"}, "plugin chainrule-lynx 1.0 * was skipped: ModuleNotFoundError: *"),
        (
            {"entries": "[console]\nlynx = chainrule_lynx\n"},
            "The distribution chainrule-lynx registers no component; *",
        ),
        ({"name": "chainrule-tiger"}, "The distribution chainrule-tiger is not installed (did you mean *"),
    ],
    ids=["broken", "nothing registered", "not installed"],
)
def test_a_distribution_without_components_is_an_error(project, changes, complaint):
    done = run(project(**changes))
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: {complaint}"])


def test_the_distribution_may_be_named(project):
    done = run(project(name="workspace", options='chainrule_distribution = "Chainrule_Lynx"\n'))
    done.assert_outcomes(passed=ITEMS + 1)


def test_the_kit_can_be_had_without_pytest(project):
    author = project()
    code = "import sys, chainrule.testing as t; assert 'pytest' not in sys.modules; print(len(t.REQUIRED))"
    assert author.run(sys.executable, "-c", code).ret == 0


def test_a_distribution_is_checked_by_its_name():
    with pytest.raises(PluginError, match="The distribution chainrule-tiger is not installed"):
        check_distribution("chainrule-tiger")
    with pytest.raises(PluginError, match=r"An example names target=tabel.*did you mean 'target=table'"):
        check_distribution("chainrule", examples={"target=tabel": [{}]})
    with pytest.raises(PluginError, match="give the reason"):
        check_distribution("chainrule", expected={"activation=relu": {"gradient": ""}})


def test_a_component_that_another_distribution_provides_too_is_an_error(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("lynx", "lynxcub", "pride"):
        info = tmp_path / f"chainrule_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: chainrule-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[chainrule]\n{name} = chainrule_{name}\n")
        source = LYNX.replace("Lynx", "Pride") if name == "pride" else LYNX
        (tmp_path / f"chainrule_{name}.py").write_text(source)
    entries = [e for d in importlib.metadata.distributions(path=[str(tmp_path)]) for e in d.entry_points]
    registry = Registry(entries)
    monkeypatch.setattr(kit, "found", lambda: registry)
    with pytest.raises(PluginError, match="optimizer=lynx cannot be used: it is provided by chainrule-lynx"):
        kit.subjects_of("chainrule-lynxcub", {})
    assert [str(subject) for subject in kit.subjects_of("Chainrule_Pride", {})] == ["optimizer=pride"]


def test_our_own_components_are_checked_in_the_same_way():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["addopts"][:2] == ["-p", "chainrule.testing"]
    assert "chainrule_expected_failures" not in options

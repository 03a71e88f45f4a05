"""``chainrule new-plugin``: what it writes works, is tested and well-formed, and what is wrong is refused."""

import ast
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest

import chainrule
import distributions
import forking
from chainrule.cli import new_plugin
from chainrule.config.compose import compose_settings
from chainrule.config.settings import TRACKING
from chainrule.registry import hookspecs
from chainrule.registry.kinds import GROUPS, KINDS
from chainrule.registry.preferences import VARIABLES
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Session
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from rooms import ROOT
from sizes import one_in
from sweeping import environment

YESTERDAY = ROOT / "tests" / "thirdparty" / "yesterday"  # written by new-plugin of version 0.1; must work
# Each kind under the name of the plugin, and all at once under the names of the examples.
# All at once, and what version 0.1 wrote, are tried in CI where they are installed (tests/thirdparty/elsewhere.py).
ODD = {f"odd-{kind}": [kind] for kind in new_plugin.kinds()}
WRITTEN = {**ODD, "zoo": new_plugin.kinds()}
every_package = pytest.mark.parametrize("name", WRITTEN)


def write(folder, name, *kinds):
    """Write a package and return its folder."""
    new_plugin.main([name, "--directory", str(folder), *(word for kind in kinds for word in ("--kind", kind))])
    return folder / f"chainrule-{name}"


@pytest.fixture
def package(tmp_path, name):
    """A package as if it were installed: with what says so beside its modules."""
    return registered(write(tmp_path, name, *WRITTEN[name]))


def registered(folder):
    """Put what an installation says of a package beside its modules; return its folder."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    information = folder / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    heading = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(heading)
    ((key, module),) = project["entry-points"]["chainrule"].items()
    (information / "entry_points.txt").write_text(f"[chainrule]\n{key} = {module}\n")
    return folder


@pytest.fixture
def registry(package, name, monkeypatch):
    """Everything that is installed, and the package."""
    monkeypatch.syspath_prepend(package / "src")
    importlib.invalidate_caches()
    yield Registry(importlib.metadata.entry_points(group=hookspecs.PROJECT))
    for module in [
        module for module in sys.modules if module.partition(".")[0] == f"chainrule_{name}".replace("-", "_")
    ]:
        del sys.modules[module]


def test_there_is_an_example_of_every_kind():
    assert set(new_plugin.kinds()) == {*KINDS, "watcher"}


@every_package
def test_it_is_loaded_and_every_component_has_its_name(registry, name):
    assert not registry.reports
    for kind in WRITTEN[name]:
        if kind in KINDS:
            component = new_plugin._example(kind) if name == "zoo" else f"odd_{kind}"
            assert registry.provider(kind, component).distribution == f"chainrule-{name}"
    interactive = [type(watcher).__name__ for watcher in registry.watchers(Session(interactive=True))]
    assert any(found in ("Bell", "OddWatcher") for found in interactive) == ("watcher" in WRITTEN[name])


@every_package
def test_its_components_train_in_a_stack_as_alone(registry, name):
    settings = compose_settings(["training.epochs=4", "training.batch_size=8", "tracking=none"])
    own = {
        group: (made,) if kind.many else made
        for group, kind in GROUPS.items()
        for component in registry.names(kind.name)
        if group != "output" and registry.provider(kind.name, component).distribution == f"chainrule-{name}"
        for made in [registry.make(group, component, {})]
    }
    own.pop(TRACKING, None)  # it can be made, and no run depends on it
    runs = [dataclasses.replace(settings, seed=seed, **own) for seed in (0, 1, 2)]
    for run, together in zip(runs, train_stack([prepare(run) for run in runs]), strict=True):
        assert np.isfinite(together.theta).all()
        assert train_stack([prepare(run)])[0].theta.tobytes() == together.theta.tobytes()


@pytest.mark.parametrize("name", [pytest.param("zoo", marks=pytest.mark.rare), *one_in(len(ODD), ODD, ci=4)])
def test_its_own_tests_pass(package):
    pass_tests(package)


@pytest.mark.rare
def test_what_the_first_version_wrote_works_unchanged(tmp_path):
    leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info")
    # Built-in components have taken some of its names since.
    preferred = {VARIABLES["prefer"]: "chainrule-yesterday"}
    pass_tests(registered(shutil.copytree(YESTERDAY, tmp_path / "chainrule-yesterday", ignore=leftovers)), **preferred)


def pass_tests(package, **variables):
    command = [*forking.PYTEST, "-q", "-p", "no:cacheprovider"]
    done = forking.python(*command, folder=package, environment=environment(package / "src") | variables)
    assert done.returncode == 0, done.stdout + done.stderr


@every_package
def test_linters_have_nothing_to_say(package, name):
    pytest.importorskip("ruff")
    rules = ["--config", str(ROOT / "pyproject.toml"), "--config", 'src = ["src"]', "--no-cache"]
    for command in (["check"], ["format", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *rules, "."], cwd=package, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.rare
@pytest.mark.parametrize("name", ["zoo"])
def test_types_are_those_of_the_contracts(package):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "src"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@every_package
def test_it_imports_only_what_is_public(package):
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = {node.module}
                assert node.module != "chainrule" or {alias.name for alias in node.names} <= set(chainrule.__all__)
            else:
                continue
            internal = {module for module in modules if module.startswith("chainrule.")} - {"chainrule.testing"}
            assert not internal, f"{path.name} imports {internal}"


def test_it_is_for_this_version_of_the_interface(tmp_path):
    source = (write(tmp_path, "lynx") / "src" / "chainrule_lynx" / "__init__.py").read_text()
    assert f"CHAINRULE_API = {hookspecs.API_VERSION} " in source


def test_without_a_kind_it_is_an_activation_called_like_the_plugin(tmp_path, capsys):
    folder = write(tmp_path, "swiglu")
    module = (folder / "src" / "chainrule_swiglu" / "activation.py").read_text()
    assert module.startswith('"""The activation swiglu.\n\nIt is a copy of penalized_tanh: replace it by your own')
    assert "class Swiglu(Activation):" in module
    assert capsys.readouterr().out == (
        f"{folder} holds the activation swiglu. Next:\n\n  cd {folder}\n  pip install -e '.[test]'\n  pytest\n"
        "  chainrule -m 'seed=range(5)' activation=tanh,swiglu\n"
    )


def test_an_example_under_its_own_name_is_complete(tmp_path):
    module = write(tmp_path, "penalized-tanh", "activation") / "src" / "chainrule_penalized_tanh" / "activation.py"
    assert module.read_text().startswith('"""The activation penalized_tanh."""\n')


@pytest.mark.parametrize("given", ["my-lynx", "My-Lynx", "chainrule-my-lynx", "chainrule_my_lynx", "my.lynx"])
def test_names_are_those_of_packages(tmp_path, given):
    write(tmp_path, given, "optimizer")
    module = tmp_path / "chainrule-my-lynx" / "src" / "chainrule_my_lynx" / "optimizer.py"
    assert "class MyLynx(Optimizer):" in module.read_text()


def test_the_author_is_the_one_that_git_knows(tmp_path, monkeypatch):
    for variable in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(variable, os.devnull)
    folder = write(tmp_path / "without", "lynx")
    assert "The authors of chainrule-lynx\n" in (folder / "LICENSE").read_text()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", 'Ada "Countess" O\'Lovelace')
    folder = write(tmp_path / "with", "lynx")
    assert ' Ada "Countess" O\'Lovelace\n' in (folder / "LICENSE").read_text()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": 'Ada "Countess" O\'Lovelace'}]


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_once_more_is_refused_and_elsewhere_gives_the_same(tmp_path):
    folder = write(tmp_path, "lynx", "optimizer")
    before = everything(folder)
    with pytest.raises(chainrule.ConfigurationError, match="exists and is not empty; nothing was written"):
        write(tmp_path, "lynx", "optimizer")
    assert everything(folder) == before
    (tmp_path / "again" / "chainrule-lynx").mkdir(parents=True)
    again = write(tmp_path / "again", "lynx", "optimizer", "optimizer")
    assert {path.relative_to(again): text for path, text in everything(again).items()} == {
        path.relative_to(folder): text for path, text in before.items()
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["2fast"], "'2fast' cannot name a plugin: a name has at most 40 letters, digits and hyphens, begins with a"),
        (["lynx!"], "'lynx!' cannot name a plugin"),
        (["löwe"], "'löwe' cannot name a plugin"),
        (["../lynx"], "'../lynx' cannot name a plugin"),
        (["l" * 41], "cannot name a plugin"),
        (["null"], "'null' cannot name a plugin"),
        (["None"], "'None' cannot name a plugin"),
        (["chainrule-"], "'chainrule-' cannot name a plugin"),
        (
            ["lynx", "--kind", "optimiser"],
            "'optimiser' is not a kind (did you mean 'optimizer'?); choose from ",
        ),
        (
            ["lynx", "--kind", "optimiser", "los"],
            "'optimiser' is not a kind (did you mean 'optimizer'?); 'los' is not a kind (did you mean 'loss'?); choose",
        ),
        (["2fast", "--kind", "los"], "true. 'los' is not a kind (did you mean 'loss'?); choose from "),
        (["gelu"], "provides activation=gelu already: choose another name."),
        (["mlflow", "--kind", "tracker"], "The package chainrule_mlflow exists already, in "),
        (["activation"], "the module of the activation needs Activation for something else; choose another name."),
        (["array"], "the module of the activation needs Array for something else; choose another name."),
        (["z"], "the module of the activation needs Z for something else; choose another name."),
        (
            ["session", "--kind", "watcher"],
            "the module of the watcher needs Session for something else; ",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_and_nothing_is_written(tmp_path, arguments, complaint):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        write(tmp_path, arguments[0], *arguments[2:])
    assert complaint in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["zoo"])
def test_an_example_that_is_installed_already_is_refused(tmp_path, registry, monkeypatch):
    monkeypatch.setattr(new_plugin, "found", lambda: registry)
    with pytest.raises(chainrule.ConfigurationError) as caught:
        write(tmp_path, "second", "activation", "loss")
    assert str(caught.value) == (
        "chainrule-zoo 0.1.0 (entry point 'zoo') provides activation=penalized_tanh already: "
        "give one kind only, whose component is called like the plugin."
    )
    write(tmp_path, "second", "activation")


def test_help_says_what_there_is(capsys):
    with pytest.raises(SystemExit, match="0"):
        new_plugin.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    for text in (
        "usage: chainrule new-plugin",
        "default: activation",
        ", ".join(new_plugin.kinds()),
        "rule clipped_error",
    ):
        assert text in told


@pytest.mark.usefixtures("afresh")
def test_a_file_is_packaged_as_it_is(tmp_path, capsys, monkeypatch):
    path = distributions.plugin_folder(tmp_path, **{"my-idea": distributions.BENT}) / "my-idea.py"
    new_plugin.main(["curves", "--from", str(path)])
    printed = capsys.readouterr().out
    assert printed.startswith("chainrule-curves holds the activation bent. Next:\n\n")
    assert f"  rm {path}\n  cd chainrule-curves\n" in printed
    assert "  chainrule -m 'seed=range(5)' activation=tanh,bent\n" in printed
    folder = registered(tmp_path / "chainrule-curves")
    copy = folder / "src" / "chainrule_curves" / "my_idea.py"
    assert copy.read_bytes() == path.read_bytes()
    pass_tests(folder)
    monkeypatch.syspath_prepend(folder / "src")
    provider = Registry(importlib.metadata.entry_points(group=hookspecs.PROJECT)).provider("activation", "bent")
    assert (provider.distribution, provider.file) == ("chainrule-curves", copy)
    for module in ("chainrule_curves.my_idea", "chainrule_curves"):
        del sys.modules[module]


def test_a_watcher_in_a_file_is_packaged(tmp_path, capsys):
    hook = "@hookimpl\ndef chainrule_watchers(session):\n    return [Watcher()]\n"
    source = f"from chainrule import Watcher, hookimpl\n{hook}"
    (tmp_path / "bell.py").write_text(source)
    new_plugin.main(["bell", "--from", "bell.py"])
    assert capsys.readouterr().out.startswith("chainrule-bell holds the watcher bell. Next:")
    pass_tests(registered(tmp_path / "chainrule-bell"))


@pytest.mark.parametrize(
    ("source", "words", "complaint"),
    [
        (None, [], "mine.py cannot be read: No such file or directory."),
        ("x = 1\n", [], "mine.py was skipped: it has no component: define a class that derives"),
        ("def f(:\n", [], "mine.py was skipped: SyntaxError"),
        (f"{distributions.BENT}class Odd(Bent): pass\n", [], "was skipped: Odd must be a frozen dataclass"),
        (distributions.BENT, ["--kind", "loss"], "--kind chooses an example, and --from takes a file instead"),
        (distributions.BENT.replace("Bent", "Tanh"), [], "provides activation=tanh already: give its class another"),
    ],
)
def test_a_file_that_cannot_be_packaged_is_refused_and_nothing_is_written(tmp_path, source, words, complaint):
    if source is not None:
        (tmp_path / "mine.py").write_text(source)
    with pytest.raises(chainrule.ChainruleError, match=re.escape(complaint)):
        new_plugin.main(["mine", "--from", "mine.py", *words])
    assert not (tmp_path / "chainrule-mine").exists()

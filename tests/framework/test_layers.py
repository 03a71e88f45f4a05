"""The structure of the code: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"errors", "parameters", "paths", "watchers", "kinds", "history", "locks", "yamltext", "outcomes"},
    {"network", "backprop", "gradcheck", "data", "hookspecs", "ranking", "comparison", "svg", "choices", "providers"},
    {"trainer", "plugins", "vetting"},
    {"settings", "results", "records", "runs", "sweeps", "contest"},
    {"compose", "interface", "helptext", "inventory", "task", "report", "scaffold"}
    | {"compare", "contest_report", "pages"},
    {"sweep.jobs", "sweep.plan", "sweep.work", "sweep.engine", "sweep.composer", "sweep.conductor"}
    | {"sweep.launcher", "sweep.sweeper", "sweep.space", "sweep.state", "sweep.listing"}
    | {"sweep.opening", "sweep.trials", "sweep.comparing", "sweep.contenders", "sweep.referee", "sweep.clusters"}
    | {"testing.results", "testing.drawing", "testing.table", "testing.methods", "testing.differences"}
    | {"testing.randomness", "testing.training", "testing.general", "testing.activations", "testing.losses"}
    | {"testing.optimizers", "testing.schedules", "testing.targets", "testing.initializers", "testing.rules"}
    | {"testing.trackers", "testing.kit", "testing.words", "testing.collecting", "testing.command"},
    {"cli"},
]
DOORS = {
    "pluggy": {"hookspecs", "plugins"},
    "hydra": {"compose", "cli", "task", "sweep.composer", "sweep.launcher", "sweep.sweeper"}
    | {"sweep.space", "sweep.opening", "sweep.trials", "sweep.comparing", "sweep.contenders"},
    "omegaconf": {
        "choices",
        "compose",
        "task",
        "sweep.composer",
        "sweep.launcher",
        "sweep.sweeper",
        "sweep.opening",
        "sweep.trials",
        "sweep.comparing",
        "testing.words",
    },
    "pytest": {"testing.collecting"},
    "jinja2": {"pages", "scaffold"},
    "markupsafe": {"report", "contest_report"},
    "joblib": {"sweep.engine"},
    "yaml": {"yamltext", "choices", "compose"},
    "mlflow": set(),
    "matplotlib": set(),
    "rich": set(),
    "sklearn": set(),
    "scipy": {"ranking", "comparison"},
}
FRAMEWORK = ROOT / "framework" / "chainrule"
MODULES = {
    ".".join(path.relative_to(FRAMEWORK).with_suffix("").parts): path
    for path in FRAMEWORK.rglob("*.py")
    if not path.stem.startswith("__")
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path):
    """Every module imported in a file, except for type checking only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(name):
    return {target.removeprefix("chainrule.") for target in imports(MODULES[name])} & set(MODULES)


def test_every_module_has_a_layer():
    assert set(MODULES) == set(LEVEL)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_downward_without_circles(name):
    for other in own_imports(name):
        assert LEVEL[other] <= LEVEL[name], f"{name} imports {other} from a higher layer"


def test_no_circular_imports():
    graph = {name: own_imports(name) for name in MODULES}
    done = set()
    while len(done) < len(graph):
        ready = {name for name in graph.keys() - done if graph[name] - {name} <= done}
        assert ready, f"circle among {sorted(graph.keys() - done)}"
        done |= ready


@pytest.mark.parametrize("name", sorted(MODULES))
def test_each_library_has_its_doors(name):
    for target in imports(MODULES[name]):
        library = target.split(".")[0]
        assert name in DOORS.get(library, {name}), f"{name} imports {library}"


def test_framework_never_imports_plugins():
    for path in (ROOT / "framework").rglob("*.py"):
        assert not [target for target in imports(path) if target.startswith("chainrule_")], path


def test_plugins_use_one_another_through_the_framework_only():
    for path in (ROOT / "plugins").rglob("*.py"):
        package = path.relative_to(ROOT / "plugins").parts[0]
        foreign = {t.split(".")[0] for t in imports(path) if t.startswith("chainrule_")} - {package}
        assert not foreign, f"{path} imports {foreign}"

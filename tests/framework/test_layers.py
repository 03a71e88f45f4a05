"""The structure of the code: who may import whom."""

import pytest

from rooms import FRAMEWORK, LEVEL, LINE, MODULES, ROOT, arrows, circle, imports, own_imports, room_of

DOORS = {
    "pluggy": {"registry.hookspecs", "registry.registry"},
    "hydra": {f"config.{name}" for name in ("application", "choices", "compose", "limits", "once", "quickly", "task")}
    | {"config.templates"}
    | {f"sweep.{name}" for name in ("grid", "search", "comparison", "launcher", "resume")}
    | {f"sweep.jobs.{name}" for name in ("axes", "composer", "contenders")},
    "omegaconf": {f"config.{name}" for name in ("application", "choices", "compose", "once", "quickly", "task")}
    | {"config.templates"}
    | {f"sweep.{name}" for name in ("grid", "search", "comparison", "launcher", "resume", "jobs.composer")}
    | {"registry.preferences", "testing.words"},
    "pytest": {"testing.collecting"},
    "jinja2": {"reports.page", "cli.new_plugin"},
    "markupsafe": {
        "reports.sweep",
        "reports.ranking",
        "reports.comparison",
        "reports.budget",
        "reports.fragment",
        "reports.best",
        "reports.explained",
    },
    "pandas": {"analysis.tables", "config.given", "records.predictor"},
    "joblib": {"sweep.execution.pool"},
    "cloudpickle": {"registry.declared"},
    "yaml": {
        "files.yaml_text",
        "files.defaults",
        "registry.preferences",
        "config.compose",
        "config.quickly",
        "config.written",
    },
    "llvmlite": {"compiled.machine_code"},
    "mlflow": set(),
    "matplotlib": {"notebook.plotting"},
    "rich": {"replay.terminal"},
    "sklearn": {"estimators.estimators"},
    "scipy": {"analysis.ranking", "analysis.paired", "compiled.nodes"},
    "onnx": {"records.exchange"},
    "onnxruntime": {"records.exchange"},
}


TESTS = ROOT / "tests" / "framework"
# Tests of what goes through several modules: those of sweeps lie in the topmost room that they need.
ACROSS = {
    *(f"engine/test_{name}.py" for name in ("dropout", "random_activations", "trained_fields")),
    *(f"sweep/test_{name}.py" for name in ("interrupts", "refusals", "sweeps")),
    *("test_kinds.py", "test_layers.py", "test_public.py"),
    *(f"testing/test_{name}.py" for name in ("exotic", "faulty_data", "faulty_functions", "faulty_training", "pieces")),
}
# Modules without a test file of their own, because they are parts of what is tested elsewhere. Those of the conformance
# kit are tested by the faulty components that its checks must catch.
TESTED_IN = {
    "compiled/generate.py": "compiled/test_tracing.py",
    "compiled/kernel.py": "compiled/test_tracing.py",
    "compiled/memory.py": "compiled/test_tracing.py",
    "compiled/nodes.py": "records/test_exchange.py",
    "cli/export_onnx.py": "records/test_exchange.py",
    "notebook/exchanging.py": "records/test_exchange.py",
    "compiled/grouping.py": "compiled/test_tracing.py",
    "compiled/recording.py": "compiled/test_tracing.py",
    "compiled/step.py": "compiled/test_tracing.py",
    "compiled/sums.py": "compiled/test_tracing.py",
    "compiled/untraceable.py": "compiled/test_tracing.py",
    "compiled/writer.py": "compiled/test_tracing.py",
    "engine/choice.py": "engine/test_compiling.py",
    "engine/parts.py": "engine/test_compiling.py",
    "engine/recorded.py": "engine/test_compiling.py",
    "engine/rate.py": "engine/test_machine.py",
    "engine/update.py": "engine/test_machine.py",
    "testing/traceable.py": "engine/test_compiling.py",
    "components/overview.py": "cli/test_data.py",
    "engine/stack.py": "engine/test_trainer.py",
    "registry/hookspecs.py": "test_kinds.py",
    "registry/instruments.py": "replay/test_instrumented.py",
    "reports/best.py": "reports/test_sweep.py",
    "reports/curves.py": "reports/test_sweep.py",
    "records/faults.py": "sweep/test_health.py",
    "records/manifest.py": "records/test_run.py",
    "replay/crate.py": "replay/test_export.py",
    "cli/export.py": "replay/test_export.py",
    "cli/verify.py": "replay/test_verification.py",
    "notebook/verifying.py": "replay/test_verification.py",
    "records/tracked.py": "analysis/test_tracked.py",
    "registry/kinds.py": "test_kinds.py",
    "testing/comparing.py": "testing/test_general.py",
    "testing/differences.py": "testing/test_activations.py",
    "testing/effects.py": "testing/test_general.py",
    "testing/findings.py": "testing/test_general.py",
    "testing/kit.py": "testing/test_general.py",
    "testing/methods.py": "testing/test_activations.py",
    "testing/networks.py": "testing/test_rules.py",
    "testing/randomness.py": "testing/test_initializers.py",
    "config/options.py": "config/test_compose.py",
    "testing/steps.py": "testing/test_optimizers.py",
    "testing/subjects.py": "testing/test_general.py",
    "testing/table.py": "testing/test_general.py",
    "testing/training.py": "testing/test_optimizers.py",
}


def files_of_tests():
    """The test file that each module would have, by module, and all test files that there are."""
    modules = [path.relative_to(FRAMEWORK) for path in MODULES.values() if path.stem != "__init__"]
    expected = {path.as_posix(): path.with_name(f"test_{path.name}").as_posix() for path in modules}
    return expected, {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}


def test_a_test_file_lies_and_is_called_like_the_module_that_it_tests():
    expected, found = files_of_tests()
    assert found >= ACROSS
    for name in sorted(found - ACROSS):
        message = f"tests/framework/{name} is called like no module: rename it, or list it in ACROSS"
        assert name in expected.values(), message


def test_each_module_has_a_test_file_of_its_own_or_is_listed_with_the_one_that_tests_it():
    expected, found = files_of_tests()
    without = {module for module, name in expected.items() if name not in found}
    for module in sorted(without - TESTED_IN.keys()):
        pytest.fail(f"{module} has no test file: write tests/framework/{expected[module]}, or list it in TESTED_IN")
    for module, name in TESTED_IN.items():
        assert module in expected, f"TESTED_IN lists {module}, which is no module"
        assert module in without, f"TESTED_IN lists {module}, which has a test file of its own"
        assert name in found, f"TESTED_IN says that {module} is tested in {name}, which is no test file"


def test_every_folder_and_module_is_a_room():
    tops = {path.stem for path in FRAMEWORK.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert tops - {"__init__", "__main__", "__pycache__"} == {room.partition(".")[0] for room in LEVEL}
    assert len(LEVEL) == sum(map(len, LINE))


def test_rooms_import_from_those_below_only():
    upward = {pair: modules for pair, modules in arrows().items() if LEVEL[pair[0]] <= LEVEL[pair[1]]}
    assert not upward


def test_no_modules_import_one_another_in_a_circle():
    assert not circle({module: own_imports(module) for module in MODULES})


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


def test_the_room_of_a_module_is_the_innermost():
    assert [room_of(name) for name in ("errors", "sweep.grid", "sweep.jobs.axes", "cli.main")] == [
        "errors", "sweep", "sweep.jobs", "cli",
    ]  # fmt: skip

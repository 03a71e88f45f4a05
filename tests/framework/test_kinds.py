"""A kind has a place in many files: what was forgotten of a new one is named."""

import ast
import dataclasses
import importlib
import re
import tomllib
import types
from collections.abc import Sequence
from typing import ClassVar, get_args, get_type_hints

import pytest

import chainrule
from chainrule.cli import new_plugin
from chainrule.components.contracts import Component
from chainrule.config.settings import TRACKING
from chainrule.engine.stack import STACKED, Stack
from chainrule.files.defaults import defaults
from chainrule.records.settings import Settings
from chainrule.registry import hookspecs
from chainrule.registry.kinds import GROUPS, KINDS, Kind
from chainrule.testing import kit
from rooms import FRAMEWORK, ROOT

TEMPLATES = FRAMEWORK / "cli" / "templates"
WATCHER = "watcher"  # has a hook and an example, but nobody chooses one by name


class Quantizer(Component):
    """A contract that only exists here."""

    run_shape: ClassVar[tuple[int, ...] | None] = (1, 1)


MADE_UP = Kind("quantizer", "quantizers", Quantizer, ("quantizer",))


def in_stub(kind):
    (names,) = [
        node.value for node in ast.parse((FRAMEWORK / "__init__.pyi").read_text()).body if isinstance(node, ast.Assign)
    ]
    return kind.contract.__name__ in ast.literal_eval(names)


def in_settings(kind):
    return set(kind.groups) - {TRACKING} <= {field.name for field in dataclasses.fields(Settings)}


def in_stack(kind):
    return kind.contract.run_shape is None or set(kind.groups) <= set(STACKED)


def in_readme(kind):
    rows = re.findall(r"^\| (`.*?) \| .* \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return set(kind.groups) <= {group for row in rows for group in re.findall(r"`(\w+)`", row)}


def in_guide(first_cell):
    return re.search(rf"^\| {re.escape(first_cell)} \|", (ROOT / "plugins" / "README.md").read_text(), re.MULTILINE)


def built_in(kind):
    """The packages of built-in components of a kind."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = project["entry-points"]["chainrule"].values()
    return {package for package in packages if hasattr(importlib.import_module(package), kind.hook)}


def in_mypy(kind):
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["packages"]
    return built_in(kind) and built_in(kind) <= set(packages)


# Each place, and whether a kind is there.
PLACES = (
    ("framework/chainrule/__init__.py", lambda kind: kind.contract.__name__ in chainrule.__all__),
    ("framework/chainrule/__init__.pyi", in_stub),
    ("the fields of Settings in records/settings.py", in_settings),
    ("the fields of Stack in engine/stack.py", in_stack),
    ("conf/config.yaml", lambda kind: set(kind.groups) <= defaults().keys()),
    ("_OWN in testing/kit.py", lambda kind: kind.name in kit._OWN),
    ("REQUIRED in testing/kit.py", lambda kind: kind.name in kit.REQUIRED),
    ("cli/templates/{kind}.py.jinja", lambda kind: (TEMPLATES / f"{kind.name}.py.jinja").is_file()),
    ("cli/templates/test_{kind}.py.jinja", lambda kind: (TEMPLATES / f"test_{kind.name}.py.jinja").is_file()),
    ("_EXAMPLES in cli/new_plugin.py", lambda kind: kind.name in new_plugin._EXAMPLES),
    ("the table of choices in README.md", in_readme),
    ("the table of hooks in plugins/README.md", lambda kind: in_guide(f"`{kind.hook}()`")),
    ("the table of contracts in plugins/README.md", lambda kind: in_guide(f"`{kind.contract.__name__}`")),
    ("the table of checks in plugins/README.md", lambda kind: in_guide(kind.name)),
    ("the entry points in pyproject.toml, as a package of built-in ones", built_in),
    ("the packages of mypy in pyproject.toml", in_mypy),
)


def forgotten():
    """A sentence for each kind and each place where it is missing."""
    return [
        f"kind {kind.name!r} is missing in {place.format(kind=kind.name)}"
        for kind in KINDS.values()
        for place, is_there in PLACES
        if not is_there(kind)
    ]


def layered(hint):
    """The class of a field that may hold one component, or one for each layer; other hints as they are."""
    return get_args(hint)[0] if isinstance(hint, types.UnionType) else hint


def test_no_kind_was_forgotten_anywhere():
    assert not forgotten()


def test_a_kind_that_is_only_in_the_table_is_missed_in_every_place(monkeypatch):
    monkeypatch.setitem(KINDS, MADE_UP.name, MADE_UP)
    missed = forgotten()
    assert len(missed) == len(PLACES)
    for place, _ in PLACES:
        assert f"kind 'quantizer' is missing in {place.format(kind='quantizer')}" in missed


def test_one_place_that_was_forgotten_is_named_alone(monkeypatch):
    others = {key: value for key, value in defaults().items() if key != "schedule"}
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "defaults", lambda: others)
        assert forgotten() == ["kind 'schedule' is missing in conf/config.yaml"]
    monkeypatch.delitem(kit.REQUIRED, "tracker")
    assert forgotten() == ["kind 'tracker' is missing in REQUIRED in testing/kit.py"]


def contract_in(hint):
    """The class of a field, or of the entries of its list."""
    return next(iter(get_args(hint)), hint)


def test_nothing_is_left_of_a_kind_that_there_is_not():
    stacked = {group for group, kind in GROUPS.items() if kind.contract.run_shape is not None}
    assert set(STACKED) == stacked
    fields = get_type_hints(Settings)
    components = {name for name, hint in fields.items() if issubclass(contract_in(hint), Component)}
    assert components == GROUPS.keys() - {TRACKING}
    assert kit._OWN.keys() == kit.REQUIRED.keys() == KINDS.keys()
    assert new_plugin._EXAMPLES.keys() == {*KINDS, WATCHER}
    tested = {path.name.removesuffix(".py.jinja") for path in TEMPLATES.glob("test_*.py.jinja")}
    assert tested == {f"test_{kind}" for kind in (*KINDS, WATCHER)}


@pytest.mark.parametrize("group", GROUPS)
def test_the_fields_have_the_contract_of_their_group(group):
    contract = GROUPS[group].contract
    hint = tuple[contract, ...] if GROUPS[group].many else contract
    if group != TRACKING:
        assert layered(get_type_hints(Settings)[group]) == hint
    if group in STACKED:
        assert layered(get_type_hints(Stack)[group]) == hint


@pytest.mark.parametrize("kind", [*KINDS.values(), MADE_UP], ids=lambda kind: kind.name)
def test_a_hook_follows_from_the_row_of_its_kind(kind):
    hook = hookspecs._components_hook(kind) if kind is MADE_UP else hookspecs.HOOKS[kind.hook]
    assert hook.__name__ == f"chainrule_{kind.plural}"
    assert get_type_hints(hook) == {"return": Sequence[type[kind.contract]]}
    assert kind.name in hook.__doc__
    assert f"def {kind.hook}():" in hook.__doc__


def test_every_kind_has_its_hook_and_every_hook_its_kind():
    hooks = {kind.hook for kind in KINDS.values()} | {"chainrule_watchers", "chainrule_configurations"}
    assert hooks == hookspecs.HOOKS.keys()

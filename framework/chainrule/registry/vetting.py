"""Checks of a plugin's module when it is found, so that it does not fail in the middle of a run."""

import functools
import importlib.util
import inspect
import re
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from chainrule.components.arguments import offered
from chainrule.components.contracts import Activation, Component, Loss, Rule, Transform
from chainrule.components.parameters import parameters
from chainrule.errors import PluginError, nearest
from chainrule.registry.hookspecs import API_VERSION, HOOKS
from chainrule.registry.kinds import KINDS, Kind
from chainrule.registry.watching import Watcher

_DECLARED = "CHAINRULE_API"
_FIRST_API = 1  # of plugins that declare none
_LIKENESS = 0.8  # at which the name of a function counts as a misspelt hook
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VALUES = ("null", "true", "false", "inf", "nan")  # words that an override does not read as names
_CHANGING = ("gradient", "after", "kept")  # methods of a transform
_RESERVED = {"name", "defaults"}  # keys of an option that are not parameters


def declared_in(source: str) -> int | None:
    """Return the version of the interface that the text of a module declares, or None."""
    found = re.search(rf"^{_DECLARED}\s*=\s*(\d+)", source, re.MULTILINE)
    return int(found[1]) if found else None


def require_api(version: object) -> None:
    """Refuse a plugin that is written for another version of the interface.

    Raises:
        PluginError: the versions differ; the sentence names both.
    """
    if type(version) is not int:
        raise PluginError(f"its {_DECLARED} is {version!r}, which is no whole number")
    if version != API_VERSION:
        newer = version > API_VERSION
        raise PluginError(
            f"it is written for version {version} of the plugin interface, and this chainrule has version "
            f"{API_VERSION}: upgrade {'chainrule' if newer else 'the plugin'}"
        )


def components(module: Any) -> list[tuple[Kind, type[Component], str]]:
    """Return the components that a plugin's module registers, and for each why it cannot be used, or an empty text.

    Those are the classes that its hooks return or, if it has no hook for components, its own public classes that derive
    from a contract. Each is checked without computing anything.

    Raises:
        PluginError: the module or all of its components break the contract.
    """
    if not isinstance(module, ModuleType):
        raise PluginError(f"its entry point names {module!r}, which is no module")
    require_api(getattr(module, _DECLARED, _FIRST_API))
    hooks = list(_implemented(module))
    kinds = [kind for kind in KINDS.values() if kind.hook in hooks]
    found = [(kind, cls) for kind in kinds for cls in _returned(module, kind)] if kinds else _defined(module)
    if not hooks and not found:
        raise PluginError(
            "it has no component: define a class that derives from a contract such as chainrule.Activation, or mark a "
            "function such as chainrule_activations with @hookimpl"
        )
    vetted = [(kind, cls, _broken(kind, cls)) for kind, cls in found]
    names = [(kind.name, cls.name) for kind, cls, reason in vetted if not reason]
    for kind_name, name in names:
        if names.count((kind_name, name)) > 1:
            raise PluginError(f"it has two components {kind_name}={name}")
    if vetted and not names:
        raise PluginError(vetted[0][2])
    return vetted


def _broken(kind: Kind, cls: Any) -> str:
    """Return why a class cannot be used, with its place, or an empty text.

    Raises:
        PluginError: it is no component at all.
    """
    try:
        require_contract(kind, cls)
    except PluginError as error:
        if kind.contract not in getattr(cls, "__mro__", ()):
            raise
        return f"{error}{_place(cls)}"
    return ""


def _place(cls: type) -> str:
    """Return the file and the line at which the source of a class begins, if there is one."""
    try:
        return f" ({inspect.getsourcefile(cls)}, line {inspect.getsourcelines(cls)[1]})"
    except (OSError, TypeError):
        return ""


def kind_of(cls: Any) -> Kind | None:
    """Return the kind of a class, by the contract that it derives from; None for what is no component."""
    bases = getattr(cls, "__mro__", ())
    return next((kind for kind in KINDS.values() if kind.contract in bases), None)


def require_contract(kind: Kind, cls: Any) -> None:
    """Refuse a class that cannot be used as a component of this kind.

    Raises:
        PluginError: the class breaks the contract.
    """
    # Not by issubclass, which is slow for abstract classes: it visits all of their subclasses.
    if kind.contract not in getattr(cls, "__mro__", ()):
        raise PluginError(f"{kind.hook} returned {_short(cls)}, which is no subclass of {kind.contract.__name__}")
    name = cls.__qualname__
    if not _NAME.fullmatch(str(cls.name)) or cls.name in _VALUES:
        raise PluginError(
            f"{name} is called {cls.name!r}; names have small letters, digits and _ only, and are none of "
            f"{', '.join(_VALUES)}"
        )
    if cls.__abstractmethods__:
        raise PluginError(f"{name} lacks {', '.join(sorted(cls.__abstractmethods__))}")
    if not ("__dataclass_params__" in vars(cls) and cls.__dataclass_params__.frozen):
        raise PluginError(f"{name} must be a frozen dataclass: add @dataclass(frozen=True)")
    for parameter in _RESERVED & parameters(cls).keys():
        raise PluginError(f"{name} has a parameter called {parameter!r}, which configuration uses itself")
    if kind.contract is Activation and (cls.slope, cls.backward) == (Activation.slope, Activation.backward):
        raise PluginError(f"{name} lacks slope or backward")
    if kind.contract is Rule and cls.gradients is not Rule.gradients:
        for method in ("error", "gradient"):
            if getattr(cls, method) is not getattr(Rule, method):
                raise PluginError(f"{name} defines gradients, so that its {method} is never called: remove one of them")
    if kind.contract is Activation:
        _check_trained(cls)
        _check_pieces(cls)
    if kind.contract is Loss and cls.paired_output:
        for method in ("paired_value", "paired_delta"):
            if getattr(cls, method) is getattr(Loss, method):
                raise PluginError(f"{name} declares a paired output and lacks {method}")
    if kind.contract is Transform and all(getattr(cls, name) is getattr(Transform, name) for name in _CHANGING):
        raise PluginError(f"{name} changes nothing: it lacks {', '.join(_CHANGING)}, of which one is enough")
    _check_signatures(kind.contract, cls)


def _check_trained(cls: type[Activation]) -> None:
    """Refuse trained fields that cannot be learned.

    Raises:
        PluginError: one is no float field, is named twice, or has no gradient.
    """
    names = [*cls.trained, *cls.trained_per_unit]
    floats = [name for name, parameter in parameters(cls).items() if parameter.is_stackable]
    for name in names:
        if name not in floats:
            has = f"it has {', '.join(floats)}" if floats else "it has none"
            raise PluginError(f"{cls.__qualname__} trains {name!r}, which is no float field; {has}")
        if names.count(name) > 1:
            raise PluginError(f"{cls.__qualname__} names {name!r} twice in trained and trained_per_unit")
    if names and cls.field_gradient is Activation.field_gradient:
        raise PluginError(f"{cls.__qualname__} lacks field_gradient, by which {', '.join(names)} would be trained")


def _check_pieces(cls: type[Activation]) -> None:
    """Refuse what is no number of pieces, and several pieces without ``backward``.

    Raises:
        PluginError: the class declares such.
    """
    declared: Any = cls.pieces  # a property, where another field decides
    if not isinstance(declared, property) and (type(declared) is not int or declared < 1):
        raise PluginError(f"{cls.__qualname__}.pieces is {declared!r}; it must be a whole number, 1 at least")
    if (declared != 1 or "pieces" in parameters(cls)) and cls.backward is Activation.backward:
        raise PluginError(f"{cls.__qualname__} has several pieces and lacks backward; a slope is that of one")


def configurations(module: Any) -> dict[str, Path]:
    """Return a plugin's folders of configuration, by the package that holds each.

    Raises:
        PluginError: a package does not exist.
    """
    hook = vars(module).get("chainrule_configurations")
    packages = _listed("chainrule_configurations", hook() if hook else [], "package names")
    return {str(package): _folder(str(package)) for package in packages}


def watchers(returned: Any) -> list[Watcher]:
    """Return the watchers that a hook returned.

    Raises:
        PluginError: the hook did not return a list of watchers.
    """
    found = _listed("chainrule_watchers", returned, "watchers")
    for one in found:
        if not isinstance(one, Watcher):
            raise PluginError(f"chainrule_watchers returned {_short(one)}, which is no Watcher")
    return found


def _listed(hook: str, returned: Any, of: str) -> list[Any]:
    if not isinstance(returned, list | tuple):
        raise PluginError(f"{hook} returned {_short(returned)}, which is no list of {of}")
    return list(returned)


def _short(value: Any) -> str:
    return reprlib.repr(value)


def _folder(package: str) -> Path:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"chainrule_configurations names {package!r}, which is no package")
    return Path(spec.submodule_search_locations[0])


def _implemented(module: ModuleType) -> Iterator[str]:
    """Yield the names of the hooks that a module implements."""
    for name, member in vars(module).items():
        if not inspect.isroutine(member):
            continue
        options: Any = getattr(member, "chainrule_impl", None)
        if isinstance(options, dict):
            if name not in HOOKS:
                raise PluginError(f"there is no hook {name}{nearest(name, HOOKS)}")
            wanted, given = (list(inspect.signature(hook).parameters) for hook in (HOOKS[name], member))
            if not set(given) <= set(wanted):
                raise PluginError(f"{name}({', '.join(given)}) must be {name}({', '.join(wanted)})")
            if options.get("wrapper") or options.get("hookwrapper"):
                raise PluginError(f"{name} is a wrapper of other plugins' hooks, which is not allowed")
            yield name
        elif name.startswith("chainrule_") and getattr(member, "__module__", None) == module.__name__:
            hint = "" if name in HOOKS else nearest(name, HOOKS, _LIKENESS)
            if name in HOOKS or hint:
                raise PluginError(f"{name} is not marked with @hookimpl{hint}")


def _defined(module: ModuleType) -> list[tuple[Kind, type[Component]]]:
    own = [
        member
        for member in vars(module).values()
        if isinstance(member, type) and member.__module__ == module.__name__ and not member.__name__.startswith("_")
    ]
    return [(kind, cls) for cls in dict.fromkeys(own) if (kind := kind_of(cls))]


def _returned(module: ModuleType, kind: Kind) -> list[type[Component]]:
    return _listed(kind.hook, getattr(module, kind.hook)(), "classes")


def _check_signatures(contract: type[Component], cls: type[Component]) -> None:
    """Refuse methods that cannot be called like those of the contract, or ask for what there is not."""
    for method, wanted, names in _methods(contract):
        function = getattr(cls, method)
        if function is wanted or not inspect.isfunction(function):
            continue
        what, optional = f"{cls.__qualname__}.{method}", offered(cls, method)
        further = _further(function, 1 + len(names), optional)
        if further is None:
            has = ", ".join(inspect.signature(function).parameters)
            raise PluginError(f"{what}({has}) must take what the contract gives it: {method}({', '.join(names)})")
        for name in further:
            there_is = f"it may ask for {', '.join(optional)}" if optional else "it gets no optional arguments"
            raise PluginError(f"{what} asks for {name!r}, which there is not{nearest(name, optional)}; {there_is}")


@functools.cache
def _methods(contract: type[Component]) -> list[tuple[str, Any, list[str]]]:
    """Return the public methods of a contract: name, function, and what each is always given."""
    return [
        (name, function, [n for n in _positional(function) if n not in ("self", "out")])
        for name, function in inspect.getmembers(contract, inspect.isfunction)
        if name == "__call__" or not name.startswith("_")
    ]


def _positional(function: Any) -> Sequence[str]:
    names: Sequence[str] = function.__code__.co_varnames[: function.__code__.co_argcount]
    return names


def _further(function: Any, count: int, optional: Sequence[str]) -> list[str] | None:
    """Return what a function asks for beside ``count`` positional arguments and those that are optional.

    None if it does not accept so many. ``inspect.signature`` would be slower.
    """
    code, defaults = function.__code__, function.__defaults__ or ()
    positional = _positional(function)
    with_default = set(positional[len(positional) - len(defaults) :]) | (function.__kwdefaults__ or {}).keys()
    own = [name for name in positional if name not in optional]
    if len(own) < count and not code.co_flags & inspect.CO_VARARGS:
        return None
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    further = [name for name in (*own[count:], *keywords) if name not in optional]
    # What has a default is the plugin's own affair, unless its name is a misspelt one.
    return [name for name in further if name not in with_default or nearest(name, optional, _LIKENESS)]

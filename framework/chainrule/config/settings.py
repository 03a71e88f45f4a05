"""From plain configuration to checked settings and the tracker."""

from collections.abc import Mapping
from typing import Any, cast

from chainrule.components.contracts import Target
from chainrule.components.parameters import Parameter, build, parameters
from chainrule.config import fitting
from chainrule.config.layers import LAYERED
from chainrule.errors import ConfigurationError, nearest
from chainrule.records.settings import SECTIONS, Seed, Settings
from chainrule.registry.kinds import GROUPS
from chainrule.registry.preferences import SECTION, Preferences
from chainrule.registry.registry import Registry
from chainrule.registry.watching import AUTO, Pictured, Tracker

PICTURES = "pictures"  # the key that says what is drawn of a single run, which does not affect it either
TRACKING = "tracking"  # the group whose component shows runs but does not affect them
# Groups that records of earlier versions do not have, and what the runs then did.
_LATER = {"sampling": "shuffled", "norm": "identity"}
_COMMAND = "command"  # of an experiment: the command line that answers its question, for people and scripts


def settings_from_config(config: Mapping[str, Any], registry: Registry) -> Settings:
    """Make settings from plain data, e.g. a resolved configuration; what is to suit the target does so in them.

    Raises:
        ConfigurationError: an unknown key or name, a wrong type, a value out of range, or a group is missing.
    """
    known = ["seed", *SECTIONS, *GROUPS, PICTURES, SECTION, _COMMAND]
    registry.require_preferences(_mapping(config.get(SECTION, {}), SECTION))
    for key in config:
        if key not in known:
            raise ConfigurationError(f"{key} is not a key of the configuration{nearest(str(key), known)}.")
    seed = parameters(Seed)["seed"].convert(config.get("seed", 0), "seed")
    sections = {name: _section(name, config.get(name, {})) for name in SECTIONS}
    config = {**config, **fitting.fitted(config, registry)}
    groups: dict[str, Any] = {
        group: _components(config, group, registry) if kind.many else _component(config, group, registry)
        for group, kind in GROUPS.items()
        if group != TRACKING
    }
    return Settings(seed=seed, **sections, **groups)


def tracker_from_config(config: Mapping[str, Any], registry: Registry) -> Tracker:
    """Return the tracker that a configuration names; raises as :func:`settings_from_config`."""
    return cast("Tracker", _component(config, TRACKING, registry))


def target_from_config(config: Mapping[str, Any], registry: Registry) -> Target:
    """Return the target that a configuration names; raises as :func:`settings_from_config`."""
    return cast("Target", _component(config, "target", registry))


def pictures_from_config(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the pictures that a configuration wants of a single run.

    Raises:
        ConfigurationError: the value is no list of names.
    """
    wanted: tuple[str, ...] = parameters(Pictured)[PICTURES].convert(config.get(PICTURES, (AUTO,)), PICTURES)
    return wanted


def keys() -> dict[str, Parameter]:
    """Return every key of the configuration that belongs to no component, e.g. ``training.epochs``."""
    found = dict(parameters(Seed)) | parameters(Pictured)
    for section, cls in {**SECTIONS, SECTION: Preferences}.items():
        found |= {f"{section}.{name}": parameter for name, parameter in parameters(cls).items()}
    return found


_built: dict[tuple[str, str], Any] = {}  # sections, by their names and values: those of a sweep are mostly alike
_MOST = 1024  # of them


def _section(name: str, values: Any) -> Any:
    key = name, repr(_mapping(values, name))
    if key not in _built:
        made = build(SECTIONS[name], values, name)
        if len(_built) >= _MOST:
            _built.clear()
        _built[key] = made
    return _built[key]


def _component(config: Mapping[str, Any], group: str, registry: Registry) -> Any:
    later = {"name": _LATER[group]} if group in _LATER else None
    if later is None and group not in config:
        raise ConfigurationError(f"{group} is missing: write {group}=NAME.")
    values = _mapping(config.get(group, later), group)
    layers = [str(layer) for layer in range(1, len(values) + 1)]
    if group in LAYERED and layers and set(values) == set(layers):
        return tuple(_made(values[layer], group, f"{group}.{layer}", registry) for layer in layers)
    return _made(values, group, group, registry)


def _made(values: Any, group: str, where: str, registry: Registry) -> Any:
    own = dict(_mapping(values, where))
    name = own.pop("name", None)
    if not isinstance(name, str):
        raise ConfigurationError(f"{where} names no component: write {group}=NAME.")
    return registry.make(group, name, own, where)


def _components(config: Mapping[str, Any], group: str, registry: Registry) -> tuple[Any, ...]:
    """Return the list of components of a group; without its key, as in records of before, it is empty."""
    chosen = _mapping(config.get(group, {}), group)
    return tuple(registry.make(group, name, _mapping(values, f"{group}.{name}")) for name, values in chosen.items())


def _mapping(value: Any, key: str) -> Mapping[str, Any]:
    if type(value) is not dict and not isinstance(value, Mapping):  # the first is asked faster
        raise ConfigurationError(f"{key} must be a group of settings, not {value!r}.")
    return value

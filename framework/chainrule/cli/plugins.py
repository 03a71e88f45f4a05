"""``chainrule plugins``: list every plugin, whether it is used, and what it brings."""

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chainrule.cli.common import parse, parser
from chainrule.cli.help import summary
from chainrule.components.contracts import Component
from chainrule.components.parameters import Parameter, parameters, plain_defaults
from chainrule.errors import ChainruleError, PluginError, counted, nearest
from chainrule.records.settings import shown
from chainrule.registry.loaded import found
from chainrule.registry.preferences import STRICT, canonical, is_strict
from chainrule.registry.registry import Offer, Plugin, Registry, Status
from chainrule.testing import traceable
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject


def main(arguments: Sequence[str]) -> None:
    """List the plugins, installed or in plugins/: where they come from, whether they are used, what they bring."""
    command = parser("plugins", main.__doc__)
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="distribution, entry point, kind or component to show"
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    given = parse(command, arguments)
    registry = found()
    plugins = [_explained(plugin) for plugin in _selected(plugin_rows(registry), given.names)]
    if given.json:
        print(json.dumps({"reports": registry.reports, "plugins": plugins}, indent=1))
    else:
        print("\n\n".join([*map(_text, plugins), *(f"{sentence}." for sentence in registry.reports)]))
    if registry.reports and is_strict():
        count = len(registry.reports)
        raise PluginError(f"{counted(count, 'report')} about plugins ({STRICT} is set).")


def plugin_rows(registry: Registry) -> list[dict[str, Any]]:
    """Return every plugin and what it brings as plain data; why NumPy trains a component is left to be explained."""
    return [_plugin(plugin) for plugin in registry.plugins]


def _explained(plugin: dict[str, Any]) -> dict[str, Any]:
    """Return a plugin with the reasons why NumPy trains its components, which take long to find: fit for JSON."""
    return {**plugin, "components": [{**one, "numpy": _why_plain(one["numpy"])} for one in plugin["components"]]}


def _plugin(plugin: Plugin) -> dict[str, Any]:
    provider = plugin.provider
    return {
        "distribution": provider.distribution,
        "version": provider.version,
        "entry_point": provider.entry_point,
        "module": provider.module,
        "file": str(provider.file) if provider.file else None,
        "sha256": provider.digest or None,
        "status": plugin.status.value,
        "reason": plugin.reason,
        "description": plugin.description,
        "configurations": {package: str(folder) for package, folder in plugin.folders.items()},
        "components": [_component(offer) for offer in plugin.offers],
    }


def _component(offer: Offer) -> dict[str, Any]:
    known, defaults = _described(offer.component)
    return {
        "kind": offer.kind,
        "name": offer.component.name,
        "status": offer.status.value,
        "reason": offer.reason,
        "description": summary(offer.component),
        "numpy": offer,
        "parameters": [_parameter(p, defaults[name]) for name, p in known.items()],
    }


def _described(component: type[Component]) -> tuple[dict[str, Parameter], dict[str, Any]]:
    """Return the parameters of a component and their defaults; none of one that is broken because of them."""
    try:
        return parameters(component), plain_defaults(component)
    except PluginError:
        return {}, {}


def _why_plain(offer: Offer) -> str | None:
    """Return why NumPy trains runs with a component even if machine code is asked for; "" if machine code can.

    None of components that take no part in steps, or cannot be used.
    """
    if offer.kind not in traceable.KINDS or offer.status is not Status.OK:
        return None
    try:
        return traceable.reason_of(Subject(offer.component))
    except FindingError as error:
        return str(error)
    except ChainruleError:  # no run can be composed as long as plugins are refused, which is said at the end
        return None


def _parameter(parameter: Parameter, default: Any) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "type": "choice" if issubclass(parameter.type, enum.Enum) else parameter.type.__name__,
        "many": parameter.many,
        "optional": parameter.optional,
        "default": default,
        "bounds": parameter.limits,
        "accepts": parameter.wanted(),
        "description": parameter.description,
    }


def _selected(plugins: Iterable[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the plugins and components that have one of the names; all if there are no names."""
    if not names:
        return list(plugins)
    found, known, used = [], set(), set()
    for plugin in plugins:
        own = {canonical(plugin["distribution"]), plugin["entry_point"]}
        matching = [c for c in plugin["components"] if {c["kind"], c["name"]} & set(names)]
        hits = {name for name in names if {name, canonical(name)} & own}
        if hits:
            found.append(plugin)
        elif matching:
            found.append({**plugin, "components": matching})
        brought = {word for c in plugin["components"] for word in (c["kind"], c["name"])}
        known |= own | brought
        used |= hits | brought & set(names)
    for name in names:
        if name not in used:
            raise ChainruleError(
                f"no distribution with plugins, entry point, kind or component is called {name}{nearest(name, known)}."
            )
    return found


def _text(plugin: Mapping[str, Any]) -> str:
    status = plugin["status"] + (f": {plugin['reason']}" if plugin["reason"] else "")
    installed = f" {plugin['version']}, entry point {plugin['entry_point']}" if plugin["version"] else ""
    lines = [
        f"{plugin['distribution']}{installed}: {status}",
        f"  {plugin['file'] or plugin['module'] + ' (no such file)'}",
        *([f"  {plugin['description']}"] if plugin["description"] else []),
        *(f"  configuration: {folder}" for folder in plugin["configurations"].values()),
    ]
    for component in plugin["components"]:
        remark = "" if component["status"] == Status.OK else f" ({component['status']}: {component['reason']})"
        lines.append(f"  {component['kind']}={component['name']}{remark}: {component['description']}")
        if component["numpy"]:
            lines.append(f"    trained by NumPy: {component['numpy']}")
        for parameter in component["parameters"]:
            given = f"{parameter['name']}={shown(parameter['default'])}"
            lines.append(f"    {given:<32} {parameter['description'] or 'no description'} ({parameter['accepts']})")
    return "\n".join(lines)

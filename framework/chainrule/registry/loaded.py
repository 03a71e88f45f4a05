"""The registry of this process: of what is installed, of plugin files, and of what is declared or received."""

import functools
import importlib.metadata
from dataclasses import dataclass

from chainrule.errors import PluginError
from chainrule.files import in_memory, paths
from chainrule.registry import hookspecs
from chainrule.registry.declared import Declared, Parcel, declared
from chainrule.registry.folder import plugin_files
from chainrule.registry.preferences import STRICT, canonical, is_strict, read_preferences
from chainrule.registry.providers import FileProvider
from chainrule.registry.registry import Plugin, Registry, cause


def found() -> Registry:
    """Return the registry of everything that is installed, a plugin file, or declared.

    What is installed or a file is loaded once.

    Raises:
        PluginError: a declared component has the name of another plugin's.
    """
    registry = _loaded_once()
    registry.declare(_received.declared if _received else declared())
    return registry


def installed() -> Registry:
    """Return the registry as :func:`found`.

    Raises:
        PluginError: as there, or something is wrong with a plugin, and ``CHAINRULE_STRICT_PLUGINS`` makes every report
            an error.
    """
    registry = found()
    if registry.reports and is_strict():
        raise PluginError(f"{'. '.join(registry.reports)} ({STRICT} is set).")
    return registry


def parcel() -> Parcel:
    """Return what another process needs to have the plugins and data of this one, beside what is installed.

    Raises:
        PluginError: a declared class cannot be pickled.
    """
    files = [plugin.entry for plugin in found().plugins if isinstance(plugin.entry, FileProvider)]
    return Parcel.of(files, _received.declared if _received else declared(), in_memory.given())


def receive(parcel: Parcel) -> None:
    """Have the plugins of the process that sent the parcel instead of those that this one finds or declares.

    What the parcel has in memory is found in this process, too.

    Raises:
        PluginError: a class cannot be unpickled.
    """
    global _received
    before = _received.parcel if _received else None
    if before != parcel:
        _received = _Received(parcel, parcel.declared())
        if parcel.data:
            in_memory.keep(parcel.data)
    if before is None or before.files != parcel.files:
        _loaded_once.cache_clear()


@dataclass(frozen=True)
class _Received:
    """A parcel and the classes in it, unpickled once."""

    parcel: Parcel
    declared: list[Declared]


_received: _Received | None = None


@functools.cache
def _loaded_once() -> Registry:
    packaged, preferences = paths.configuration(), read_preferences()
    reserved = [path.relative_to(packaged).with_suffix("").as_posix() for path in packaged.rglob("*.yaml")]
    entries, damaged = _entry_points()
    files: list[FileProvider] = []
    unused: list[str] = []
    if _received:
        files = list(_received.parcel.files)
    elif preferences.files:
        files, unused = plugin_files(paths.started())
    if files:  # a module that is installed from this very folder is no second plugin
        known = {file.resolve() for entry in entries if (file := Plugin.of(entry).provider.file)}
        files = [file for file in files if file.path.resolve() not in known]
    registry = Registry(entries, preferences, reserved, files)
    registry.reports += damaged + unused
    return registry


def _entry_points() -> tuple[list[importlib.metadata.EntryPoint], list[str]]:
    """Return the entry points of all distributions, and a sentence for each one that cannot be read."""
    seen: set[str] = set()
    entries: list[importlib.metadata.EntryPoint] = []
    damaged = []
    for distribution in importlib.metadata.distributions():
        try:
            if hookspecs.PROJECT not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name = canonical(distribution.name)
            if name not in seen:  # a copy further down the path is not imported either
                entries += distribution.entry_points.select(group=hookspecs.PROJECT)
            seen.add(name)
        except Exception as error:  # any error: one distribution must not harm the others
            damaged.append(f"the distribution at {getattr(distribution, '_path', '?')} cannot be read: {cause(error)}")
    return entries, damaged

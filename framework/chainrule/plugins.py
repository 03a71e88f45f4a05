"""Find plugins, look up their components, and say who provides what."""

import difflib
import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pluggy

from chainrule import hookspecs
from chainrule.errors import ConfigurationError, PluginError, nearest
from chainrule.kinds import GROUPS, KINDS, Component, Kind
from chainrule.parameters import build, parameters
from chainrule.watchers import Session, Watcher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """Where a plugin comes from.

    Attributes:
        distribution, version: as installed.
        entry_point: its name in the group ``chainrule``.
        module: what the entry point names.
    """

    distribution: str
    version: str
    entry_point: str
    module: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point!r})"

    @property
    def digest(self) -> str:
        """SHA-256 of the source of the plugin's module, or of all modules where it is a package."""
        spec = importlib.util.find_spec(self.module.partition(":")[0])
        origin = Path(str(spec.origin)) if spec and spec.origin else Path()
        return source_digest(origin.parent if origin.name == "__init__.py" else origin)


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why."""

    provider: Provider
    cause: str

    def __str__(self) -> str:
        return f"plugin {self.provider} was skipped: {self.cause}"


class Registry:
    """The components of all plugins, by kind and name.

    Attributes:
        broken: plugins that were skipped.
    """

    def __init__(self, distributions: Iterable[importlib.metadata.Distribution]) -> None:
        self.broken: list[Broken] = []
        self._components: dict[str, dict[str, list[tuple[type[Component], Provider]]]] = {name: {} for name in KINDS}
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        seen: set[str] = set()
        for distribution in distributions:
            canonical = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
            if canonical in seen:  # an older copy further down the path, which Python does not import either
                continue
            seen.add(canonical)
            for entry in distribution.entry_points:
                if entry.group == hookspecs.PROJECT:
                    provider = Provider(distribution.metadata["Name"], distribution.version, entry.name, entry.value)
                    self._load(entry, provider)

    @property
    def providers(self) -> set[Provider]:
        """Who provides components."""
        return {provider for kind in self._components.values() for rivals in kind.values() for _, provider in rivals}

    def names(self, kind: str) -> list[str]:
        """Return the names of all components of a kind, sorted."""
        return sorted(self._components[kind])

    def find(self, kind: str, name: str, where: str | None = None) -> type[Component]:
        """Return the component class called ``name``.

        Raises:
            ConfigurationError: nobody provides it, or several plugins do.
        """
        return self._entry(kind, name, where or kind)[0]

    def first(self, kind: str, name: str) -> type[Component]:
        """Return the first component found under a name, even where several plugins provide it."""
        return self._components[kind][name][0][0]

    def provider(self, kind: str, name: str) -> Provider:
        """Return who provides a component; raises as :meth:`find`."""
        return self._entry(kind, name, kind)[1]

    def make(self, group: str, name: str, values: Mapping[str, Any]) -> Component:
        """Return the component ``name`` for a configuration group, with checked parameters.

        Raises:
            ConfigurationError: unknown name or parameter, wrong type, out of range.
        """
        component: Component = build(self.find(GROUPS[group].name, name, group), values, group)
        return component

    def watchers(self, session: Session) -> list[Watcher]:
        """Return those who watch the runs of a session, besides its tracker; a plugin that fails here is reported."""
        found: list[Watcher] = []
        for implementation in self._manager.hook.chainrule_watchers.get_hookimpls():
            arguments = {"session": session} if "session" in implementation.argnames else {}
            try:
                found += cast(Sequence[Watcher], implementation.function(**arguments))
            except Exception:
                log.exception("plugin %s watches nothing: its chainrule_watchers failed", implementation.plugin_name)
        return found

    def _entry(self, kind: str, name: str, where: str) -> tuple[type[Component], Provider]:
        known = self._components[kind]
        if name not in known:
            skipped = "".join(f" {broken}." for broken in self.broken)
            raise ConfigurationError(
                f"{where}={name} is unknown{nearest(name, known)}; there is {', '.join(sorted(known))}.{skipped}"
            )
        if len(known[name]) > 1:
            rivals = " and ".join(str(provider) for _, provider in known[name])
            raise ConfigurationError(f"{where}={name} is provided twice, by {rivals}; uninstall one of them.")
        return known[name][0]

    def _load(self, entry: importlib.metadata.EntryPoint, provider: Provider) -> None:
        try:
            module = entry.load()
            self._manager.register(module, f"{provider.distribution}:{provider.entry_point}")
            self._refuse_misspelt(module)
            found = [(kind, cls) for kind in KINDS.values() for cls in _provided(module, kind)]
        except Exception as error:
            self._manager.set_blocked(f"{provider.distribution}:{provider.entry_point}")
            self.broken.append(Broken(provider, _cause(error)))
            return
        for kind, cls in found:
            self._components[kind.name].setdefault(cls.name, []).append((cls, provider))

    def _refuse_misspelt(self, module: Any) -> None:
        hooks = [name for name in vars(hookspecs) if name.startswith("chainrule_")]
        for name, member in vars(module).items():
            if hasattr(member, "chainrule_impl") and name not in hooks:
                close = difflib.get_close_matches(name, hooks, n=1)
                hint = f" (did you mean {close[0]}?)" if close else ""
                raise PluginError(f"there is no hook {name}{hint}")


def source_digest(path: Path) -> str:
    """Return the SHA-256 of a Python file, or of all Python files of a folder with their names."""
    found = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        content = file.read_bytes() if file.is_file() else b""
        found.update(f"{file.relative_to(path.parent).as_posix()} {len(content)} ".encode() + content)
    return found.hexdigest()


@functools.cache
def installed() -> Registry:
    """Return the registry of everything installed in this environment, loaded once."""
    return Registry(importlib.metadata.distributions())


def _provided(module: Any, kind: Kind) -> list[type[Component]]:
    """Call one hook of a plugin and check what it returns."""
    implementation = getattr(module, kind.hook, None)
    if not hasattr(implementation, "chainrule_impl"):
        return []
    classes = list(implementation())  # type: ignore[misc]
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, kind.contract)):
            raise PluginError(f"{kind.hook} returned {cls!r}, which is no subclass of {kind.contract.__name__}")
        if cls.__abstractmethods__:
            raise PluginError(f"{cls.__qualname__} lacks {', '.join(sorted(cls.__abstractmethods__))}")
        if "name" in parameters(cls):
            raise PluginError(f"{cls.__qualname__} has a parameter called 'name', which configuration uses itself")
    return classes


def _cause(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)
    place = f" ({where[-1].filename}, line {where[-1].lineno})" if where else ""
    return f"{type(error).__name__}: {error}{place}"

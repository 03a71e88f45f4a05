"""Load plugins, decide which plugin provides each name, and look components up.

One plugin cannot harm another. A broken plugin is reported and left out. If two plugins use one name, neither gets it
until the person prefers one.
"""

import enum
import functools
import importlib.metadata
import logging
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pluggy

from chainrule.components.contracts import Component
from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError, PluginError, nearest, sentence
from chainrule.records.manifest import PluginEntry
from chainrule.records.settings import Settings
from chainrule.registry import hookspecs, vetting
from chainrule.registry.declared import Declared, forget
from chainrule.registry.kinds import GROUPS, KINDS
from chainrule.registry.preferences import (
    FILES,
    STRICT,
    VARIABLES,
    Preferences,
    canonical,
    is_strict,
)
from chainrule.registry.providers import ClassProvider, FileProvider, Provider
from chainrule.registry.watching import AUTO, EVERY, Session, Watcher

log = logging.getLogger(__name__)

_HYDRAS = "hydra/"  # where the configuration of Hydra itself lies
_LIKENESS = 0.8  # at which a name counts as a misspelt one


class Status(enum.StrEnum):
    """What became of a plugin, or of one of its components."""

    OK = "ok"
    BROKEN = "broken"  # it cannot be used, or another one uses the same name
    BLOCKED = "blocked"  # by the person
    SHADOWED = "shadowed"  # another one of the same name is preferred


@dataclass
class Offer:
    """A component that a plugin provides.

    Attributes:
        kind: name of its kind.
        component: its class.
        status, reason: whether it can be used; why not.
    """

    kind: str
    component: type[Component]
    status: Status = Status.OK
    reason: str = ""


@dataclass
class Plugin:
    """A plugin, installed or a plugin file.

    Attributes:
        provider: where it comes from.
        entry: what loads it: its entry point, or the provider of a plugin file.
        status, reason: whether it is used; why not.
        description: first paragraph of its docstring, in one line.
        offers: its components; empty if it is not used.
        folders: its folders of configuration, by the package that holds each.
    """

    provider: Provider
    entry: importlib.metadata.EntryPoint | FileProvider
    status: Status = Status.OK
    reason: str = ""
    description: str = ""
    offers: list[Offer] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: importlib.metadata.EntryPoint) -> "Plugin":
        """Return the plugin that an entry point of an installed distribution names."""
        assert entry.dist is not None  # each entry point was found in a distribution
        module = entry.value.partition(":")[0].partition("[")[0].strip()
        return cls(Provider(*_called(entry.dist), entry.name, module), entry)

    def __str__(self) -> str:
        verb = "was skipped" if self.status is Status.BROKEN else f"is {self.status}"
        return f"plugin {self.provider} {verb}: {self.reason}"


@functools.lru_cache(maxsize=64)
def _called(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Return the name and the version of a distribution, whose long description is parsed for them: once for all."""
    metadata: Any = distribution.metadata
    return metadata["Name"], metadata.get("Version", "without a version")


class Registry:
    """The components of all plugins, by kind and name.

    Args:
        entries: entry points of the group ``chainrule``, each of an installed distribution.
        preferences: what the person prefers and blocks.
        reserved: names of the packaged configuration files, such as ``experiment/article``.
        files: plugin files.

    Attributes:
        preferences: likewise.
        plugins: all plugins, whether they can be used or not.
        reports: one sentence for each problem with a plugin.
    """

    def __init__(
        self,
        entries: Iterable[importlib.metadata.EntryPoint],
        preferences: Preferences | None = None,
        reserved: Iterable[str] = (),
        files: Iterable[FileProvider] = (),
    ) -> None:
        self.preferences = preferences or Preferences()
        self.plugins = sorted(map(Plugin.of, entries), key=lambda plugin: canonical(plugin.provider.distribution))
        self.plugins += [Plugin(file, file) for file in files]
        self.reports: list[str] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(
            type("Hooks", (), {name: staticmethod(hook) for name, hook in hookspecs.HOOKS.items()})
        )
        self._components: dict[str, dict[str, tuple[type[Component], Provider]]] = {name: {} for name in KINDS}
        self._settle_entry_points()
        for plugin in self._by_preference():
            self._load(plugin)
        self._settle_components()
        self._settle_configurations(reserved)
        self.reports += [str(plugin) for plugin in self.plugins if plugin.status is Status.BROKEN]
        self.reports += self._unknown_preferences()

    @property
    def providers(self) -> set[Provider]:
        """The providers of components that can be used."""
        return {provider for kind in self._components.values() for _, provider in kind.values()}

    @property
    def folders(self) -> dict[str, Path]:
        """Folders of configuration of all plugins, by package; those of preferred distributions come first."""
        return {name: path for plugin in self._by_preference() for name, path in plugin.folders.items()}

    def names(self, kind: str) -> list[str]:
        """Return the names of all components of a kind that can be used, sorted."""
        return sorted(self._components[kind])

    def find(self, kind: str, name: str, where: str | None = None) -> type[Component]:
        """Return the component class called ``name``.

        Raises:
            ConfigurationError: no plugin provides it, or it cannot be used; the sentence begins with ``where``.
        """
        return self._entry(kind, name, where or kind)[0]

    def provider(self, kind: str, name: str) -> Provider:
        """Return the provider of a component; raises as :meth:`find`."""
        return self._entry(kind, name, kind)[1]

    def plugins_of(self, settings: Settings) -> dict[str, PluginEntry]:
        """Return the plugins that a run depends on, by ``distribution:entry point``."""
        used = self.providers_of(settings)
        return {key: PluginEntry(version=p.version, sha256=p.digest) for key, p in used.items()}

    def providers_of(self, settings: Settings) -> dict[str, Provider]:
        """Return where the plugins come from that a run depends on, likewise."""
        used = [self.provider(GROUPS[group].name, component.name) for group, component in settings.components()]
        return {provider.key: provider for provider in used}

    def make(self, group: str, name: str, values: Mapping[str, Any], where: str | None = None) -> Component:
        """Return the component ``name`` for a configuration group, with checked parameters.

        Args:
            group: the group.
            name: of the component.
            values: of its parameters, by name.
            where: the key at which the configuration holds them, if that is not the group.

        Raises:
            ConfigurationError: unknown name or parameter, wrong type, out of range.
        """
        where = where or (f"{group}.{name}" if GROUPS[group].many else group)
        component: Component = build(self.find(GROUPS[group].name, name, group), values, where)
        return component

    def missing(self, where: str, name: str, choices: Iterable[str]) -> ConfigurationError:
        """Return the error for a choice ``where=name`` that is not available: why not, or what can be chosen instead.

        Args:
            where: a kind, a component's group, or another group of the configuration.
            name: what was chosen.
            choices: what can be chosen.
        """
        kind = GROUPS[where].name if where in GROUPS else where
        for plugin in self.plugins:
            reasons = [o.reason for o in plugin.offers if (o.kind, o.component.name) == (kind, name)]
            if plugin.status is not Status.OK and (kind, name) in plugin.provider.promised:
                reasons.append(str(plugin))
            if reasons:
                return ConfigurationError(f"{where}={name} cannot be used: {reasons[0]}.")
        known = sorted(choices)
        hint = self._called(kind, name) or nearest(name, known)
        broken = "".join(f" Besides, {plugin}." for plugin in self.plugins if plugin.status is Status.BROKEN)
        return ConfigurationError(f"{where}={name} is unknown{hint}; choose one of {', '.join(known)}.{broken}")

    def _called(self, kind: str, name: str) -> str:
        """Return a question after the components that are called so elsewhere; empty if there are none."""
        plainly = name.lower().replace("-", "_")
        known = self._components.get(kind, {})
        found = {each: cls for each, (cls, _) in sorted(known.items()) if plainly in cls.known_as}
        partners = {each: getattr(cls, "paired_output", None) for each, cls in found.items()}
        shown = [
            f"{each!r} for output={partner}" if partner and len(found) > 1 else repr(each)
            for each, partner in partners.items()
        ]
        return f" (did you mean {' or '.join(shown)}?)" if shown else ""

    def require_preferences(self, section: Mapping[str, Any]) -> None:
        """Refuse preferences in a composed configuration that were not known when plugins were loaded.

        Raises:
            ConfigurationError: the section has a name that was not known then.
        """
        late = Preferences.of(section)
        for name, variable in VARIABLES.items():
            if not set(getattr(late, name)) <= set(getattr(self.preferences, name)):
                raise ConfigurationError(
                    f"plugins.{name} must be known before plugins are loaded: write plugins.{name}=[...] on the "
                    f"command line, or put it into conf/plugins.yaml or into the environment variable {variable}."
                )
        if self.preferences.files and not late.files:
            raise ConfigurationError(
                "plugins.files must be known before plugins are loaded: write plugins.files=false on the command line, "
                f"or put it into conf/plugins.yaml, or set the environment variable {FILES}=0."
            )

    def watchers(self, session: Session) -> list[Watcher]:
        """Return the plugins' watchers for a session, without its tracker; a plugin that fails here is reported.

        Raises:
            ConfigurationError: a picture is wanted of a single run that no watcher draws.
            PluginError: a plugin fails, and ``CHAINRULE_STRICT_PLUGINS`` makes every report an error.
        """
        watching: list[Watcher] = []
        for implementation in self._manager.hook.chainrule_watchers.get_hookimpls():
            arguments = {"session": session} if "session" in implementation.argnames else {}
            try:
                watching += vetting.watchers(implementation.function(**arguments))
            except (Exception, SystemExit) as error:
                sentence = f"plugin {implementation.plugin_name} provides no watcher: {cause(error)}"
                if is_strict():
                    raise PluginError(f"{sentence} ({STRICT} is set).") from error
                log.error(f"{sentence}.", exc_info=None if isinstance(error, PluginError) else error)
        if not session.of_sweep:
            _require_drawn(session.pictures, watching)
        return watching

    def declare(self, declared: Iterable[Declared]) -> None:
        """Add components that the program has declared; one of the same name that was declared earlier is replaced.

        Raises:
            PluginError: a plugin has a component of this name; the declaration is forgotten.
        """
        for one in declared:
            known = self._components[one.kind]
            cls, name = one.component, one.component.name
            provider = known[name][1] if name in known else one.provider
            if isinstance(provider, ClassProvider):
                known[name] = cls, one.provider
            elif provider.module.partition(".")[0] != cls.__module__.partition(".")[0]:  # else it is the plugin's own
                forget(one)
                raise PluginError(
                    f"{provider} has {one.kind}={name} already: give the class another name, such as "
                    f'class {cls.__name__}(..., name="my_{name}").'
                )

    def _entry(self, kind: str, name: str, where: str) -> tuple[type[Component], Provider]:
        known = self._components[kind]
        if name not in known:
            raise self.missing(where, name, known)
        return known[name]

    def _settle_entry_points(self) -> None:
        """Leave out blocked plugins; of those that share the name of an entry point, use the preferred one or none."""
        rivals: dict[str, list[Plugin]] = {}
        for plugin in self.plugins:
            by = self.preferences.blocks(plugin.provider.distribution, plugin.provider.entry_point)
            if by:
                plugin.status, plugin.reason = Status.BLOCKED, _blocked(by)
            else:
                rivals.setdefault(plugin.provider.claim, []).append(plugin)
        for same in rivals.values():
            providers = [plugin.provider for plugin in same]
            versions = " and ".join(provider.release for provider in providers)
            self._settle(same, providers, f"{versions} use the same entry point")

    def _load(self, plugin: Plugin) -> None:
        provider = plugin.provider
        try:
            with redirect_stdout(sys.stderr):  # what a plugin prints must not mix with the output of the command
                module = _loaded(plugin)
            if self._manager.is_registered(module):
                raise PluginError(f"{provider.module} has another entry point already")
            components, folders = vetting.components(module), vetting.configurations(module)
            self._manager.register(module, provider.key)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit: a plugin must not end the process
            plugin.status, plugin.reason = Status.BROKEN, cause(error, provider)
            return
        plugin.description = str(module.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        plugin.offers = [
            Offer(kind.name, cls, Status.BROKEN if reason else Status.OK, reason) for kind, cls, reason in components
        ]
        plugin.folders = folders

    def _settle_components(self) -> None:
        """Leave out blocked components; of those that share a name, use the preferred one or none."""
        rivals: dict[tuple[str, str], list[tuple[Offer, Provider]]] = {}
        for plugin in self.plugins:
            for offer in plugin.offers:
                if offer.status is Status.BROKEN:
                    what = f"{offer.kind}={offer.component.name} of plugin {plugin.provider}"
                    self.reports.append(f"{what} was skipped: {offer.reason}")
                    continue
                by = self.preferences.blocks("", offer.component.name)
                if by:
                    offer.status = Status.BLOCKED
                    offer.reason = f"that of {plugin.provider} is blocked: {_blocked(by)}"
                else:
                    key = offer.kind, offer.component.name
                    rivals.setdefault(key, []).append((offer, plugin.provider))
        for (kind, name), same in rivals.items():
            offers, providers = [offer for offer, _ in same], [provider for _, provider in same]
            self._settle(offers, providers, f"it is provided by {' and by '.join(map(str, providers))}")
            if offers[0].status is Status.BROKEN:
                self.reports.append(f"{kind}={name} cannot be used: {offers[0].reason}")
            for offer, provider in same:
                if offer.status is Status.OK:
                    self._components[kind][name] = offer.component, provider

    def _settle(self, same: Sequence[Plugin | Offer], providers: Sequence[Provider], conflict: str) -> None:
        """Give a name that several share to the preferred one, or to none, by setting the status of the others.

        Args:
            same: those that share the name.
            providers: where each comes from.
            conflict: says that they share the name.
        """
        if len(same) == 1:
            return
        ranks = [self.preferences.rank(provider.distribution) for provider in providers]
        best = min((rank for rank in ranks if rank is not None), default=None)
        winner = ranks.index(best) if best is not None and ranks.count(best) == 1 else None
        for index, one in enumerate(same):
            if winner is None:
                one.status, one.reason = Status.BROKEN, f"{conflict}; {_cure(providers)}"
            elif index != winner:
                one.status = Status.SHADOWED
                one.reason = f"{conflict}, and {providers[winner].distribution} is preferred"

    def _settle_configurations(self, reserved: Iterable[str]) -> None:
        """Leave out a plugin's folder of configuration if one of its files would hide another file or a component."""
        taken = dict.fromkeys(reserved, "chainrule itself")
        for group, kind in GROUPS.items():
            taken |= {f"{group}/{name}": str(provider) for name, (_, provider) in self._components[kind.name].items()}
        for plugin in self._by_preference():
            for package, folder in list(plugin.folders.items()):
                names = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml")}
                hidden = sorted(name for name in names if name in taken or name.startswith(_HYDRAS))
                if hidden:
                    del plugin.folders[package]
                    self.reports.append(
                        f"the configuration of plugin {plugin.provider} is left out: "
                        f"{hidden[0]}.yaml would hide that of {taken.get(hidden[0], 'Hydra')}"
                    )
                else:
                    taken |= dict.fromkeys(names, str(plugin.provider))

    def _by_preference(self) -> list[Plugin]:
        """Return the plugins that can be used, those of preferred distributions first."""

        def place(plugin: Plugin) -> int:
            rank = self.preferences.rank(plugin.provider.distribution)
            return len(self.preferences.prefer) if rank is None else rank

        return sorted((plugin for plugin in self.plugins if plugin.status is Status.OK), key=place)

    def _unknown_preferences(self) -> list[str]:
        """Return a sentence for each preferred or blocked name that seems misspelt.

        Other unknown names may be meant for other machines.
        """
        if self.preferences == Preferences():
            return []
        distributions = {canonical(plugin.provider.distribution) for plugin in self.plugins}
        brought = {plugin.provider.entry_point for plugin in self.plugins}
        brought |= {offer.component.name for plugin in self.plugins for offer in plugin.offers}
        brought |= {name for p in self.plugins if p.status is not Status.OK for _, name in p.provider.promised}
        return [
            f"plugins.{setting} names {name!r}, which is no {noun}{nearest(name, known, _LIKENESS)}"
            for setting, noun, known in (
                ("prefer", "distribution with plugins", distributions),
                ("block", "distribution, entry point or component", distributions | brought),
            )
            for name in getattr(self.preferences, setting)
            if not {name, canonical(name)} & known and nearest(name, known, _LIKENESS)
        ]


_loading: ContextVar[bool] = ContextVar("loading", default=False)


def is_loading() -> bool:
    """Say whether a plugin is being imported to see what it provides."""
    return _loading.get()


def _loaded(plugin: Plugin) -> Any:
    token = _loading.set(True)
    try:
        return plugin.entry.load()
    finally:
        _loading.reset(token)


def _require_drawn(pictures: Iterable[str], watching: Iterable[Watcher]) -> None:
    """Refuse names of pictures that no watcher draws.

    Raises:
        ConfigurationError: there is such a name.
    """
    known = [AUTO, EVERY, *dict.fromkeys(name for watcher in watching for name in watcher.draws)]
    for name in pictures:
        if name not in known:
            raise ConfigurationError(
                f"pictures: {name!r} is no picture{nearest(name, known)}; choose of {', '.join(known)}."
            )


def _blocked(by: str) -> str:
    return f"{by!r} is in plugins.block or {VARIABLES['block']}"


def _cure(providers: Sequence[Provider]) -> str:
    """Say how a conflict is resolved."""
    distributions = [provider.distribution for provider in providers]
    if len(set(distributions)) < len(distributions):  # a preferred distribution would still have two
        return f"plugins.block=[{providers[-1].entry_point}] leaves one out"
    return f"plugins.prefer=[{distributions[0]}] or [{distributions[-1]}] settles it"


def cause(error: BaseException, provider: Provider | None = None) -> str:
    """Return one phrase for what went wrong in a plugin, with its place in the plugin's own files if it is known."""
    if isinstance(error, PluginError):
        return sentence(error).rstrip(".")
    if provider and provider.file:
        try:
            declared = vetting.declared_in(provider.file.read_text(errors="replace"))
            if declared is not None:
                vetting.require_api(declared)  # the import may have failed because of the version
        except PluginError as other:
            return str(other)
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"{sentence(error)}{place}"

"""Which plugins the person prefers and blocks; this is read before any configuration is composed."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import doc

from chainrule.components.parameters import build, plain
from chainrule.errors import ConfigurationError, text_of
from chainrule.files import paths

SECTION = "plugins"  # key of the configuration
STRICT = "CHAINRULE_STRICT_PLUGINS"
VARIABLES = {"prefer": "CHAINRULE_PREFER_PLUGINS", "block": "CHAINRULE_BLOCK_PLUGINS"}  # of the lists of names
FILES = "CHAINRULE_PLUGIN_FILES"
_EXPORTED = "CHAINRULE_PLUGINS_CHOSEN"  # set if the other variables hold all preferences
_BRACKETS = 100  # of a file that has a few lists; many in one another take long to read
_TYPED = re.compile(rf"\+{{0,2}}{SECTION}(\.\w+)?=")


@dataclass(frozen=True)
class Preferences:
    """The section ``plugins``: which plugins are used.

    Names of distributions are compared as Python's packaging compares them: ``Chainrule_Mine`` is ``chainrule-mine``.
    """

    prefer: Annotated[tuple[str, ...], doc("distributions that win, the first one first, if several use one name")] = ()
    block: Annotated[tuple[str, ...], doc("distributions, entry points or components to leave out")] = ()
    files: Annotated[bool, doc("whether files plugins/*.py beside conf/ are plugins, too")] = True

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Preferences":
        """Return the preferences in a section of the configuration.

        Raises:
            ConfigurationError: a key is unknown, or a value is not a list of names.
        """
        preferences: Preferences = build(cls, values, SECTION)
        return preferences

    @classmethod
    def from_environment(cls) -> "Preferences":
        """Return the preferences in the environment: names separated by commas."""
        lists = {name: tuple(_split(os.environ.get(variable, ""))) for name, variable in VARIABLES.items()}
        return cls(**lists, files=_is_on(os.environ.get(FILES, "1")))

    def merged_with(self, other: "Preferences") -> "Preferences":
        """Return the preferences of both; these come first, and what one of them switches off is off."""
        merged = {name: tuple(dict.fromkeys([*plain(self)[name], *plain(other)[name]])) for name in VARIABLES}
        return Preferences(**merged, files=self.files and other.files)

    def export(self) -> None:
        """Put the preferences into the environment, where child processes read them."""
        for name, variable in VARIABLES.items():
            os.environ[variable] = ",".join(getattr(self, name))
        os.environ[FILES] = str(int(self.files))
        os.environ[_EXPORTED] = "1"

    def rank(self, distribution: str) -> int | None:
        """Return the place of a distribution among the preferred ones, or None."""
        names = [canonical(name) for name in self.prefer]
        return names.index(canonical(distribution)) if canonical(distribution) in names else None

    def blocks(self, distribution: str, *names: str) -> str | None:
        """Return the blocked name that is this distribution or one of ``names``, or None."""
        return next((b for b in self.block if canonical(b) == canonical(distribution) or b in names), None)


def read_preferences(typed: Sequence[str] | None = None) -> Preferences:
    """Return the preferences as typed, or else those of ``conf/plugins.yaml``, and after them those of the environment.

    Args:
        typed: overrides of the command line, of which those of ``plugins`` are read; None if there is no command line.

    Raises:
        ConfigurationError: a key is unknown, a value is not a list of names, or the file cannot be read.
    """
    environment = Preferences.from_environment()
    if typed is None and _EXPORTED in os.environ:
        return environment
    from omegaconf import OmegaConf  # here, because a process that reads the environment does not need it
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    name = f"{SECTION}.yaml"
    own, packaged = Path("conf", name), paths.configuration() / name
    words = [word.lstrip("+") for word in typed or () if is_preference(word)]
    try:
        path = own if own.is_file() else packaged
        if sum(map(path.read_bytes().count, (b"[", b"{"))) > _BRACKETS:
            raise RecursionError
        file: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OmegaConfBaseException, YAMLError, OSError, ValueError, RecursionError) as error:
        what = "it has values in values, or one in itself" if isinstance(error, RecursionError) else text_of(error)
        raise ConfigurationError(f"conf/{name} cannot be read: {' '.join(what.split())}.") from None
    if not isinstance(file, dict) or not isinstance(file.get(SECTION), dict):
        raise ConfigurationError(f"conf/{name} must have the key {SECTION}, with prefer and block beneath it.")
    try:
        config: Any = OmegaConf.to_container(OmegaConf.merge(file, OmegaConf.from_dotlist(words)), resolve=True)
    except (OmegaConfBaseException, YAMLError, ValueError):
        config = {SECTION: None}
    if not isinstance(config[SECTION], dict):
        whole = next((word for word in words if word.startswith(f"{SECTION}=")), "")
        if whole:
            cure = f"write {SECTION}.prefer=[NAME] or {SECTION}.block=[NAME]"
            raise ConfigurationError(f"{whole} is no group of settings: {cure}.")
        raise ConfigurationError(f"{' '.join(words)} is no list of names: write it as [NAME,NAME].")
    return Preferences.of(config[SECTION]).merged_with(environment)


def is_preference(word: str) -> bool:
    """Say whether a word of the command line sets a preference about plugins."""
    return _TYPED.match(word) is not None


def is_strict() -> bool:
    """Say whether every report about a plugin is an error."""
    return _is_on(os.environ.get(STRICT, ""))


def canonical(name: str) -> str:
    """Return the name of a distribution in its normal form (PEP 503), for comparison."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_on(value: str) -> bool:
    return value.lower() not in ("", "0", "false")


def _split(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

"""Which of the installed plugins count: what the person prefers and blocks, known before anything is composed."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import doc

from chainrule.components.parameters import build, plain
from chainrule.errors import ConfigurationError
from chainrule.files import paths

SECTION = "plugins"  # key of the configuration
STRICT = "CHAINRULE_STRICT_PLUGINS"
VARIABLES = {"prefer": "CHAINRULE_PREFER_PLUGINS", "block": "CHAINRULE_BLOCK_PLUGINS"}
_EXPORTED = "CHAINRULE_PLUGINS_CHOSEN"  # set where the other variables hold everything that there is to know
_TYPED = re.compile(rf"\+{{0,2}}{SECTION}(\.\w+)?=")


@dataclass(frozen=True)
class Preferences:
    """``plugins``: which installed plugins count.

    Names of distributions are compared as Python's packaging does: ``Chainrule_Lion`` is ``chainrule-lion``.
    """

    prefer: Annotated[tuple[str, ...], doc("distributions that win, first one first, where several use one name")] = ()
    block: Annotated[tuple[str, ...], doc("distributions, entry points or components to leave out")] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Preferences":
        """Return the preferences in a section of the configuration.

        Raises:
            ConfigurationError: an unknown key, or no list of names.
        """
        preferences: Preferences = build(cls, values, SECTION)
        return preferences

    @classmethod
    def from_environment(cls) -> "Preferences":
        """Return the preferences in the environment: lists of names between commas."""
        return cls(**{name: tuple(_split(os.environ.get(variable, ""))) for name, variable in VARIABLES.items()})

    def merged_with(self, other: "Preferences") -> "Preferences":
        """Return both, these first."""
        merged = {name: tuple(dict.fromkeys([*plain(self)[name], *plain(other)[name]])) for name in VARIABLES}
        return Preferences(**merged)

    def export(self) -> None:
        """Put them into the environment, from where processes that this one starts have them."""
        for name, variable in VARIABLES.items():
            os.environ[variable] = ",".join(getattr(self, name))
        os.environ[_EXPORTED] = "1"

    def rank(self, distribution: str) -> int | None:
        """Return the place of a distribution among the preferred ones, or None."""
        names = [canonical(name) for name in self.prefer]
        return names.index(canonical(distribution)) if canonical(distribution) in names else None

    def blocks(self, distribution: str, *names: str) -> str | None:
        """Return the name by which a distribution, or one of the ``names`` of what it brings, is blocked, or None."""
        return next((b for b in self.block if canonical(b) == canonical(distribution) or b in names), None)


def read_preferences(typed: Sequence[str] | None = None) -> Preferences:
    """Return what the person prefers: as typed, or else as in ``conf/plugins.yaml``, and as the environment says.

    Args:
        typed: overrides of the command line, of which those of ``plugins`` count; None in a process that has none.

    Raises:
        ConfigurationError: an unknown key, or no list of names.
    """
    environment = Preferences.from_environment()
    if typed is None and _EXPORTED in os.environ:
        return environment
    from omegaconf import OmegaConf  # here, because a process that is told by the environment does not need it
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    name = f"{SECTION}.yaml"
    own, packaged = Path("conf", name), paths.configuration() / name
    words = [word.lstrip("+") for word in typed or () if is_preference(word)]
    try:
        file: Any = OmegaConf.to_container(OmegaConf.load(own if own.is_file() else packaged), resolve=True)
    except (OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        raise ConfigurationError(f"conf/{name} cannot be read: {' '.join(str(error).split())}.") from None
    if not isinstance(file, dict) or not isinstance(file.get(SECTION), dict):
        raise ConfigurationError(f"conf/{name} must have the key {SECTION}, with prefer and block beneath it.")
    try:
        config: Any = OmegaConf.to_container(OmegaConf.merge(file, OmegaConf.from_dotlist(words)), resolve=True)
    except (OmegaConfBaseException, YAMLError, ValueError):
        raise ConfigurationError(f"{' '.join(words)} is no list of names: write it as [NAME,NAME].") from None
    return Preferences.of(config[SECTION]).merged_with(environment)


def is_preference(word: str) -> bool:
    """Say whether a word of the command line is about plugins."""
    return _TYPED.match(word) is not None


def is_strict() -> bool:
    """Say whether every report about plugins is to be a failure."""
    return os.environ.get(STRICT, "").lower() not in ("", "0", "false")


def canonical(name: str) -> str:
    """Return the name of a distribution in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _split(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

"""A loader of Hydra that composes what a command says once.

Hydra composes it twice: first to learn whether it is a run or a sweep, then with the answer among its overrides.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra._internal import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from chainrule.config.compose import fitted_in
from chainrule.config.fitting import known
from chainrule.config.quickly import composing_quickly
from chainrule.config.templates import plain
from chainrule.files.defaults import AUTO

_MODE = "hydra.mode="


@dataclass(frozen=True)
class _Asked:
    """What was composed when Hydra asked for the mode.

    Attributes:
        name: of the main file.
        overrides: as they were then.
        config: the configuration, with the same overrides for a run and for a sweep.
    """

    name: str | None
    overrides: list[str]
    config: DictConfig

    def further(self, name: str | None, overrides: list[str]) -> list[str] | None:
        """Return what Hydra has added since to the overrides; None if it composes something else now."""
        count = len(self.overrides)
        added = overrides[count:]
        is_same = name == self.name and overrides[:count] == self.overrides and len(added) <= 1
        return added if is_same and all(text.startswith(_MODE) for text in added) else None


class Once(ConfigLoaderImpl):
    """Composes as Hydra's own loader does, but hands on what it has composed when it was asked for the mode.

    Args:
        config_search_path: where files lie.
        shows: whether the configuration is only shown, so that what stands for ``auto`` is put into it.
    """

    def __init__(self, config_search_path: ConfigSearchPath, shows: bool = False) -> None:
        super().__init__(config_search_path)
        self._shows = shows
        self._asked: _Asked | None = None

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Return the configuration that overrides describe; raises as Hydra's own loader does."""
        asked, self._asked = self._asked, None
        if not validate_sweep_overrides:  # only where Hydra asks for the mode
            return self._ask(config_name, overrides, run_mode, from_shell)
        further = asked.further(config_name, overrides) if asked else None
        if asked and further is not None:
            return self._answered(asked, further, run_mode, from_shell)
        config = super().load_configuration(config_name, overrides, run_mode, from_shell)
        found = fitted_in(config) if self._shows else {}
        if not found or _put(config, found):
            return config
        with known(found):
            return super().load_configuration(config_name, overrides, run_mode, from_shell)

    def _ask(self, name: str | None, overrides: list[str], run_mode: RunMode, from_shell: bool) -> DictConfig:
        """Compose what is right for a run and for a sweep; where that is impossible, what Hydra asks for."""
        try:
            config = super().load_configuration(name, overrides, RunMode.RUN, from_shell, False)
        except Exception:  # a run needs a choice that a sweep may make, or Hydra says what is wrong when it composes it
            return super().load_configuration(name, overrides, run_mode, from_shell, False)
        self._asked = _Asked(name, list(overrides), config)
        return config

    def _answered(self, asked: _Asked, further: list[str], run_mode: RunMode, from_shell: bool) -> DictConfig:
        """Return what was composed with the mode set; values of a sweep are refused in a run."""
        parsed = OverridesParser.create().parse_overrides([*asked.overrides, *further])
        self.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
        self._apply_overrides_to_config(parsed[len(asked.overrides) :], asked.config)
        asked.config.hydra.overrides.hydra.extend(further)
        return asked.config


def _put(config: DictConfig, found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Put components in the place of ``auto``; return False, and change nothing, where something else stands beside it.

    Args:
        config: as composed.
        found: name and parameters of the components, by group.
    """
    if any(plain(config[group]) != {"name": AUTO} for group in found):
        return False
    for group, component in found.items():
        config[group] = dict(component)
    return True


@contextmanager
def composing_once(shows: bool) -> Iterator[None]:
    """Let Hydra compose by :class:`Once` in the block, and quickly; it offers no place for a loader.

    Args:
        shows: see :class:`Once`.
    """
    changed: Any = hydra
    before, changed.ConfigLoaderImpl = changed.ConfigLoaderImpl, partial(Once, shows=shows)
    try:
        with composing_quickly():
            yield
    finally:
        changed.ConfigLoaderImpl = before

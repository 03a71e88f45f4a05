"""What Hydra composes for one choice of components, with other components in their place.

A component adds its name and its parameters below the key of its group. Usually nothing else depends on which one is
chosen. So Hydra composes one choice, with a mark in the place of what its components add, and other choices are made
from that. What stands beside a mark was added by a later file, such as an experiment that sets ``optimizer.lr``, and
stays. Where anything else may depend on the choice, Hydra has to compose each choice.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from chainrule.config.layers import names_in
from chainrule.config.options import ANY, MARK, marked, option

_COMPONENTS = "chainrule"  # the scheme of the source that has all components and nothing else


@dataclass(frozen=True)
class Loading:
    """How Hydra composes here.

    Attributes:
        loader: Hydra's.
        load: composes from overrides of the task.
        name: of the main file.
        before: overrides of Hydra that stand before those of the task.
    """

    loader: ConfigLoader
    load: Callable[[list[str]], DictConfig]
    name: str
    before: Sequence[str] = ()

    @classmethod
    def of_jobs(cls, loader: ConfigLoader, master: DictConfig) -> "Loading":
        """Return how jobs of a sweep are composed, whose own configuration is ``master``."""
        name, before = master.hydra.job.config_name, master.hydra.overrides.hydra
        return cls(loader, lambda overrides: loader.load_sweep_config(master, overrides), name, before)

    @classmethod
    def of_runs(cls, loader: ConfigLoader, name: str) -> "Loading":
        """Return how single runs are composed in Python."""
        mode = RunMode.RUN
        return cls(loader, lambda overrides: loader.load_configuration(name, overrides, mode, from_shell=False), name)

    def knows(self, composed: DictConfig) -> bool:
        """Say whether all files come from folders of the loader: a file or an override may name further ones."""
        used = [(source.provider, source.path) for source in composed.hydra.runtime.config_sources]
        return used == [(source.provider, source.path) for source in self.loader.get_sources()]


class Choices:
    """Configurations that differ in the choice of components.

    Args:
        loading: how Hydra composes.
        others: overrides that all of them have; each chooses a file of a group, as ``experiment=article`` does.
        first: the choice that Hydra composes, group to name; for each, :func:`component_finder` says yes.

    Raises:
        HydraException, OmegaConfBaseException: it cannot be composed with marks.
    """

    def __init__(self, loading: Loading, others: Sequence[str], first: Mapping[str, str]) -> None:
        self._loading, self._others, self._first = loading, list(others), dict(first)
        with marked():
            self._composed = loading.load([*others, *_texts(first)])
        self._added = self._find_marks()

    def config(self, chosen: Mapping[str, str]) -> DictConfig | None:
        """Return the configuration of a choice, or None if Hydra must compose it.

        The overrides that Hydra writes into its own configuration are those of the first choice.

        Args:
            chosen: group to name, as ``first``; other groups have the component that the files choose.

        Raises:
            OmegaConfBaseException: what a later file adds does not fit a component.
        """
        if self._added is None or not chosen.keys() <= self._added.keys():
            return None
        if chosen != self._first and not self._are_independent:
            return None
        config = copy.deepcopy(self._composed)
        usual = self._usual if self._first.keys() - chosen.keys() else {}
        choices = config.hydra.runtime.choices
        with read_write(config), open_dict(config):
            for group, added in self._added.items():
                name = chosen.get(group) or usual.get(group) or choices[group]
                component = OmegaConf.create(option(group, name))
                component.merge_with(added)
                config[group], choices[group] = component, name
        return config

    def _find_marks(self) -> dict[str, dict[str, Any]] | None:
        """Return what later files add to each component, by group; None where earlier files add something as well."""
        task: Any = OmegaConf.to_container(self._composed, resolve=False)
        choices, found = task.pop("hydra")["runtime"]["choices"], {}
        for group, values in task.items():
            if not isinstance(values, dict) or MARK not in values:
                continue
            added = {key: value for key, value in values.items() if key != MARK}
            is_first = next(iter(values)) == MARK  # what files add before a component stands in front of its keys
            is_merged = any(isinstance(value, dict) for value in added.values())
            if not is_first or is_merged or values[MARK] != f"{group}/{choices.get(group)}":
                return None
            found[group] = added
        # No mark may lie deeper, nor may there be folders that ``is_component`` does not look into.
        return found if repr(task).count(MARK) == len(found) and self._loading.knows(self._composed) else None

    @cached_property
    def _are_independent(self) -> bool:
        """Whether all other files are the same whatever is chosen: defaults lists may hold ``${activation}``."""
        assert self._added is not None
        expected = {**self._composed.hydra.runtime.choices, **dict.fromkeys(self._added, ANY)}
        with marked():
            return self._listed(dict.fromkeys(self._added, ANY)) == expected

    @cached_property
    def _usual(self) -> Mapping[str, str]:
        """The choice of the files."""
        return self._listed({})

    def _listed(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """Return the choice of every group, as Hydra finds it."""
        overrides = [*self._loading.before, *self._others, *_texts(chosen)]
        listed: Any = self._loading.loader.compute_defaults_list(self._loading.name, overrides, RunMode.RUN)
        return dict(listed.overrides.known_choices)


def component_finder(loader: ConfigLoader) -> Callable[[str, str], bool]:
    """Return a function that says whether a group and a name are one installed component and no file is called so."""

    @cache
    def is_component(group: str, name: str) -> bool:
        sources = [source.scheme() for source in loader.get_sources() if source.is_config(f"{group}/{name}")]
        return sources == [_COMPONENTS] and len(names_in(group, name)) == 1  # which is what adds a mark

    return is_component


def _texts(chosen: Mapping[str, str]) -> list[str]:
    return [f"{group}={name}" for group, name in chosen.items()]

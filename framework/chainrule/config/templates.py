"""Many configurations from few that Hydra has composed: single values are changed in copies.

To compose takes Hydra 50 ms, most of which is the same for all configurations. A value is changed here by the call of
OmegaConf that Hydra uses; whatever plainly chooses no component and is not plainly ``key=value`` is left to Hydra, and
so is every error.
"""

import copy
import functools
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from chainrule.config.changes import Change
from chainrule.config.choices import Choices, Loading, component_finder

_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")
_WHOLE = re.compile(r"([A-Za-z_][\w.]*)=([1-9][0-9]{0,17})")


class Template:
    """What Hydra composes for one choice of groups, before single values are changed.

    Attributes:
        config: as composed.
        task: configuration of the task, plain data with interpolations unresolved.
        hydra: configuration of Hydra, likewise.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.task = plain(config)
        self.hydra: dict[str, Any] = self.task.pop("hydra")
        self._changes: dict[str, Change | None] = {}
        self._resolves = _must_be_resolved(self.task)

    def changes(self, overrides: Sequence[Override]) -> tuple[Change, ...] | None:
        """Return what plain overrides change; None if Hydra must compose."""
        found = []
        for override in overrides:
            text = str(override.input_line)
            if text not in self._changes:
                self._changes[text] = self._like_zero(override) or self._change(override)
            change = self._changes[text]
            if change is None:
                return None
            found.append(change)
        return tuple(found)

    def _like_zero(self, override: Override) -> Change | None:
        """Return what a whole number changes, as of thousands of seeds: what 0 does, if that stays a whole number."""
        found = _WHOLE.fullmatch(str(override.input_line))
        if not found:
            return None
        zero = f"{found[1]}=0"
        if zero not in self._changes:
            self._changes[zero] = self._change(replace(override, _value=0, input_line=zero))
        change = self._changes[zero]
        return (change[0], int(found[2])) if change and type(change[1]) is int else None

    def must_be_resolved(self, changes: Sequence[Change]) -> bool:
        """Say whether the configuration has interpolations, or values that are missing."""
        return self._resolves or any(map(_must_be_resolved, changes))

    def changed(self, overrides: Sequence[Override]) -> DictConfig:
        """Return the configuration of the task, in which plain overrides have changed values."""
        task = copy.deepcopy(self.config)
        for override in overrides:
            OmegaConf.update(task, override.key_or_group, override.value(), merge=True)
        with read_write(task), open_dict(task):
            del task["hydra"]
        return task

    @functools.cached_property
    def _scratch(self) -> DictConfig:
        """A copy of the task's configuration, in which values are changed."""
        return self.changed([])

    def _change(self, override: Override) -> Change | None:
        """Return the path of a key and its new plain value; None if the key does not exist, or holds other keys."""
        path = tuple(override.key_or_group.split("."))
        inner: Any = self.task
        for key in path:
            if not isinstance(inner, dict) or key not in inner:
                return None
            inner = inner[key]
        if isinstance(inner, dict):
            return None
        try:
            # Single values do not depend on one another, so the scratch copy need not be restored.
            OmegaConf.update(self._scratch, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            return None
        parent = OmegaConf.select(self._scratch, ".".join(path[:-1])) if path[1:] else self._scratch
        return path, plain(OmegaConf.masked_copy(parent, path[-1]))[path[-1]]


class Templates:
    """Finds the template of a list of overrides, and lets Hydra compose it where it is new.

    Attributes:
        loading: how Hydra composes.
    """

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        self._parser = OverridesParser.create(config_loader=loading.loader)
        self._parse: Callable[[str], Override] = functools.cache(self._parsed)
        self._is_plain = functools.cache(self._find_out_whether_plain)
        sources = loading.loader.get_sources()
        self._names_group = functools.cache(lambda key: any(source.is_group(key) for source in sources))
        self._is_component = component_finder(loading.loader)
        self._choices: dict[tuple[str, ...], Choices | None] = {}
        self._templates: dict[tuple[str, ...], Template] = {}

    def __len__(self) -> int:
        """Return the number of templates so far."""
        return len(self._templates)

    def find(self, texts: Sequence[str]) -> tuple[Template, list[Override]] | None:
        """Return the template of a list of overrides and those that change single values; None if Hydra must compose.

        Raises:
            HydraException, OmegaConfBaseException: an override is wrong; the error is that of Hydra.
        """
        if _overlap([self._parse(text).key_or_group for text in texts if not self._is_group(text)]):
            return None
        groups = tuple(text for text in texts if not self._is_plain(text))
        if groups not in self._templates:
            self._templates[groups] = Template(self._chosen(groups) or self.loading.load(list(groups)))
        return self._templates[groups], [self._parse(text) for text in texts if self._is_plain(text)]

    def _parsed(self, text: str) -> Override:
        """Parse an override; where the value is a whole number, as of thousands of seeds, like the same key with 0."""
        found = _WHOLE.fullmatch(text)
        if found:
            with suppress(HydraException):  # it says what is wrong with the override as it was typed
                return replace(self._parse(f"{found[1]}=0"), _value=int(found[2]), input_line=text)
        return self._parser.parse_overrides([text])[0]

    def _chosen(self, groups: Sequence[str]) -> DictConfig | None:
        """Return the configuration of a choice, made from that of another; None if Hydra must compose it."""
        overrides = [self._parse(text) for text in groups]
        keys = [override.key_or_group for override in overrides]
        if len(set(keys)) < len(keys) or not all(map(self._chooses, overrides)):
            return None
        chosen = {override.key_or_group: str(override.value()) for override in overrides}
        components = {group: name for group, name in chosen.items() if self._is_component(group, name)}
        others = tuple(text for text, key in zip(groups, keys, strict=True) if key not in components)
        try:
            if others not in self._choices:
                self._choices[others] = None  # unless it can be made
                self._choices[others] = Choices(self.loading, others, components)
            choices = self._choices[others]
            return choices.config(components) if choices else None
        except (HydraException, OmegaConfBaseException):
            return None  # Hydra, when it composes, says what is wrong

    def _chooses(self, override: Override) -> bool:
        """Say whether an override plainly chooses one option of a group."""
        return (
            override.type is OverrideType.CHANGE
            and override.package is None
            and not override.is_sweep_override()
            and not override.is_hydra_override()
            and isinstance(override.value(), str)
            and self._names_group(override.key_or_group)
        )

    def _find_out_whether_plain(self, text: str) -> bool:
        override = self._parse(text)
        return (
            override.type is OverrideType.CHANGE
            and override.package is None
            and not override.is_sweep_override()
            and not override.is_hydra_override()
            and not isinstance(override.value(), dict)
            and _KEY.fullmatch(override.key_or_group) is not None
            and not self._is_group(text)
        )

    def _is_group(self, text: str) -> bool:
        override = self._parse(text)
        return override.package is not None or self._names_group(override.key_or_group)


def plain(config: Any) -> dict[str, Any]:
    """Return a configuration as plain data, with interpolations unresolved."""
    data: Any = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    return dict(data)


def _must_be_resolved(data: Any) -> bool:
    text = repr(data)
    return "${" in text or "'???'" in text


def _overlap(keys: Sequence[str]) -> bool:
    """Say whether one key lies within another, so that their order matters."""
    return any(f"{a}.".startswith(f"{b}.") for i, a in enumerate(keys) for j, b in enumerate(keys) if i != j)

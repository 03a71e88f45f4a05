"""From override lists to jobs: Hydra composes once, components are exchanged and single values changed in copies.

Composing a job by Hydra takes 60 ms, most of which is the same for all jobs. A value is changed here by the call of
OmegaConf that Hydra uses; whatever plainly chooses no component and is not plainly ``key=value`` is left to Hydra, and
so is every error.
"""

import copy
import functools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from chainrule.config.compose import explained, is_composition_error
from chainrule.errors import ConfigurationError
from chainrule.sweep.jobs.choices import Choices, component_finder
from chainrule.sweep.jobs.job import Base, Change, Job, job_name

_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")
_NUMBER = "${hydra.job.num}"
_SAME_FOR_ALL = re.compile(r"\$\{now:[^${}]*\}")  # Hydra keeps the time at which the sweep began


class Composer:
    """Composes the jobs of one sweep.

    Args:
        loader: Hydra's.
        master: the configuration of the sweep itself, from which jobs take their overrides of Hydra.
        places: output directories that the first jobs already have in a resumed sweep.

    Attributes:
        directory: of the sweep, absolute.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, places: Sequence[Path] = ()) -> None:
        self._loader, self._master, self._places = loader, master, places
        # Resolved first, so that all jobs get the time in it.
        self.directory = Path(str(master.hydra.sweep.dir)).absolute()
        parser = OverridesParser.create(config_loader=loader)
        self._parse: Callable[[str], Override] = functools.cache(lambda text: parser.parse_overrides([text])[0])
        self._is_plain = functools.cache(self._find_out_whether_plain)
        sources = loader.get_sources()
        self._names_group = functools.cache(lambda key: any(source.is_group(key) for source in sources))
        self._is_component = component_finder(loader)
        self._choices: dict[tuple[str, ...], Choices | None] = {}
        self._templates: dict[tuple[str, ...], _Template] = {}

    def job(self, number: int, overrides: Sequence[str]) -> Job:
        """Compose one job.

        Args:
            number: its place in the sweep, from 0.
            overrides: those of the task, as a sweeper writes them.

        Raises:
            HydraException, OmegaConfBaseException: an override is wrong; the error is that of Hydra.
        """
        job = self._composed(number, tuple(overrides))
        return replace(job, directory=str(self._places[number])) if number < len(self._places) else job

    def _composed(self, number: int, texts: tuple[str, ...]) -> Job:
        plain = [self._parse(text) for text in texts if self._is_plain(text)]
        if not _overlap([self._parse(text).key_or_group for text in texts if not self._is_group(text)]):
            groups = tuple(text for text in texts if not self._is_plain(text))
            if groups not in self._templates:
                self._templates[groups] = _Template(self._chosen(groups) or self._loaded(groups))
            job = self._templates[groups].job(number, texts, plain)
            if job:
                return job
        job = _Template(self._loaded(texts)).job(number, texts, [])
        assert job is not None
        return job

    def _loaded(self, overrides: Sequence[str]) -> DictConfig:
        """Let Hydra compose."""
        return self._loader.load_sweep_config(self._master, list(overrides))

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
                self._choices[others] = Choices(self._loader, self._master, others, components)
            choices = self._choices[others]
            return choices.config(components) if choices else None
        except Exception as error:
            if not is_composition_error(error):
                raise
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

    def explained_job(self, number: int, overrides: Sequence[str]) -> Job:
        """Compose one job, or say in one sentence what is wrong with it.

        Raises:
            ConfigurationError: an override is wrong; the sentence names the job.
        """
        try:
            return self.job(number, overrides)
        except Exception as error:
            if not is_composition_error(error):
                raise
            raise ConfigurationError(
                f"{job_name(number, overrides)}: {explained(error)} Nothing was trained."
            ) from None

    def full(self, job: Job) -> DictConfig:
        """Return the complete configuration of a job, as Hydra's own launcher has it."""
        config = self._loader.load_sweep_config(self._master, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job.number
            if _directory(config) != job.directory:  # its name holds a time, or the sweep was resumed
                config.hydra.sweep.subdir = os.path.relpath(job.directory, config.hydra.sweep.dir)
        return config

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


class _Template:
    """One choice of groups, as Hydra composes it."""

    def __init__(self, config: DictConfig) -> None:
        self._config = config
        hydra = config.hydra
        task = _plain(config)
        self._base = Base(task, task.pop("hydra"))
        self._dirname = hydra.job.config.override_dirname
        self._exclude = frozenset(self._dirname.exclude_keys)
        self._changes: dict[str, Change | None] = {}
        self._resolves = _must_be_resolved(self._base.task)
        raw = self._base.hydra["sweep"]
        self._subdirectory = str(raw["subdir"])
        # Resolved once if jobs differ in it by their number only.
        simple = "${" not in _SAME_FOR_ALL.sub("", str(raw["dir"])) + self._subdirectory.replace(_NUMBER, "")
        self._directory = str(OmegaConf.select(self._config, "hydra.sweep.dir")) if simple else None
        self._alone = "hydra.job.chdir is set" if hydra.job.chdir else "hydra.job.env_set" if hydra.job.env_set else ""

    def job(self, number: int, texts: tuple[str, ...], plain: Sequence[Override]) -> Job | None:
        """Return a job: the composed configuration with plain overrides applied; None if Hydra must compose it."""
        changes = []
        for override in plain:
            text = str(override.input_line)
            if text not in self._changes:
                self._changes[text] = self._change(override)
            change = self._changes[text]
            if change is None:
                return None
            changes.append(change)
        resolved, alone = None, self._alone
        if self._resolves or any(_must_be_resolved(change) for change in changes):
            task = copy.deepcopy(self._config)
            for override in plain:
                OmegaConf.update(task, override.key_or_group, override.value(), merge=True)
            with read_write(task), open_dict(task):
                del task["hydra"]
            if "${hydra:" in repr(_plain(task)):
                alone = alone or "its configuration asks for ${hydra:...}"
            else:
                resolved = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
        lines = sorted(text for text in texts if text.partition("=")[0].lstrip("+~") not in self._exclude)
        dirname = str(self._dirname.item_sep).join(lines).replace("=", str(self._dirname.kv_sep))
        return Job(
            number=number,
            overrides=texts,
            base=self._base,
            changes=tuple(changes),
            resolved=resolved,  # type: ignore[arg-type]
            directory=self._place(number, dirname, texts, plain),
            dirname=dirname,
            alone=alone,
        )

    @functools.cached_property
    def _scratch(self) -> DictConfig:
        """A copy of the task's configuration, in which values are changed."""
        scratch = copy.deepcopy(self._config)
        with read_write(scratch), open_dict(scratch):
            del scratch["hydra"]
        return scratch

    def _change(self, override: Override) -> Change | None:
        """Return the path of a key and its new plain value; None if the key does not exist, or holds other keys."""
        path = tuple(override.key_or_group.split("."))
        inner: Any = self._base.task
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
        return path, _plain(OmegaConf.masked_copy(parent, path[-1]))[path[-1]]

    def _place(self, number: int, dirname: str, texts: tuple[str, ...], plain: Sequence[Override]) -> str:
        """Return the output directory, absolute."""
        if self._directory is not None:
            return os.path.abspath(os.path.join(self._directory, self._subdirectory.replace(_NUMBER, str(number))))
        config = copy.deepcopy(self._config)
        for override in plain:
            OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        with read_write(config), open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
            config.hydra.job.override_dirname = dirname
            config.hydra.overrides.task = list(texts)
        return _directory(config)


def times(master: DictConfig) -> dict[str, str]:
    """Return what ``${now:...}`` has given so far, by pattern."""
    return {str(pattern): str(value) for (pattern,), value in OmegaConf.get_cache(master)["now"].items()}


def restore_times(master: DictConfig, patterns: Mapping[str, str]) -> None:
    """Let ``${now:...}`` give what it gave before."""
    OmegaConf.get_cache(master)["now"].update({(pattern,): value for pattern, value in patterns.items()})


def _directory(config: DictConfig) -> str:
    """Return the output directory, absolute."""
    return os.path.abspath(os.path.join(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)))


def _plain(config: Any) -> dict[str, Any]:
    data: Any = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    return dict(data)


def _must_be_resolved(data: Any) -> bool:
    text = repr(data)
    return "${" in text or "'???'" in text


def _overlap(keys: Sequence[str]) -> bool:
    """Say whether one key lies within another, so that their order matters."""
    return any(f"{a}.".startswith(f"{b}.") for i, a in enumerate(keys) for j, b in enumerate(keys) if i != j)

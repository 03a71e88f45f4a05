"""From override lists to jobs, most of which are made from configurations that Hydra has composed before."""

import copy
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from chainrule.config import fitting
from chainrule.config.changes import Change, with_changes
from chainrule.config.choices import Loading
from chainrule.config.compose import explained, is_composition_error
from chainrule.config.templates import Template, Templates, plain
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.registry.loaded import installed
from chainrule.sweep.jobs.job import Base, Job, job_name, wrong_with

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
        self._loading, self._places = Loading.of_jobs(loader, master), places
        # Resolved first, so that all jobs get the time in it.
        self.directory = Path(str(master.hydra.sweep.dir)).absolute()
        self._templates = Templates(self._loading)
        self._makers: dict[Template, _Maker] = {}
        self._fitted: dict[str, tuple[Change, ...]] = {}

    def job(self, number: int, overrides: Sequence[str]) -> Job:
        """Compose one job.

        Args:
            number: its place in the sweep, from 0.
            overrides: those of the task, as a sweeper writes them.

        Raises:
            HydraException, OmegaConfBaseException: an override is wrong; the error is that of Hydra.
        """
        job = self._with_fitting(self._composed(number, tuple(overrides)))
        return replace(job, directory=str(self._places[number])) if number < len(self._places) else job

    def _composed(self, number: int, texts: tuple[str, ...]) -> Job:
        found = self._templates.find(texts)
        if found:
            template, changing = found
            if template not in self._makers:
                self._makers[template] = _Maker(template)
            job = self._makers[template].job(number, texts, changing)
            if job:
                return job
        job = _Maker(Template(self._loading.load(list(texts)))).job(number, texts, [])
        assert job is not None
        return job

    def _with_fitting(self, job: Job) -> Job:
        """Return a job with the output and the loss that suit its target, where it leaves them to that."""
        if not job.is_known:
            return job  # they are found when it is trained
        deciding = repr([job.config.get(group) for group in (*fitting.FITTED, "target")])
        if deciding not in self._fitted:
            try:
                found = fitting.fitted(job.config, installed())
            except ChainruleError:
                found = {}  # its check says what is wrong with the target
            self._fitted[deciding] = tuple(((group,), component) for group, component in found.items())
        changes = self._fitted[deciding]
        if not changes:
            return job
        resolved = None if job.resolved is None else with_changes(job.resolved, changes)
        return replace(job, changes=(*job.changes, *changes), resolved=resolved)

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
                f"{wrong_with(job_name(number, overrides), explained(error))} Nothing was trained."
            ) from None

    def full(self, job: Job) -> DictConfig:
        """Return the complete configuration of a job, as Hydra's own launcher has it."""
        found = {path[0]: value for path, value in job.changes if path[0] in fitting.FITTED and not path[1:]}
        with fitting.known(found):
            config = self._loading.load(list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = job.number
            if _directory(config) != job.directory:  # its name holds a time, or the sweep was resumed
                config.hydra.sweep.subdir = os.path.relpath(job.directory, config.hydra.sweep.dir)
        return config


class _Maker:
    """Makes jobs from one template."""

    def __init__(self, template: Template) -> None:
        self._template, self._base = template, Base(template.task, template.hydra)
        hydra = template.config.hydra
        self._dirname = hydra.job.config.override_dirname
        self._exclude = frozenset(self._dirname.exclude_keys)
        raw = template.hydra["sweep"]
        self._subdirectory = str(raw["subdir"])
        # Resolved once if jobs differ in it by their number only.
        simple = "${" not in _SAME_FOR_ALL.sub("", str(raw["dir"])) + self._subdirectory.replace(_NUMBER, "")
        self._directory = str(OmegaConf.select(template.config, "hydra.sweep.dir")) if simple else None
        self._alone = "hydra.job.chdir is set" if hydra.job.chdir else "hydra.job.env_set" if hydra.job.env_set else ""

    def job(self, number: int, texts: tuple[str, ...], changing: Sequence[Override]) -> Job | None:
        """Return a job: the composed configuration with plain overrides applied; None if Hydra must compose it."""
        changes = self._template.changes(changing)
        if changes is None:
            return None
        resolved, alone = None, self._alone
        if self._template.must_be_resolved(changes):
            task = self._template.changed(changing)
            if "${hydra:" in repr(plain(task)):
                alone = alone or "its configuration asks for ${hydra:...}"
            else:
                resolved = OmegaConf.to_container(task, resolve=True, throw_on_missing=True)
        lines = sorted(text for text in texts if text.partition("=")[0].lstrip("+~") not in self._exclude)
        dirname = str(self._dirname.item_sep).join(lines).replace("=", str(self._dirname.kv_sep))
        return Job(
            number=number,
            overrides=texts,
            base=self._base,
            changes=changes,
            resolved=resolved,  # type: ignore[arg-type]
            directory=self._place(number, dirname, texts, changing),
            dirname=dirname,
            alone=alone,
        )

    def _place(self, number: int, dirname: str, texts: tuple[str, ...], changing: Sequence[Override]) -> str:
        """Return the output directory, absolute."""
        if self._directory is not None:
            return os.path.abspath(os.path.join(self._directory, self._subdirectory.replace(_NUMBER, str(number))))
        config = copy.deepcopy(self._template.config)
        for override in changing:
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

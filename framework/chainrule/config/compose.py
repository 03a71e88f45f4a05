"""From overrides to configuration, by Hydra: every component is an option, without YAML."""

import copy
import os
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from chainrule.components.contracts import Target
from chainrule.config import limits
from chainrule.config.changes import with_changes
from chainrule.config.choices import Loading
from chainrule.config.fitting import FITTED, fitted
from chainrule.config.layers import joined, names_in
from chainrule.config.mistyped import keys_called, several, unread
from chainrule.config.options import is_option, options
from chainrule.config.quickly import composing_quickly
from chainrule.config.settings import settings_from_config, target_from_config
from chainrule.config.templates import Templates, plain
from chainrule.config.written import require_plain
from chainrule.errors import ChainruleError, ConfigurationError, nearest, text_of
from chainrule.files import paths
from chainrule.files.words import shell_word
from chainrule.records.settings import Settings
from chainrule.registry.kinds import GROUPS, KINDS
from chainrule.registry.loaded import installed

_MAIN = "config"
_MOST, _STATES = 200, 4  # templates that are kept of one state of files and plugins, and states
_SWEEPER = "hydra/sweeper"  # Hydra's own, called basic, lists all combinations at once
_UNREAD = "Invalid loaded object type"  # how OmegaConf's complaint begins
_NO_NAME = "Config group override"  # for a choice that is no name
_READERS = {"hydra", "omegaconf", "yaml", "antlr4"}  # packages that read configurations
_FRAMES = 30  # of an endless recursion, at its end
_LOG = "Unable to configure handler"  # how that of logging begins
_LAUNCHERS = {"joblib": "joblib", "ray": "ray", "submitit_local": "slurm", "submitit_slurm": "slurm"}  # extras' names
_FLAGS = "Only one of --run, --multirun"  # how Hydra's complaint begins


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a composed configuration as plain data.

    Raises:
        ConfigurationError: a value is missing, or an interpolation cannot be resolved.
    """
    try:
        data: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise explained(error) from None
    return dict(data)


def compose_config(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose plain data from overrides as typed on the command line, e.g. ``["optimizer=adam", "seed=3"]``.

    Where output and loss are to suit a target that cannot be read, such as a table without a path, they stay ``auto``.
    The first call takes 0.1 s. Later ones take 2 ms, or 10 ms where they choose other components, unless files of the
    configuration or plugins have changed.

    Raises:
        ConfigurationError: an override is wrong.
    """
    config = _as_composed(overrides)
    with suppress(ChainruleError):  # who makes settings of it says what is wrong with the target
        config |= fitted(config, installed())
    return config


def compose_target(overrides: Sequence[str]) -> Target:
    """Compose the target alone, whose data are not read.

    Raises:
        ConfigurationError: an override is wrong.
    """
    return target_from_config(_as_composed(overrides), installed())


def _as_composed(overrides: Sequence[str]) -> dict[str, Any]:
    """Return a configuration in which ``auto`` may be chosen; raises as :func:`compose_target`."""
    require_parsed(overrides)
    texts = [joined(text) for text in overrides]
    with _hydras_errors_explained(), composing_quickly():
        made = None if any(text.lstrip("+~").startswith("hydra") for text in texts) else _from_template(texts)
        return resolved(_composed(texts)) if made is None else made


def compose_settings(overrides: Sequence[str]) -> Settings:
    """Compose checked settings from overrides; raises as :func:`compose_config`."""
    return settings_from_config(compose_config(overrides), installed())


def fitted_in(config: DictConfig) -> dict[str, dict[str, Any]]:
    """Return what stands for ``auto`` in a composed configuration, see :func:`chainrule.config.fitting.fitted`.

    It is empty where that is not known yet: where the target is wrong, or overrides make a sweep of the run.

    Args:
        config: with that of Hydra.
    """
    if config.hydra.mode == RunMode.MULTIRUN:
        return {}
    try:
        deciding: dict[str, Any] = {
            group: OmegaConf.to_container(config[group], resolve=True, throw_on_missing=True)
            for group in (*FITTED, "target")
            if group in config
        }
        return fitted(deciding, installed())
    except Exception as error:
        if isinstance(error, ChainruleError) or is_composition_error(error):
            return {}  # who composes it to use it says what is wrong
        raise


def quoted(text: str) -> str:
    """Return a text in quotation marks as Hydra reads it: a backslash counts only in front of one."""
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + found[2].replace('"', r"\""), text)
    return f'"{escaped}"'


def sweeper(name: str) -> dict[str, Any]:
    """Return the options of ``hydra/sweeper=name`` with their default values.

    Raises:
        ConfigurationError: there is no such sweeper.
    """
    with _hydras_errors_explained():
        config = _composed([f"hydra/sweeper={name}"], return_hydra_config=True)
    found: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    return dict(found)


def _composed(texts: Sequence[str], return_hydra_config: bool = False) -> DictConfig:
    with _hydra():
        return compose(_MAIN, overrides=list(texts), return_hydra_config=return_hydra_config)


@contextmanager
def _hydra() -> Iterator[Hydra]:
    """Let Hydra be what composes in Python, also where a command has begun already."""
    held = GlobalHydra.instance().hydra
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(config_dir=str(paths.configuration()), version_base="1.3"):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None  # it has just been initialized
            yield hydra
    finally:
        if held is not None:
            GlobalHydra.instance().initialize(held)


@contextmanager
def _hydras_errors_explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_composition_error(error):
            raise
        raise explained(error) from None


def _from_template(texts: Sequence[str]) -> dict[str, Any] | None:
    """Return a configuration made from one that has been composed before; None if Hydra must compose it."""
    templates = _templates()
    found = templates.find(texts)
    if found is None or not templates.loading.knows(found[0].config):
        return None
    template, changing = found
    changes = template.changes(changing)
    if changes is None:
        return None
    if template.must_be_resolved(changes):
        return resolved(template.changed(changing))
    return copy.deepcopy(with_changes(template.task, changes))


_kept: list[tuple[object, Templates]] = []  # what files and plugins were, and templates made from them, latest first


def _templates() -> Templates:
    state = _state()
    found = next((made for known, made in _kept if known == state and len(made) < _MOST), None)
    if found is None:
        require_plain(own_folders())
        with _hydra() as hydra:
            found = Templates(Loading.of_runs(hydra.config_loader, _MAIN))
    _kept[:] = [(state, found), *(each for each in _kept if each[0] != state)][:_STATES]
    return found


def own_folders() -> list[Path]:
    """Return the folders of configuration besides the packaged one: those of plugins and of the working directory."""
    own = Path.cwd() / "conf"
    return [*installed().folders.values(), *([own] if own.is_dir() else [])]


def _state() -> object:
    """Return all that a composition depends on, beside overrides: files, plugins and variables of the environment."""
    registry = installed()
    folders = [paths.configuration(), *own_folders()]
    found = [(path, path.stat()) for folder in folders for path in sorted(folder.rglob("*.yaml"))]
    files = tuple((path, status.st_mtime_ns, status.st_size) for path, status in found)
    components = [registry.find(kind, name) for kind in KINDS for name in registry.names(kind)]
    return folders, files, components, dict(os.environ) if _read_variables(files) else None


@lru_cache(maxsize=8)
def _read_variables(files: tuple[tuple[Path, int, int], ...]) -> bool:
    """Say whether files name variables of the environment, on which a choice of components may depend."""
    return any(b"oc.env" in path.read_bytes() for path, *_ in files)


def is_composition_error(error: BaseException) -> bool:
    """Say whether Hydra or OmegaConf complains about what was typed."""
    # For files that are not YAML or hold a single number.
    unread = isinstance(error, YAMLError) or (isinstance(error, OSError) and str(error).startswith(_UNREAD))
    return unread or isinstance(error, HydraException | OmegaConfBaseException) or _is_of_hydra(error)


def _is_of_hydra(error: BaseException) -> bool:
    """Say whether Hydra, or what it reads with, raised an error that is none of its own kinds.

    It does so for ``group=null``, for flags that exclude one another, and for files that it does not expect.
    """
    if not isinstance(error, ValueError | TypeError | RecursionError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-_FRAMES:] if isinstance(error, RecursionError) else frames[-1:]
    of_log = text_of(error).startswith(_LOG)  # which Hydra sets up
    return of_log or any(part in _READERS for frame in last for part in Path(frame.filename).parts)


def is_override(word: str) -> bool:
    """Say whether Hydra's grammar knows an override."""
    try:
        OverridesParser.create().parse_override(word)
    except (HydraException, ValueError, RecursionError):
        return False
    return True


def require_parsed(overrides: Sequence[str], sweep: bool = False) -> None:
    """Refuse overrides that Hydra's grammar does not know, with the line that works in a shell.

    Args:
        overrides: as typed.
        sweep: whether keys may have several values.

    Raises:
        ConfigurationError: there is such an override.
    """
    parser, parsed = OverridesParser.create(), []
    for place, override in enumerate(overrides):
        if not isinstance(override, str):
            raise ConfigurationError(
                f"an override is a text such as 'optimizer=adam', not {override!r}: give several as several arguments, "
                "or a list of them with * before it."
            )
        if override.startswith("="):
            raise ConfigurationError(f"{override!r} is no override: write KEY=VALUE.")
        limits.require_readable(override)
        try:
            read = parser.parse_override(override)
        except (HydraException, ValueError, RecursionError):
            raise ConfigurationError(unread(overrides, place)) from None
        if read.is_sweep_override() and not sweep:
            raise ConfigurationError(several(override))
        limits.require_usable(read)
        parsed.append(read)
    if any(read.key_or_group == _SWEEPER and read.value() == "basic" for read in parsed):
        limits.require_few(parsed)


def varied(error: Exception, overrides: Sequence[str]) -> ConfigurationError:
    """Return :func:`explained`, with what to write where a sweep varies the component that has the unknown key."""
    found = explained(error)
    parser = OverridesParser.create()
    swept = {each.key_or_group for each in parser.parse_overrides(list(overrides)) if each.is_sweep_override()}
    for override in overrides:
        key, _, value = override.partition("=")
        group = key.partition(".")[0]
        if group in swept and str(found).startswith(f"{key} "):
            return ConfigurationError(
                f"{found} This is the {group} of the configuration; for those of the sweep write "
                f"{shell_word(f'{key}=choice({value})')}."
            )
    return found


def explained(error: Exception) -> ConfigurationError:
    """Turn an error of Hydra or OmegaConf into one sentence with the nearest valid name."""
    cause: BaseException | None = error
    if not isinstance(error, OmegaConfBaseException) and isinstance(error.__cause__, OmegaConfBaseException):
        cause = error.__cause__  # which knows the key; under a debugger errors of OmegaConf have causes that do not
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and name in _LAUNCHERS:
            return ConfigurationError(
                f"{group}={name} needs a package that is not installed: pip install 'chainrule[{_LAUNCHERS[name]}]'."
            )
        choices = error.options if error.options is not None else options(group)  # of a list Hydra gives none
        if choices:
            missing = next((each for each in names_in(group, name) if not is_option(group, each)), name)
            return installed().missing(group, missing, choices)
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        siblings = [str(key) for key in cause.parent_node if key != "hydra"]
        prefix = str(cause.full_key).rpartition(".")[0]
        if not prefix:
            meant = keys_called(str(cause.key), plain(cause.parent_node))
            ways = " or ".join(f"{key}=VALUE" for key in meant)
            if ways:
                return ConfigurationError(f"{cause.key} is not a key of the configuration; write {ways}.")
        if prefix in GROUPS and GROUPS[prefix].many and cause.key in options(prefix):
            return ConfigurationError(f"{prefix} has no {cause.key} here: {prefix}=[{cause.key}] chooses it.")
        if not siblings:
            return ConfigurationError(
                f"{cause.full_key} is not a key of the configuration yet: +{cause.full_key}=VALUE adds it."
            )
        return ConfigurationError(
            f"{cause.full_key} is not a key of the configuration{nearest(str(cause.key), siblings)}; "
            f"{f'{prefix} has' if prefix else 'its keys are'} {', '.join(siblings)}."
        )
    if str(error).startswith(_FLAGS):
        return ConfigurationError(f"{error}.")
    if isinstance(error, YAMLError | OSError):
        return ConfigurationError(f"a file of the configuration cannot be read: {' '.join(str(error).split())}.")
    if isinstance(cause, InterpolationResolutionError | GrammarParseError):
        what = next(iter(str(cause).splitlines()), "").rstrip(".")
        return ConfigurationError(
            f"{cause.full_key or 'a value'} refers to another key by ${{...}}: {what}. Keys have full names there, "
            r"such as ${optimizer.lr}; a text that is to have ${ needs \${."
        )
    if isinstance(cause, MissingMandatoryValue):
        return ConfigurationError(f"{cause.full_key} is missing: write {cause.full_key}=VALUE.")
    if isinstance(error, RecursionError):
        return ConfigurationError("a file of the configuration refers to itself, or has values in values, too deep.")
    if not isinstance(error, HydraException | OmegaConfBaseException):
        if str(error).startswith(_LOG):
            return ConfigurationError(f"the log cannot be opened ({error}): see hydra.job.name and hydra/job_logging.")
        if not str(error).startswith(_NO_NAME):
            return ConfigurationError(
                f"the configuration cannot be composed: {' '.join(str(error).split()).rstrip('.')}."
            )
        return ConfigurationError(
            f"a choice is a name, not null or a number: write GROUP=NAME, with one of the groups {', '.join(GROUPS)}."
        )
    why = "" if cause is None or cause is error or not str(cause) else f": {str(cause).splitlines()[0].rstrip('.')}"
    return ConfigurationError(f"{' '.join(str(error).split()).rstrip('.')}{why}.")

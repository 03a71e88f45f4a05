"""Beginning a sweep, and resuming one that broke off."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from chainrule.config.application import typed_arguments
from chainrule.errors import ConfigurationError
from chainrule.files.atomic import write_atomically
from chainrule.records.comparison import Comparison
from chainrule.records.sweep import SWEEP, SearchEntry, Sweep, new_sweep, read_sweep
from chainrule.registry.registry import installed
from chainrule.registry.watching import Session
from chainrule.sweep.execution.fingerprint import PLUGIN, differences, label, state
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.composer import Composer, restore_times, times
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.ledger import Ledger

_resumed: ContextVar[Sweep | None] = ContextVar("resumed", default=None)


@contextmanager
def resuming(sweep: Sweep) -> Iterator[None]:
    """Let the sweep that begins in this block be the rest of an earlier one."""
    token = _resumed.set(sweep)
    try:
        yield
    finally:
        _resumed.reset(token)


def resumed() -> Sweep | None:
    """Return the earlier sweep of which this one is the rest, or None."""
    return _resumed.get()


def require_plugins(sweep: Sweep) -> None:
    """Refuse to go on with a sweep whose plugins are not all there: what they bring would only be unknown names.

    Raises:
        ConfigurationError: one is missing; the sentence names it and its version.
    """
    there = {label(plugin.provider) for plugin in installed().plugins}
    for name, entry in sweep.manifest.state.get("code", {}).items():
        if name.startswith(PLUGIN) and name not in there:
            distribution, version = name.removeprefix(PLUGIN).partition(":")[0], str(entry).partition(" ")[0]
            raise ConfigurationError(
                f"{sweep.directory} needs a plugin of {distribution} {version}, which is not installed: install it."
            )


def composer(context: HydraContext, master: DictConfig) -> Composer:
    """Return the composer of the jobs of a sweep; in a resumed one ``${now:...}`` gives the time of the first start."""
    former = resumed()
    if not former:
        return Composer(context.config_loader, master)
    restore_times(master, former.manifest.times)
    return Composer(context.config_loader, master, [former.place(number) for number in range(former.runs)])


def open_ledger(
    master: DictConfig,
    directory: Path,
    jobs: Sequence[Job],
    plan: Plan,
    *,
    goes_on: bool = False,
    search: SearchEntry | None = None,
    comparison: Comparison | None = None,
) -> Ledger:
    """Return the ledger of a sweep; nothing is written.

    Args:
        master: configuration of the sweep.
        directory: of the sweep.
        jobs: that show what its configuration is.
        plan: the same jobs.
        goes_on: whether these are further jobs of the sweep that was last begun there.
        search: of a search, see :class:`chainrule.records.sweep.Sweep`.
        comparison: of a comparison, likewise.

    Raises:
        ConfigurationError: the directory holds another sweep, or something is no longer as it was.
    """
    registry = installed()
    now = state(jobs, plan, registry)
    sweep = read_sweep(directory) if goes_on else _begun(directory, now, times(master), search, comparison)
    watchers = registry.watchers(Session(interactive=sys.stdout.isatty()))
    return Ledger(sweep, watchers, resumed() is not None)


def save_master(master: DictConfig, directory: Path) -> None:
    """Write the configuration of a sweep when it begins, as every sweeper of Hydra does."""
    if resumed() is None:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / "multirun.yaml", OmegaConf.to_yaml(master).encode())


def _begun(
    directory: Path,
    now: Mapping[str, Any],
    patterns: Mapping[str, str],
    search: SearchEntry | None,
    comparison: Comparison | None,
) -> Sweep:
    """Return the record of the sweep: that of an earlier attempt if it is resumed, else a new one.

    Raises:
        ConfigurationError: there is another sweep, or something is no longer as it was.
    """
    former = resumed()
    if former is None:
        if (directory / SWEEP).exists():
            raise ConfigurationError(
                f"{directory} holds a sweep already: `chainrule resume {directory}` finishes it; "
                "choose another hydra.sweep.dir for a new one."
            )
        return new_sweep(directory, typed_arguments(), Path.cwd(), now, patterns, search, comparison)
    if directory.resolve() != former.directory.resolve():
        raise ConfigurationError(
            f"{former.directory} holds a sweep whose configuration says hydra.sweep.dir={directory}: "
            "move it there to resume it."
        )
    changed = differences(former.manifest.state, now)
    if changed:
        raise ConfigurationError(
            f"{directory} cannot be resumed, because its runs would not be comparable. Changed: {'; '.join(changed)}."
        )
    return former

"""Starting a sweep, and resuming an interrupted one."""

import errno
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from chainrule.config.allowed import MULTIRUN, require_allowed
from chainrule.config.application import typed_arguments
from chainrule.config.task import is_overwriting
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.files import words
from chainrule.files.atomic import write_atomically
from chainrule.records.comparison import Comparison
from chainrule.records.environment import BLAS, PROCESSOR, switches
from chainrule.records.manifest import needed
from chainrule.records.sweep import MASTER, PLUGIN, SWEEP, SearchEntry, Sweep, new_sweep, read_sweep
from chainrule.registry.loaded import installed
from chainrule.registry.versions import label
from chainrule.registry.watching import Session, Watcher
from chainrule.sweep.execution.fingerprint import differences, state
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.composer import Composer, restore_times, times
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.ledger import Ledger

# What may have changed before a sweep is resumed, if that is said, and how the phrases begin that tell it.
ACCEPTED = {"plugin": (PLUGIN,), "processor": (f"{PROCESSOR}: ", f"{BLAS}: ")}

_resumed: ContextVar[Sweep | None] = ContextVar("resumed", default=None)
_accepted: ContextVar[Collection[str]] = ContextVar("accepted", default=())
_watched: ContextVar[tuple[Session, Watcher] | None] = ContextVar("watched", default=None)


@contextmanager
def resuming(sweep: Sweep, accept: Collection[str] = ()) -> Iterator[None]:
    """Let the sweep that starts in this block continue an earlier one.

    Args:
        sweep: the earlier one.
        accept: those of :data:`ACCEPTED` that may have changed since.
    """
    tokens = _resumed.set(sweep), _accepted.set(accept)
    try:
        yield
    finally:
        _resumed.reset(tokens[0])
        _accepted.reset(tokens[1])


def resumed() -> Sweep | None:
    """Return the earlier sweep that this one continues, or None."""
    return _resumed.get()


def accepted() -> Collection[str]:
    """Return those of :data:`ACCEPTED` that may have changed since the earlier sweep."""
    return _accepted.get()


@contextmanager
def watched(session: Session, watcher: Watcher) -> Iterator[None]:
    """Let the sweep that starts in this block tell a person in these circumstances, and last of all this watcher."""
    token = _watched.set((session, watcher))
    try:
        yield
    finally:
        _watched.reset(token)


def require_own(sweep: Sweep, allowed: Sequence[str]) -> None:
    """Check that resuming a sweep runs nothing and reaches nobody that the person has not named.

    Args:
        sweep: its record, which may be somebody else's.
        allowed: words of its record that the person has named.

    Raises:
        ChainruleError: it is no multirun; its words could do more than train; or it was started elsewhere, where its
            programs and its tracker's file would be.
        OSError: the folder in which it was started is no longer there.
    """
    manifest = sweep.manifest
    if not set(MULTIRUN) & set(manifest.arguments):
        raise ChainruleError(f"{sweep.directory} holds a sweep whose arguments are those of no sweep; start it again.")
    require_allowed(sweep.directory, manifest.arguments, allowed)
    require_allowed(sweep.directory, (word for job in manifest.jobs for word in job.overrides), allowed)
    require_started_here(sweep.directory, Path(manifest.working_directory))


def require_started_here(directory: Path, folder: Path) -> None:
    """Check that a record may lead to the folder in which it says that it was started.

    Raises:
        ChainruleError: its programs and its tracker's file would be there, and the person is elsewhere.
        OSError: it is no longer there.
    """
    found = folder.resolve(strict=True)
    if not found.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(folder))
    if found == Path.cwd().resolve():
        return
    go = f"`cd {words.shell_word(str(folder))}` first"
    if (folder / "conf").is_dir():
        raise ChainruleError(f"{directory} was started in {folder}, whose conf/ and plugins/ are programs: {go}.")
    if not directory.resolve().is_relative_to(found):
        raise ChainruleError(f"{directory} was started in {folder}, where its files and its tracker are: {go}.")


def require_plugins(sweep: Sweep) -> None:
    """Refuse to resume a sweep if one of its plugins is missing: otherwise its components would be unknown names.

    Raises:
        ConfigurationError: one is missing; the sentence names it and its version.
    """
    require_code(sweep.directory, sweep.manifest.state.get("code", {}))


def require_code(directory: Path, code: Mapping[str, object]) -> None:
    """Refuse to resume a sweep or a run if a plugin is missing, likewise.

    Args:
        directory: of the sweep or the run.
        code: versions and SHA-256 sums of its plugins, as :func:`chainrule.registry.versions.code` returns them.
    """
    registry = installed()
    there = {label(plugin.provider) for plugin in registry.plugins} | {label(p) for p in registry.providers}
    for name, entry in code.items():
        if name.startswith(PLUGIN) and name not in there:
            version, _, _ = str(entry).rpartition(" ")
            needs = needed(name.removeprefix(PLUGIN), version, "resume it")
            raise ConfigurationError(f"{directory} needs {needs}.")


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
    continues: bool = False,
    search: SearchEntry | None = None,
    comparison: Comparison | None = None,
) -> Ledger:
    """Return the ledger of a sweep; nothing is written.

    Args:
        master: configuration of the sweep.
        directory: of the sweep.
        jobs: jobs that show its configuration.
        plan: the same jobs in stacks.
        continues: whether these are further jobs of the sweep that is in the directory.
        search: what a search tries; None if the sweep is not a search.
        comparison: what a comparison compares; None if the sweep is not a comparison.

    Raises:
        ConfigurationError: the directory holds another sweep, or its runs would not be comparable.
    """
    registry = installed()
    current = state(jobs, plan, registry)
    sweep = read_sweep(directory) if continues else _started(directory, current, times(master), search, comparison)
    session, *own = _watched.get() or (Session(interactive=sys.stdout.isatty()),)
    watchers = [*registry.watchers(session), *own]
    is_new = not continues and resumed() is None
    replaced = read_sweep(directory) if is_new and is_overwriting() and (directory / SWEEP).exists() else None
    return Ledger(sweep, watchers, resumed() is not None, current["code"] if accepted() else None, replaced)


def advice(directory: Path) -> str:
    """Say what can be done about runs that failed."""
    again = words.resuming(directory)
    return f"; `{again}` tries them again, or `{again} --accept plugin` once a plugin is mended"


def save_master(master: DictConfig, directory: Path) -> None:
    """Write the configuration of a sweep when it begins, as every sweeper of Hydra does."""
    if resumed() is None:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / MASTER, OmegaConf.to_yaml(master).encode())


def _started(
    directory: Path,
    current: Mapping[str, Any],
    patterns: Mapping[str, str],
    search: SearchEntry | None,
    comparison: Comparison | None,
) -> Sweep:
    """Return the record of the sweep: that of the earlier sweep if it is resumed, else a new one.

    Raises:
        ConfigurationError: the directory holds another sweep, or its runs would not be comparable.
    """
    former = resumed()
    if former is None:
        if (directory / SWEEP).exists() and not is_overwriting():
            raise ConfigurationError(
                f"{directory} holds a sweep already: `{words.resuming(directory)}` finishes it; "
                "choose another hydra.sweep.dir for a new one, or write --overwrite (in Python overwrite=True) to "
                "replace it."
            )
        return new_sweep(directory, typed_arguments(), Path.cwd(), current, patterns, search, comparison)
    if directory.resolve() != former.directory.resolve():
        raise ConfigurationError(
            f"{former.directory} holds a sweep whose configuration says hydra.sweep.dir={directory}: "
            "move it there to resume it."
        )
    changed = differences(former.manifest.state, current)
    kinds = [_kind(phrase) for phrase in changed]
    if not {*accepted()}.issuperset(kinds):
        hint = "" if None in kinds else _hint(directory, former.manifest.state.get("code", {}), current["code"], kinds)
        raise ConfigurationError(
            f"{directory} cannot be resumed, because its runs would not be comparable. "
            f"Changed: {'; '.join(changed)}.{hint}"
        )
    return former


def _kind(phrase: str) -> str | None:
    """Return which one of :data:`ACCEPTED` has changed as this phrase says; None for anything else."""
    return next((kind for kind, beginnings in ACCEPTED.items() if phrase.startswith(beginnings)), None)


def _hint(directory: Path, before: Mapping[str, str], after: Mapping[str, str], kinds: Collection[str | None]) -> str:
    """Say how to go on with a sweep of which only such things have changed as may be accepted."""
    again = f"`{' '.join([words.resuming(directory), *(f'--accept {kind}' for kind in ACCEPTED if kind in kinds)])}`"
    hint = " Was a plugin mended?" if "plugin" in kinds else ""
    if "processor" not in kinds:
        return f"{hint} {again} goes on with it."
    has_less = len(after[PROCESSOR].split()) < len(before.get(PROCESSOR, "").split())
    same = "" if has_less else switches(before, after)
    without = f" With {same} before the command NumPy computes as it did." if same else ""
    return f"{hint} Numbers of another processor may differ in their last bits: {again} goes on all the same.{without}"

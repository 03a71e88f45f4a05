"""What is wrong with the environment, and with records on disk; and how it is mended."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from threadpoolctl import threadpool_info

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.config.settings import tracker_from_config
from chainrule.errors import ChainruleError, RecordError, agreeing, counted
from chainrule.files.locks import exclusive
from chainrule.files.words import resuming, shell_word, syncing
from chainrule.records.below import records_below
from chainrule.records.deleting import LOCK, PROGRESS, remains
from chainrule.records.faults import Fault
from chainrule.records.kept import FOLDER, kept_in
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import Record, how_to_go_on, read_record
from chainrule.records.sweep import SWEEP, Sweep, read_sweep
from chainrule.registry.loaded import installed
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Tracker
from chainrule.reports.sweep import write_report

_LIBRARIES = ("chainrule", "numpy", "hydra-core", "mlflow")
_LEAST_BYTES, _LEAST_FILES = 1 << 30, 10_000  # that should be free on a disk


def summary() -> list[str]:
    """Return what the environment is, a line each: versions, BLAS and its threads, the disk."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    blas = [f"{each['internal_api']} {each['version']}, {counted(each['num_threads'], 'thread')}" for each in _blas()]
    free = shutil.disk_usage(Path.cwd()).free / (1 << 30)
    return [
        f"{versions}, Python {platform.python_version()}, {platform.platform()}",
        f"BLAS: {'; '.join(blas) or 'none that is known'}; one thread while runs are trained",
        f"disk of {Path.cwd()}: {free:.0f} GiB free",
    ]


def environment_faults(registry: Registry) -> Iterator[Fault]:
    """Yield what is wrong with libraries, plugins and the disk."""
    for text in metadata.requires("chainrule") or ():
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Fault(wanted.name, "is not installed", f"`pip install '{wanted.name}{wanted.specifier}'`.")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            advice = f"`pip install '{wanted.name}{wanted.specifier}'`."
            yield Fault(wanted.name, f"has version {found}, which chainrule does not know", advice)
    if not _blas():
        yield Fault(
            "BLAS",
            "is none whose threads can be limited: their number changes last bits",
            "Set OMP_NUM_THREADS=1, or install NumPy by pip.",
        )
    for report in registry.reports:
        yield Fault("plugins", str(report), "`chainrule plugins` says more.")
    here = Path.cwd()
    if not os.access(here, os.W_OK):
        yield Fault(str(here), "cannot be written", "Name another directory by hydra.run.dir=DIR.")
    room = os.statvfs(here)
    if room.f_bavail * room.f_frsize < _LEAST_BYTES:
        yield Fault(str(here), f"has {room.f_bavail * room.f_frsize >> 20} MiB left on its disk", "Make room.")
    if room.f_files > 0 and room.f_favail < _LEAST_FILES:
        yield Fault(str(here), f"has room for {counted(room.f_favail, 'file')} on its disk", "Make room.")


def directory_faults(directory: Path) -> Iterator[Fault]:
    """Yield what is wrong with the records and sweeps in a directory, at any depth.

    Raises:
        ChainruleError: there are none.
    """
    found = list(records_below(directory.absolute(), MANIFEST, SWEEP))
    if not found and not any(kept(directory)):
        raise ChainruleError(f"{directory} holds no record.")
    of_sweeps: set[Path] = set()
    for path in (each for each in found if each.name == SWEEP):
        try:
            sweep = read_sweep(path.parent)
        except RecordError as error:
            yield Fault(
                str(path.parent), str(error), "Its runs are records of their own, and sweeps can be started again."
            )
            continue
        of_sweeps |= {sweep.place(number) for number in range(sweep.runs)}
        yield from sweep_faults(sweep)
    for path in (each for each in found if each.name == MANIFEST and each.parent not in of_sweeps):
        yield from _run_faults(path.parent, "Train it again.")


def kept(directory: Path) -> Iterator[str]:
    """Yield up to where runs in a directory are kept that have no record, and what goes on with them, in sentences.

    That is no fault: such a run was interrupted, or is being trained. Of the jobs of a sweep that has not finished
    :func:`sweep_faults` speaks.
    """
    for folder in records_below(directory.absolute(), FOLDER):
        place = folder.parent
        run = None if os.path.lexists(place / MANIFEST) else kept_in(place)
        if run and not any((above / SWEEP).is_file() for above in place.parents):
            yield f"{place} holds {run}; {how_to_go_on(run)}."


def unsent(directory: Path) -> Iterator[str]:
    """Yield how many records their trackers have not received, and what sends them, in sentences.

    That is no fault: they may be in another place than that of this project. Of trackers that do not say where runs are
    shown nothing is known.
    """
    counts: dict[str, list[bool]] = {}
    for path in records_below(directory.absolute(), MANIFEST):
        try:
            record = read_record(path.parent)
            tracker = tracker_from_config(record.manifest.configuration, installed())
        except ChainruleError:  # which is a fault of its own
            continue
        if type(tracker).links is not Tracker.links:
            counts.setdefault(tracker.name, []).append(bool(tracker.links(record)))
    for name, sent in counts.items():
        missing = sent.count(False)
        if missing:
            yield (
                f"{directory}: {missing} of {counted(len(sent), 'record')} {agreeing(missing, 'is', 'are')} not in "
                f"tracking={name} of this project; `{syncing(directory)}` sends {agreeing(missing, 'it', 'them')}, or "
                "says why it cannot."
            )


def sweep_faults(sweep: Sweep) -> Iterator[Fault]:
    """Yield what is wrong with a sweep and its runs."""
    place, again = str(sweep.directory), f"`{resuming(sweep.directory)}` trains it again."
    recorded = [number for number in range(sweep.runs) if os.path.lexists(sweep.place(number) / MANIFEST)]
    for number in recorded:
        yield from _run_faults(sweep.place(number), again)
        try:
            sweep.end(number)
        except RecordError as error:
            if "another run" in str(error):
                yield Fault(str(sweep.place(number)), str(error), again)
    missing = len(sweep.lost(recorded)) - sum(1 for n in sweep.lost(recorded) if _has_failed(sweep, n))
    if missing:
        yield Fault(
            place,
            f"has finished, but {missing} of {counted(sweep.runs, 'record')} {agreeing(sweep.runs, 'is', 'are')} gone",
            f"`{resuming(place)}`.",
        )
    try:
        with exclusive(sweep.directory / LOCK, wait=0):
            is_left_alone = True
    except OSError:
        is_left_alone = False
    if not is_left_alone:
        return
    if not sweep.manifest.finished:
        yield Fault(
            place,
            f"has not finished: {len(recorded)} of {counted(sweep.planned, 'run')} "
            f"{agreeing(sweep.planned, 'is', 'are')} recorded",
            f"`{resuming(place)}`.",
        )
    if (sweep.directory / PROGRESS).is_dir():
        yield Fault(
            place,
            "has a folder of processes that are gone",
            mend=lambda: shutil.rmtree(sweep.directory / PROGRESS),
        )
    if sweep.manifest.finished:
        try:
            sweep.files()
        except RecordError as error:
            yield Fault(place, str(error), mend=lambda: _report(sweep))


def _report(sweep: Sweep) -> None:
    write_report(sweep, SweepOutcomes(sweep, sweep.outcomes()))


def _has_failed(sweep: Sweep, number: int) -> bool:
    try:
        return not isinstance(sweep.end(number), Record)
    except RecordError:
        return False


def _run_faults(directory: Path, advice: str) -> Iterator[Fault]:
    try:
        record = read_record(directory)
    except RecordError as error:
        yield Fault(str(directory), str(error), advice)
        return
    for name in record.damaged():
        yield Fault(str(directory), f"{name} is missing or was changed after it was recorded", advice)
    for path in remains(record):
        yield Fault(str(directory), f"{path.name} is what a kill has left", mend=path.unlink)


def _blas() -> list[dict[str, Any]]:
    return [each for each in threadpool_info() if each["user_api"] == "blas"]


def shown(fault: Fault) -> str:
    """Return a fault as a line."""
    end = f" {fault.advice}" if fault.advice else " It can be mended." if fault.mend else ""
    return f"{shell_word(fault.place)}: {fault.sentence.rstrip('.')}.{end}"

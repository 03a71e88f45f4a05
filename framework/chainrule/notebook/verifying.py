"""Recorded runs, trained again and handed on."""

from pathlib import Path
from typing import Any

from chainrule.config.given import with_data
from chainrule.files import paths
from chainrule.files.in_memory import giving
from chainrule.notebook.components import registry
from chainrule.notebook.runs import Run
from chainrule.records.run import Record
from chainrule.replay import export as packages
from chainrule.replay import verification
from chainrule.replay.export import Exported
from chainrule.replay.verification import Verification
from chainrule.reports import fragment


def verify(directory: str | Path, *, data: Any = None) -> Verification:
    """Train again what is recorded: a run, the runs of a sweep, the numbers of a study, or what was exported.

    Args:
        directory: of a run, a sweep or a study, anything above, or a package, unpacked or not.
        data: what the runs learned, if that was in the memory of a program; as of :func:`run`.

    Returns:
        What became of each run: ``holds`` says whether all end in the recorded bits, ``runs`` where each one differs
        and what has changed since; printed it says it in words.

    Raises:
        RecordError: nothing is recorded there, or a package is damaged.
    """
    plugins = registry()
    _, frame = with_data((), data)
    with giving(frame):
        return verification.verify(paths.named(directory), plugins)


def export(
    directory: str | Path,
    path: str | Path,
    *,
    data: bool = True,
    license: str = "",  # noqa: A002 - as the option of the command
    overwrite: bool = False,
) -> Exported:
    """Write a package with everything that another person needs to train recorded runs again.

    Args:
        directory: of a run, a sweep, or anything above.
        path: the file.
        data: whether the tables that the runs read are in it.
        license: under which it may be used; empty if that is not said.
        overwrite: whether a file that is there is replaced.

    Returns:
        What was written, and in ``notes`` what another person will lack.

    Raises:
        RecordError: there are no records, or one is damaged.
        ChainruleError: the file is there already.
        OSError: it cannot be written.
    """
    source, target = paths.named(directory), paths.named(path)
    return packages.export(source, target, registry(), _report, data=data, licence=license, overwrite=overwrite)


def _report(record: Record) -> str:
    """Return the report of a single run."""
    return fragment.document(fragment.run(Run.read(record), {}), record.manifest.title)

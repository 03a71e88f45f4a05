"""The report of runs that a tracker keeps, whoever made them."""

from pathlib import Path

from chainrule.analysis.tracked import TrackedOutcomes
from chainrule.files.atomic import write_atomically
from chainrule.reports import ranking, table


def write_report(outcomes: TrackedOutcomes, path: Path) -> tuple[Path, Path]:
    """Write the report, and the table of the runs beside it.

    Returns:
        The paths of both.

    Raises:
        OSError: one of them cannot be written.
    """
    beside = path.with_suffix(".csv")
    write_atomically(beside, table.runs(outcomes).encode())
    write_atomically(path, render(outcomes).encode())
    return path, beside


def render(outcomes: TrackedOutcomes) -> str:
    """Return the report as HTML."""
    source, parameters = outcomes.source, outcomes.parameters
    constants = ", ".join(f"{name}={value}" for name, value in parameters.constants.items())
    facts = {
        "experiment": source.experiment,
        "kept at": source.place,
        "runs": f"{len(outcomes)} of {len(source.runs)} count",
        **({"the same in all runs": constants} if constants else {}),
    }
    return ranking.render(
        f"Experiment: {source.experiment}",
        outcomes,
        facts,
        keys=parameters.settings,
        planned=len(source.runs),
        notes=outcomes.notes,
    )

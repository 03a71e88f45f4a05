"""What kept runs of a sweep from learning, as a section of its report."""

from pathlib import Path
from typing import Any

from chainrule.analysis.shares import Share
from chainrule.records.why import Why, read_why

_MOST = 8  # runs and settings that are listed


def section(directory: Path) -> dict[str, Any] | None:
    """Return what the report of a sweep shows of ``chainrule why``; None if nobody has asked.

    Raises:
        RecordError: what it has left is damaged.
    """
    found = read_why(directory)
    if not found:
        return None
    return {
        "answer": _answer(found),
        "symptoms": [
            {
                "runs": len(each.runs),
                "name": each.name,
                "start": each.from_the_start,
                "later": len(each.runs) - each.from_the_start,
                "which": ", ".join(map(str, each.runs[:_MOST])) + (" ..." if len(each.runs) > _MOST else ""),
            }
            for each in found.symptoms
        ],
        "blamed": [
            {
                "setting": f"{each.key}={each.value}",
                "own": str(Share(each.failed, each.runs)),
                "others": str(Share(each.others_failed, each.others)),
            }
            for each in found.blamed[:_MOST]
        ],
        "failed": found.failed,
    }


def _answer(found: Why) -> str:
    when = found.when[:16].replace("T", " ") + " UTC"
    said = f"On {when}, `chainrule why` trained the runs again with instruments on them."
    if found.runs:
        said += f" {Share(found.failed, found.runs)} have not learned: their skill is below {found.goal:g}."
    if found.lost:
        said += f" {found.lost} could not be trained again."
    if found.different:
        said += f" {found.different} did not end in the recorded bits."
    return said

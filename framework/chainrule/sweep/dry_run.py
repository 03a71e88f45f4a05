"""What a sweep would do: its jobs, its stacks, and how long it would take."""

import re
from collections.abc import Sequence

from chainrule.analysis.wording import digits
from chainrule.errors import counted
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.job import Job
from chainrule.sweep.launcher import StackLauncher


def text(jobs: Sequence[Job], plan: Plan, launcher: StackLauncher | None) -> str:
    """Return the listing of a dry run.

    Args:
        jobs: all of them.
        plan: their stacks.
        launcher: would run them; None if another launcher was chosen, which would run them one by one.
    """
    lines = [f"note: {note}" for note in plan.notes]
    lines.append(counted(len(jobs), "run"))
    lines += [f"  {job.number:>{len(str(len(jobs)))}}  {' '.join(job.overrides)}" for job in jobs]
    if launcher is None:
        return "\n".join([*lines, "run one by one by the launcher that was chosen; nothing was trained"])
    units = plan.units(launcher.pool.cores, launcher.stack)
    lines.append(counted(len(units), "stack"))
    varied = _varied(jobs)
    for number, unit in enumerate(units):
        which = [job.number for job in unit.jobs]
        title = ", ".join(part for part in unit.title.split(", ") if re.split("[ =]", part)[0] not in varied)
        lines.append(
            f"  {number:>{len(str(len(units)))}}  {counted(len(which), 'run'):>9}, "
            f"{'job' if len(which) == 1 else 'jobs'} {_ranges(which)}: {title}, about {digits(unit.seconds, 2)} s"
        )
    lines += [f"{job} would run alone, because {job.alone}" for job in jobs if job.alone]
    seconds = sum(unit.seconds for unit in units) / max(1, min(launcher.pool.cores, len(units)))
    lines.append(
        f"about {digits(seconds, 2)} s of training on {counted(launcher.pool.cores, 'core')}; nothing was trained"
    )
    return "\n".join(lines)


def _varied(jobs: Sequence[Job]) -> set[str]:
    """Return the keys that have not the same value in all jobs, which a stack's title, that of a run, cannot name."""
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if jobs else set()
    return {word.partition("=")[0] for job in jobs for word in job.overrides if word not in shared}


def _ranges(numbers: Sequence[int]) -> str:
    """Write ``0-3, 7`` for 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)

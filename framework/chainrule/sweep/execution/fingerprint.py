"""What must not change between two parts of a sweep, because its runs would no longer be comparable."""

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.records.settings import flat
from chainrule.registry.preferences import SECTION
from chainrule.registry.registry import Registry
from chainrule.registry.versions import changes, code
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.job import Job


def state(jobs: Sequence[Job], plan: Plan, registry: Registry) -> dict[str, Any]:
    """Return everything that decides the runs besides the overrides of each, as plain data.

    ``configurations`` are the configurations of the choices of groups, ``data`` the SHA-256 of the data of some runs,
    and ``code`` is that of :func:`code` for the plugins used.
    """
    # Preferences about plugins are left out, because the plugins used are compared.
    bases = {id(job.base): {k: v for k, v in job.base.task.items() if k != SECTION} for job in jobs}
    used = {registry.provider(kind, name) for kind, name in plan.used}
    return {"configurations": list(bases.values()), "data": plan.data, "code": code(used)}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what is different, one phrase each."""
    found = []
    before, after = old.get("configurations", []), new["configurations"]
    if len(before) != len(after):
        found.append(f"choices of groups: there were {len(before)}, there are {len(after)}")
    for one, other in zip(before, after, strict=False):
        found += changes(flat(one), flat(other))
    found += changes(old.get("data", {}), new["data"], "the data of ")
    found += changes(old.get("code", {}), new["code"])
    return list(dict.fromkeys(found))

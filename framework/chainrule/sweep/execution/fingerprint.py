"""What must not change between two parts of a sweep, because its runs would no longer be comparable."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chainrule
from chainrule.records.settings import flat
from chainrule.registry.preferences import SECTION
from chainrule.registry.providers import Provider, source_digest
from chainrule.registry.registry import Registry
from chainrule.sweep.execution.plan import Plan
from chainrule.sweep.jobs.job import Job

PLUGIN = "plugin "  # how the names of plugins begin


def state(jobs: Sequence[Job], plan: Plan, registry: Registry) -> dict[str, Any]:
    """Return everything that decides the runs besides the overrides of each, as plain data.

    ``configurations`` are what the choices of groups compose to, ``data`` SHA-256 of what was drawn for some runs,
    ``code`` versions and SHA-256 of the plugins used, of the engine, and versions below them.
    """
    # Which plugins count shows in those that are used.
    bases = {id(job.base): {k: v for k, v in job.base.task.items() if k != SECTION} for job in jobs}
    used = {registry.provider(kind, name) for kind, name in plan.used}
    return {"configurations": list(bases.values()), "data": plan.data, "code": code(used)}


def code(providers: Iterable[Provider]) -> dict[str, str]:
    """Return versions and SHA-256 of plugins and of the engine, and versions below them."""
    found = {label(provider): f"{provider.version} {provider.digest}" for provider in providers}
    found |= {
        "chainrule": f"{version('chainrule')} {_engine()}",
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    return dict(sorted(found.items()))


def label(provider: Provider) -> str:
    """Return the name that a plugin has in :func:`code`."""
    return f"{PLUGIN}{provider.distribution}:{provider.entry_point}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what is different, one phrase each."""
    found = []
    before, after = old.get("configurations", []), new["configurations"]
    if len(before) != len(after):
        found.append(f"there were {len(before)} choices of groups and are {len(after)}")
    for one, other in zip(before, after, strict=False):
        found += changes(flat(one), flat(other))
    found += changes(old.get("data", {}), new["data"], "the data of ")
    found += changes(old.get("code", {}), new["code"])
    return list(dict.fromkeys(found))


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", words: tuple[str, str] = ("was", "is")
) -> list[str]:
    """Return which entries are different, one phrase each, with a word before the old value and before the new one."""
    keys = dict.fromkeys([*old, *new])
    absent = "not there"
    before, after = words
    return [
        f"{prefix}{key}: {before} {_short(old.get(key, absent))}, {after} {_short(new.get(key, absent))}"
        for key in keys
        if old.get(key, absent) != new.get(key, absent)
    ]


def _short(value: Any) -> str:
    """Shorten SHA-256 sums, of which the beginning tells enough."""
    words = str(value).split(" ")
    return " ".join(word[:12] if len(word) == 64 else word for word in words)


def _engine() -> str:
    return source_digest(Path(str(chainrule.__file__)).parent)

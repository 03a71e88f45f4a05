"""What must not change between two parts of a sweep, because its runs would no longer be comparable."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chainrule
from chainrule.records.environment import processor
from chainrule.records.settings import flat
from chainrule.records.sweep import PLUGIN
from chainrule.registry.preferences import SECTION
from chainrule.registry.providers import Provider, source_digest
from chainrule.registry.registry import Registry
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


def code(providers: Iterable[Provider]) -> dict[str, str]:
    """Return the versions and SHA-256 of plugins and of chainrule, and what they run on: NumPy, Python, processor."""
    found = {label(provider): f"{provider.version} {provider.digest}".lstrip() for provider in providers}
    found |= {
        "chainrule": f"{version('chainrule')} {_own_digest()}",
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
    } | processor()
    return dict(sorted(found.items()))


def label(provider: Provider) -> str:
    """Return the name that a plugin has in :func:`code`."""
    return f"{PLUGIN}{provider.key}"


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


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", words: tuple[str, str] = ("was", "is")
) -> list[str]:
    """Return which entries are different, one phrase each; ``words`` come before the old and before the new value."""
    keys = dict.fromkeys([*old, *new])
    absent = "not there"
    before, after = words
    return [
        f"{prefix}{key}: {before} {_short(old.get(key, absent))}, {after} {_short(new.get(key, absent))}"
        for key in keys
        if old.get(key, absent) != new.get(key, absent)
    ]


def _short(value: Any) -> str:
    """Shorten SHA-256 sums to their first 12 digits."""
    words = str(value).split(" ")
    return " ".join(word[:12] if len(word) == 64 else word for word in words)


def _own_digest() -> str:
    return source_digest(Path(str(chainrule.__file__)).parent)

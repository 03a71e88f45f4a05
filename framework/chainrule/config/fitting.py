"""The output and the loss that suit the task of the target, where ``auto`` is chosen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from chainrule.components.contracts import Activation, Loss, Target
from chainrule.components.parameters import plain_defaults
from chainrule.files.defaults import AUTO, fitting
from chainrule.registry.kinds import GROUPS
from chainrule.registry.registry import Registry

OUTPUT, LOSS = FITTED = ("output", "loss")  # groups in which ``auto`` can be chosen
_TARGET = "target"

_known: ContextVar[Mapping[str, Mapping[str, Any]] | None] = ContextVar("known", default=None)


def is_auto(group: str, name: object) -> bool:
    """Say whether this choice is to suit the target."""
    return group in FITTED and name == AUTO


def fitted(config: Mapping[str, Any], registry: Registry) -> dict[str, dict[str, Any]]:
    """Return what stands for ``auto`` in a configuration: name and parameters of the component, by group.

    Args:
        config: plain data, resolved.
        registry: of its components.

    Raises:
        ConfigurationError: the target is wrong, or its file cannot be read.
    """
    chosen = {group: _name(config.get(group)) for group in FITTED}
    wanted = [group for group in FITTED if chosen[group] == AUTO]
    target = config.get(_TARGET)
    if not wanted or not isinstance(target, Mapping) or not isinstance(target.get("name"), str):
        return {}  # who makes the target says what is wrong
    own = {key: value for key, value in target.items() if key != "name"}
    suiting = suited_to(cast("Target", registry.make(_TARGET, target["name"], own)))
    if chosen[OUTPUT] != AUTO and chosen[OUTPUT] != suiting[OUTPUT]:
        suiting = fitting()["regression"]
    elif chosen[LOSS] not in (AUTO, suiting[LOSS]):
        suiting = {OUTPUT: _output_of(chosen[LOSS], suiting[OUTPUT], registry)}
    return {group: _component(group, suiting[group], registry) for group in wanted}


def usual(config: Mapping[str, Any], registry: Registry) -> dict[str, dict[str, Any]]:
    """Return what stands for ``auto`` where the target is not known yet: what suits that of the packaged configuration.

    Args:
        config: plain data.
        registry: of its components.
    """
    wanted = [group for group in FITTED if _name(config.get(group)) == AUTO]
    return {group: _component(group, fitting()["regression"][group], registry) for group in wanted}


@contextmanager
def known(components: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Let ``auto`` be composed as these components, by group, see :func:`fitted`."""
    token = _known.set(components)
    try:
        yield
    finally:
        _known.reset(token)


def composed(group: str) -> dict[str, Any]:
    """Return what the choice of ``auto`` adds to the configuration."""
    return dict((_known.get() or {}).get(group, {"name": AUTO}))


def suited_to(target: Target) -> Mapping[str, str]:
    """Return the names of the output and the loss that suit the task of a target, by group."""
    if target.resolved_task != "classification":
        return fitting()["regression"]
    return fitting()["two_classes" if target.outputs == 1 else "classes"]


def _output_of(loss: object, suiting: str, registry: Registry) -> str:
    """Return the output for a loss: its partner, or else that of a regression if the loss is defined on its values."""
    linear = fitting()["regression"][OUTPUT]
    if not isinstance(loss, str) or loss not in registry.names(LOSS):
        return linear  # who makes the loss says what is wrong
    cls = cast("type[Loss]", registry.find(LOSS, loss))
    if cls.paired_output:
        return cls.paired_output
    low, high = cast("type[Activation]", registry.find(GROUPS[OUTPUT].name, linear)).range
    return linear if cls.prediction_range[0] <= low and high <= cls.prediction_range[1] else suiting


def _component(group: str, name: str, registry: Registry) -> dict[str, Any]:
    return {"name": name, **plain_defaults(registry.find(GROUPS[group].name, name, group))}


def _name(value: object) -> object:
    return value.get("name") if isinstance(value, Mapping) else None

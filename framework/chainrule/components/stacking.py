"""How runs share a component: one object whose float fields hold the values of all runs of a stack."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.contracts import Array, Component, Optimizer
from chainrule.components.parameters import parameters, plain

C = TypeVar("C", bound=Component | tuple[Component, ...])


def sum_units(values: Array, keepdims: bool = False) -> Array:
    """Return the sum over units, ``(runs, units, samples)`` to ``(runs, samples)``, in the order of the units.

    ``values.sum(axis=-2)`` adds a single column in pairs but the columns of a stack one after another, so that its bits
    depend on the number of runs. With ``keepdims`` the result is ``(runs, 1, samples)``.
    """
    if values.shape[-1] == 1:
        total: Array = np.add.accumulate(values, axis=-2)[..., -1:, :]
        return total if keepdims else total[..., 0, :]
    added: Array = values.sum(axis=-2, keepdims=keepdims)
    return added


def has_rate(optimizer: Optimizer) -> bool:
    """Say whether an optimizer names a learning rate that schedules can change: one of its plain floats."""
    return str(optimizer.rate) in float_fields(optimizer)


def float_fields(component: Component) -> list[str]:
    """Return the names of the plain floats among the fields of a component."""
    return [name for name, parameter in parameters(type(component)).items() if parameter.is_stackable]


def structure(component: Component | tuple[Component, ...]) -> tuple[Any, ...]:
    """Return what stacked components must have in common: the class and every field that is not a plain float.

    Of a list of components it is that of each.
    """
    if isinstance(component, tuple):
        return tuple(map(structure, component))
    cls: type[Component] = type(component)
    fixed = {name: value for name, value in plain(component).items() if not parameters(cls)[name].is_stackable}
    return (cls, repr(fixed))


def stack(components: Sequence[C], dtype: DTypeLike) -> C:
    """Return one component whose float fields hold the values of all ``components``, one per run.

    Args:
        components: of equal :func:`structure`; or the list of each run, and then a list is returned.
        dtype: dtype of these fields; a float64 rate would silently promote float32 weights.
    """
    first: Any = components[0]
    if isinstance(first, tuple):
        lists: Any = components
        return cast("C", tuple(stack(same, dtype) for same in zip(*lists, strict=True)))
    shape, cls = first.run_shape, first.__class__
    if shape is None:
        raise TypeError(f"components such as {first.name} are used once per run and do not stack")
    stacked = object.__new__(cls)
    for name, parameter in parameters(cls).items():
        value = getattr(first, name)
        if parameter.is_stackable:
            value = np.array([getattr(c, name) for c in components], dtype).reshape(len(components), *shape)
        object.__setattr__(stacked, name, value)
    return cast("C", stacked)


def take(stacked: C, runs: Array) -> C:
    """Return the stacked component, or the list of them, of the chosen ``runs`` (indices)."""
    if isinstance(stacked, tuple):
        return cast("C", tuple(take(component, runs) for component in stacked))
    cls: Any = type(stacked)
    chosen = object.__new__(cls)
    for name, parameter in parameters(cls).items():
        value = getattr(stacked, name)
        object.__setattr__(chosen, name, value[runs] if parameter.is_stackable else value)
    return cast("C", chosen)

"""How runs share a component: one object whose float fields hold the values of all runs of a stack."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.contracts import Array, Component, Optimizer
from chainrule.components.parameters import parameters, plain

C = TypeVar("C", bound="Component | tuple[Component, ...]")


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
    field = parameters(type(optimizer)).get(str(optimizer.rate))
    return field is not None and field.is_stackable


def structure(component: Component | tuple[Component, ...]) -> tuple[Any, ...]:
    """Return what stacked components must have in common: the class and every field that is not a plain float."""
    if isinstance(component, tuple):
        return tuple(map(structure, component))
    cls: type = type(component)
    fixed = {name: value for name, value in plain(component).items() if not parameters(cls)[name].is_stackable}
    return (cls, repr(fixed))


def stack(components: Sequence[C], dtype: DTypeLike) -> C:
    """Return one component whose float fields hold the values of all ``components``, one per run.

    Args:
        components: of equal :func:`structure`; each may be a tuple, of components that are stacked one by one.
        dtype: dtype of these fields; a float64 rate would silently promote float32 weights.
    """
    first: Any = components[0]
    if isinstance(first, tuple):
        columns: Any = zip(*components, strict=True)
        return tuple(stack(column, dtype) for column in columns)  # type: ignore[return-value]
    shape = first.run_shape
    if shape is None:
        raise TypeError(f"components such as {first.name} are used once per run and do not stack")
    cls: type = type(first)
    stacked: Any = object.__new__(cls)
    for name, parameter in parameters(cls).items():
        value = getattr(first, name)
        if parameter.is_stackable:
            value = np.array([getattr(c, name) for c in components], dtype).reshape(len(components), *shape)
        object.__setattr__(stacked, name, value)
    return stacked  # type: ignore[no-any-return]


def take(stacked: C, runs: Array) -> C:
    """Return the stacked component of the chosen ``runs`` (indices), or a tuple of them."""
    if isinstance(stacked, tuple):
        return tuple(take(one, runs) for one in stacked)  # type: ignore[return-value]
    chosen: Any = object.__new__(type(stacked))
    for name, parameter in parameters(type(stacked)).items():
        value = getattr(stacked, name)
        object.__setattr__(chosen, name, value[runs] if parameter.is_stackable else value)
    return chosen  # type: ignore[no-any-return]

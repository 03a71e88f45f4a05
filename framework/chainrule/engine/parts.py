"""What the steps and points of a machine read and change, as machine code is told of it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.compiled.kernel import Batches
from chainrule.compiled.tape import Role
from chainrule.components.contracts import Array, Component
from chainrule.components.stacking import float_fields
from chainrule.engine.epoch import Epoch
from chainrule.engine.layers import States
from chainrule.engine.stack import Stack

Place = tuple[Any, ...]  # the name of an array of a machine

FIELDS = ("norm", "activation", "output", "loss", "transforms", "rule")  # groups whose fields steps read


@dataclass(frozen=True)
class Part:
    """Batches of one size, which follow each other in an epoch.

    Attributes:
        x, y: what a kernel reads: inputs under a row of ones, and true outputs.
        x_dims, y_dims: of a batch as it is read, without the run axis.
        samples: of each batch.
        role: whether samples are the same in each step, or chosen by numbers; then they come before features.
        first: the place of its first sample in an epoch.
        of_epoch: how many samples an epoch has.
    """

    x: Batches
    y: Batches
    x_dims: tuple[int, int]
    y_dims: tuple[int, int]
    samples: int
    role: Role = Role.CHOSEN
    first: int = 0
    of_epoch: int = 0

    @classmethod
    def whole(cls, x: Array, y: Array) -> "Part":
        """Return samples that stay the same, each ``(runs, features, samples)``; x lies under a row of ones."""
        return cls(Batches(x), Batches(y), x.shape[1:], y.shape[1:], x.shape[2], Role.DATA)


def parts_of(epoch: Epoch) -> list[Part]:
    """Return the batches that the samplings of an epoch choose, full ones and a partial one."""
    found, first = [], 0
    x, y = (Batches(each, epoch.orders) for each in (epoch.x, epoch.y))
    for batches in epoch.parts:
        size = batches[0][0].shape[2]
        dims = (size, epoch.x.shape[1]), (size, epoch.y.shape[1])
        found.append(Part(x, y, *dims, size, first=first, of_epoch=epoch.orders.shape[2]))
        first += size * len(batches)
    return found


@dataclass(frozen=True)
class Parts:
    """What the steps of a machine read and change.

    Attributes:
        stack: the runs.
        optimizer: that of the steps, whose rate a schedule changes.
        scheduled: the field of the optimizer that a schedule changes; None for none.
        theta, states, state, rule_state, transforms: what steps change.
        evaluations: how often each run has evaluated more than one gradient a step, and losses: ``(2, runs)``.
        differs: whether layers are not the same in training as measured.
    """

    stack: Stack
    optimizer: Any
    scheduled: str | None
    theta: Array
    states: States
    state: dict[str, Array]
    rule_state: dict[str, Array]
    transforms: Sequence[dict[str, Array]]
    evaluations: Array
    differs: bool

    def arrays(self) -> dict[Place, Array]:
        """Return every array that a step may read or change, by its name."""
        found = dict(self._fixed)
        found |= {("state", name): array for name, array in self.state.items()}
        found |= {("rule", name): array for name, array in self.rule_state.items()}
        for number, own in enumerate(self.transforms):
            found |= {("transform", number, name): array for name, array in own.items()}
        for place, arrays in self.states.items():
            found |= {("layer", place, name): array for name, array in arrays.items()}
        return found

    @functools.cached_property
    def _fixed(self) -> dict[Place, Array]:
        """The arrays that nothing replaces: parameters and fields."""
        found: dict[Place, Array] = {("theta",): self.theta}
        for place, component in self.components():
            found |= {(*place, name): getattr(component, name) for name in float_fields(component)}
        return found

    def replaceable(self) -> list[Array]:
        """Return the arrays that components may have put in the place of others."""
        kept = (self.state, self.rule_state, *self.transforms, *self.states.values())
        return [array for arrays in kept for array in arrays.values()]

    def components(self) -> list[tuple[Place, Component]]:
        """Return the components of a step, with their names."""
        found: list[tuple[Place, Component]] = [(("optimizer", 0), self.optimizer)]
        for group in FIELDS:
            chosen = getattr(self.stack, group)
            each = chosen if isinstance(chosen, tuple) else (chosen,)
            found += [((group, number), one) for number, one in enumerate(each)]
        return found

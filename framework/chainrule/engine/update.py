"""The update of one step: what the optimizer does, between the transforms, after the rule has adapted."""

from collections.abc import Mapping
from typing import Any

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Component, Optimizer, Rule
from chainrule.components.stacking import has_rate
from chainrule.engine.backprop import Backprop, Batch
from chainrule.engine.problem import Problem
from chainrule.engine.transforms import TransformedProblem, Transforms, Update
from chainrule.errors import PluginError


def planned_update(
    optimizer: Optimizer,
    rule: Rule,
    transforms: Transforms | None,
    offered: Mapping[str, Any],
    evaluations: Array,
    backprop: Backprop,
    batch: Batch,
) -> Update:
    """Return ``update`` of the optimizer for one batch, with what it asks for, between the transforms.

    Before all of it the rule adapts. What it returns is what the optimizer returns, which must be None: see
    :func:`unread`.

    Args:
        optimizer: of the stack.
        rule: of the stack.
        transforms: of the stack, if it has some.
        offered: what components may ask for: ``shape`` and ``rng``.
        evaluations: counts what an optimizer evaluates beside one gradient: ``(2, runs)``.
        backprop: gradients of the batch.
        batch: the samples.
    """
    further = dict(offered)
    if "problem" in asked(type(optimizer), "update"):
        about = backprop, batch, evaluations
        further["problem"] = TransformedProblem(*about, transforms, offered["rng"]) if transforms else Problem(*about)
    update = given(optimizer, "update", **further)
    if transforms:
        update = transforms.around(update)
    if type(rule).adapt is Rule.adapt:
        return update
    lr = getattr(optimizer, str(optimizer.rate))[:, :, None] if has_rate(optimizer) else None
    adapt = backprop.adapting(batch, lr=lr, rng=offered["rng"])

    def adapt_and_update(theta: Array, grad: Array, state: dict[str, Array], step: int) -> object:
        if adapt(step) is not None:
            raise unread(rule, "adapt", "the arrays of state in place (B += ...)")
        return update(theta, grad, state, step)

    return adapt_and_update


def unread(component: Component, method: str = "update", place: str = "theta in place (theta -= ...)") -> PluginError:
    """Return the error about a method that returns something, and so may change nothing.

    Args:
        component: whose method it is.
        method: its name.
        place: what it has to change.
    """
    where = f"{type(component).__qualname__}.{method}"
    return PluginError(f"{where} returns something, which nobody reads; change {place} and return nothing.")

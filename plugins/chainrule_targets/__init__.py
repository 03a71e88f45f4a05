"""Targets: functions to sample, well-known data sets, and a table of the user."""

from chainrule.components.contracts import Target
from chainrule.registry.hookspecs import hookimpl
from chainrule_targets.datasets import BreastCancer, Diabetes, Digits, Wine
from chainrule_targets.functions import XOR, Friedman1, Linear, Sine, Spirals, TwoMoons
from chainrule_targets.table import Table


@hookimpl
def chainrule_targets() -> list[type[Target]]:
    """Return the targets of this package."""
    return [Linear, XOR, Sine, Friedman1, TwoMoons, Spirals, Diabetes, BreastCancer, Wine, Digits, Table]

"""Curves of the best settings of a sweep, as lines with bands."""

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.analysis.outcomes import Outcomes
from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.errors import counted
from chainrule.reports.svg import Series, has_areas

SEEDS = 20  # runs of a setting that are read, at most


def read(outcomes: Outcomes, settings: int) -> dict[str, list[Curves]]:
    """Return the curves of the best settings by their titles: of some runs each, those that left a record."""
    found = {}
    for group in outcomes.ranking[:settings]:
        own = [curves for _, curves in outcomes.curves([o for o in group.outcomes if o.metrics][:SEEDS])]
        if own:
            found[group.title] = own
    return found


def lines(found: Mapping[str, Sequence[Curves]], name: str) -> list[Series]:
    """Return a line for each setting: the median of a curve over seeds, and a band between the quartiles."""
    return [_line(title, curves, name) for title, curves in found.items() if name in curves[0].values]


def caption(drawn: Sequence[Series], name: str, where: str = "") -> str:
    """Say what such lines show; ``where`` names their target, if there are several."""
    band = "a band between" if has_areas(drawn) else "dotted lines at"
    said = (
        f"{name} of the best {counted(len(drawn), 'setting')}{where}: median over seeds (at most {SEEDS}), "
        f"with {band} the quartiles. A run that has stopped keeps its last value."
    )
    if any(line.is_cut for line in drawn):
        said += (
            " Where a quarter of the runs have diverged, the band is infinite: it is cut at the upper edge, "
            "which is dashed there. Where half of them have, the line ends."
        )
    return said


def _line(title: str, curves: Sequence[Curves], name: str) -> Series:
    epochs: Array = np.unique(np.concatenate([curve.epochs for curve in curves]))
    table = []
    for curve in curves:
        last = np.searchsorted(curve.epochs, epochs, side="right") - 1
        values = curve.values[name][last]
        table.append(np.where(np.isfinite(values), values, np.inf))
    low_high = np.quantile(np.array(table), [0.25, 0.75], axis=0, method="inverted_cdf")
    rows = low_high[0], np.median(table, axis=0), low_high[1]
    low, middle, high = ([*zip(epochs.tolist(), row.tolist(), strict=True)] for row in rows)
    return Series(title, middle, low, high) if len(curves) > 1 else Series(title, middle)

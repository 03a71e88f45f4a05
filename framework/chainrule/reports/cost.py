"""What a report of a comparison says about costs: the time of a step, and who is better at equal time."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.analysis.comparison import ComparisonResult
from chainrule.analysis.cost import Costs, even, sentences
from chainrule.analysis.wording import digits
from chainrule.components.contracts import Array
from chainrule.records.sweep import Sweep
from chainrule.records.timing import read_timing
from chainrule.reports.budget import RUNS, EpochCurves

EVALUATIONS = "numbers of gradient evaluations"


def numbers(sweep: Sweep, found: ComparisonResult, curves: EpochCurves | None) -> dict[str, Any] | None:
    """Return what contenders cost as plain data for JSON; None if it was never measured.

    Args:
        sweep: the record of the comparison, beside which lies what was measured.
        found: its result.
        curves: of its tuned runs, by which those that need more are judged; None if they are not known.

    Raises:
        RecordError: the file of what was measured is damaged.
    """
    timing = read_timing(sweep.directory)
    if not timing:
        return None
    costs = Costs.of(timing, found.comparison)
    return {
        "note": timing.note,
        "runs": timing.runs,
        "contenders": [
            {
                "contender": name,
                "step": own.ratio,
                "spread": list(own.spread),
                "run_seconds": own.seconds,
            }
            for name, own in zip(found.comparison.contenders, costs.speeds if costs else (), strict=False)
        ],
        "equal_time": _equal(found, curves, costs, costs.times, "time") if costs and curves else None,
        "equal_evaluations": _equal(found, curves, costs, costs.evaluations, EVALUATIONS)
        if costs and curves and not costs.evaluates_alike
        else None,
        "evaluate_alike": costs.evaluates_alike if costs else None,
    }


def content(cost: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the template shows of these numbers; None if there is nothing to show."""
    if not cost:
        return None
    equal = [cost[name] for name in ("equal_time", "equal_evaluations") if cost[name]]
    return {
        **cost,
        "rows": [
            (
                own["contender"],
                _ratio(own["step"], own["spread"]),
                f"{digits(own['run_seconds'], 2)} s",
            )
            for own in cost["contenders"]
        ],
        "sentences": [text for each in equal for text in each["sentences"]],
        "most": RUNS,
    }


def _ratio(value: float, spread: Sequence[float]) -> str:
    """Write ``1.14 (1.04 to 1.24)``; the fastest contender is 1, without a spread."""
    low, high = spread
    return digits(value, 3) + f" ({digits(low, 3)} to {digits(high, 3)})" * (low != high)


def _equal(
    found: ComparisonResult,
    curves: EpochCurves,
    costs: Costs,
    ratios: Callable[[int, int], Array],
    spent: str,
) -> dict[str, Any]:
    names, targets, pairs = found.comparison.contenders, found.comparison.targets, found.pairs
    losses = curves.losses.swapaxes(2, 3) if curves.losses.shape[2] == 1 else curves.losses  # each seed is a block
    ends = [costs.reached(pair.better, pair.worse, ratios(pair.better, pair.worse)) for pair in pairs]
    evens = even(losses, curves.epochs, pairs, ends)
    told = sentences(names, pairs, evens, costs.epochs, spent, names.index(found.standings[0].contender))
    return {
        "pairs": [
            {
                "better": names[pair.better],
                "worse": names[pair.worse],
                **dataclasses.asdict(own.estimate),
                "by_target": dict(zip(targets, own.estimate.by_target, strict=True)),
                "epochs": dict(zip(targets, map(list, own.reached), strict=True)),
                "ahead": {1: names[pair.better], -1: names[pair.worse], 0: None}[own.ahead],
            }
            for pair, own in zip(pairs, evens, strict=True)
        ],
        "sentences": list(told),
        "changes": [text for text, is_change in told.items() if is_change],
    }

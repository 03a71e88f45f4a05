"""Outcomes and what follows from them as tables: lists of rows, which become a pandas data frame if there is pandas."""

from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.analysis.comparison import ComparisonResult
from chainrule.analysis.effects import Effect
from chainrule.analysis.ranking import Group
from chainrule.engine.curves import Curves
from chainrule.engine.reason import Reason
from chainrule.errors import ChainruleError
from chainrule.records.outcome import Outcome


class Table(list[dict[str, Any]]):
    """Rows, each a dictionary with the same keys in the same order."""

    def frame(self) -> Any:
        """Return the table as a ``pandas.DataFrame``.

        Raises:
            ChainruleError: pandas is not installed.
        """
        try:
            import pandas  # here, because it is slow to import, and nothing else needs it
        except ImportError:
            raise ChainruleError("A data frame needs pandas: `pip install pandas`.") from None
        return pandas.DataFrame(self)


def runs(outcomes: Sequence[Outcome]) -> Table:
    """Return one row a run: its number, each key that varies, seed, fold if it varies, reason, record, each metric.

    A value that a run does not have, or a metric that is not finite, is None. ``record`` is the directory of the
    record, relative to the sweep's, or the key of the run in its tracker.
    """
    keys = dict.fromkeys(key for outcome in outcomes for key in outcome.settings)
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)
    folds = any(outcome.fold is not None for outcome in outcomes)
    own = ("run", "seed", *(["fold"] if folds else []), "reason", "record")
    columns = _apart(own, keys, "params")
    measured = _apart((*own, *columns.values()), names, "metrics")
    return Table(
        {
            "run": outcome.number,
            **{column: outcome.settings.get(key) for key, column in columns.items()},
            "seed": outcome.seed,
            **({"fold": outcome.fold} if folds else {}),
            "reason": outcome.reason.value,
            "record": outcome.directory,
            **{column: outcome.metrics.get(name) for name, column in measured.items()},
        }
        for outcome in outcomes
    )


def curves(found: Iterable[tuple[Outcome, Curves]]) -> Table:
    """Return one row a point: the run, each key that varies, seed, epoch, and each curve, None where a run has none."""
    found = list(found)
    keys = dict.fromkeys(key for outcome, _ in found for key in outcome.settings)
    names = dict.fromkeys(name for _, curves in found for name in curves.values)
    own = ("run", "seed", "epoch")
    columns = _apart(own, keys, "params")
    measured = _apart((*own, *columns.values()), names, "metrics")
    rows = Table()
    for outcome, own_curves in found:
        fixed = {
            "run": outcome.number,
            **{column: outcome.settings.get(key) for key, column in columns.items()},
            "seed": outcome.seed,
        }
        epochs = own_curves.epochs.tolist()
        nothing = [None] * len(epochs)
        lists = [own_curves.values[name].tolist() if name in own_curves.values else nothing for name in names]
        for epoch, *values in zip(epochs, *lists, strict=True):
            rows.append({**fixed, "epoch": epoch, **dict(zip(measured.values(), values, strict=True))})
    return rows


def points(own: Curves) -> Table:
    """Return one row for each point of a run's curves: its epoch, and the value of each curve."""
    lists = [values.tolist() for values in own.values.values()]
    rows = zip(own.epochs.tolist(), *lists, strict=True)
    return Table({"epoch": epoch, **dict(zip(own.values, values, strict=True))} for epoch, *values in rows)


def ranking(ranked: Sequence[Group], ranks: Sequence[int]) -> Table:
    """Return one row a setting, the best first: its values, median, quartiles, interval, counts of runs.

    A median or an end that is infinite, because runs were lost, is infinite; without an interval its ends are None.

    Args:
        ranked: the settings.
        ranks: the rank of each.
    """
    own = ("rank", "median", "quartile 1", "quartile 3", "interval low", "interval high", "runs", "diverged", "failed")
    keys = _apart(own, dict.fromkeys(key for group in ranked for key in group.settings), "params")
    return Table(
        {
            "rank": rank,
            **{column: group.settings.get(key) for key, column in keys.items()},
            "median": group.median,
            **dict(zip(("quartile 1", "quartile 3"), group.quartiles, strict=True)),
            **dict(zip(("interval low", "interval high"), group.interval or (None, None), strict=True)),
            "runs": len(group.values),
            "diverged": group.count(Reason.DIVERGED),
            "failed": group.count(Reason.FAILED),
        }
        for rank, group in zip(ranks, ranked, strict=True)
    )


def effects(found: Sequence[Effect]) -> Table:
    """Return one row a parameter, the one that mattered most first."""
    return Table(
        {"parameter": effect.parameter, "share": effect.share, "p": effect.p, "units": effect.units} for effect in found
    )


def levels(found: Sequence[Effect]) -> Table:
    """Return one row for each value, or bin of values, of each parameter: its median and its number of runs."""
    return Table(
        {"parameter": effect.parameter, "value": label, "median": median, "runs": count}
        for effect in found
        for label, median, count in effect.levels
    )


def pairs(found: ComparisonResult | None) -> Table:
    """Return one row for each pair of contenders: the probability that the first wins, its interval, p, the verdict."""
    if found is None:
        return Table()
    names = found.comparison.contenders
    return Table(
        {
            "first": names[pair.better],
            "second": names[pair.worse],
            "probability": pair.probability,
            "interval low": pair.interval[0],
            "interval high": pair.interval[1],
            "p": pair.p,
            "verdict": found.word(pair),
        }
        for pair in found.pairs
    )


def standings(found: ComparisonResult | None) -> Table:
    """Return one row for each contender of a comparison, the one most likely to win first."""
    return Table(
        {
            "contender": standing.contender,
            "probability": standing.probability,
            **{
                title: ", ".join(names)
                for title, names in (
                    ("better than", standing.better_than),
                    ("worse than", standing.worse_than),
                    ("level with", standing.level_with),
                )
            },
        }
        for standing in (found.standings if found else ())
    )


def _apart(taken: Iterable[str], names: Iterable[str], prefix: str) -> dict[str, str]:
    """Return the column of each name: the name, with a prefix where another column is called so."""
    known = set(taken)
    return {name: f"{prefix}.{name}" if name in known else name for name in names}

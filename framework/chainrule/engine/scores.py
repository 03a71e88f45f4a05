"""R2 or accuracy of every run of a stack at the points of its curves, from what the measuring pass has predicted."""

from collections.abc import Callable

import numpy as np

from chainrule.components.contracts import Array, Loss
from chainrule.engine.weights import classes_of

Score = Callable[[Array], Array]  # from what the network gives, (runs, outputs, samples), to (runs,)


def score_of(task: str, loss: Loss, y: Array) -> tuple[str, Score]:
    """Return what a task is scored by, ``r2`` or ``accuracy``, and the function that scores predictions.

    Both are those of :mod:`chainrule.engine.data`, of each run, whose bits do not depend on the other runs. R2 is that
    of scaled values: scaling changes it by rounding alone.

    Args:
        task: ``regression`` or ``classification``.
        loss: that of the runs, stacked, which makes predictions of what the network gives.
        y: true outputs, ``(runs, outputs, samples)``.
    """
    name, score = ("r2", _r2(y)) if task == "regression" else ("accuracy", _accuracy(y))
    if type(loss).point is Loss.point:
        return name, score
    return name, lambda given: score(loss.point(given))


def _r2(y: Array) -> Score:
    error = np.empty(y.shape)  # its rows are summed as each would be alone
    np.copyto(error, y)
    np.subtract(error, error.mean(axis=-1, keepdims=True) if y.shape[2] else 0.0, out=error)
    total = np.square(error, out=error).sum(axis=-1)
    is_constant = total == 0
    total[is_constant] = 1
    too_few, any_constant = y.shape[2] < 2, bool(is_constant.any())

    def score(predicted: Array) -> Array:
        if too_few:
            return np.full(len(y), np.nan)
        np.subtract(y, predicted, out=error)
        residual = np.square(error, out=error).sum(axis=-1)
        scores = 1 - residual / total
        if any_constant:
            scores[is_constant] = residual[is_constant] == 0
        mean: Array = scores.mean(axis=-1)
        return mean

    return score


def _accuracy(y: Array) -> Score:
    true = classes_of(y)

    def score(predicted: Array) -> Array:
        right: Array = (classes_of(predicted) == true).mean(axis=-1)
        unknown = np.isnan(predicted).any(axis=(1, 2))
        return np.where(unknown, np.nan, right)

    return score

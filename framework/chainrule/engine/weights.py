"""How much each sample counts in the mean loss."""

from collections.abc import Sequence

import numpy as np

from chainrule.components.contracts import Array, Target
from chainrule.errors import ConfigurationError, PluginError, counted


def sample_weights(
    target: Target,
    given: Sequence[Array],
    y: Array,
    parts: Sequence[Array],
    class_weights: Sequence[float] | None,
    balance_classes: bool,
) -> Array | None:
    """Return the weight of each sample, ``(samples,)``, with a mean of 1 in each part; None if all count alike.

    Args:
        target: what is learned.
        given: what the target returned beside ``x`` and ``y``.
        y: true outputs, ``(outputs, samples)``.
        parts: indices of the samples for training, for validation and for the test.
        class_weights: how much the samples of each class count; None for all alike.
        balance_classes: whether samples also count inversely to the frequency of their class in the training samples.

    Raises:
        ConfigurationError: a weight is negative, NaN or infinite, all are zero, or those of classes do not fit.
        PluginError: the target returned arrays that are no weights.
    """
    own = _own(target, given, y.shape[1])
    of_classes = _of_classes(target, y, parts[0], class_weights, balance_classes)
    if own is None and of_classes is None:
        return None
    weights = np.ones(y.shape[1])
    for each in (own, of_classes):
        weights *= 1 if each is None else each
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        weights[part] /= _mean_weight(target, name, weights[part])
    return weights


def _own(target: Target, given: Sequence[Array], count: int) -> Array | None:
    """Return the weights of samples that a target gives, ``(samples,)``, or None.

    Raises:
        ConfigurationError: a weight is negative, NaN or infinite.
        PluginError: the target returned arrays that are no weights.
    """
    if not given:
        return None
    weights = given[0]
    if len(given) > 1 or weights.shape != (count,):
        shapes = ", ".join(str(part.shape) for part in given)
        raise PluginError(
            f"target={target.name} returned {shapes} beside x and y; a third array gives weights, ({count},)."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ConfigurationError(f"target={target.name} has weights of samples that are negative, NaN or infinite.")
    return weights


def _of_classes(
    target: Target, y: Array, training: Array, weights: Sequence[float] | None, balance: bool
) -> Array | None:
    """Return the weight of each sample by its class, ``(samples,)``, from ``y (outputs, samples)``; None for all alike.

    Raises:
        ConfigurationError: the target has no classes, or another number of them.
    """
    if weights is None and not balance:
        return None
    key = "data.balance_classes" if weights is None else "data.class_weights"
    if target.resolved_task != "classification":
        raise ConfigurationError(f"{key} needs classes, but target={target.name} is a regression.")
    count = max(2, len(y))
    if weights is not None and len(weights) != count:
        raise ConfigurationError(
            f"data.class_weights has {counted(len(weights), 'entry')}, but target={target.name} has "
            f"{counted(count, 'class')}: give one each."
        )
    classes = classes_of(y.T)
    each = np.ones(count) if weights is None else np.array(weights, float)
    if balance:
        each = each / np.maximum(1, np.bincount(classes[training], minlength=count))
    return np.asarray(each[classes])


def classes_of(y: Array, axis: int = 1) -> Array:
    """Return the class of each sample from true outputs or predictions: ``(samples,)`` of ``(samples, outputs)``.

    A single output means class 1 from 0.5 on; of several outputs the largest gives the class.

    Args:
        y: the outputs.
        axis: that of the outputs, which the classes do not have.
    """
    return np.asarray(y.argmax(axis=axis) if y.shape[axis] > 1 else (y.take(0, axis=axis) >= 0.5).astype(int))


def _mean_weight(target: Target, part: str, weights: Array) -> float:
    """Return the mean of the weights of a part; 1 for none.

    Raises:
        ConfigurationError: all are zero.
    """
    mean = float(weights.mean()) if len(weights) else 1.0
    if not mean > 0:
        raise ConfigurationError(f"All {part} samples of target={target.name} have a weight of zero.")
    return mean

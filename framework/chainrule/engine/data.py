"""From a target to the samples of one run: draw, add noise, split, standardize."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.contracts import Array, Target
from chainrule.components.schema import Schema
from chainrule.engine.splitting import split
from chainrule.engine.weights import classes_of, sample_weights
from chainrule.errors import ConfigurationError, PluginError


@dataclass(frozen=True)
class Scaling:
    """An affine map ``(v - shift) / scale`` of features, each an array ``(features, 1)``."""

    shift: Array
    scale: Array

    @classmethod
    def of(cls, values: Array) -> "Scaling":
        """Standardize by mean and standard deviation over samples; a constant feature is only shifted."""
        constant = np.ptp(values, axis=1, keepdims=True) == 0  # rounding may leave it a tiny deviation
        return cls(values.mean(axis=1, keepdims=True), np.where(constant, 1.0, values.std(axis=1, keepdims=True)))

    @classmethod
    def none(cls, features: int) -> "Scaling":
        """The identity map."""
        return cls(np.zeros((features, 1)), np.ones((features, 1)))

    def apply(self, values: Array) -> Array:
        """Scale ``values (features, samples)`` for the network."""
        return (values - self.shift) / self.scale

    def undo(self, values: Array) -> Array:
        """Map scaled ``values (features, samples)`` back to raw ones."""
        return values * self.scale + self.shift


@dataclass(frozen=True)
class Fresh:
    """Draws new samples of a run, like those of its training set: noise included, scaled, in the dtype of the run.

    Attributes:
        target: what is to be learned.
        noise: standard deviation of the noise, see :func:`draw`.
        x_scaling, y_scaling: the maps from raw to scaled values.
        dtype: dtype of the run.
        x_fill: what stands for a missing input, see :class:`Samples`.
    """

    target: Target
    noise: float
    x_scaling: Scaling
    y_scaling: Scaling
    dtype: DTypeLike
    x_fill: Array | None = None

    def __call__(self, rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
        """Return ``x (samples, inputs)`` and ``y (samples, outputs)``."""
        x, y, _ = _drawn(self.target, rng, samples)
        _add_noise(self.target, x, y, self.noise, rng)
        return self.x_scaling.apply(filled(x.T, self.x_fill)).T.astype(self.dtype), self.y_scaling.apply(y.T).T.astype(
            self.dtype
        )


@dataclass(frozen=True)
class Samples:
    """The data of one run, without missing values, scaled for the network, in the run's dtype.

    Attributes:
        train: a row of ones above ``x`` above ``y``, shape ``(1 + inputs + outputs, training samples)``. Where samples
            have weights, these are one more row, with a mean of 1.
        validation, test: the same for the validation and the test samples; there may be none.
        inputs, outputs: numbers of inputs and of true outputs.
        x_scaling, y_scaling: the maps from raw to scaled values.
        digest: SHA-256 of the raw data, in hexadecimal.
        fresh: draws new samples.
        schema: what inputs, outputs and classes are called.
        x_fill: what stands for a missing input, raw, ``(inputs, 1)``; None where none may be missing.
    """

    train: Array
    validation: Array
    test: Array
    inputs: int
    outputs: int
    x_scaling: Scaling
    y_scaling: Scaling
    digest: str
    fresh: Fresh
    schema: Schema
    x_fill: Array | None = None

    @property
    def parts(self) -> dict[str, Array]:
        """The parts that have samples, by name: ``train``, ``validation``, ``test``."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part.shape[1]}

    def raw(self, part: Array) -> tuple[Array, Array]:
        """Return ``x`` and ``y`` of one of the parts in the target's units, each ``(features, samples)``."""
        return self.x_scaling.undo(part[1 : 1 + self.inputs]), self.true(part)

    def true(self, part: Array) -> Array:
        """Return ``y (outputs, samples)`` of one of the parts in the target's units."""
        split = 1 + self.inputs
        return self.y_scaling.undo(part[split : split + self.outputs])


def draw(
    target: Target,
    seed: np.random.SeedSequence,
    *,
    samples: int | None,
    validation: float,
    noise: float,
    class_weights: Sequence[float] | None = None,
    balance_classes: bool = False,
    dtype: DTypeLike,
    test: float = 0.0,
    folds: int | None = None,
    fold: int = 0,
    stratify: bool | None = False,
    scalings: tuple[Scaling, Scaling] | None = None,
) -> Samples:
    """Draw the samples of one run.

    Args:
        target: what is to be learned.
        seed: seed of the data, the noise and the split, each with its own stream.
        samples: how many in all; None for the target's own number.
        validation: fraction of the samples that is kept for validation.
        noise: standard deviation of Gaussian noise, added to the outputs in a regression and to the inputs in a
            classification.
        class_weights: how much the samples of each class count; None for all alike.
        balance_classes: whether samples also count in inverse proportion to the frequency of their class.
        dtype: dtype of the result.
        test: fraction of the samples that is kept for the test; the validation samples do not depend on it.
        folds: in how many parts of equal size the samples that are not kept for the test are cut, one of which is kept
            for validation instead of a fraction; None for no folds. All folds of a seed have the same samples.
        fold: which part that is, from 0.
        stratify: whether each part has its share of each class; None: where the target is a data set of classes.
        scalings: the maps from raw to scaled values, of ``x`` and of ``y``; None for those that the target asks for.

    Raises:
        ConfigurationError: the data cannot be read, hold NaN or infinite values, or leave no sample to train on; or
            weights of classes, or ``stratify``, do not fit the target.
        PluginError: the target returns arrays of the wrong shape.
    """
    streams = [np.random.default_rng(child) for child in seed.spawn(3)]
    x, y, further = _drawn(target, streams[0], target.samples if samples is None else samples)
    count = len(x)
    _add_noise(target, x, y, noise, streams[1])
    lacks = np.isnan(x) if target.imputation else np.zeros((), bool)
    if not ((np.isfinite(x) | lacks).all() and np.isfinite(y).all()):
        raise ConfigurationError(f"target={target.name} has NaN or infinite values in its data.")
    classes = classes_of(y) if _is_stratified(target, stratify) else None
    chosen, kept, tested = split(streams[2].permutation(count), validation, test, folds, fold, classes)
    digest = hashlib.sha256(x.tobytes() + y.tobytes() + b"".join(part.tobytes() for part in further)).hexdigest()
    x, y = x.T, y.T
    x_fill = _fill(target, x[:, chosen]) if target.imputation else None
    x = filled(x, x_fill)
    x_scaling, y_scaling = scalings or _scalings(target, x[:, chosen], y[:, chosen])
    with np.errstate(all="ignore"):
        everything = np.concatenate([np.ones((1, count)), x_scaling.apply(x), y_scaling.apply(y)]).astype(dtype)
    weights = sample_weights(target, further, y, (chosen, kept, tested), class_weights, balance_classes)
    if weights is not None:
        everything = np.concatenate([everything, weights[None].astype(dtype)])
    if not np.isfinite(everything).all():
        raise ConfigurationError(
            f"target={target.name} has values too large or too small for training.dtype={np.dtype(dtype).name}; "
            "change their unit or the dtype."
        )
    fresh = Fresh(target, noise, x_scaling, y_scaling, dtype, x_fill)
    train, held_out, last = (everything[:, part] for part in (chosen, kept, tested))
    return Samples(train, held_out, last, len(x), len(y), x_scaling, y_scaling, digest, fresh, target.schema, x_fill)


def _is_stratified(target: Target, stratify: bool | None) -> bool:
    """Say whether the parts of the data have equal shares of each class.

    Raises:
        ConfigurationError: this is asked of a regression.
    """
    has_classes = target.resolved_task == "classification"
    if stratify and not has_classes:
        raise ConfigurationError(f"data.stratify needs classes, but target={target.name} is a regression.")
    return has_classes and (target.samples is None if stratify is None else stratify)


def _scalings(target: Target, x: Array, y: Array) -> tuple[Scaling, Scaling]:
    """Return the maps that a target asks for, from the training samples ``x`` and ``y``, ``(features, samples)``."""
    scaled = target.standardized
    of_y = scaled and target.resolved_task == "regression"
    return Scaling.of(x) if scaled else Scaling.none(len(x)), Scaling.of(y) if of_y else Scaling.none(len(y))


def filled(x: Array, fill: Array | None) -> Array:
    """Return ``x (inputs, samples)`` with ``fill (inputs, 1)`` in the place of NaN; ``x`` itself without ``fill``."""
    return x if fill is None else np.where(np.isnan(x), fill, x)


def _fill(target: Target, x: Array) -> Array:
    """Return the mean or median of each input's values in ``x (inputs, samples)``, shape ``(inputs, 1)``.

    Raises:
        ConfigurationError: an input has no value in these samples.
    """
    empty = np.flatnonzero(np.isnan(x).all(axis=1))
    if len(empty):
        names = target.input_names
        which = repr(names[empty[0]]) if names else f"number {empty[0] + 1}"
        raise ConfigurationError(
            f"target={target.name}: input {which} has no value in the {x.shape[1]} training samples, so there is no "
            f"{target.imputation} of it; leave it out, or change data.validation or seed."
        )
    statistic = np.nanmedian if target.imputation == "median" else np.nanmean
    return np.asarray(statistic(x, axis=1, keepdims=True))


def _drawn(target: Target, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array, list[Array]]:
    """Return copies of what a target draws, ``x`` and ``y`` checked for their shapes, and what it returns beside."""
    x, y, *further = (np.array(part, float) for part in target.data(rng, samples))
    if x.shape != (len(x), target.inputs) or y.shape != (len(x), target.outputs):
        raise PluginError(
            f"target={target.name} returned x {x.shape} and y {y.shape}, "
            f"not (samples, {target.inputs}) and (samples, {target.outputs})."
        )
    return x, y, further


def _add_noise(target: Target, x: Array, y: Array, noise: float, rng: np.random.Generator) -> None:
    """Add noise in place: to the outputs of a regression, to the inputs of a classification."""
    noisy = y if target.resolved_task == "regression" else x
    if noise:
        noisy += noise * rng.standard_normal(noisy.shape)


def r2(y_pred: Array, y_true: Array) -> float:
    """Return the coefficient of determination, averaged over outputs, of two arrays ``(outputs, samples)``.

    It is NaN for fewer than two samples. An output without variance scores 1 if it is predicted exactly, else 0.
    """
    if y_true.shape[1] < 2:
        return float("nan")
    with np.errstate(all="ignore"):
        residual = np.square(y_true - y_pred).sum(axis=1)
        total = np.square(y_true - y_true.mean(axis=1, keepdims=True)).sum(axis=1)
        scores = np.where(total == 0, np.where(residual == 0, 1.0, 0.0), 1 - residual / total)
    return float(scores.mean())


def accuracy(y_pred: Array, y_true: Array) -> float:
    """Return the fraction of samples that are classified correctly, from two arrays ``(outputs, samples)``.

    Classes are those of :func:`chainrule.engine.weights.classes_of`. The fraction is NaN without samples or with a NaN
    prediction.
    """
    if not y_true.shape[1] or np.isnan(y_pred).any():
        return float("nan")
    return float((classes_of(y_pred, axis=0) == classes_of(y_true, axis=0)).mean())

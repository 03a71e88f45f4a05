"""``chainrule.Regressor`` and ``chainrule.Classifier``: a run as scikit-learn has its models."""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from chainrule.components.contracts import Activation, Array
from chainrule.components.schema import number
from chainrule.engine.curves import Curves
from chainrule.engine.machine import Checkpoint
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError, counted
from chainrule.estimators.arrays import Arrays
from chainrule.files.words import hydra_text, texts
from chainrule.records.result import Result
from chainrule.records.settings import Settings
from chainrule.records.sweep import split_override
from chainrule.registry.loaded import installed
from chainrule.runs.execute import train_on
from chainrule.runs.prepare import Prepared, prepare, with_target

_KEYS = {  # of the configuration, by parameters that have other names there
    "hidden": "network.hidden",
    "dropout": "network.dropout",
    "validation": "data.validation",
    **{name: f"training.{name}" for name in ("epochs", "batch_size", "tolerance", "patience", "restore_best", "dtype")},
}
_GROUPS = (
    "activation",
    "norm",
    "output",
    "loss",
    "initializer",
    "rule",
    "optimizer",
    "transforms",
    "schedule",
    "sampling",
)
_OWN = {"seed": "random_state", "target": "X and y", "tracking": "chainrule.run"}  # no keys of an estimator


class _Estimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """What both estimators have in common."""

    _defaults: ClassVar[dict[str, str]]  # of groups whose parameter is None
    _task: ClassVar[str]

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        *,
        activation: str | Sequence[str] = "relu",
        norm: str | Sequence[str] = "identity",
        dropout: float = 0.0,
        output: str | None = None,
        loss: str | None = None,
        initializer: str = "xavier_uniform",
        rule: str = "exact",
        optimizer: str = "adam",
        lr: float | None = None,
        transforms: Sequence[str] = (),
        schedule: str = "constant",
        sampling: str = "shuffled",
        epochs: int = 200,
        batch_size: int | None = 200,
        tolerance: float = 1e-6,
        patience: int | None = None,
        validation: float = 0.0,
        restore_best: bool = False,
        standardize: bool = True,
        dtype: str = "float64",
        overrides: Sequence[str] = (),
        random_state: Any = None,
    ) -> None:
        """Keep the parameters as they are; ``fit`` checks them.

        Names of components are those of the command, plugins included, and lists of names where the configuration has
        them: ``activation=["tanh", "relu"]``. Each parameter has the name of its key in the configuration, without its
        section.

        Args:
            hidden: units of each hidden layer.
            activation: of the hidden layers; a list has one for each.
            norm: likewise.
            dropout: share of hidden units that are left out of a step.
            output: activation of the output layer; None: ``identity`` for a regression, ``softmax`` for classes.
            loss: the loss; None: ``half_squared_error``, or ``categorical_cross_entropy`` for classes.
            initializer: of weights and biases.
            rule: the backward rule.
            optimizer: the optimizer.
            lr: the learning rate; None: that of the optimizer.
            transforms: names in their order.
            schedule: of the learning rate.
            sampling: of an epoch.
            epochs: passes through the samples, at most.
            batch_size: samples of a step; None: all.
            tolerance: training loss at which training has converged.
            patience: epochs without a better loss after which training ends; None: never.
            validation: fraction of the samples that is held out, to measure what ``patience`` and ``restore_best``
                look at; 0: these look at the training loss.
            restore_best: whether the parameters of the best measured epoch are kept instead of the last.
            standardize: whether features, and values of a regression, are shifted and scaled by mean and deviation of
                the samples that are trained on. Predictions are scaled back.
            dtype: ``float64`` or ``float32``.
            overrides: every other option as on the command line, such as ``("optimizer.beta2=0.9",)``; applied last.
            random_state: a whole number gives the same model again; as scikit-learn has it.
        """
        self.hidden = hidden
        self.activation = activation
        self.norm = norm
        self.dropout = dropout
        self.output = output
        self.loss = loss
        self.initializer = initializer
        self.rule = rule
        self.optimizer = optimizer
        self.lr = lr
        self.transforms = transforms
        self.schedule = schedule
        self.sampling = sampling
        self.epochs = epochs
        self.batch_size = batch_size
        self.tolerance = tolerance
        self.patience = patience
        self.validation = validation
        self.restore_best = restore_best
        self.standardize = standardize
        self.dtype = dtype
        self.overrides = overrides
        self.random_state = random_state

    def _fit(self, x: Array, y: Array) -> Self:
        settings = self._settings(self._target(x, y))
        return self._train(prepare(settings), None)

    def _go_on(self, x: Array, y: Array, epochs: int) -> Self:
        """Train for some more epochs, or for the first ones."""
        if epochs < 1:
            raise ValueError(f"epochs must be 1 or more, not {epochs}.")
        target, is_first = self._target(x, y), not hasattr(self, "result_")
        settings = self._settings(target) if is_first else self._run.settings
        if settings.data.has_validation or settings.data.test:
            raise ValueError("partial_fit trains on all samples that it is given: let validation be 0.")
        if is_first:
            return self._train(prepare(_until(settings, epochs)), None)
        if target.outputs != self._run.samples.outputs:
            raise ValueError(
                f"y has {counted(target.outputs, 'output')}, but had {self._run.samples.outputs} in the first call."
            )
        # Copies, because training changes them, and may be interrupted.
        run, since = copy.deepcopy((self._run, self._checkpoint))
        run = replace(run, settings=_until(settings, since.epoch + epochs))
        return self._train(with_target(run, target), (since, self.result_.curves))

    def _train(self, run: Prepared, before: tuple[Checkpoint, Curves] | None) -> Self:
        for note in run.notes:
            warnings.warn(note, stacklevel=4)
        result, self._checkpoint = train_on(run, before)
        self._run = _without_samples(run)
        self.result_: Result = _forgetting(result, self._run)
        curves = result.curves
        self.loss_curve_: list[float] = curves.values["train/loss"][curves.epochs > 0].tolist()
        self.n_iter_: int = result.epochs
        if result.reason is Reason.DIVERGED:
            warnings.warn(
                f"Training has diverged in epoch {result.epochs}: a smaller lr may help.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _target(self, x: Array, y: Array) -> Arrays:
        columns = tuple(getattr(self, "feature_names_in_", ()))
        classes = tuple(map(str, getattr(self, "classes_", ())))
        return Arrays.of(x, y, self._task, self.standardize, columns, classes)

    def _settings(self, target: Arrays) -> Settings:
        """Return the settings that the parameters describe.

        Raises:
            ConfigurationError: a parameter or an override is wrong.
        """
        from chainrule.config.compose import compose_settings  # here, because Hydra is slow to import

        own_overrides = texts(self.overrides)
        typed = dict(map(split_override, own_overrides))
        for key, value in typed.items():
            own = _OWN.get(key.partition(".")[0])
            if own:
                raise ConfigurationError(f"{key}={value} is no override of an estimator, which has {own} for that.")
        values: dict[str, Any] = {group: getattr(self, group) for group in _GROUPS}
        values |= {group: name for group, name in self._defaults.items() if values[group] is None}
        values |= {key: getattr(self, name) for name, key in _KEYS.items()}
        if self.lr is not None:
            values["optimizer.lr"] = self.lr
        overrides = [f"{key}={_text(value)}" for key, value in values.items() if key not in typed]
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return replace(compose_settings([*overrides, *own_overrides]), seed=seed, target=target)

    def _predicted(self, x: ArrayLike) -> Array:
        """Return what the network predicts, ``(samples, outputs)``."""
        check_is_fitted(self)
        predicted: Array = self.result_.predict(_numbers(self, x, reset=False), samples_first=True)
        return predicted


def _gives_shares(estimator: _Estimator) -> bool:
    """Say whether the network of a classifier gives values that can be probabilities."""
    name, registry = estimator.output or estimator._defaults["output"], installed()
    if name not in registry.names("activation"):
        return False
    low, high = cast("type[Activation]", registry.find("activation", name)).range
    return low >= 0 and high <= 1


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A network that predicts one value or several, with the methods of scikit-learn's estimators.

    Attributes:
        result_: the run as :func:`chainrule.run` gives it, without its samples: weights, curves, metrics.
        loss_curve_: the training loss after some epochs, the last one always; after each with ``patience`` or
            ``restore_best``, up to 319, and as ``overrides=["training.measure_every=1"]`` says.
        n_iter_: how many epochs it has been trained.
        n_features_in_, feature_names_in_: number of features; their names, where they have been a data frame's.
    """

    _defaults: ClassVar = {"output": "identity", "loss": "half_squared_error"}
    _task: ClassVar = "regression"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from the beginning.

        Args:
            X: features, ``(samples, features)``, without missing values.
            y: values, ``(samples,)`` or ``(samples, outputs)``.

        Raises:
            ValueError: the data are not of these shapes, or hold what is no number.
            ConfigurationError: a parameter is wrong, or parameters do not fit each other or the data.
        """
        return self._fit(*self._checked(X, y))

    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, epochs: int = 1) -> Self:
        """Train for some more epochs, with the parameters, scaling and random numbers of ``fit`` or of the first call.

        With the samples of then, training goes on to the bits of one longer ``fit``, unless a schedule or a sampling
        asks how many epochs there are in all. Other samples are taken as they come.

        Args:
            X: features, ``(samples, features)``.
            y: values, ``(samples,)`` or ``(samples, outputs)``.
            epochs: how many.

        Raises:
            ValueError: as of ``fit``; or ``validation`` is not 0, or ``epochs`` less than 1.
            ConfigurationError: as of ``fit``.
        """
        return self._go_on(*self._checked(X, y, reset=not hasattr(self, "result_")), epochs)

    def predict(self, X: ArrayLike) -> Array:
        """Return the predicted values of ``X (samples, features)``, in the shape that ``y`` had."""
        y = self._predicted(X)
        return y[:, 0] if self._is_flat else y

    def _checked(self, x: Any, y: Any, reset: bool = True) -> tuple[Array, Array]:
        x, y = _numbers(self, x, y, multi_output=True, y_numeric=True, reset=reset)
        self._is_flat: bool = y.ndim == 1
        return x, np.asarray(y, float).reshape(len(y), -1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A network that predicts one of several classes, with the methods of scikit-learn's estimators.

    Attributes:
        classes_: the classes, sorted.
        result_: the run as :func:`chainrule.run` gives it, without its samples: weights, curves, metrics.
        loss_curve_: the training loss after some epochs, the last one always; after each with ``patience`` or
            ``restore_best``, up to 319, and as ``overrides=["training.measure_every=1"]`` says.
        n_iter_: how many epochs it has been trained.
        n_features_in_, feature_names_in_: number of features; their names, where they have been a data frame's.
    """

    _defaults: ClassVar = {"output": "softmax", "loss": "categorical_cross_entropy"}
    _task: ClassVar = "classification"

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from the beginning.

        Args:
            X: features, ``(samples, features)``, without missing values.
            y: the class of each sample, ``(samples,)``: numbers or text.

        Raises:
            ValueError: the data are not of these shapes, or hold what is no number.
            ConfigurationError: a parameter is wrong, or parameters do not fit each other or the data.
        """
        x, labels = self._checked(X, y)
        self._set_classes(labels, "y")
        return self._fit(x, self._one_hot(labels))

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, *, epochs: int = 1) -> Self:
        """Train for some more epochs, with the parameters, scaling and random numbers of ``fit`` or of the first call.

        With the samples of then, training goes on to the bits of one longer ``fit``, unless a schedule or a sampling
        asks how many epochs there are in all. Other samples are taken as they come.

        Args:
            X: features, ``(samples, features)``.
            y: the class of each sample, ``(samples,)``: numbers or text.
            classes: all classes that there will be, in the first call; None: those in ``y``.
            epochs: how many.

        Raises:
            ValueError: as of ``fit``; or ``validation`` is not 0, or ``epochs`` less than 1.
            ConfigurationError: as of ``fit``.
        """
        first = not hasattr(self, "result_")
        x, labels = self._checked(X, y, reset=first)
        if first:
            self._set_classes(*((labels, "y") if classes is None else (np.asarray(classes), "classes")))
        return self._go_on(x, self._one_hot(labels), epochs)

    @available_if(_gives_shares)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each class in ``classes_``, ``(samples, classes)``.

        It is there where the values of ``output`` lie between 0 and 1; they are divided by their sum.
        """
        y = self._predicted(X)
        shares: Array = y / y.sum(axis=1, keepdims=True)
        return shares

    def predict(self, X: ArrayLike) -> Array:
        """Return the class of each row of ``X (samples, features)``, ``(samples,)``."""
        places = self._predicted(X).argmax(axis=1)
        labels: Array = self.classes_[places]
        return labels

    def _checked(self, x: Any, y: Any, reset: bool = True) -> tuple[Array, Array]:
        x, y = _numbers(self, x, y, reset=reset)
        check_classification_targets(y)
        return x, column_or_1d(y, warn=True)

    def _set_classes(self, labels: Array, where: str) -> None:
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            held = ", ".join([counted(len(self.classes_), "class"), *map(repr, self.classes_.tolist())])
            raise ValueError(f"{where} holds {held}; a classifier needs two classes at least.")

    def _one_hot(self, labels: Array) -> Array:
        places = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
        unknown = labels[self.classes_[places] != labels]
        if len(unknown):
            raise ValueError(f"y has the class {unknown.tolist()[0]!r}, which is not among those of the first call.")
        y: Array = np.eye(len(self.classes_))[places]
        return y


def _text(value: Any) -> str:
    """Return a parameter as it is typed in an override."""
    value = value.item() if isinstance(value, np.generic) else value  # such as one of np.logspace
    if isinstance(value, str):
        return hydra_text(value)
    if isinstance(value, Sequence | np.ndarray):
        return f"[{','.join(map(_text, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _until(settings: Settings, epochs: int) -> Settings:
    return replace(settings, training=replace(settings.training, epochs=epochs))


def _without_samples(run: Prepared) -> Prepared:
    """Return what it takes to go on with a run, but not its samples."""
    target, samples = run.settings.target, run.samples
    assert isinstance(target, Arrays)
    bare = target.without_rows()
    parts = {name: getattr(samples, name)[:, :0] for name in ("train", "validation", "test")}
    parts = {name: part.copy() for name, part in parts.items()}  # a view would hold all of it
    samples = replace(samples, **parts, fresh=replace(samples.fresh, target=bare))
    return replace(run, settings=replace(run.settings, target=bare), samples=samples)


def _forgetting(result: Result, run: Prepared) -> Result:
    """Return the result without its samples; its metrics stay."""
    bare = copy.copy(result)
    object.__setattr__(bare, "samples", run.samples)
    object.__setattr__(bare, "outputs", {})
    object.__setattr__(bare, "settings", run.settings)
    return bare


def _numbers(estimator: Any, x: Any, *y: Any, **options: Any) -> Any:
    """Return arrays as scikit-learn checks them, of numbers.

    Raises:
        ValueError: they are none; of a column of text the sentence says what to do.
    """
    try:
        return validate_data(estimator, x, *y, dtype=float, **options)
    except ValueError:
        found = _text_in(x)
        if not found:
            raise
        name, text = found
        raise ValueError(
            f"Column {name!r} of X has text ({text!r}), and a network needs numbers: encode it before, as by "
            "sklearn.preprocessing.OneHotEncoder in a pipeline, or leave it out."
        ) from None


def _text_in(x: Any) -> tuple[Any, str] | None:
    """Return the name or the number of the first column with text that is no number, and this text; None without."""
    cells = np.asarray(x, dtype=object)
    if cells.ndim != 2:
        return None
    names = getattr(x, "columns", range(cells.shape[1]))
    for name, column in zip(names, cells.T, strict=True):
        for cell in column:
            if isinstance(cell, str) and number(cell.strip()) is None:
                return name, cell
    return None

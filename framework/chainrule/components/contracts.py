"""The contracts that plugins implement: what an activation, a loss, an optimizer ... is.

A component is a frozen dataclass deriving from one of the abstract classes below. Its fields are its
hyper-parameters. Arrays have the shape ``(runs, units, samples)``: the article's column vectors, one column per
sample, with a leading run axis. In a stack of runs the float fields of activations, losses and rules are arrays of
shape ``(runs, 1, 1)``, those of optimizers, transforms and schedules ``(runs, 1)``; in a single component they are
numbers. Formulas that broadcast work for both.

Methods return arrays. A method may name optional arguments, which its contract lists, and receives them then:
``def update(self, theta, grad, state, step, *, rng)``. One of them is ``out=None``, of methods of activations, losses
and rules: the engine passes a buffer, and the method fills and returns it. Without ``out`` the engine copies the
result. No method changes its inputs, unless its description says so.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import doc
from numpy.typing import NDArray

from chainrule.components.arguments import offers, takes_out
from chainrule.components.overview import Overview
from chainrule.components.schema import Block, Schema

Array = NDArray[Any]


class Component(ABC):
    """One named component of a kind, e.g. the activation ``sigmoid``.

    The name is the snake_case of the class name, unless given: ``class ELU(Activation, name="elu")``.

    Attributes:
        run_shape: trailing axes of the float fields in a stack: ``(1, 1)`` gives ``(runs, 1, 1)``; None where runs do
            not share the component, because each run uses it once. Set by each contract.
        known_as: what it, or something like it, is called elsewhere: who types such a name is told this one.
    """

    name: ClassVar[str]
    known_as: ClassVar[tuple[str, ...]] = ()
    run_shape: ClassVar[tuple[int, ...] | None] = None

    def __init_subclass__(cls, name: str | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = name or default_name(cls.__name__)


def default_name(class_name: str) -> str:
    """Return the name of a component whose class does not give one: ``GradientDescent`` is ``gradient_descent``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


class Activation(Component):
    """``a = g(z)``, eq. 2 of the article.

    Optional arguments of ``forward``:

    - ``rng`` (:class:`chainrule.Random`): random numbers of each run, in training only; None while a network is
      measured and predicts;
    - ``layer``: which layer the activation is on, from 1;
    - ``training``: whether the network is trained, rather than measured (of ``backward`` and ``field_gradient``, too);
    - ``state``: the arrays of ``init``, ``(runs, units, 1)``, changed in place in training only (likewise).

    Attributes:
        range: closed interval that contains every output; a target outside it is reported before training.
        kinks: points ``z`` without a derivative, where ``slope`` is a one-sided derivative or a value between them.
        jumps: those kinks where ``a`` itself jumps, as published; no gradient sees that. ``chainrule.testing`` asks for
            it, nothing else.
        min_units: the smallest layer that the activation makes sense on.
        min_samples: the fewest samples of a step that it makes sense with.
        is_identity: whether ``a = z``; then ``norm`` is left out.
        pieces: pre-activations of each unit, such as the linear pieces of which maxout takes the largest; may be a
            field. With more than one, a layer of ``units`` units has ``pieces * units`` rows of weights, ``z`` is
            ``(runs, pieces * units, samples)``, and ``a`` ``(runs, units, samples)``. The first piece of all units
            comes first: ``np.split(z, pieces, axis=1)`` gives a view of each piece. Declared as ``kinks`` are those at
            a fixed value of one piece, not those where pieces are equal.
        trained: names of float fields that are learned with the weights, one number for each layer. The value of the
            field is where it starts; in ``forward``, ``slope`` and ``backward`` the field is an array ``(runs, 1, 1)``.
        trained_per_unit: likewise, one number for each unit; the field is an array ``(runs, units, 1)``.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1, 1)
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    kinks: ClassVar[tuple[float, ...]] = ()
    jumps: ClassVar[tuple[float, ...]] = ()
    min_units: ClassVar[int] = 1
    min_samples: ClassVar[int] = 1
    is_identity: ClassVar[bool] = False
    pieces: int = 1
    trained: ClassVar[tuple[str, ...]] = ()
    trained_per_unit: ClassVar[tuple[str, ...]] = ()

    def init(self, units: int) -> dict[str, Array]:
        """Return what the activation keeps of a layer while it is trained, before that: named arrays ``(units,)``.

        They are no parameters, but saved with them, such as running averages.
        """
        return {}

    @abstractmethod
    @offers("out", "rng", "layer", "training", "state")
    def forward(self, z: Array, *args: Any, **optional: Any) -> Array:
        """Return ``a = g(z)``, dtype of ``z``, and its shape unless there are several pieces.

        It may name ``rng``, ``layer``, ``training`` and ``state``.
        """

    @offers("out")
    def slope(self, z: Array, a: Array) -> Array:
        """Return ``g'(z)``, element by element; ``a`` is ``forward(z)``. An activation defines this or ``backward``.

        One with several pieces defines ``backward``.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither slope nor backward")

    @offers("out", "training", "state")
    def backward(
        self, grad_a: Array, z: Array, a: Array, out: Array | None = None, *args: Any, **optional: Any
    ) -> Array:
        """Return ``dL/dz`` from ``grad_a = dL/da``: ``grad_a * g'(z)`` (eq. 4 and 5).

        Activations that couple units (softmax) replace this with the product by their Jacobian. ``grad_a`` has the
        shape of ``a``, the result that of ``z``.
        """
        slope = self.slope(z, a, out=out) if takes_out(type(self).slope) else self.slope(z, a)  # type: ignore[call-arg]
        return np.multiply(grad_a, slope, out=out)

    @offers("training", "state")
    def field_gradient(self, name: str, grad_a: Array, z: Array, a: Array, *args: Any, **optional: Any) -> Array:
        """Return ``grad_a`` times the derivative of ``a`` by a trained field, element by element, shape of ``a``.

        ``name`` is that of the field, ``grad_a`` is ``dL/da``, and ``a`` is ``forward(z)``. The engine adds up samples,
        and for ``trained`` units too.
        """
        raise NotImplementedError(f"{type(self).__name__} has trained fields but no field_gradient")


class Loss(Component):
    """``L(y_pred, y_true)`` of each sample, summed over outputs; the trainer averages over samples (eq. 3).

    Attributes:
        prediction_range: closed interval in which predictions must lie (``(0, 1)`` for a log-loss).
        target_range: closed interval in which the true values must lie.
        paired_output: name of the output activation for which the loss is computed from ``z`` because that is
            numerically stable (``sigmoid`` with log-loss); ``paired_value`` and ``paired_delta`` are then used.
        min_outputs: the smallest number of outputs of a target that the loss makes sense on.
        outputs_per_target: how many outputs the network has for each of the target's: 2 for a mean and a variance. All
            of the first kind come first, then all of the second: ``(outputs_per_target * outputs)`` rows.
        one_hot: whether the true values of a sample must be non-negative and add up to 1.
        minimum: a value that the loss of a sample never falls below; a run converges within ``training.tolerance`` of
            it. ``-math.inf`` for a loss that may become negative, such as a negative log-likelihood: no run converges.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1, 1)
    prediction_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    target_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    paired_output: ClassVar[str | None] = None
    min_outputs: ClassVar[int] = 1
    outputs_per_target: ClassVar[int] = 1
    one_hot: ClassVar[bool] = False
    minimum: ClassVar[float] = 0.0

    @abstractmethod
    @offers("out")
    def value(self, y_pred: Array, y_true: Array) -> Array:
        """Return the loss of each sample, shape ``(runs, samples)``.

        Args:
            y_pred: what the network gives, shape ``(runs, outputs_per_target * outputs, samples)``.
            y_true: the true values, shape ``(runs, outputs, samples)``.
        """

    @abstractmethod
    @offers("out")
    def gradient(self, y_pred: Array, y_true: Array) -> Array:
        """Return ``dL/dy_pred`` of each sample's own loss, shape of ``y_pred``."""

    def point(self, y_pred: Array) -> Array:
        """Return the prediction of the true values, shape ``(runs, outputs, samples)``.

        Scores, pictures and ``predict`` show it. It is ``y_pred``, unless a loss replaces this, such as one that has a
        network predict a mean and a variance, or the logarithm of a rate.
        """
        return y_pred

    @offers("out")
    def paired_value(self, z: Array, y_true: Array) -> Array:
        """Return ``value(g(z), y_true)`` for the paired output activation ``g``, stably."""
        raise NotImplementedError(f"{type(self).__name__} declares a paired output but no paired_value")

    @offers("out")
    def paired_delta(self, z: Array, y_pred: Array, y_true: Array) -> Array:
        """Return ``delta = dL/dz`` (eq. 4) for the paired output activation, stably."""
        raise NotImplementedError(f"{type(self).__name__} declares a paired output but no paired_delta")


class Optimizer(Component):
    """How parameters move along a gradient: ``theta <- theta - lr dL/dtheta`` and its variants.

    ``theta`` and ``grad`` have the shape ``(runs, parameters)``: all weights and biases of a run lie in one row.

    Optional arguments:

    - ``shape`` (:class:`chainrule.Shape`): which parameters belong to which layer, e.g. ``shape.weights(grad)``;
    - ``problem`` (:class:`chainrule.Problem`): gradient, loss and derivatives of the predictions of this step's batch,
      wherever ``theta`` is moved to;
    - ``rng`` (:class:`chainrule.Random`): random numbers of each run, the only source of randomness allowed.

    Attributes:
        rate: name of the field that is the learning rate, which schedules change; None if there is no such field.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1,)
    rate: ClassVar[str | None] = "lr"

    @offers("shape", "rng")
    def init(self, theta: Array, *args: Any, **optional: Any) -> dict[str, Array]:
        """Return the state before the first step: named arrays whose first axis is the run axis.

        It may name ``shape`` and ``rng``.
        """
        return {}

    @abstractmethod
    @offers("shape", "problem", "rng")
    def update(
        self, theta: Array, grad: Array, state: dict[str, Array], step: int, *args: Any, **optional: Any
    ) -> None:
        """Change ``theta`` in place. ``step`` counts from 1; ``grad`` is not changed, but by ``problem.gradient()``.

        The arrays in ``state`` are changed in place too, or replaced by others of the same shape and dtype. It may name
        ``shape``, ``problem`` and ``rng``.
        """

    def kept(self, theta: Array, state: dict[str, Array]) -> Array:
        """Return the parameters that are measured, predicted with and saved, shape and dtype of ``theta``.

        An optimizer that learns with other parameters than it recommends, such as an average of the last ones, replaces
        this. Neither argument is changed. Training goes on from ``theta``.
        """
        return theta


class Transform(Component):
    """What is done to gradients before the optimizer sees them, and to parameters after its step.

    A run has a list of transforms. Gradients, and then parameters, pass through it in its order. Regularization,
    constraints, clipping, noise and averages are transforms, so that they work with every optimizer. A transform
    defines at least one of ``gradient``, ``after`` and ``kept``. ``theta`` and ``grad`` have the shape
    ``(runs, parameters)``, as for an optimizer.

    Optional arguments:

    - ``shape`` (:class:`chainrule.Shape`): which parameters belong to which layer, e.g. ``shape.weights(grad)``;
    - ``lr``: the optimizer's learning rate in this step, ``(runs, 1)``, as scheduled; an optimizer without one is
      refused;
    - ``before``: the parameters before this step, ``(runs, parameters)``;
    - ``rng`` (:class:`chainrule.Random`): random numbers of each run, the only source of randomness allowed.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1,)

    @offers("shape", "rng")
    def init(self, theta: Array, *args: Any, **optional: Any) -> dict[str, Array]:
        """Return the state before the first step: named arrays whose first axis is the run axis.

        It may name ``shape`` and ``rng``.
        """
        return {}

    @offers("shape", "lr", "rng")
    def gradient(
        self, grad: Array, theta: Array, state: dict[str, Array], step: int, *args: Any, **optional: Any
    ) -> Array:
        """Return the gradient that is used instead of ``grad``, which was evaluated at ``theta``.

        It is called once a step, and once more for each ``problem.gradient()`` of an optimizer. ``step`` counts from 1.
        The arrays in ``state`` are changed in place, or replaced by others of the same shape and dtype. It may name
        ``shape``, ``lr`` and ``rng``.
        """
        return grad

    @offers("shape")
    def penalty(self, theta: Array, *args: Any, **optional: Any) -> Array:
        """Return what ``gradient`` adds the derivative of, ``(runs, 1)``: a part of ``problem.loss()``.

        Measured losses do not contain it. It may name ``shape``.
        """
        return np.zeros((len(theta), 1), theta.dtype)

    @offers("shape", "lr", "before", "rng")
    def after(self, theta: Array, state: dict[str, Array], step: int, *args: Any, **optional: Any) -> Array:
        """Return the parameters that replace ``theta``, to which the optimizer has stepped.

        ``state`` is changed as in ``gradient``. It may name ``shape``, ``lr``, ``before`` and ``rng``.
        """
        return theta

    def kept(self, theta: Array, state: dict[str, Array]) -> Array:
        """Return the parameters that are measured, predicted with and saved, shape and dtype of ``theta``.

        ``theta`` is what the optimizer, and then the transforms further ahead in the list, recommend. Neither argument
        is changed, and training goes on without the result.
        """
        return theta


@dataclass(frozen=True)
class Schedule(Component):
    """How the learning rate of a run, or another float field of its optimizer, changes from epoch to epoch.

    Rates and losses have the shape ``(runs, 1)``. The optimizer says which of its fields is its learning rate. Where
    ``of`` names another one, all that is said here about the learning rate holds for that field.

    Attributes:
        is_constant: whether the learning rate never changes; training then does not set it.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1,)
    is_constant: ClassVar[bool] = False

    of: Annotated[str | None, doc("float field of the optimizer that changes; null: its learning rate")] = field(
        default=None, kw_only=True
    )

    def init(self, lr: Array) -> dict[str, Array]:
        """Return the state before the first epoch: named arrays whose first axis is the run axis.

        Args:
            lr: the optimizer's own learning rate; it is not changed.
        """
        return {}

    @abstractmethod
    @offers("out")
    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        """Return the learning rate of the coming epoch, shape and dtype of ``lr``; ``state`` is not changed.

        Args:
            lr: the optimizer's own learning rate.
            epoch: how many epochs have been trained, from 0 (PyTorch's ``last_epoch``).
            epochs: largest number of epochs that will be trained, at least 1.
            state: the arrays of ``init``, as ``measured`` has changed them.
        """

    def measured(self, loss: Array, epoch: int, state: dict[str, Array]) -> None:
        """Change the arrays in ``state`` in place at a point of the curves, before the rate of the coming epoch.

        Args:
            loss: the validation loss, or the training loss if there is no validation.
            epoch: how many epochs have been trained; 0 at the first point.
            state: the arrays of ``init``.
        """


class Target(Component):
    """What is to be learned: a function to sample, or a data set.

    Attributes:
        task: ``regression`` or ``classification``; decides between R2 and accuracy.
        low, high: the interval from which ``data`` draws each input.
        samples: default number of samples that a run draws; None for a data set, which has rows of its own.
        reads: endings of the files that it reads from its parameter ``path``, such as ``.csv``.
        written_by: parameters that say how such a file is written, the only ones that predictions take; empty for all.
        reads_frames: whether ``path`` may name a data frame in memory, which ``files.in_memory.find`` returns.
    """

    task: ClassVar[str] = "regression"
    low: ClassVar[float] = -1.0
    high: ClassVar[float] = 1.0
    samples: ClassVar[int | None] = 256
    reads: ClassVar[tuple[str, ...]] = ()
    written_by: ClassVar[tuple[str, ...]] = ()
    reads_frames: ClassVar[bool] = False

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Number of input features."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of outputs: values of a regression, or classes; 1 for the two classes 0 and 1."""

    @property
    def standardized(self) -> bool:
        """Whether inputs and regression outputs are shifted and scaled by mean and deviation of the training rows."""
        return False

    @property
    def resolved_task(self) -> str:
        """``regression`` or ``classification``; this is ``task``, unless the data decide."""
        return self.task

    @property
    def imputation(self) -> str | None:
        """What replaces NaN in ``x``: ``mean`` or ``median`` of the training rows; None: there is no NaN."""
        return None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs; empty where they have none."""
        return ()

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs: classes, or values of a regression; empty where they have none."""
        return ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty where they are those of the outputs, or have none."""
        return ()

    @property
    def schema(self) -> Schema:
        """What inputs, outputs and classes are called, and the columns of a table that inputs are made from."""
        return Schema.of(
            self.resolved_task,
            self.inputs,
            self.outputs,
            input_names=self.input_names,
            output_names=self.output_names,
            class_names=self.class_names,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know before training."""
        return ()

    def overview(self) -> Overview:
        """Return how the file is read, for ``chainrule data``; only targets with ``reads`` define it."""
        raise NotImplementedError(f"the target {self.name} reads no file")

    def blocks(self, as_text: Collection[str]) -> Iterator[Block]:
        """Yield the rows of the file in their order, some at a time, for predictions; only targets with ``reads`` do.

        Args:
            as_text: names of columns whose numbers are texts, too.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        raise NotImplementedError(f"the target {self.name} reads no file")

    def __call__(self, x: Array) -> Array:
        """Return the true outputs ``(samples, outputs)`` at the inputs ``x (samples, inputs)``, without noise.

        A data set has no function and does not define this.
        """
        raise NotImplementedError(f"the target {self.name} is a data set, not a function")

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array] | tuple[Array, Array, Array]:
        """Return ``x (samples, inputs)`` and ``y (samples, outputs)``, without noise.

        A third array, ``(samples,)``, gives the samples weights: how much each counts in the mean loss,
        relative to the others. None may be negative.

        Args:
            rng: the only source of randomness allowed.
            samples: how many; None for all rows of a data set. For fewer, a data set returns a random subset.

        Raises:
            ConfigurationError: the data cannot be read, or have fewer rows than ``samples``.
        """
        if samples is None:
            raise ValueError("a function has no rows of its own: say how many samples")
        x = rng.uniform(self.low, self.high, size=(samples, self.inputs))
        return x, self(x)


class Sampling(Component):
    """Which samples a run trains on in an epoch, and in which order.

    Optional arguments of ``epoch``:

    - ``target`` (:class:`Target`): the target of the run, such as for its ``task``;
    - ``fresh``: ``fresh(rng, samples)`` returns ``x`` and ``y`` of new samples, drawn like those of the training set,
      noise included, and scaled like them. Such a sampling is refused for a data set, which has no new samples.

    Attributes:
        is_permutation: whether each training sample comes once in every epoch. Then full batches are always the same,
            so that ``epoch`` is not asked for them.
        task: the only task that the sampling is defined for, ``classification`` or ``regression``; None for both.
    """

    is_permutation: ClassVar[bool] = False
    task: ClassVar[str | None] = None

    @abstractmethod
    @offers("target", "fresh")
    def epoch(
        self,
        rng: np.random.Generator,
        x: Array,
        y: Array,
        epoch: int,
        epochs: int,
        *args: Any,
        **optional: Any,
    ) -> Array | tuple[Array, Array]:
        """Return the samples of the coming epoch, as many as there are training samples, in their order.

        Either a pair ``x, y`` of the shapes of the arguments, or whole numbers ``(samples,)``: which of the training
        samples. Losses are measured on the training samples themselves, whatever is returned. Called once for each run
        and epoch; it may name ``target`` and ``fresh``.

        Args:
            rng: the run's own generator, the only source of randomness allowed.
            x: inputs of the training samples, ``(samples, inputs)``, scaled for the network. They are the same in each
                epoch, and read-only.
            y: their outputs, ``(samples, outputs)``, likewise.
            epoch: how many epochs have been trained, from 0.
            epochs: largest number of epochs that will be trained, at least 1.
            args: nothing; what a subclass names is given by its name.
            optional: likewise.
        """


class Initializer(Component):
    """The initial weights and biases of one layer.

    ``fan_in`` counts what each row of its weights multiplies, ``fan_out`` the rows: its units, times the ``pieces`` of
    the activation that it has.

    Optional arguments:

    - ``layer``: number of the layer, from 1;
    - ``inputs``: what reaches the layer for the training samples, ``(fan_in, samples)``: the data, or the activations
      of the layer below, which has its initial weights and biases by then. It is not changed.
    """

    @abstractmethod
    @offers("layer", "inputs")
    def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int, *args: Any, **optional: Any) -> Array:
        """Return the initial weights of a layer, shape ``(fan_out, fan_in)``; it may name ``layer`` and ``inputs``."""

    @offers("layer")
    def biases(self, rng: np.random.Generator, fan_in: int, fan_out: int, *args: Any, **optional: Any) -> Array:
        """Return the initial biases of a layer, shape ``(fan_out,)``: zeros, unless an initializer draws them.

        It may name ``layer``.
        """
        return np.zeros(fan_out)

    @offers("layer")
    def variance(self, fan_in: int, fan_out: int, *args: Any, **optional: Any) -> float | None:
        """Return the variance of the weights by their formula, or None if there is no formula.

        ``chainrule.testing`` asks for it, nothing else. It may name ``layer``.
        """
        return None


@dataclass(frozen=True)
class Network:
    """The forward pass of a batch, for rules that compute gradients in a way of their own; it is only read.

    Lists have one entry a layer and count from 1, as in the article; index 0 is empty.

    Where a unit has several pieces, ``z``, ``weights`` and ``biases`` have ``pieces * units`` rows.

    Attributes:
        z, a: eq. 1 and 2, ``(runs, units, samples)``.
        inputs: what each layer is given, a row of ones above the activations before, ``(runs, 1 + units before,
            samples)``; ``inputs[1]`` has the samples.
        weights: ``(runs, units, units before)``.
        biases: ``(runs, units, 1)``.
        activations: the activation of each layer, with the norm before it and dropout behind it; its ``forward(z)`` and
            ``backward(grad_a, z, a)`` can be called anywhere.
        output_delta: computes eq. 4 for these samples, ``dL/dz`` of the output layer, wherever its ``z`` is moved to:
            a function of ``z``, both ``(runs, outputs, samples)``.
    """

    z: Sequence[Array]
    a: Sequence[Array]
    inputs: Sequence[Array]
    weights: Sequence[Array]
    biases: Sequence[Array]
    activations: Sequence[Any]
    output_delta: Callable[[Array], Array]


class Rule(Component):
    """A backward rule: how deltas travel back and become gradients.

    A rule replaces eq. 5 by defining ``error`` and eq. 6 by defining ``gradient``, or both at once by defining
    ``gradients``; what it does not define stays exact. By ``adapt`` it learns while the network is trained. Layers
    count from 1, as in the article. In products of arrays use :func:`chainrule.product` rather than ``@``: its bits do
    not depend on how many runs are stacked.

    Optional arguments:

    - ``y_true``: the true outputs, ``(runs, outputs, samples)``;
    - ``inputs``, ``z``: lists like those of :class:`chainrule.Network`;
    - ``network`` (:class:`chainrule.Network`): the forward pass;
    - ``state``: the arrays of ``init``;
    - ``lr``: the optimizer's learning rate in this step, ``(runs, 1, 1)``; an optimizer without one is refused;
    - ``rng`` (:class:`chainrule.Random`): random numbers of each run, the only source of randomness allowed.

    Attributes:
        widths: the only layer widths that the rule is defined for, inputs and outputs included; None for any.
        takes_pieces: whether the rule is defined for layers whose activation has several pieces; then weights and
            deltas of such a layer have ``pieces * units`` rows. Else a run with such an activation is refused.
    """

    run_shape: ClassVar[tuple[int, ...] | None] = (1, 1)
    widths: ClassVar[tuple[int, ...] | None] = None
    takes_pieces: ClassVar[bool] = False

    def init(self, rng: np.random.Generator, widths: Sequence[int]) -> dict[str, Array]:
        """Return the rule's own arrays, such as feedback matrices, without a run axis; only ``adapt`` changes them.

        Args:
            rng: the only source of randomness allowed.
            widths: units of each layer, from the inputs to the outputs.
        """
        return {}

    @offers("out", "y_true", "inputs", "z")
    def error(  # noqa: D417 - what else it may name is listed above
        self,
        layer: int,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        state: dict[str, Array],
        *args: Any,
        **optional: Any,
    ) -> Array:
        """Return what replaces ``dL/da^(layer)``, the sum in eq. 5: shape ``(runs, units of the layer, samples)``.

        It may name ``y_true``, ``inputs`` and ``z``.

        Args:
            layer: a hidden layer.
            weights: ``weights[l]`` is ``W^(l)``, shape ``(runs, units of l, units of l-1)``.
            deltas: ``deltas[l]`` is ``delta^(l)``, shape ``(runs, units of l, samples)``; set above the layer.
                Index 0 of both lists is an empty array, so that indices are the article's.
            state: the arrays of ``init``, with a leading run axis.
        """
        raise NotImplementedError

    @offers("out", "state")
    def gradient(  # noqa: D417 - what else it may name is listed above
        self, layer: int, delta: Array, inputs: Array, *args: Any, **optional: Any
    ) -> Array:
        """Return the gradient of a layer's parameters, summed over samples: shape ``(runs, units, 1 + units before)``.

        It may name ``state``.

        Args:
            layer: any layer.
            delta: ``delta^(layer)``, shape ``(runs, units, samples)``.
            inputs: a row of ones above ``a^(layer-1)``, shape ``(runs, 1 + units before, samples)``; so column 0 of the
                result belongs to the biases and the others to the weights (eq. 6).
        """
        raise NotImplementedError

    @offers("rng")
    def gradients(  # noqa: D417 - what else it may name is listed above
        self,
        network: Network,
        deltas: Sequence[Array],
        y_true: Array,
        state: dict[str, Array],
        *args: Any,
        **optional: Any,
    ) -> Sequence[Array]:
        """Return the gradient of every layer, the first one first, each as ``gradient`` does, summed over samples.

        It replaces eq. 5 and 6 altogether; only trained fields of activations have the gradients that eq. 5 gives from
        the delta of the layer above, which are 0 where the rule fills none. It may name ``rng``, which is None while a
        network is measured: what a random rule returns then is deterministic, such as the mean of what it draws.

        Args:
            network: the forward pass; it is not changed.
            deltas: a list by layer; the last one is eq. 4. Those of hidden layers are for the rule to fill, if it has
                such: ``adapt`` receives them.
            y_true: the true outputs, shape ``(runs, outputs, samples)``.
            state: the arrays of ``init``, with a leading run axis; they are not changed.
        """
        raise NotImplementedError

    @offers("network", "lr", "rng")
    def adapt(  # noqa: D417 - what else it may name is listed above
        self,
        weights: Sequence[Array],
        deltas: Sequence[Array],
        inputs: Sequence[Array],
        state: dict[str, Array],
        step: int,
        *args: Any,
        **optional: Any,
    ) -> None:
        """Change the arrays in ``state`` in place, once in each training step, and never while a network is measured.

        It is called when the gradients of the step are known and the parameters have not moved yet, and not again
        when an optimizer asks for gradients elsewhere. It may name ``network``, ``lr`` and ``rng``.

        Args:
            weights: as in ``error``.
            deltas: as in ``error``, of all layers.
            inputs: a list like that of :class:`chainrule.Network`.
            state: the arrays of ``init``, with a leading run axis.
            step: counts from 1.
        """

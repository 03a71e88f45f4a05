"""A step of a run in numbers: its passes, its gradients by its rule and by the chain rule, and their checks."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Any, Self

import numpy as np

from chainrule.components.contracts import Array, Rule
from chainrule.components.schema import Schema
from chainrule.engine.backprop import is_paired
from chainrule.engine.network import Shape
from chainrule.engine.onlooker import Onlooker, Step
from chainrule.errors import ConfigurationError, agreeing, counted
from chainrule.records.settings import DType, Settings
from chainrule.replay.derivatives import Exact, StepLoss, agrees
from chainrule.replay.replays import Ended, Replay


@dataclass(frozen=True)
class ExplainedStep:
    """One step of one run. Lists by layer count from 1, as in the article; index 0 is empty.

    Attributes:
        settings: of the run.
        shape: of its network.
        schema: what inputs, outputs and classes are called.
        step: the step, of one run.
        sample: the sample of the step that is walked through, from 0.
        exact: its passes by the chain rule, in float64.
        loss: the loss of the step, wherever the parameters are.
        jacobians: of the sample, ``da/dz`` of each layer.
        differences: central differences by each parameter, ``(parameters,)``; NaN where none was taken.
        delta_differences: of the sample, by each ``z`` of a layer, ``(rows,)``.
        after: the loss of the step's samples after it.
    """

    settings: Settings
    shape: Shape
    schema: Schema
    step: Step
    sample: int
    exact: Exact
    loss: StepLoss
    jacobians: list[Array]
    differences: Array
    delta_differences: list[Array]
    after: float

    @classmethod
    def of(cls, ended: Ended, step: Step, sample: int = 0) -> Self:
        """Return a step of a run that was trained again.

        Args:
            ended: the run.
            step: the step, of this run alone.
            sample: the sample that is walked through, from 0; the last one if there are fewer.
        """
        result = ended.result
        loss = StepLoss(result.settings, result.shape, step)
        sample = min(sample, loss.samples - 1)
        chosen, differences = loss.checked, np.full(result.shape.size, np.nan)
        differences[chosen] = loss.differences(chosen)
        return cls(
            settings=result.settings,
            shape=result.shape,
            schema=result.samples.schema,
            step=step,
            exact=loss.exact(),
            loss=loss,
            differences=differences,
            after=float(loss.at(step.after.astype(float))[0]),
            **_of_sample(loss, sample),
        )

    def at(self, sample: int) -> Self:
        """Return the same step with another sample that is walked through, from 0."""
        return self if sample == self.sample else replace(self, **_of_sample(self.loss, sample))

    @property
    def mixes(self) -> bool:
        """Whether a norm mixes the samples of the step."""
        return self.loss.mixes

    @property
    def samples(self) -> int:
        """Samples of the step."""
        return self.loss.samples

    @property
    def x(self) -> Array:
        """Inputs of the sample, ``(inputs,)``."""
        return self.step.x[0, :, self.sample]

    @property
    def y(self) -> Array:
        """True outputs of the sample, ``(outputs,)``."""
        return self.step.y[0, :, self.sample]

    @property
    def weight(self) -> float:
        """How much the sample counts."""
        return 1.0 if self.step.weights is None else float(self.step.weights[0, self.sample])

    def of_sample(self, arrays: list[Array], layer: int) -> Array:
        """Return the values of a layer for the sample, of ``step.z``, ``step.a`` or ``step.delta``: ``(units,)``."""
        return arrays[layer][0, :, self.sample]

    def inputs(self, layer: int) -> Array:
        """Return what a layer is given of the sample: ``x``, or ``a`` of the layer before."""
        return self.x if layer == 1 else self.of_sample(self.step.a, layer - 1)

    def weights(self, flat: Array, layer: int) -> Array:
        """Return what belongs to the weights of a layer in ``flat (parameters,)``: ``(rows, units before)``."""
        weights: Array = self.shape.weights(flat[None])[layer][0]
        return weights

    def biases(self, flat: Array, layer: int) -> Array:
        """Return what belongs to the biases of a layer in ``flat (parameters,)``: ``(rows,)``."""
        biases: Array = self.shape.biases(flat[None])[layer][0]
        return biases

    @property
    def replaces(self) -> tuple[str, ...]:
        """The methods by which the rule replaces eq. 5 or 6; empty for the chain rule."""
        rule: type[Rule] = type(self.settings.rule)
        return tuple(
            name for name in ("error", "gradient", "gradients") if getattr(rule, name) is not getattr(Rule, name)
        )

    @property
    def is_paired(self) -> bool:
        """Whether output and loss are computed together, so that eq. 4 is one formula."""
        return is_paired(self.settings.loss, self.settings.output)

    def is_elementwise(self, layer: int) -> bool:
        """Whether each unit of a layer depends on its own ``z`` only, for the sample."""
        jacobian = self.jacobians[layer]
        return jacobian.shape[0] == jacobian.shape[1] and not np.count_nonzero(jacobian - np.diag(np.diag(jacobian)))

    @property
    def precision(self) -> float:
        """Relative error that is allowed of the run's own derivatives."""
        return 1e-6 if self.settings.training.dtype is DType.FLOAT64 else 1e-3

    @cached_property
    def checked(self) -> Array:
        """Which parameters were checked, ``(parameters,)``."""
        found: Array = ~np.isnan(self.differences)
        return found

    @cached_property
    def right(self) -> Array:
        """Where the chain rule agrees with central differences, ``(parameters,)``."""
        return agrees(self.exact.grad, self.differences, self.exact.loss)

    @cached_property
    def used_right(self) -> Array:
        """Where the gradient that the run used agrees with central differences, ``(parameters,)``."""
        return agrees(self.step.grad[0].astype(float), self.differences, self.exact.loss, self.precision)

    def delta_right(self, layer: int) -> Array:
        """Return where delta by the chain rule agrees with central differences, ``(rows,)``."""
        delta, loss = self.exact.delta[layer][:, self.sample], self.exact.loss
        return agrees(delta, self.delta_differences[layer], loss)

    def delta_used_right(self, layer: int) -> Array:
        """Return where the run's own delta agrees with central differences, ``(rows,)``."""
        delta = self.of_sample(self.step.delta, layer).astype(float)
        return agrees(delta, self.delta_differences[layer], self.exact.loss, self.precision)

    @property
    def is_plain_descent(self) -> bool:
        """Whether the step is ``theta <- theta - lr g``, to the last bits of the run's precision."""
        step = self.step
        if step.rate is None:
            return False
        with np.errstate(all="ignore"):
            expected = step.before - step.rate[:, None] * step.grad
            near = np.abs(step.after - expected) <= 4 * np.finfo(step.before.dtype).eps * np.abs(expected)
        return bool((near | ~np.isfinite(expected)).all())

    @property
    def verdict(self) -> str:
        """How many derivatives were checked, and what came of it, in a sentence."""
        number, right = int(self.checked.sum()), int((self.right & self.checked).sum())
        of = "" if number == self.shape.size else f" of {self.shape.size}"
        finite = np.isfinite(self.differences).sum() == number > 0 and np.isfinite(self.exact.loss)
        if not finite:
            return "The loss is not finite here, so no derivative can be checked."
        agree = "all agree" if right == number else f"{right} agree"
        kinks = " (those that do not may lie at a kink of an activation)" if right < number and self._has_kinks else ""
        derivatives = agreeing(self.shape.size, "derivative", "derivatives")
        return f"{number}{of} {derivatives} checked against central differences: {agree}{kinks}."

    @property
    def _has_kinks(self) -> bool:
        hidden = self.settings.activation
        chosen = [*(hidden if isinstance(hidden, tuple) else (hidden,)), self.settings.output]
        return any(activation.kinks or activation.pieces > 1 for activation in chosen)


class Keeping(Onlooker):
    """Keeps the steps with these numbers."""

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = frozenset(numbers)
        self.steps: list[Step] = []

    def wants(self, step: int) -> bool:
        """Say whether it is one of them."""
        return step in self._numbers

    def stepped(self, step: Step) -> None:
        """Keep it."""
        self.steps.append(step)


@dataclass(frozen=True)
class Explanation:
    """A run that was trained again, and one of its steps, or several.

    Attributes:
        replay: the run.
        ended: what it came to.
        steps: the steps, in their order.
    """

    replay: Replay
    ended: Ended
    steps: list[ExplainedStep]

    @property
    def verdict(self) -> str:
        """Whether the run ended in the recorded bits, and if not, what may be why; or that there is no record."""
        return self.ended.verdict if self.replay.original else "trained now, without a record to compare with"


def explain(replay: Replay, numbers: Collection[int], sample: int = 0) -> Explanation:
    """Train a run again, and explain its steps with these numbers.

    Args:
        replay: the run.
        numbers: of steps, from 1.
        sample: the sample of each step that is walked through, from 0; the last one where a step has fewer.

    Raises:
        ConfigurationError: the run cannot be trained again.
    """
    keeping = Keeping(numbers)
    ended = replay.train(keeping)
    return Explanation(replay, ended, [ExplainedStep.of(ended, step, sample) for step in keeping.steps])


def _of_sample(loss: StepLoss, sample: int) -> dict[str, Any]:
    """Return what an explained step has of a sample."""
    layers = range(1, loss.shape.layers + 1)
    differences = [np.empty(0), *(loss.delta_differences(layer, sample) for layer in layers)]
    return {"sample": sample, "jacobians": loss.jacobians(sample), "delta_differences": differences}


def number_of(replay: Replay, step: int | None = None, epoch: int | None = None) -> int:
    """Return the number of a step, from 1.

    Args:
        replay: the run.
        step: the number; -1 for the last step, -2 for the one before, and so on.
        epoch: instead of it, the first step after so many epochs. The first step of the run if neither is given.

    Raises:
        ConfigurationError: the run has no such step.
    """
    _require_whole(step=step, epoch=epoch)
    steps, per_epoch = replay.steps, replay.per_epoch
    if not steps:
        raise ConfigurationError("The run stopped before its first step, so there is none to explain.")
    if epoch is not None:
        if not 0 <= epoch < replay.epochs:
            raise ConfigurationError(
                f"epoch={epoch}: the run trained {counted(replay.epochs, 'epoch')}, so steps follow 0 to "
                f"{replay.epochs - 1} of them; step=-1 is the last step."
            )
        return epoch * per_epoch + 1
    number = 1 if step is None else step
    if number < 0:
        number += steps + 1
    if not 1 <= number <= steps:
        raise ConfigurationError(
            f"step={step}: the run took {counted(steps, 'step')}, {per_epoch} an epoch; choose one from 1 to {steps}, "
            "or -1 for the last."
        )
    return number


def _require_whole(**given: object) -> None:
    """Refuse what is neither a whole number nor None."""
    for name, value in given.items():
        if value is not None and not isinstance(value, Integral):
            raise ConfigurationError(f"{name} must be a whole number, not {value!r}.")


def require_sample(replay: Replay, number: int, sample: int) -> None:
    """Refuse a sample, from 1, that a step does not have.

    Raises:
        ConfigurationError: there is none.
    """
    _require_whole(sample=sample)
    samples = replay.samples_of(number)
    if not 1 <= sample <= samples:
        raise ConfigurationError(f"sample={sample}: step {number} has {samples}; choose one from 1 to {samples}.")

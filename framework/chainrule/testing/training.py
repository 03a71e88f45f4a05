"""Short trainings of stacks: the default configuration with a component that is checked."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.components.contracts import Array, Schedule, Target
from chainrule.config.compose import compose_settings
from chainrule.records.result import Result
from chainrule.records.settings import Settings
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule.testing.comparing import require_same
from chainrule.testing.subjects import within

_EPOCHS, _SAMPLES = 4, 23  # samples in batches of 8 and 7, or all at once
_LEAVING = {2: 2, 3: 3}  # runs that leave the stack, and after which epoch


@dataclass(frozen=True)
class Random(Target):
    """Random true values within an interval that suits a loss."""

    inputs: int = 2
    outputs: int = 1
    low_value: float = 0.0
    high_value: float = 1.0
    one_hot: bool = False

    def data(self, rng: np.random.Generator, samples: int | None) -> tuple[Array, Array]:
        """Return normal inputs and random outputs."""
        x = rng.normal(size=(samples or 0, self.inputs))
        y = within((self.low_value, self.high_value), rng, (len(x), self.outputs), 0.0)
        return x, np.eye(self.outputs)[y.argmax(axis=1)] if self.one_hot else y


@dataclass(frozen=True)
class Teacher(Target):
    """True values of a fixed smooth function, which a network can learn."""

    inputs: int = 2
    outputs: int = 1

    def __call__(self, x: Array) -> Array:
        """Return ``tanh(x W)`` with weights that are the same for all."""
        weights = np.random.default_rng(0).normal(size=(self.inputs, self.outputs))
        return np.tanh(np.asarray(x) @ weights)


@dataclass(frozen=True)
class Classes(Target):
    """Classes that lie in stripes, the first one in half of the cube; with one output there are two classes."""

    task: ClassVar[str] = "classification"

    inputs: int = 2
    outputs: int = 1

    def __call__(self, x: Array) -> Array:
        """Return one-hot classes, or 0 and 1."""
        classes = max(self.outputs, 2)
        stripe = np.ceil(np.clip(x[:, 0], 0, 1) * (classes - 1)).astype(int)
        y: Array = np.eye(classes)[stripe] if self.outputs > 1 else stripe[:, None].astype(float)
        return y


@dataclass(frozen=True)
class Halving(Schedule):
    """Half the rate in each epoch."""

    def rate(self, lr: Array, epoch: int, epochs: int, state: dict[str, Array]) -> Array:
        """Return ``lr / 2^epoch``."""
        return lr * 0.5**epoch


def settings(**parts: Any) -> Settings:
    """Return the settings of a short training: the default ones except for ``parts``.

    Those named ``hidden``, ``batch_size`` and ``epochs`` belong to the sections ``network`` and ``training``.
    """
    base = _base()
    network = {name: parts.pop(name) for name in ("hidden",) if name in parts}
    training = {name: parts.pop(name) for name in ("batch_size", "epochs") if name in parts}
    return dataclasses.replace(
        base,
        network=dataclasses.replace(base.network, **network),
        training=dataclasses.replace(base.training, **training),
        **parts,
    )


def check_alone(group: str, components: Sequence[Any], units: int = 3, **parts: Any) -> None:
    """Demand that runs with these components train to the same bytes in one stack and alone.

    Two of them are pruned, one after the other, so that the others continue in smaller stacks.

    Args:
        group: configuration group that the components are put into.
        components: one a run.
        units: of the hidden layer and of the outputs.
        parts: other settings.
    """
    parts = {"hidden": (units,), "target": Random(outputs=units), **parts}
    base = settings(**parts)
    for batch_size in (8, None):
        for dtype in type(base.training.dtype):
            training = dataclasses.replace(base.training, batch_size=batch_size, dtype=dtype)
            every = [
                dataclasses.replace(base, seed=seed, training=training, **{group: component})
                for seed, component in enumerate(components)
            ]
            together = _trained(every, _LEAVING)
            for number in (0, min(_LEAVING), len(every) - 1):  # the others would only cost time
                one, result = every[number], together[number]
                (alone,) = _trained([one], {0: _LEAVING[number]} if number in _LEAVING else {})
                what = (
                    f"run {number} of a stack with {components[number]} does not train as it does alone "
                    f"({base.network.hidden} hidden units, batches of {batch_size or 'all'}, {dtype.value})"
                )
                advice = "let nothing depend on other runs, nor stay between calls"
                require_same(result.theta, alone.theta, f"The weights: {what}", advice)
                for name, values in alone.curves.values.items():
                    require_same(result.curves.values[name], values, f"The curve {name}: {what}", advice)


def losses(one: Settings, seed: int) -> Array:
    """Return the curve of the training loss of a run."""
    (result,) = _trained([dataclasses.replace(one, seed=seed)], {})
    return np.asarray(result.curves.values["train/loss"])


def weights(one: Settings) -> Array:
    """Return the weights and biases that a run ends with."""
    return result(one).theta


def result(one: Settings) -> Result:
    """Return the result of a run."""
    (found,) = _trained([one], {})
    return found


def _trained(every: Sequence[Settings], leaving: Mapping[int, int]) -> list[Result]:
    def prune(epoch: int, active: Array, watched: Array) -> Array:
        return np.array([leaving.get(int(run)) == epoch for run in active], bool)

    return train_stack([prepare(one) for one in every], prune=prune)


@functools.cache
def _base() -> Settings:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # away from conf/, which changes defaults
        return compose_settings(
            [
                "training.engine=numpy",  # machine code calls a formula once, and would hide what it does later
                f"training.epochs={_EPOCHS}",
                "training.tolerance=0",
                "training.measure_every=1",
                f"data.samples={_SAMPLES}",
                "optimizer.lr=0.01",
            ]
        )

"""Checks of activations that learn fields, or are random in training."""

import dataclasses
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Activation, Array
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Truth, mean_loss
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Pass, Shape
from chainrule.testing import training
from chainrule.testing.findings import FindingError
from chainrule.testing.randomness import require_deterministic, require_other_seeds_to_differ
from chainrule.testing.subjects import Subject

_SAMPLES = 7
_TOLERANCE = 1e-5  # relative; central differences of a smooth loss err by about 1e-9


def field_gradients(subject: Subject) -> None:
    """``field_gradient`` agrees with central differences of the whole loss, on hidden layers and on the output."""
    for activation in subject.variants:
        units = _least(subject) + 1
        shape = Shape.of((2, units, units, units), activation, activation)
        theta, grad, loss = _network(shape, activation)
        expected = central_differences(loss, theta)
        start = shape.size - sum(field.values for field in shape.trained)
        scale = 1 + float(np.abs(expected).max())
        for field in shape.trained:
            for place in range(start, start + field.values):
                if not abs(grad[place] - expected[place]) <= _TOLERANCE * scale:
                    raise FindingError(
                        f"{subject.where('field_gradient')} gives {grad[place]:.9g} for {field.name} on layer "
                        f"{field.layer}, but the central difference of the whole loss is {expected[place]:.9g} "
                        f"({activation}); return grad_a times the derivative of forward by the field.",
                        returned=grad[place],
                        expected=expected[place],
                    )
            start += field.values


def learned(subject: Subject) -> None:
    """Training changes every trained field, by the same bytes in a stack and alone."""
    for components in subject.stacks:
        run = training.settings(activation=components[-1], hidden=(_least(subject) + 1,), batch_size=8)
        for name, values in training.result(run).trained.items():
            field = name.rpartition(".")[2]
            if np.all(values == getattr(components[-1], field)):
                raise FindingError(
                    f"{field} of {components[-1]} is the same before and after training, though it is trained; let "
                    "forward use it, and field_gradient give its derivative."
                )


def random_in_training(subject: Subject) -> None:
    """What is random comes from ``rng`` only, and there is nothing random without it."""
    for activation in subject.combinations:
        z = _points(activation.pieces * (_least(subject) + 1))
        call = functools.partial(_forward, activation, z)
        require_deterministic(subject.where("forward"), lambda rng, call=call: {"a": call(rng)})  # type: ignore[misc]
        if call(np.random.default_rng(5)).tobytes() != call(None).tobytes():
            require_other_seeds_to_differ(subject.where("forward"), lambda rng, call=call: {"a": call(rng)})  # type: ignore[misc]
    for components in subject.stacks:
        training.check_alone("activation", components, units=_least(subject) + 1)


def gradient_in_training(subject: Subject) -> None:
    """With the same random numbers, ``backward`` agrees with central differences of ``forward``."""
    for activation in subject.variants:
        z = _points(activation.pieces * (_least(subject) + 1))
        grad_a = np.random.default_rng(1).normal(size=(1, _least(subject) + 1, _SAMPLES))

        def total(point: Array, activation: Any = activation, grad_a: Array = grad_a) -> float:
            return float((grad_a * _forward(activation, point, np.random.default_rng(5))).sum())

        a = _forward(activation, z, np.random.default_rng(5))
        backward = _in_training(activation, "backward", z, np.random.default_rng(5))
        actual, expected = backward(grad_a, z, a), central_differences(total, z)
        wrong = ~(np.abs(actual - expected) <= _TOLERANCE * (1 + np.abs(expected).max()))
        if wrong.any():
            at = tuple(np.argwhere(wrong)[0])
            raise FindingError(
                f"{subject.where('backward')} returns {actual[at]:.9g} in training, but the central difference of "
                f"forward with the same random numbers is {expected[at]:.9g} ({activation}); read from z and a what "
                "was drawn.",
                returned=actual[at],
                expected=expected[at],
            )


def with_defaults(function: Callable[[Subject], Any]) -> Callable[[Subject], Any]:
    """Return a check that may call ``forward(z)``: ``rng`` is None then, as where a network is measured."""

    @functools.wraps(function)
    def check(subject: Subject) -> Any:
        return function(_alone(subject))

    return check


def learns_nothing(subject: Subject) -> str:
    """Return why checks of trained fields do not apply."""
    cls: Any = subject.cls
    return "" if cls.trained or cls.trained_per_unit else "no fields are trained"


def is_not_random(subject: Subject) -> str:
    """Return why checks of randomness do not apply."""
    return "" if "rng" in asked(subject.cls, "forward") else "forward does not ask for rng"


def is_random(subject: Subject) -> str:
    """Return why numbers in float32 are not compared with those in float64."""
    return "numbers drawn in float32 are not those drawn in float64" if "rng" in asked(subject.cls, "forward") else ""


def curves(subject: Subject, activation: Any) -> bytes:
    """Return the bytes of the losses of a short training, which is also measured."""
    run = training.settings(activation=activation, hidden=(_least(subject) + 1,), batch_size=8)
    return b"".join(values.tobytes() for values in training.result(run).curves.values.values())


def is_the_same_in_training(subject: Subject) -> str:
    """Return why the gradient in training is not checked apart."""
    names = asked(subject.cls, "forward")
    return "" if {"rng", "training"} & set(names) else "forward asks for neither rng nor training"


def _alone(subject: Subject) -> Subject:
    cls: Any = subject.cls
    methods = [name for name in ("forward", "backward", "field_gradient") if set(asked(cls, name)) - {"out"}]
    if not methods:
        return subject

    def body(space: dict[str, Any]) -> None:
        space |= {name: _with_defaults(cls, name) for name in methods}
        space |= {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}

    made: Any = dataclasses.dataclass(frozen=True)(types.new_class(cls.__name__, (cls,), {"name": cls.name}, body))
    return Subject(made, subject.examples)


def _with_defaults(cls: type[Activation], name: str) -> Callable[..., Any]:
    """Return a method that gets what an activation gets where a run is measured, unless it is given something else."""
    method = getattr(cls, name)

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
        z = arguments[_PLACE_OF_Z[name]]
        offered = {"rng": None, "layer": 1, "training": False, "state": _state(self, z)}
        wanted = {key: value for key, value in offered.items() if key in asked(cls, name)}
        return method(self, *arguments, **(wanted | keywords))

    return call


_PLACE_OF_Z = {"forward": 0, "backward": 1, "field_gradient": 2}


def _state(activation: Activation, z: Array) -> dict[str, Array]:
    """Return what an activation keeps before training, for the runs and units of ``z``."""
    runs, rows, _ = z.shape
    arrays = activation.init(rows // activation.pieces)
    return {name: np.repeat(np.asarray(a, z.dtype)[None, :, None], runs, axis=0) for name, a in arrays.items()}


def _in_training(activation: Activation, method: str, z: Array, rng: np.random.Generator | None) -> Callable[..., Any]:
    drawn = None if rng is None else Random([rng] * len(z), z.dtype)
    offered: dict[str, Any] = {"rng": drawn, "layer": 1, "training": rng is not None, "state": _state(activation, z)}
    return given(activation, method, **offered)


def _forward(activation: Activation, z: Array, rng: np.random.Generator | None) -> Array:
    return np.array(_in_training(activation, "forward", z, rng)(z))


def _points(rows: int) -> Array:
    return np.random.default_rng(0).normal(size=(1, rows, _SAMPLES))


def _network(shape: Shape, activation: Activation) -> tuple[Array, Array, Callable[[Array], float]]:
    """Return parameters of a network, the gradient of its loss at them, and the loss as a function of them."""
    rng = np.random.default_rng(4)
    fields = shape.initial_fields(activation, activation)
    theta = np.concatenate([rng.normal(size=shape.size - len(fields)), fields])
    x, y = rng.normal(size=(1, 1 + shape.widths[0], _SAMPLES)), rng.normal(size=(1, shape.widths[-1], _SAMPLES))
    x[:, 0] = 1
    base = training.settings()
    own, loss, rule = stack([activation], float), stack([base.loss], float), stack([base.rule], float)

    def passed(point: Array) -> Backprop:
        forward = Pass(shape, point[None], own, own, _SAMPLES)
        return Backprop(forward, loss, rule, {}, np.empty((1, shape.size)))

    def value(point: Array) -> float:
        backprop = passed(point)
        batch = backprop.batch(x, y)
        backprop.forward.forward(batch.first)
        return float(mean_loss(backprop.forward, loss, Truth(y, None))[0])

    backprop = passed(theta)
    return theta, backprop(backprop.batch(x, y))[0].copy(), value


def _least(subject: Subject) -> int:
    return int(subject.cls.min_units)  # type: ignore[attr-defined]

"""Checks of initializers."""

import itertools
from typing import Any

import numpy as np

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array
from chainrule.testing import effects, randomness
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check

_SIZES = ((1, 1), (2, 3), (5, 1), (40, 7), (300, 3), (3, 300))  # fan_in, fan_out
_LARGE = ((200, 300), (300, 200), (64, 900), (8, 5000), (1200, 40))  # unequal, so that a wrong fan shows
_LAYERS = (1, 2)  # where a formula depends on the layer, the first one is another
_SAMPLES = 50
_DRAWS = 24  # after which an equal generator must still give the same
# The sample variance of n independent numbers has the standard deviation sqrt((m4 - m2^2) / n), with central moments m.
# Once in 10^9 draws it is 6 deviations off, and the seeds are fixed. For 60,000 normal weights these are 3.5 %.
_DEVIATIONS = 6


def shapes(subject: Subject) -> None:
    """``weights`` returns finite floats ``(fan_out, fan_in)``, ``biases`` ``(fan_out,)``."""
    for initializer in subject.variants:
        for fan_in, fan_out in _SIZES:
            for method, shape in (("weights", (fan_out, fan_in)), ("biases", (fan_out,))):
                array = _called(initializer, method, np.random.default_rng(0), fan_in, fan_out)
                where = subject.where(method)
                if not isinstance(array, np.ndarray) or array.shape != shape:
                    got = array.shape if isinstance(array, np.ndarray) else type(array).__name__
                    raise FindingError(
                        f"{where} returns {got} for fan_in = {fan_in}, fan_out = {fan_out}, not {shape}."
                    )
                if array.dtype.kind != "f" or not np.isfinite(array).all():
                    raise FindingError(
                        f"{where} returns {array.dtype} values such as {array.ravel()[:3]}; finite floats are needed."
                    )


def deterministic(subject: Subject) -> None:
    """Equal generators give equal bytes, and no other source of randomness is used or changed."""
    usual = subject.defaults[0]
    randomness.require_no_count(subject.cls.__qualname__, lambda rng: _draw(usual, rng), _DRAWS)
    for initializer in subject.variants:
        randomness.require_deterministic(subject.cls.__qualname__, lambda rng: _draw(initializer, rng))  # noqa: B023 - used at once


def seeds(subject: Subject) -> None:
    """Generators of other seeds give other weights."""
    for initializer in subject.variants:
        if _is_random(initializer):
            draws = lambda rng: {"weights": _called(initializer, "weights", rng, 5, 3)}  # noqa: B023, E731 - used at once
            randomness.require_other_seeds_to_differ(subject.where("weights"), draws)


def effective(subject: Subject) -> None:
    """Every parameter changes weights or biases."""

    def observe(initializer: Any) -> bytes:
        rng = np.random.default_rng(0)
        return b"".join(
            _called(initializer, method, rng, 50, 40, layer=layer).tobytes()
            for layer, method in itertools.product(_LAYERS, ("weights", "biases"))
        )

    effects.require_effects(subject, observe)


def variance(subject: Subject) -> dict[str, float]:
    """Weights have the variance that ``variance`` declares; it is declared where independent ones follow from fans."""
    worst = 0.0
    for initializer in subject.variants:
        _require_declared(subject, initializer)
        for layer, (fan_in, fan_out) in itertools.product(_LAYERS, _LARGE):
            expected = _called(initializer, "variance", fan_in, fan_out, layer=layer)
            if expected is None:
                continue
            weights = _called(initializer, "weights", np.random.default_rng(0), fan_in, fan_out, layer=layer)
            sample, deviation = _moments(weights)
            distance = abs(sample - expected) / deviation if deviation else float("inf") if sample != expected else 0.0
            # The second term is for equal weights.
            rounding = 1e-12 * expected + (16 * np.finfo(float).eps * np.abs(weights).max()) ** 2
            if distance > _DEVIATIONS and abs(sample - expected) > rounding:
                raise FindingError(
                    f"{subject.where('weights')} has the variance {sample:.6g} in {fan_out * fan_in} weights with "
                    f"fan_in = {fan_in}, fan_out = {fan_out} ({initializer}), but variance() says {expected:.6g}, "
                    f"{distance:.0f} standard deviations away; correct the wrong one.",
                    sample=sample,
                    expected=expected,
                    deviations=distance,
                )
            worst = max(worst, distance if np.isfinite(distance) else 0.0)
    return {"deviations": worst}


def _require_declared(subject: Subject, initializer: Any) -> None:
    """Refuse independent weights whose variance follows from the fans, but is nowhere to be read."""
    layers = (_LARGE[0], _LARGE[1], _LARGE[-1])
    if any(_called(initializer, "variance", *fans) is not None for fans in layers):
        return
    if "inputs" in asked(subject.cls, "weights"):  # it follows from them
        return
    drawn = [
        [_moments(_called(initializer, "weights", np.random.default_rng(seed), *fans), 0.0) for fans in layers]
        for seed in (0, 1)
    ]
    for (one, deviation), (other, _) in zip(*drawn, strict=True):
        # Those of an orthogonal matrix are too equal to be independent, those with a random factor not equal enough.
        if not 1e-9 * one < abs(one - other) < 2 * _DEVIATIONS * deviation:
            return
    (first, deviation), *others = drawn[0]
    for (fan_in, fan_out), (second, _) in zip(layers[1:], others, strict=True):
        if abs(first - second) > 2 * _DEVIATIONS * deviation:
            raise FindingError(
                f"{subject.where('weights')} has the variance {first:.6g} with fan_in = {layers[0][0]}, fan_out = "
                f"{layers[0][1]}, and {second:.6g} with fan_in = {fan_in}, fan_out = {fan_out} ({initializer}), but "
                "variance() returns None, so that nobody sees whether it takes the right fan; return the formula."
            )


def _draw(initializer: Any, rng: np.random.Generator) -> dict[str, Array]:
    return {method: _called(initializer, method, rng, 5, 4) for method in ("weights", "biases")}


def _called(initializer: Any, method: str, *arguments: Any, layer: int = 2) -> Any:
    """Return what a method returns, called with what it asks for: read-only, and the same at each call."""
    fan_in = arguments[-2]
    inputs = np.random.default_rng(4).normal(0.5, size=(fan_in, _SAMPLES))
    inputs.flags.writeable = False
    return given(initializer, method, layer=layer, inputs=inputs)(*arguments)


def _is_random(initializer: Any) -> bool:
    """Return whether weights are drawn: the generator is used, or a variance other than 0 is declared."""
    draws = lambda rng: {"weights": _called(initializer, "weights", rng, 4, 5)}  # noqa: E731 - one line
    declared = _called(initializer, "variance", 5, 4)
    return bool(declared) or (declared is None and randomness.uses_generator(draws))


def _moments(weights: Array, mean: float | None = None) -> tuple[float, float]:
    """Return the sample variance and its standard deviation, about their mean or another number."""
    squares = np.square(weights - (weights.mean() if mean is None else mean))
    return float(squares.mean()), float(squares.std() / np.sqrt(squares.size))


def _not_random(subject: Subject) -> str:
    return "" if any(_is_random(initializer) for initializer in subject.variants) else "nothing is drawn"


CHECKS = (
    Check(deterministic),  # first, because others would hide that calls are counted
    Check(shapes),
    Check(seeds, _not_random),
    Check(effective, effects.without_parameters),
    Check(variance),
)

"""Checks of backward rules."""

from collections.abc import Sequence
from itertools import count, pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import takes_out
from chainrule.components.contracts import Rule
from chainrule.components.stacking import stack
from chainrule.testing import methods, randomness, training
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import Call, Size
from chainrule.testing.subjects import Subject, random_columns
from chainrule.testing.table import Check

_WIDTHS = (3, 4, 5, 2)  # for a rule that takes any
_SAMPLES: tuple[Size, ...] = ((1,), (7,), (16,), (17,), (40,))  # BLAS sums in an order that depends on their number
_LEARNING_EPOCHS, _LEARNING_SEEDS = 60, range(3)
_LEARNED = 0.9  # largest share of the first loss that may be left


def init(subject: Subject) -> None:
    """``init`` returns finite floats without a run axis; they follow from the generator that it is given."""
    for rule in subject.variants:
        randomness.require_deterministic(
            subject.where("init"),
            lambda rng: dict(rule.init(rng, _widths(subject))),  # noqa: B023
        )
        state = rule.init(np.random.default_rng(0), _widths(subject))
        for name, array in state.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.isfinite(array).all():
                raise FindingError(
                    f"{subject.where('init')}: {name!r} is {array!r}; it must be an array of finite floats."
                )


def shapes(subject: Subject) -> None:
    """``error`` is ``(runs, units, samples)``, ``gradient`` ``(runs, units, 1 + units before)``, in the same dtype."""
    methods.check_shapes(subject, _calls, _SAMPLES)


def buffers(subject: Subject) -> None:
    """A method that takes ``out`` fills it with what it returns without ``out``, and returns it."""
    methods.check_buffers(subject, _calls, _SAMPLES)


def pure(subject: Subject) -> None:
    """Weights, deltas, inputs and state are left alone, and nothing is kept between calls."""
    methods.check_purity(subject, _calls, _SAMPLES[1:3])


def samples_apart(subject: Subject) -> None:
    """The error of a sample does not depend on other samples."""
    # NaN is put into arrays whose last axis has one entry for each sample: weights must not look like these.
    others = {units + biases for units in _widths(subject) for biases in (0, 1)}
    sizes = [(next(n for n in count(least) if n not in others),) for (least,) in _SAMPLES[1:]]
    methods.check_samples(subject, _calls, sizes)


def samples_add_up(subject: Subject) -> None:
    """``gradient`` of two groups of samples is the sum, not the mean, of the gradients of each group."""
    for rule in subject.variants:
        stacked = stack([rule], float)
        for call in _calls(stacked, [rule], np.random.default_rng(0), (8,), float):
            if call.method != "gradient":
                continue
            layer, delta, inputs = call.arguments
            whole = stacked.gradient(layer, delta, inputs)
            parts = [
                stacked.gradient(layer, delta[..., half], inputs[..., half]) for half in (slice(0, 3), slice(3, 8))
            ]
            # Eight products and their sums: a few units in the last place of the absolute terms.
            slack = 32 * np.finfo(float).eps * (np.abs(delta) @ np.abs(inputs.mT) + np.abs(whole))
            if (~(np.abs(whole - parts[0] - parts[1]) <= slack)).any():
                raise FindingError(
                    f"{subject.where('gradient')} of 8 samples in layer {layer} is not the sum of those of 3 and of 5 "
                    f"({rule}): {whole.ravel()[0]:.9g} against {(parts[0] + parts[1]).ravel()[0]:.9g}; add samples "
                    "up, the engine divides by their number."
                )


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone, with parameters of its own."""
    methods.check_stacking(subject, _calls, _SAMPLES)


def learns(subject: Subject) -> dict[str, float]:
    """The training loss of a small network falls by at least a tenth in 60 epochs."""
    widths = _widths(subject)
    target = training.Teacher(inputs=widths[0], outputs=widths[-1])
    worst = 0.0
    for rule in subject.combinations:
        for seed in _LEARNING_SEEDS:
            losses = training.losses(
                training.settings(rule=rule, hidden=widths[1:-1], target=target, epochs=_LEARNING_EPOCHS, batch_size=1),
                seed,
            )
            worst = max(worst, losses[-1] / losses[0])
            if not losses[-1] < _LEARNED * losses[0]:
                raise FindingError(
                    f"With {rule} the training loss goes from {losses[0]:.6g} to {losses[-1]:.6g} in "
                    f"{_LEARNING_EPOCHS} epochs (network {widths}, seed {seed}); it must fall; look at the signs.",
                    first=losses[0],
                    last=losses[-1],
                )
    return {"left": worst}


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    widths = _widths(subject)
    target = training.Random(inputs=widths[0], outputs=widths[-1])
    for components in subject.stacks:
        training.check_alone("rule", components, hidden=widths[1:-1], target=target)


def _widths(subject: Subject) -> tuple[int, ...]:
    return subject.cls.widths or _WIDTHS  # type: ignore[attr-defined]


def _calls(rule: Any, components: Sequence[Any], rng: np.random.Generator, size: Size, dtype: DTypeLike) -> list[Call]:
    """Return a call of each method that the rule replaces, for each layer that it is asked about."""
    widths, runs, (samples,) = rule.widths or _WIDTHS, len(components), size
    weights = [np.empty((runs, 0, 0), dtype)]
    weights += [rng.normal(size=(runs, units, before)).astype(dtype) for before, units in pairwise(widths)]
    deltas = [random_columns(rng, runs, units, samples, dtype, 1.0) for units in (0, *widths[1:])]
    state = _state(components, widths, dtype)
    calls = []
    if type(rule).error is not Rule.error:
        for layer in range(1, len(widths) - 1):
            calls.append(Call("error", (layer, weights, deltas, state), (runs, widths[layer], samples)))
    if type(rule).gradient is not Rule.gradient:
        for layer, (before, units) in enumerate(pairwise(widths), 1):
            inputs = random_columns(rng, runs, 1 + before, samples, dtype, 1.0)
            inputs[:, 0] = 1
            calls.append(Call("gradient", (layer, deltas[layer], inputs), (runs, units, 1 + before), has_samples=False))
    return calls


def _state(components: Sequence[Any], widths: Sequence[int], dtype: DTypeLike) -> dict[str, Any]:
    """Return the fixed state of each run's own rule, stacked as the engine does."""
    own = [rule.init(np.random.default_rng([7, run]), widths) for run, rule in enumerate(components)]
    return {name: np.stack([state[name] for state in own]).astype(dtype) for name in own[0]}


def _replaced(subject: Subject, names: Sequence[str]) -> list[Any]:
    return [getattr(subject.cls, name) for name in names if getattr(subject.cls, name) is not getattr(Rule, name)]


def _replaces_nothing(subject: Subject) -> str:
    return "" if _replaced(subject, ("error", "gradient")) else "it replaces neither error nor gradient"


def _no_error(subject: Subject) -> str:
    return "" if _replaced(subject, ("error",)) else "it does not replace error"


def _no_gradient(subject: Subject) -> str:
    return "" if _replaced(subject, ("gradient",)) else "it does not replace gradient"


def _no_buffers(subject: Subject) -> str:
    return "" if any(map(takes_out, _replaced(subject, ("error", "gradient")))) else "no method takes out"


CHECKS = (
    Check(init),
    Check(shapes, _replaces_nothing),
    Check(buffers, _no_buffers),
    Check(pure, _replaces_nothing),
    Check(samples_apart, _no_error),
    Check(samples_add_up, _no_gradient),
    Check(stacking, _replaces_nothing),
    Check(learns),
    Check(trained),
)

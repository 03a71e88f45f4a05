"""Checks of samplings."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.components.arguments import given
from chainrule.components.contracts import Array, Target
from chainrule.components.stacking import structure
from chainrule.engine.data import Fresh, Scaling
from chainrule.testing import effects, randomness, training
from chainrule.testing.comparing import require_same
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import DTYPES, Subject
from chainrule.testing.table import Check

_SIZES = (1, 2, 23)  # samples
_EPOCHS = ((0, 1), (0, 10), (4, 10), (9, 10))  # epochs trained, and in all
_TASKS = ("regression", "classification")


def declared(subject: Subject) -> None:
    """``task`` is a task or None, and ``is_permutation`` is True or False."""
    for sampling in subject.variants:
        if sampling.task not in (*_TASKS, None):
            raise FindingError(
                f"{subject.cls.__qualname__}.task is {sampling.task!r}; it must be {' or '.join(map(repr, _TASKS))}, "
                "or None."
            )
        if type(sampling.is_permutation) is not bool:
            raise FindingError(
                f"{subject.cls.__qualname__}.is_permutation is {sampling.is_permutation!r}; it must be True or False."
            )


def shapes(subject: Subject) -> None:
    """``epoch`` returns ``x`` and ``y`` of the shapes and the dtype that they have, finite, or numbers of samples."""
    where = subject.where("epoch")
    for sampling, target, dtype, samples in _cases(subject):
        x, y = _data(target, samples, dtype)
        for epoch, epochs in _EPOCHS:
            chosen = _asked(sampling, target, dtype)(np.random.default_rng(0), x, y, epoch, epochs)
            what = f"{where} returned {{}} for {samples} samples ({sampling}, epoch {epoch} of {epochs})"
            if not isinstance(chosen, tuple):
                _require_numbers(what, chosen, samples)
                continue
            if [getattr(part, "shape", None) for part in chosen] != [x.shape, y.shape]:
                got = " and ".join(str(np.shape(part)) for part in chosen)
                raise FindingError(f"{what.format(got)}; x and y must have the shapes {x.shape} and {y.shape}.")
            for part in chosen:
                if part.dtype != dtype:
                    raise FindingError(f"{what.format(part.dtype)}; keep the dtype of x and y, {np.dtype(dtype)}.")
                if not np.isfinite(part).all():
                    raise FindingError(f"{what.format('NaN or infinite values')}; they must be finite.")


def permutation(subject: Subject) -> None:
    """What declares ``is_permutation`` returns the number of each sample once."""
    for sampling, target, dtype, samples in _cases(subject):
        x, y = _data(target, samples, dtype)
        for epoch, epochs in _EPOCHS:
            chosen = _asked(sampling, target, dtype)(np.random.default_rng(0), x, y, epoch, epochs)
            if isinstance(chosen, tuple) or not np.array_equal(np.sort(chosen), np.arange(samples)):
                raise FindingError(
                    f"{subject.where('epoch')} does not return each of {samples} samples once ({sampling}, epoch "
                    f"{epoch} of {epochs}), but is_permutation is declared: full batches would not ask it. Return such "
                    "numbers, or declare nothing."
                )


def pure(subject: Subject) -> None:
    """``epoch`` leaves ``x`` and ``y`` alone, and depends on no earlier call: each epoch can be drawn by itself."""
    advice = "keep nothing between calls: no attribute, no cache"
    for sampling, target, dtype, samples in _cases(subject):
        x, y = _data(target, samples, dtype)
        kept = x.copy(), y.copy()
        ask = _asked(sampling, target, dtype)
        alone = [_arrays(ask(np.random.default_rng(epoch), x, y, epoch, epochs)) for epoch, epochs in _EPOCHS]
        before = [{name: array.copy() for name, array in one.items()} for one in alone]
        for (epoch, epochs), one in reversed(list(zip(_EPOCHS, before, strict=True))):
            ask(np.random.default_rng(99), x[::-1], y[::-1], epochs - epoch - 1, epochs)
            again = _arrays(ask(np.random.default_rng(epoch), x, y, epoch, epochs))
            for name, array in one.items():
                what = f"{subject.where('epoch')} gives another {name} when it is asked again"
                require_same(again[name], array, what, advice)
        for name, part, original in zip("xy", (x, y), kept, strict=True):
            require_same(part, original, f"{subject.where('epoch')} changes {name}", "compute into an array of its own")


def deterministic(subject: Subject) -> None:
    """Equal generators give equal bytes, and no other source of randomness is used or changed."""
    for sampling, target, dtype, samples in _cases(subject):
        randomness.require_deterministic(subject.where("epoch"), _draws(sampling, target, dtype, samples))


def seeds(subject: Subject) -> None:
    """Where something is drawn, generators of other seeds give other samples, with some parameters at least."""
    findings = []
    for draws in _large_draws(subject):
        if randomness.uses_generator(draws):
            try:
                randomness.require_other_seeds_to_differ(subject.where("epoch"), draws)
            except FindingError as finding:  # noise of the deviation 0 is no fault
                findings.append(finding)
            else:
                return
    if findings:
        raise findings[0]


def effective(subject: Subject) -> None:
    """Every parameter changes the samples of an epoch."""

    def observe(sampling: Any) -> bytes:
        found: list[Array] = []
        for target in _targets(sampling):
            x, y = _data(target, max(_SIZES), float)
            ask = _asked(sampling, target, float)
            for epoch, epochs in _EPOCHS:
                found += _arrays(ask(np.random.default_rng(0), x, y, epoch, epochs)).values()
        return b"".join(array.tobytes() for array in found)

    effects.require_effects(subject, observe)


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone, also while other runs leave the stack."""
    for components in subject.stacks:
        for target in _targets(components[0]):
            same = [one for one in components if structure(one) == structure(components[0])]
            training.check_alone("sampling", same, target=target)


def _cases(subject: Subject) -> list[tuple[Any, Target, Any, int]]:
    return [
        (sampling, target, dtype, samples)
        for sampling in subject.variants
        for target, dtype, samples in itertools.product(_targets(sampling), DTYPES, _SIZES)
    ]


def _targets(sampling: Any) -> list[Target]:
    """Return targets of the tasks that a sampling is defined for."""
    found: list[Target] = []
    if sampling.task != "classification":
        found.append(training.Teacher(outputs=2))
    if sampling.task != "regression":
        found += [training.Classes(outputs=1), training.Classes(outputs=3)]
    return found


def _data(target: Target, samples: int, dtype: Any) -> tuple[Array, Array]:
    x, y = (part.astype(dtype) for part in target.data(np.random.default_rng(1), samples))
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _asked(sampling: Any, target: Target, dtype: Any) -> Callable[..., Any]:
    scalings = Scaling.none(target.inputs), Scaling.none(target.outputs)
    return given(sampling, "epoch", target=target, fresh=Fresh(target, 0.0, *scalings, dtype))


def _arrays(chosen: Any) -> dict[str, Array]:
    return dict(zip("xy", chosen, strict=True)) if isinstance(chosen, tuple) else {"order": chosen}


def _draws(sampling: Any, target: Target, dtype: Any, samples: int) -> randomness.Draws:
    x, y = _data(target, samples, dtype)
    ask = _asked(sampling, target, dtype)

    def draws(rng: np.random.Generator) -> dict[str, Array]:
        return {name: np.array(array) for name, array in _arrays(ask(rng, x, y, 0, 10)).items()}

    return draws


def _large_draws(subject: Subject) -> list[randomness.Draws]:
    return [_draws(*case) for case in _cases(subject) if case[-1] == max(_SIZES)]


def _require_numbers(what: str, chosen: Any, samples: int) -> None:
    if not isinstance(chosen, np.ndarray):
        raise FindingError(f"{what.format(type(chosen).__name__)}; return x and y, or an array of numbers of samples.")
    if chosen.dtype.kind not in "iu" or chosen.shape != (samples,):
        got = f"{chosen.dtype} {chosen.shape}"
        raise FindingError(f"{what.format(got)}; return x and y, or {samples} whole numbers.")
    if samples and (chosen.min() < 0 or chosen.max() >= samples):
        raise FindingError(f"{what.format('numbers of samples that there are not')}; they count from 0.")


def _draws_nothing(subject: Subject) -> str:
    return "" if any(map(randomness.uses_generator, _large_draws(subject))) else "it draws nothing at random"


def _no_permutation(subject: Subject) -> str:
    return "" if any(sampling.is_permutation for sampling in subject.variants) else "it declares no permutation"


CHECKS = (
    Check(declared),
    Check(shapes),
    Check(permutation, _no_permutation),
    Check(pure),
    Check(deterministic),
    Check(seeds, _draws_nothing),
    Check(effective, effects.without_parameters),
    Check(trained),
)

"""Checks of optimizers."""

import io
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.contracts import Array
from chainrule.components.stacking import has_rate, stack, take
from chainrule.testing import training
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import require_same
from chainrule.testing.subjects import DTYPES, RUNS, Subject
from chainrule.testing.table import Check

State = dict[str, Array]
_SIZES = (1, 2, 7, 15, 64, 301)  # parameters
_STEPS = 8
_DESCENT_STEPS = 1000
_DESCENT = 0.99  # largest share of the loss that may be left; any usable rate takes off more in so many steps
_ADVICE = "use elementwise formulas of the run's own row, and let float fields (runs, 1) broadcast"


def state(subject: Subject) -> None:
    """``init`` returns arrays ``(runs, ...)``, floats in the dtype of ``theta``; ``update`` keeps shapes and dtypes."""
    for components in subject.stacks:
        for dtype in DTYPES:
            for runs, size in ((1, 1), (1, 7), (RUNS, 1), (RUNS, 7)):
                optimizer = stack(components[:runs], dtype)
                theta, gradients = _draw(runs, size, dtype)
                before = theta.copy()
                arrays = optimizer.init(theta)
                require_same(theta, before, f"{subject.where('init')} changes theta", "leave it alone")
                _require_state(subject, "init", arrays, theta)
                at_first = {name: (array.shape, array.dtype) for name, array in arrays.items()}
                for step, grad in enumerate(gradients, 1):
                    optimizer.update(theta, grad, arrays, step)
                    _require_state(subject, "update", arrays, theta)
                    now = {name: (array.shape, array.dtype) for name, array in arrays.items()}
                    if now != at_first:
                        raise FindingError(
                            f"{subject.where('update')} makes the state {now} at step {step}, after {at_first} in "
                            "init; keep names, shapes and dtypes."
                        )
                if theta.dtype != dtype:
                    raise FindingError(f"{subject.where('update')} turns theta into {theta.dtype}.")


def in_place(subject: Subject) -> None:
    """``update`` changes ``theta`` in place, leaves ``grad`` alone and returns None."""
    for components in subject.stacks:
        for dtype in DTYPES:
            optimizer = stack([components[-1]] * 3, dtype)
            theta, gradients = _draw(3, 7, dtype)
            before, arrays = theta.copy(), optimizer.init(theta)
            for step, grad in enumerate(gradients, 1):
                grad = np.where(grad == 0, np.ones_like(grad), grad)
                kept = grad.copy()
                grad.flags.writeable = False
                returned = optimizer.update(theta, grad, arrays, step)
                if returned is not None:
                    raise FindingError(
                        f"{subject.where('update')} returns {type(returned).__name__}, which nobody reads; change "
                        "theta in place (theta -= ...) and return nothing."
                    )
                require_same(grad, kept, f"{subject.where('update')} changes grad", "work on a copy")
            if theta.tobytes() == before.tobytes():
                raise FindingError(
                    f"{subject.where('update')} leaves theta as it was in {len(gradients)} steps ({components[-1]}); "
                    "change it in place: theta -= ..., not theta = theta - ..."
                )


def finite(subject: Subject) -> None:
    """From step 1 on, gradients of 0, of 1e-30 and of 1e6 leave every parameter finite."""
    for optimizer in subject.combinations:
        for dtype in DTYPES:
            for size in (0.0, 1e-30, 1e6):
                stacked = stack([optimizer], dtype)
                theta = np.array([[1.0, -1.0, 0.0]], dtype)
                grad = np.array([[size, -size, size]], dtype)
                arrays = stacked.init(theta)
                for step in range(1, 6):
                    stacked.update(theta, grad, arrays, step)
                    if not np.isfinite(theta).all():
                        raise FindingError(
                            f"{subject.where('update')} makes theta {theta[0].tolist()} at step {step} with gradients "
                            f"of {size:g} in {np.dtype(dtype)} ({optimizer}); steps count from 1, and a denominator "
                            "needs an eps.",
                            step=step,
                            gradient=size,
                        )


def descends(subject: Subject) -> dict[str, float]:
    """With its defaults and every switch it takes at least 1 % off a quadratic loss in 1000 steps."""
    curvature = np.array([[0.3, 1.0, 3.0]])
    largest = 0.0
    for optimizer in subject.combinations:
        theta = np.array([[1.0, -1.0, 0.5]])
        stacked = stack([optimizer], float)
        arrays = stacked.init(theta)
        before = float((curvature * theta**2).sum())
        for step in range(1, _DESCENT_STEPS + 1):
            stacked.update(theta, curvature * theta, arrays, step)
        after = float((curvature * theta**2).sum())
        largest = max(largest, after / before)
        if not after < _DESCENT * before:
            raise FindingError(
                f"{subject.where('update')} takes the loss of a quadratic from {before:.6g} to {after:.6g} in "
                f"{_DESCENT_STEPS} steps at the default rate ({optimizer}); it must fall by at least 1 %; look at the "
                "sign of the step, and at the default rate, which may be too small.",
                before=before,
                after=after,
            )
    return {"left": largest}


def resumes(subject: Subject) -> None:
    """A fresh instance with the saved state continues as the old one would."""
    for components in subject.stacks:
        theta, gradients = _draw(RUNS, 7, float)
        optimizer = stack(components, float)
        arrays = optimizer.init(theta)
        _walk(optimizer, theta, gradients[: _STEPS // 2], arrays)
        archive = io.BytesIO()
        np.savez(archive, **{"theta": theta, **{f"state {name}": array for name, array in arrays.items()}})
        _walk(optimizer, theta, gradients[_STEPS // 2 :], arrays, first=_STEPS // 2 + 1)
        archive.seek(0)
        with np.load(archive, allow_pickle=False) as saved:
            again, kept = saved["theta"], {n.removeprefix("state "): saved[n] for n in saved.files if n != "theta"}
        fresh = stack([pickle.loads(pickle.dumps(component)) for component in components], float)
        _walk(fresh, again, gradients[_STEPS // 2 :], kept, first=_STEPS // 2 + 1)
        require_same(
            again,
            theta,
            f"{subject.where('update')} continues otherwise from a saved state than without a break",
            "keep everything in state, and count with step",
        )


def nothing_kept(subject: Subject) -> None:
    """Two trainings that take turns with one instance end as each does alone."""
    for components in subject.stacks:
        optimizer = stack(components, float)
        problems = [_draw(RUNS, 7, float, seed) for seed in (0, 1)]
        alone = []
        for theta, gradients in problems:
            own = theta.copy()
            _walk(stack(components, float), own, gradients, optimizer.init(own))
            alone.append(own)
        thetas = [theta.copy() for theta, _ in problems]
        states = [optimizer.init(theta) for theta in thetas]
        for step in range(1, _STEPS + 1):
            for theta, arrays, (_, gradients) in zip(thetas, states, problems, strict=True):
                optimizer.update(theta, gradients[step - 1], arrays, step)
        for theta, expected in zip(thetas, alone, strict=True):
            require_same(
                theta,
                expected,
                f"Two trainings that take turns with {subject.cls.__qualname__} disturb each other",
                "keep everything in state: nothing on the instance, the class or the module",
            )


def runs_apart(subject: Subject) -> None:
    """NaN in one run stays in that run."""
    for components in subject.stacks:
        optimizer, rest = stack(components, float), np.arange(RUNS) != 1
        results = []
        for spoilt in (False, True):
            theta, gradients = _draw(RUNS, 7, float)
            gradients[3:, 1] = np.nan if spoilt else gradients[3:, 1]
            _walk(optimizer, theta, gradients, optimizer.init(theta))
            results.append(theta)
        require_same(
            results[1][rest],
            results[0][rest],
            f"{subject.where('update')} mixes runs: a NaN in run 1 moves others",
            _ADVICE,
        )


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone, with parameters of its own."""
    few = np.array([RUNS - 2, 1])
    for components in subject.stacks:
        for dtype in DTYPES:
            for size in _SIZES:
                theta, gradients = _draw(RUNS, size, dtype)
                start, together = theta.copy(), stack(components, dtype)
                arrays = together.init(theta)
                half = _STEPS // 2
                _walk(together, theta, gradients[:half], arrays)
                fewer_theta, fewer_state = theta[few], {name: array[few] for name, array in arrays.items()}
                _walk(together, theta, gradients[half:], arrays, first=half + 1)
                _walk(take(together, few), fewer_theta, gradients[half:, few], fewer_state, first=half + 1)
                require_same(
                    fewer_theta,
                    theta[few],
                    f"{subject.where('update')} moves runs {few.tolist()} otherwise when the others have left the "
                    "stack",
                    _ADVICE,
                )
                for run, component in enumerate(components):
                    alone, own = stack([component], dtype), start[[run]]
                    own_state = alone.init(own)
                    _walk(alone, own, gradients[:, [run]], own_state)
                    what = f"of run {run} in a stack are not those of the run alone ({component}, {size} parameters)"
                    require_same(theta[[run]], own, f"{subject.where('update')}: the parameters {what}", _ADVICE)
                    for name, array in own_state.items():
                        require_same(
                            arrays[name][[run]],
                            array,
                            f"{subject.where('update')}: {name!r} in the state {what}",
                            _ADVICE,
                        )


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    for components in subject.stacks:
        training.check_alone("optimizer", components)


def scheduled(subject: Subject) -> None:
    """``rate`` is None or names a float field; the steps follow that field when a schedule changes it, in any stack."""
    cls: Any = subject.cls
    for components in subject.stacks:
        usual = components[-1]
        if usual.rate is None:
            continue
        if not has_rate(usual):
            raise FindingError(
                f"{cls.__qualname__}.rate is {usual.rate!r}, which is not a float field, so every schedule is "
                "refused; name the field that is the learning rate, or set rate = None."
            )
        training.check_alone("optimizer", components, schedule=training.Halving())
        constant, halved = (
            training.weights(training.settings(optimizer=usual, **parts))
            for parts in ({}, {"schedule": training.Halving()})
        )
        if constant.tobytes() == halved.tobytes():
            raise FindingError(
                f"With {usual} a schedule that halves the rate in each epoch changes nothing; read self.{usual.rate} "
                "in update, at each step, and keep nothing that is computed from it."
            )


def _draw(runs: int, size: int, dtype: DTypeLike, seed: int = 0) -> tuple[Array, Array]:
    """Return parameters and the gradients of each step, some of them 0 and -0.

    Gradients are in turn of size 1, where sums round most, and of many sizes.
    """
    rng = np.random.default_rng([seed, runs, size])
    theta = rng.normal(size=(runs, size)).astype(dtype)
    gradients = rng.normal(size=(_STEPS, runs, size))
    gradients[1::2] *= 10 ** rng.uniform(-4, 2, gradients[1::2].shape)
    gradients[rng.random(gradients.shape) < 0.1] *= 0
    return theta, gradients.astype(dtype)


def _walk(optimizer: Any, theta: Array, gradients: Iterable[Array], state: State, first: int = 1) -> None:
    for step, grad in enumerate(gradients, first):
        optimizer.update(theta, grad, state, step)


def _require_state(subject: Subject, method: str, arrays: Any, theta: Array) -> None:
    where = subject.where(method)
    if not isinstance(arrays, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FindingError(f"{where}: the state is {arrays!r}, not a dict of arrays.")
    for name, array in arrays.items():
        if array.shape[:1] != theta.shape[:1] or (array.dtype.kind == "f" and array.dtype != theta.dtype):
            raise FindingError(
                f"{where}: {name!r} in the state is {array.dtype} {array.shape}; the first axis must be the run axis, "
                f"as that of theta {theta.shape}, and the dtype of floats {theta.dtype}: np.zeros_like(theta)."
            )
        if np.shares_memory(array, theta):
            raise FindingError(f"{where}: {name!r} in the state is theta itself, which changes; take a copy.")


CHECKS = (
    Check(state),
    Check(in_place),
    Check(finite),
    Check(descends),
    Check(resumes),
    Check(nothing_kept),
    Check(runs_apart),
    Check(stacking),
    Check(trained),
    Check(scheduled),
)

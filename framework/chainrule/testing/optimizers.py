"""Checks of optimizers."""

import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.components.arguments import asked
from chainrule.components.contracts import Array
from chainrule.components.stacking import has_rate, stack, take
from chainrule.testing import effects, training
from chainrule.testing.comparing import StepsInSingle, require_digits_of_steps, require_same
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import doubled
from chainrule.testing.randomness import (
    global_states,
    require_deterministic,
    require_other_seeds_to_differ,
    uses_generator,
)
from chainrule.testing.steps import LATE, STEPS, Bowl, Drawn, Trip, draw, generators_of, large, sizes
from chainrule.testing.subjects import DTYPES, RUNS, Subject
from chainrule.testing.table import Check

_DESCENT_STEPS = 1000
_DESCENT = 0.99  # largest share of the loss that may be left; any usable rate takes off more in so many steps
_STEEP = 8.0  # times the curvature that derivatives of predictions say, so that a first guess of a step fails
_LONG = 48  # steps of a training in which something may happen late
_MANY_RUNS = 300  # of a large stack; a sweep has stacks of 256 at most
_STACKS = (2, 17, 33, 128, 257)  # sizes of stacks that are parts of it
_ADVICE = "use elementwise formulas of the run's own row, and let float fields (runs, 1) broadcast"


def state(subject: Subject) -> None:
    """``init`` returns arrays ``(runs, ...)``, floats in the dtype of ``theta``; ``update`` keeps shapes and dtypes."""
    (few, one), (size, shape) = sizes(subject.cls)[0], sizes(subject.cls)[2]
    for components in subject.cases:
        for dtype in DTYPES:
            for runs, parameters, widths in ((1, few, one), (1, size, shape), (RUNS, few, one), (RUNS, size, shape)):
                optimizer = stack(components[:runs], dtype)
                theta, gradients = draw(runs, parameters, dtype)
                before = theta.copy()
                trip = Trip(optimizer, theta, Drawn(gradients), widths)
                require_same(theta, before, f"{subject.where('init')} changes theta", "leave it alone")
                _require_state(subject, "init", trip)
                at_first = {name: (array.shape, array.dtype) for name, array in trip.state.items()}
                for step in range(1, STEPS + 1):
                    trip.step(step)
                    _require_state(subject, "update", trip)
                    now = {name: (array.shape, array.dtype) for name, array in trip.state.items()}
                    if now != at_first:
                        raise FindingError(
                            f"{subject.where('update')} makes the state {now} at step {step}, after {at_first} in "
                            "init; keep names, shapes and dtypes."
                        )
                if theta.dtype != dtype:
                    raise FindingError(f"{subject.where('update')} turns theta into {theta.dtype}.")


def in_place(subject: Subject) -> None:
    """``update`` changes ``theta`` in place, leaves ``grad`` alone and returns None."""
    size, shape = sizes(subject.cls)[2]
    evaluates = "problem" in asked(subject.cls, "update")  # which fills the buffer of ``grad``
    for components in subject.stacks:
        for dtype in DTYPES:
            theta, gradients = draw(3, size, dtype)
            gradients = np.where(gradients == 0, np.ones_like(gradients), gradients)
            before = theta.copy()
            trip = Trip(stack([components[-1]] * 3, dtype), theta, Drawn(gradients), shape)
            for step in range(1, STEPS + 1):
                returned = trip.step(step, protected=not evaluates)
                if returned is not None:
                    raise FindingError(
                        f"{subject.where('update')} returns {type(returned).__name__}, which nobody reads; change "
                        "theta in place (theta -= ...) and return nothing."
                    )
                if not evaluates:
                    what = f"{subject.where('update')} changes grad"
                    require_same(trip.grad, gradients[step - 1], what, "work on a copy")
            if theta.tobytes() == before.tobytes():
                raise FindingError(
                    f"{subject.where('update')} leaves theta as it was in {len(gradients)} steps ({components[-1]}); "
                    "change it in place: theta -= ..., not theta = theta - ..."
                )


def finite(subject: Subject) -> None:
    """From step 1 on, gradients of 0, of 1e-30 and of 1e6 leave every parameter finite; on bounds those of 1 do."""
    for optimizer in subject.settings:
        for scale in (0.0, 1e-30, 1e6):
            _require_finite(subject, optimizer, scale)
    for optimizer in subject.bounds:
        _require_finite(subject, optimizer, 1.0)


def _require_finite(subject: Subject, optimizer: Any, scale: float) -> None:
    size, shape = sizes(subject.cls)[2]
    for dtype in DTYPES:
        theta = np.resize([1.0, -1.0, 0.0], (1, size)).astype(dtype)
        gradients = np.broadcast_to(np.resize(np.array([scale, -scale, scale], dtype), size), (5, 1, size))
        trip = Trip(stack([optimizer], dtype), theta, Drawn(gradients), shape)
        for step in range(1, 6):
            trip.step(step)
            if not np.isfinite(theta).all():
                raise FindingError(
                    f"{subject.where('update')} makes theta {theta[0].tolist()} at step {step} with gradients "
                    f"of {scale:g} in {np.dtype(dtype)} ({optimizer}); steps count from 1, and a denominator "
                    "needs an eps.",
                    step=step,
                    gradient=scale,
                )


def precision(subject: Subject) -> None:
    """A step in float32 is that in float64, up to rounding, and in float64 it has more digits."""
    size, shape = sizes(subject.cls)[2]
    for components in subject.cases:
        single, double = stack(components, np.float32), doubled(stack(components, np.float32))
        theta, gradients = draw(RUNS, size, np.float32)
        trip, compared = Trip(single, theta, Drawn(gradients), shape), StepsInSingle()
        for step in range(1, STEPS + 1):
            start, state = theta.astype(float), trip.saved()["state"]
            wide = {name: array.astype(float) if array.dtype.kind == "f" else array for name, array in state.items()}
            twin = Trip(double, start.copy(), Drawn(gradients.astype(float)), shape, state=wide)
            twin.step(step)
            trip.step(step)
            compared.add(start, theta, twin.theta)
        compared.require_few(subject.where("update"), str(components[-1]))
        _require_digits(subject, components, shape, size)


def _require_digits(subject: Subject, components: Any, shape: Any, size: int) -> None:
    """Refuse steps that do not feel what float64 can say but float32 cannot."""
    theta, gradients = draw(RUNS, size, float)
    signs = np.random.default_rng(0).choice([-1, 1], gradients.shape)
    ends = [
        Trip(stack(components, float), theta.copy(), Drawn(gradients * (1 + share * signs)), shape)
        .steps(range(1, STEPS + 1))
        .theta
        for share in (0.0, 1e-10, 1e-6)
    ]
    require_digits_of_steps(subject.where("update"), *ends)


def effective(subject: Subject) -> None:
    """Every parameter changes the steps."""
    size, shape = sizes(subject.cls)[2]

    def observe(optimizer: Any) -> bytes:
        stacked, seen = stack([optimizer], float), b""
        for steepness in (1.0, _STEEP) if "problem" in asked(subject.cls, "update") else (1.0,):
            theta, gradients = draw(1, size, float)
            trip = Trip(stacked, theta, Drawn(gradients, steepness), shape).steps(range(1, STEPS + 1))
            seen += theta.tobytes() + stacked.kept(theta, trip.state).tobytes()
        return seen

    effects.require_effects(subject, observe)


def descends(subject: Subject) -> dict[str, float]:
    """With its defaults and every switch it takes at least 1 % off a quadratic loss in 1000 steps."""
    size, shape = next((size, shape) for size, shape in sizes(subject.cls) if size > 2)
    curvature = np.resize([0.3, 1.0, 3.0], (1, size))
    largest = 0.0
    for optimizer in subject.combinations:
        theta = np.resize([1.0, -1.0, 0.5], (1, size))
        trip = Trip(stack([optimizer], float), theta, Bowl(curvature), shape)
        before = trip.loss().item()
        trip.steps(range(1, _DESCENT_STEPS + 1))
        after = trip.loss().item()
        largest = max(largest, after / before)
        if not np.isfinite(after):
            raise FindingError(
                f"{subject.where('update')} makes the loss of a quadratic {after} within {_DESCENT_STEPS} steps at the "
                f"default rate ({optimizer}); look at what is divided by, at what grows, and at whether the default "
                "rate is too large.",
                before=before,
                after=after,
            )
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
    size, shape = sizes(subject.cls)[2]
    for number, components in enumerate(subject.stacks):
        steps = STEPS if number else _LONG
        half = steps // 2
        theta, gradients = draw(RUNS, size, float)
        trip = Trip(stack(components, float), theta, Drawn(gradients), shape).steps(range(1, half + 1))
        archive, saved = io.BytesIO(), trip.saved()
        arrays = {"theta": theta, **{f"state {name}": array for name, array in trip.state.items()}}
        np.savez(archive, **arrays)  # type: ignore[arg-type]
        trip.steps(range(half + 1, steps + 1))
        archive.seek(0)
        with np.load(archive, allow_pickle=False) as file:
            saved["theta"] = file["theta"]
            saved["state"] = {n.removeprefix("state "): file[n] for n in file.files if n != "theta"}
        fresh = stack([pickle.loads(pickle.dumps(component)) for component in components], float)
        again = Trip(fresh, loss=Drawn(gradients), **saved).steps(range(half + 1, steps + 1))
        require_same(
            again.theta,
            theta,
            f"{subject.where('update')} continues otherwise from a saved state than without a break",
            "keep everything in state, and count with step",
        )


def nothing_kept(subject: Subject) -> None:
    """Two trainings that take turns with one instance end as each does alone."""
    size, shape = sizes(subject.cls)[2]
    for number, components in enumerate(subject.stacks):
        steps = STEPS if number else _LONG
        optimizer = stack(components, float)
        problems = [draw(RUNS, size, float, seed) for seed in (0, 1)]
        alone = [
            Trip(stack(components, float), theta.copy(), Drawn(gradients), shape).steps(range(1, steps + 1))
            for theta, gradients in problems
        ]
        trips = [Trip(optimizer, theta.copy(), Drawn(gradients), shape) for theta, gradients in problems]
        for step in range(1, steps + 1):
            for trip in trips:
                trip.step(step)
        for trip, expected in zip(trips, alone, strict=True):
            require_same(
                trip.theta,
                expected.theta,
                f"Two trainings that take turns with {subject.cls.__qualname__} disturb each other",
                "keep everything in state: nothing on the instance, the class or the module",
            )


def runs_apart(subject: Subject) -> None:
    """NaN in one run stays in that run."""
    size, shape = sizes(subject.cls)[2]
    for components in subject.stacks:
        optimizer, rest = stack(components, float), np.arange(RUNS) != 1
        results = []
        for spoilt in (False, True):
            theta, gradients = draw(RUNS, size, float)
            gradients[3:, 1] = np.nan if spoilt else gradients[3:, 1]
            results.append(Trip(optimizer, theta, Drawn(gradients), shape).steps(range(1, STEPS + 1)).theta)
        require_same(
            results[1][rest],
            results[0][rest],
            f"{subject.where('update')} mixes runs: a NaN in run 1 moves others",
            _ADVICE,
        )


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone, with parameters of its own."""
    every = sizes(subject.cls)
    for number, components in enumerate(subject.cases):
        for dtype in DTYPES:
            for size, shape in every if number < len(subject.stacks) else every[2:3]:
                late = (size, shape) == every[2] and not number
                _require_alone(subject, components, dtype, size, shape, LATE if late else range(1, STEPS + 1))
    _require_alone(subject, subject.stacks[0], float, *large(subject.cls), range(1, STEPS // 2))
    _require_any_stack(subject)


def _require_alone(subject: Subject, components: Any, dtype: Any, size: int, shape: Any, steps: Sequence[int]) -> None:
    few, half = np.array([RUNS - 2, 1]), len(steps) // 2
    theta, gradients = draw(RUNS, size, dtype, steps=len(steps))
    start, together = theta.copy(), stack(components, dtype)
    trip = Trip(together, theta, Drawn(gradients), shape).steps(steps[:half])
    saved = trip.saved()
    left = Trip(
        take(together, few),
        saved["theta"][few],
        Drawn(gradients[:, few]),
        shape,
        [saved["generators"][run] for run in few],
        {name: array[few] for name, array in saved["state"].items()},
    ).steps(steps[half:])
    trip.steps(steps[half:])
    require_same(
        left.theta,
        theta[few],
        f"{subject.where('update')} moves runs {few.tolist()} otherwise when the others have left the stack",
        _ADVICE,
    )
    for run, component in enumerate(components):
        alone, own = stack([component], dtype), start[[run]]
        single = Trip(alone, own, Drawn(gradients[:, [run]]), shape, generators_of([run])).steps(steps)
        what = f"of run {run} in a stack are not those of the run alone ({component}, {size} parameters)"
        require_same(theta[[run]], own, f"{subject.where('update')}: the parameters {what}", _ADVICE)
        for name, array in single.state.items():
            where = f"{subject.where('update')}: {name!r} in the state {what}"
            require_same(trip.state[name][[run]], array, where, _ADVICE)
        kept, expected = alone.kept(own, single.state), together.kept(theta, trip.state)[[run]]
        require_same(expected, kept, f"{subject.where('kept')}: the parameters {what}", _ADVICE)


def _require_any_stack(subject: Subject) -> None:
    """Refuse other bytes of a run in a large stack than in parts of it of many sizes."""
    size, shape = sizes(subject.cls)[2]
    components = [subject.stacks[0][run % RUNS] for run in range(_MANY_RUNS)]
    stacked, (theta, gradients) = stack(components, float), draw(_MANY_RUNS, size, float, steps=3)
    whole = Trip(stacked, theta.copy(), Drawn(gradients), shape).steps((1, 2, 3)).theta
    for runs in map(np.array, (*map(np.arange, _STACKS), [0], [_MANY_RUNS - 1])):
        part = Trip(take(stacked, runs), theta[runs], Drawn(gradients[:, runs]), shape, generators_of(runs.tolist()))
        require_same(
            part.steps((1, 2, 3)).theta,
            whole[runs],
            f"{subject.where('update')} moves a run in a stack of {_MANY_RUNS} otherwise than in one of {len(runs)}",
            _ADVICE,
        )


def recommended(subject: Subject) -> None:
    """``kept`` returns an array like ``theta`` and changes nothing."""
    size, shape = sizes(subject.cls)[2]
    for components in subject.stacks:
        for dtype in DTYPES:
            optimizer = stack(components, dtype)
            theta, gradients = draw(RUNS, size, dtype)
            trip = Trip(optimizer, theta, Drawn(gradients), shape)
            for step in range(STEPS + 1):  # it is asked before the first step, too
                if step:
                    trip.step(step)
                before = trip.saved()
                kept = optimizer.kept(theta, trip.state)
                if not isinstance(kept, np.ndarray) or (kept.shape, kept.dtype) != (theta.shape, theta.dtype):
                    what = f"{kept.dtype} {kept.shape}" if isinstance(kept, np.ndarray) else type(kept).__name__
                    raise FindingError(
                        f"{subject.where('kept')} returns {what}, not {theta.dtype} {theta.shape} as theta has."
                    )
                for name, array in {"theta": theta, **trip.state}.items():
                    old = before["theta"] if name == "theta" else before["state"][name]
                    require_same(array, old, f"{subject.where('kept')} changes {name}", "compute into a new array")


def seeded(subject: Subject) -> None:
    """Randomness comes from ``rng`` only: equal generators give equal steps, others give others."""
    size, shape = sizes(subject.cls)[2]
    for components in subject.stacks:

        def draws(rng: np.random.Generator, optimizer: Any = components[-1]) -> dict[str, Array]:
            theta, gradients = draw(1, size, float)
            trip = Trip(stack([optimizer], float), theta, Drawn(gradients), shape, [rng]).steps(range(1, STEPS + 1))
            return {"theta": trip.theta}

        require_deterministic(subject.where("update"), draws)
        if uses_generator(draws):
            require_other_seeds_to_differ(subject.where("update"), draws)


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


def _require_state(subject: Subject, method: str, trip: Trip) -> None:
    where, arrays, theta = subject.where(method), trip.state, trip.theta
    if not isinstance(arrays, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise FindingError(f"{where}: the state is {arrays!r}, not a dict of arrays.")
    for name, array in arrays.items():
        if array.shape[:1] != theta.shape[:1] or (array.dtype.kind == "f" and array.dtype != theta.dtype):
            raise FindingError(
                f"{where}: {name!r} in the state is {array.dtype} {array.shape}; the first axis must be the run axis, "
                f"as that of theta {theta.shape}, and the dtype of floats {theta.dtype}: np.zeros_like(theta)."
            )
        for other, used in (("theta", theta), ("grad", trip.grad)):
            if np.shares_memory(array, used):
                raise FindingError(
                    f"{where}: {name!r} in the state is {other} itself, which the next step changes; take a copy."
                )


def cause(subject: Subject) -> None:
    """Demand that there is none of the faults that show in many checks."""
    (size, shape), components = sizes(subject.cls)[2], subject.stacks[0]
    theta, gradients = draw(RUNS, size, float)
    states = global_states()
    Trip(stack(components, float), theta, Drawn(gradients), shape).steps((1, 2))
    if global_states() != states:
        raise FindingError(
            f"{subject.where('update')} draws from a global generator, so that a run does not follow from its seed; "
            "ask for rng."
        )
    _require_digits(subject, components, shape, size)


def _draws(subject: Subject) -> str:
    asks = {*asked(subject.cls, "init"), *asked(subject.cls, "update")}
    return "numbers drawn in float32 are not those drawn in float64" if "rng" in asks else ""


CHECKS = (
    Check(state),
    Check(in_place),
    Check(finite),
    Check(precision, _draws),
    Check(effective, effects.without_parameters),
    Check(descends),
    Check(resumes),
    Check(nothing_kept),
    Check(runs_apart),
    Check(stacking),
    Check(recommended),
    Check(seeded),
    Check(trained),
    Check(scheduled),
)

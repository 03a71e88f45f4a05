"""Checks of schedules of the learning rate."""

import copy
import itertools
import pickle
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack, take
from chainrule.testing import effects, training
from chainrule.testing.comparing import require_same, require_single
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import doubled, require_array
from chainrule.testing.subjects import DTYPES, RUNS, Subject
from chainrule.testing.table import Check

_EPOCHS = (1, 2, 10, 100)
_LONG = 1000  # epochs of a long training
_TIMES = (*range(60), 99, 100, 101, *range(110, 1000, 40), 500, 501, 1000)  # when it is asked for rates
_MANY_RUNS = 300  # of a large stack; a sweep has stacks of 256 at most
_STACKS = (2, 17, 33, 128, 257)  # sizes of stacks that are parts of it
_CALLS = 128  # after which it must still return the same
_MEASURED_EVERY = (1, 3)  # epochs
_ADVICE = "compute each run's rate from its own row, and keep everything in state"


def shapes(subject: Subject) -> None:
    """Rates are ``(runs, 1)`` in the dtype of the learning rate, before each epoch and after the last."""
    for components in subject.cases:
        for dtype in DTYPES:
            for runs in (1, RUNS):
                for epochs in _EPOCHS:
                    for rate in _rates(stack(components[:runs], dtype), _lr(runs, dtype), epochs, _losses(runs, dtype)):
                        require_array(subject.where("rate"), rate, (runs, 1), dtype)


def finite(subject: Subject) -> None:
    """No rate is NaN or negative, and with the defaults every rate is finite, however often losses are measured."""
    for number, components in enumerate(subject.cases):
        for dtype in DTYPES:
            schedule, losses = stack(components, dtype), _losses(RUNS, dtype)
            for epochs, every in itertools.product(_EPOCHS[: 2 if number else None], _MEASURED_EVERY):
                rates = _rates(schedule, _lr(RUNS, dtype), epochs, losses, every=every)
                _require_rates(subject, components, rates, epochs, f"every {every}")
            rates = _long(schedule, _lr(RUNS, dtype), losses)
            _require_rates(subject, components, rates, _LONG, "now and then")


def _require_rates(subject: Subject, components: Any, rates: list[Array], epochs: int, when: str) -> None:
    usual = np.array([component in subject.defaults for component in components])
    for epoch, rate in enumerate(rates):
        # Others may grow without bound, and the usual ones in a long training.
        wrong = ~(rate[:, 0] >= 0) | (usual & (epochs < _LONG) & np.isinf(rate[:, 0]))
        if wrong.any():
            run = int(np.flatnonzero(wrong)[0])
            after = sorted(_TIMES)[epoch] if epochs == _LONG else epoch
            raise FindingError(
                f"{subject.where('rate')} is {float(rate[run, 0]):g} after {after} of {epochs} epochs "
                f"({components[run]}, lr = {float(_lr(RUNS, rate.dtype)[run, 0]):g}, losses measured {when}); rates "
                "are finite and >= 0.",
                rate=rate[run, 0],
            )


def precision(subject: Subject) -> None:
    """Rates in float32 are those in float64, up to rounding, and these have more digits."""
    for components in subject.cases:
        single, losses = stack(components, np.float32), _losses(RUNS, np.float32)
        double, lr = doubled(single), _lr(RUNS, np.float32)
        wide = [loss.astype(float) for loss in losses]
        rates = np.array(_rates(single, lr, 20, losses[:21]))
        expected, nudged = (
            np.array(_rates(double, lr.astype(float) * factor, 20, wide[:21])) for factor in (1.0, 1 + 1e-10)
        )
        require_single(subject.where("rate"), rates, expected, np.zeros(expected.shape), str(components[-1]))
        if (expected == nudged).mean() > 0.9 and np.ptp(expected):
            raise FindingError(
                f"{subject.where('rate')} computes in float32 inside: in float64 a change of 1e-10 of lr changes "
                "nothing. Keep the dtype of lr."
            )


def effective(subject: Subject) -> None:
    """Every parameter changes a rate."""

    def observe(schedule: Any) -> bytes:
        stacked, lr, losses = stack([schedule], float), _lr(1, float), _losses(1, float)
        rates = [*_rates(stacked, lr, 100, losses), *_rates(stacked, lr, 10, losses), *_long(stacked, lr, losses)]
        return bytes(np.array(rates).tobytes())

    effects.require_effects(subject, observe)


def pure(subject: Subject) -> None:
    """The learning rate and the losses are left alone; ``rate`` leaves the state alone and returns the same again."""
    for components in subject.stacks:
        schedule, lr = stack(components, float), _lr(RUNS, float)
        kept = lr.copy()
        lr.flags.writeable = False
        state = schedule.init(lr)
        for epoch, loss in enumerate(_losses(RUNS, float)[:10]):
            loss.flags.writeable = False
            schedule.measured(loss, epoch, state)
            before = {name: array.copy() for name, array in state.items()}
            first = np.array(schedule.rate(lr, epoch, 10, state))
            again = np.array(schedule.rate(lr, epoch, 10, state))
            require_same(
                again, first, f"{subject.where('rate')} returns something else when it is called again", _ADVICE
            )
            for name, array in before.items():
                require_same(state[name], array, f"{subject.where('rate')} changes {name!r} in the state", _ADVICE)
        require_same(lr, kept, f"{subject.where('rate')} changes the learning rate", "compute into an array of its own")
        first = np.array(schedule.rate(lr, 3, 10, state))
        for _ in range(_CALLS):
            again = np.array(schedule.rate(lr, 3, 10, state))
        require_same(again, first, f"{subject.where('rate')} returns something else after {_CALLS} calls", _ADVICE)


def resumes(subject: Subject) -> None:
    """A fresh instance with a copy of the state continues as the old one would."""
    for components in subject.stacks:
        schedule, lr, losses = stack(components, float), _lr(RUNS, float), _losses(RUNS, float)
        state = schedule.init(lr)
        _rates(schedule, lr, 20, losses[:8], state)
        kept = copy.deepcopy(state)
        fresh = stack([pickle.loads(pickle.dumps(component)) for component in components], float)
        for expected, rate in zip(
            _rates(schedule, lr, 20, losses[8:], state, first=8),
            _rates(fresh, lr, 20, losses[8:], kept, first=8),
            strict=True,
        ):
            require_same(rate, expected, f"{subject.where('rate')} continues otherwise from a copied state", _ADVICE)


def nothing_kept(subject: Subject) -> None:
    """Two trainings that take turns with one instance get the rates that each gets alone."""
    for components in subject.stacks:
        schedule, lr = stack(components, float), _lr(RUNS, float)
        series = [_losses(RUNS, float), _losses(RUNS, float)[::-1]]
        alone = [_rates(stack(components, float), lr, 20, losses) for losses in series]
        states = [schedule.init(lr) for _ in series]
        for epoch in range(21):
            for state, losses in zip(states, series, strict=True):
                schedule.measured(losses[epoch], epoch, state)
            for state, expected in zip(states, alone, strict=True):
                require_same(
                    np.array(schedule.rate(lr, epoch, 20, state)),
                    expected[epoch],
                    f"Two trainings that take turns with {subject.cls.__qualname__} disturb each other",
                    "keep everything in state: nothing on the instance, the class or the module",
                )


def stacking(subject: Subject) -> None:
    """A run has the same rates in a stack, in a stack that others have left, and alone."""
    few = np.array([RUNS - 2, 1])
    _require_any_stack(subject)
    for components in subject.cases:
        for dtype in DTYPES:
            stacked, lr, losses = stack(components, dtype), _lr(RUNS, dtype), _losses(RUNS, dtype)
            state = stacked.init(lr)
            together = _rates(stacked, lr, 20, losses[:10], state)
            left = {name: array[few].copy() for name, array in state.items()}
            together += _rates(stacked, lr, 20, losses[10:], state, first=10)
            fewer = _rates(take(stacked, few), lr[few], 20, [loss[few] for loss in losses[10:]], left, first=10)
            for rate, whole in zip(fewer, together[10:], strict=True):
                require_same(
                    rate,
                    whole[few],
                    f"{subject.where('rate')} of runs {few.tolist()} changes when others leave",
                    _ADVICE,
                )
            for run, component in enumerate(components):
                own = [loss[[run]] for loss in losses]
                for rate, whole in zip(_rates(stack([component], dtype), lr[[run]], 20, own), together, strict=True):
                    require_same(
                        whole[[run]],
                        rate,
                        f"{subject.where('rate')} of run {run} in a stack is not that alone",
                        _ADVICE,
                    )


def _require_any_stack(subject: Subject) -> None:
    """Refuse other rates of a run in a large stack, and much later, than in parts of the stack and alone."""
    components = [subject.stacks[0][run % RUNS] for run in range(_MANY_RUNS)]
    stacked, lr, losses = stack(components, float), _lr(_MANY_RUNS, float), _losses(_MANY_RUNS, float)
    whole = _long(stacked, lr, losses)
    for runs in map(np.array, (*map(np.arange, _STACKS), [0], [_MANY_RUNS - 1])):
        part = _long(take(stacked, runs), lr[runs], [loss[runs] for loss in losses])
        require_same(
            np.array(part),
            np.array(whole)[:, runs],
            f"{subject.where('rate')} of a run in a stack of {_MANY_RUNS} is not that in one of {len(runs)}",
            _ADVICE,
        )


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    for components in subject.stacks:
        training.check_alone("schedule", components)


def _lr(runs: int, dtype: Any) -> Array:
    return np.geomspace(1e-4, 1.0, runs).reshape(runs, 1).astype(dtype)


def _losses(runs: int, dtype: Any) -> list[Array]:
    """Return 110 losses ``(runs, 1)`` that fall, stay and rise, each run in its own order."""
    rng = np.random.default_rng(0)
    falling = np.repeat(np.geomspace(10, 0.1, 11), 10)[:, None] * rng.choice([1.0, 1.0, 1.5, 0.7], size=(110, runs))
    return list(falling.astype(dtype)[..., None])


def _rates(
    schedule: Any,
    lr: Array,
    epochs: int,
    losses: list[Array],
    state: dict[str, Array] | None = None,
    first: int = 0,
    every: int = 1,
) -> list[Array]:
    """Return the rates before each epoch and after the last, as the trainer asks for them; at most one for each loss.

    Args:
        schedule: of a stack.
        lr: the learning rates.
        epochs: number of epochs of the training.
        losses: from epoch ``first`` on.
        state: state before epoch ``first``, or None for a new one.
        first: number of epochs that were trained before.
        every: number of epochs from one measurement of the loss to the next; it is measured after the last too.
    """
    state = schedule.init(lr) if state is None else state
    rates = []
    for epoch, loss in enumerate(losses[: epochs + 1 - first], first):
        if epoch % every == 0 or epoch == epochs:
            schedule.measured(loss, epoch, state)
        rates.append(np.array(schedule.rate(lr, epoch, epochs, state)))
    return rates


def _long(schedule: Any, lr: Array, losses: list[Array]) -> list[Array]:
    """Return rates of a long training, in which losses are measured now and then."""
    state = schedule.init(lr)
    rates = []
    for number, epoch in enumerate(sorted(_TIMES)):
        schedule.measured(losses[number % len(losses)], epoch, state)
        rates.append(np.array(schedule.rate(lr, epoch, _LONG, state)))
    return rates


CHECKS = (
    Check(pure),  # first, because others would hide that calls are counted
    Check(shapes),
    Check(finite),
    Check(precision),
    Check(effective, effects.without_parameters),
    Check(resumes),
    Check(nothing_kept),
    Check(stacking),
    Check(trained),
)

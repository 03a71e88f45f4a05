"""Checks of schedules of the learning rate."""

import copy
import itertools
import pickle
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.stacking import stack, take
from chainrule.testing import training
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import require_array, require_same
from chainrule.testing.subjects import DTYPES, RUNS, Subject
from chainrule.testing.table import Check

_EPOCHS = (1, 2, 10, 100)
_MEASURED_EVERY = (1, 3)  # epochs
_ADVICE = "compute each run's rate from its own row, and keep everything in state"


def shapes(subject: Subject) -> None:
    """Rates are ``(runs, 1)`` in the dtype of the learning rate, before each epoch and after the last."""
    for components in subject.stacks:
        for dtype in DTYPES:
            for runs in (1, RUNS):
                for epochs in _EPOCHS:
                    for rate in _rates(stack(components[:runs], dtype), _lr(runs, dtype), epochs, _losses(runs, dtype)):
                        require_array(subject.where("rate"), rate, (runs, 1), dtype)


def finite(subject: Subject) -> None:
    """No rate is NaN or negative, and with the defaults every rate is finite, however often losses are measured."""
    usual = np.arange(RUNS) == RUNS - 1
    for components in subject.stacks:
        for dtype in DTYPES:
            for epochs, every in itertools.product(_EPOCHS, _MEASURED_EVERY):
                rates = _rates(stack(components, dtype), _lr(RUNS, dtype), epochs, _losses(RUNS, dtype), every=every)
                for epoch, rate in enumerate(rates):
                    wrong = ~(rate[:, 0] >= 0) | (usual & np.isinf(rate[:, 0]))  # others may grow without bound
                    if wrong.any():
                        run = int(np.flatnonzero(wrong)[0])
                        raise FindingError(
                            f"{subject.where('rate')} is {float(rate[run, 0]):g} after {epoch} of {epochs} epochs "
                            f"({components[run]}, lr = {float(_lr(RUNS, dtype)[run, 0]):g}, losses measured every "
                            f"{every}); rates are finite and >= 0.",
                            rate=rate[run, 0],
                        )


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
    for components in subject.stacks:
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


CHECKS = (
    Check(shapes),
    Check(finite),
    Check(pure),
    Check(resumes),
    Check(nothing_kept),
    Check(stacking),
    Check(trained),
)

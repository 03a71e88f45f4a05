"""How long a step of each contender of a comparison takes, measured under equal conditions when all runs have ended.

On each target there is a stack of tuned runs of each contender, as many for all. Stacks take turns in one process, with
one thread of BLAS, round after round: what disturbs a round disturbs all of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import cycle, islice

from chainrule.config.settings import settings_from_config
from chainrule.errors import ConfigurationError, RecordError, sentence
from chainrule.records.comparison import Comparison
from chainrule.records.run import read_record
from chainrule.records.sweep import Sweep
from chainrule.records.timing import CellEntry, Timing
from chainrule.registry.registry import Registry
from chainrule.runs.execute import stopwatch
from chainrule.runs.prepare import Prepared, prepare, run_structure
from chainrule.sweep.execution.plan import LEAST

_ROUNDS = 21
_TURN = 0.003  # seconds that a turn should take
_BYTES = 1 << 27  # of the data of all stacks on a target, of which training makes several copies
_LIMIT = 10.0  # seconds after which no further round begins, shared by all targets; the first round is always whole


def measure(sweep: Sweep, registry: Registry, largest: int | None = None) -> Timing:
    """Measure the steps of all contenders; an error, such as that of a plugin, is told in the note.

    Args:
        sweep: the record of a comparison whose runs have ended.
        registry: of their components.
        largest: runs of a stack, at most; None for the usual number.
    """
    comparison, count = sweep.comparison, min(LEAST, largest or LEAST)
    assert comparison is not None
    try:
        places = range(len(comparison.targets))
        cells = [cell for place in places for cell in _cells(sweep, comparison, place, count, registry)]
    except Exception as error:
        return Timing(runs=count, cells=[], note=f"The time of a step was not measured: {sentence(error)}")
    return Timing(runs=count, cells=cells, note="")


def rounds(watches: Sequence[Callable[[int], float]], most: Sequence[int], limit: float) -> list[list[float]]:
    """Return the seconds of an epoch in each round.

    Args:
        watches: train a stack for some epochs and return the seconds of that, as
            :class:`chainrule.engine.trainer.Stopwatch` does.
        most: epochs of a turn, at most, for each of them.
        limit: seconds after which no further round begins.
    """
    end = time.perf_counter() + limit
    # The first epoch of a stack fills caches, and a plugin may compile something.
    brief = [(watch(1), watch(1))[1] for watch in watches]
    turns = [
        (watch, max(1, min(epochs, math.ceil(_TURN / max(seconds, 1e-9)))), list[float]())
        for watch, epochs, seconds in zip(watches, most, brief, strict=True)
    ]
    for number in range(_ROUNDS):
        if number and time.perf_counter() > end:
            break
        first = number % len(turns)  # another one each time
        for watch, epochs, found in turns[first:] + turns[:first]:
            found.append(max(watch(epochs), 1e-9) / epochs)  # a coarse clock may have stood still
    return [found for _, _, found in turns]


def _cells(sweep: Sweep, comparison: Comparison, target: int, count: int, registry: Registry) -> Iterator[CellEntry]:
    """Yield the times of all contenders on one target."""
    contenders = range(len(comparison.contenders))
    (one,) = _stack(sweep, comparison, target, 0, 1, registry)
    size = (one.samples.train.nbytes + one.samples.validation.nbytes) * len(contenders)
    count = max(1, min(count, _BYTES // size))
    stacks = [_stack(sweep, comparison, target, contender, count, registry) for contender in contenders]
    epochs = [runs[0].settings.training.epochs for runs in stacks]
    watches = [stopwatch(runs) for runs in stacks]
    measured = rounds(watches, epochs, _LIMIT / len(comparison.targets))
    for contender, runs, own, watch, seconds in zip(
        comparison.contenders, stacks, epochs, watches, measured, strict=True
    ):
        samples = runs[0].samples.train.shape[1]
        updates = -(-samples // min(runs[0].settings.training.batch_size or samples, samples))
        yield CellEntry(
            target=comparison.targets[target],
            contender=contender,
            seconds=[float(f"{each / updates / count:.4g}") for each in seconds],
            updates=updates,
            gradients=float(f"{watch.gradients:.4g}"),
            epochs=own,
        )


def _stack(
    sweep: Sweep, comparison: Comparison, target: int, contender: int, count: int, registry: Registry
) -> list[Prepared]:
    """Return tuned runs of a contender, of all tunings in turn; some of them several times if there are too few.

    Raises:
        ConfigurationError: all have failed, or they are no single stack.
    """
    tunings = [comparison.tuned(target, contender, tuning) for tuning in range(comparison.taken(contender))]
    found: list[Prepared] = []
    for number in (own[seed] for seed in range(comparison.seeds) for own in tunings):
        with suppress(RecordError):
            configuration = read_record(sweep.place(number)).manifest.configuration
            found.append(prepare(settings_from_config(configuration, registry)))
        if len(found) == count:
            break
    which = f"{comparison.contenders[contender]} on {comparison.targets[target]}"
    if not found:
        raise ConfigurationError(f"all tuned runs of {which} failed.")
    if len({run_structure(run) for run in found}) > 1:
        raise ConfigurationError(f"the tunings of {which} differ in more than numbers, so that their steps do, too.")
    return list(islice(cycle(found), count))

"""Checks of targets."""

import pickle
from typing import Any

import numpy as np

from chainrule.components.contracts import Array, Target
from chainrule.errors import ConfigurationError
from chainrule.testing import effects, randomness
from chainrule.testing.comparing import require_same
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check

_ROWS = 60
_MANY_ROWS = 1000
_DECLARED = ("inputs", "outputs", "task", "low", "high", "samples", "standardized")
_DRAWS = 24  # after which an equal generator must still give the same
_SEEDS = 32  # of which not all may give the same rows
# Sums in another order and matrix products of another size change the last bits; nothing else may.
_ROUNDING = 1e-9


def declared(subject: Subject) -> None:
    """``inputs``, ``outputs``, their names, ``task``, ``low``, ``high`` and ``samples`` make sense."""
    for target in subject.variants:
        found = {name: getattr(target, name) for name in ("inputs", "outputs", "low", "high", "samples")}
        found["task"] = target.resolved_task
        where = f"{subject.cls.__qualname__}, {target}"
        for name in ("inputs", "outputs"):
            if type(found[name]) is not int or found[name] < 1:
                raise FindingError(f"{where}: {name} is {found[name]!r}; it must be a whole number >= 1.")
        for name, width in (("input_names", found["inputs"]), ("output_names", found["outputs"])):
            names = getattr(target, name)
            if names and not len(names) == len(set(names)) == width:
                raise FindingError(f"{where}: {name} is {names!r}; there must be {width} different ones, or none.")
        if found["task"] not in ("regression", "classification"):
            raise FindingError(f"{where}: task is {found['task']!r}; it must be 'regression' or 'classification'.")
        if not (np.isfinite(found["low"]) and np.isfinite(found["high"]) and found["low"] < found["high"]):
            raise FindingError(
                f"{where}: low is {found['low']} and high {found['high']}; they must be the ends of an interval."
            )
        samples = found["samples"]
        if samples is not None and (type(samples) is not int or samples < 1):
            raise FindingError(
                f"{where}: samples is {samples!r}; it must be a whole number >= 1, or None for a data set."
            )
        if _is_function(subject) and samples is None:
            raise FindingError(
                f"{where}: samples is None, but a function has no rows of its own; say how many to draw."
            )


def shapes(subject: Subject) -> None:
    """``data`` returns finite floats ``(samples, inputs)`` and ``(samples, outputs)``, as many as asked for."""
    for target in subject.variants:
        for samples in (1, 2, _few(target), target.samples):
            x, y, *weights = target.data(np.random.default_rng(0), samples)
            for name, array, width in (("x", x, target.inputs), ("y", y, target.outputs)):
                where = f"{subject.where('data')} with samples = {samples}"
                if not isinstance(array, np.ndarray):
                    raise FindingError(f"{where} returns {type(array).__name__} for {name}, not an array.")
                wanted = (len(x) if samples is None else samples, width)
                if array.shape != wanted:
                    raise FindingError(f"{where} returns {name} of shape {array.shape}, not {wanted} ({target}).")
                if array.dtype.kind != "f" or not np.isfinite(array).all():
                    raise FindingError(
                        f"{where} returns {array.dtype} values for {name} that are not finite floats ({target})."
                    )
            for given in weights:
                if np.shape(given) != (len(x),) or not (np.isfinite(given).all() and np.min(given) >= 0):
                    raise FindingError(
                        f"{where} returns a third array that is no weights: {len(x)} finite numbers >= 0 ({target})."
                    )


def deterministic(subject: Subject) -> None:
    """Equal generators give equal bytes, and no other source of randomness is used or changed."""
    usual = subject.defaults[0]
    randomness.require_no_count(subject.where("data"), _draws(usual, _few(usual)), _DRAWS)
    for target in subject.variants:
        for instance in (target, pickle.loads(pickle.dumps(target))):
            for samples in (_few(target), target.samples):
                randomness.require_deterministic(subject.where("data"), _draws(instance, samples))


def seeds(subject: Subject) -> None:
    """Where rows are drawn, generators of other seeds give other rows."""
    for target in subject.variants:
        # Other numbers of samples than elsewhere: it may have kept what it drew.
        if randomness.uses_generator(_draws(target, max(1, _few(target) - 2))):
            draws = _draws(target, max(1, _few(target) - 3))
            randomness.require_other_seeds_to_differ(subject.where("data"), draws, _SEEDS)


def effective(subject: Subject) -> None:
    """Every parameter changes what is drawn or declared."""
    usual = subject.defaults[0]
    usual.data(np.random.default_rng(0), usual.samples if usual.samples is None else _ROWS)  # or nothing can be seen

    def observe(target: Any) -> tuple[bytes, ...]:
        try:
            data = target.data(np.random.default_rng(0), target.samples if target.samples is None else _ROWS)
        except ConfigurationError as error:
            return (str(error).encode(),)
        return (repr([getattr(target, name) for name in _DECLARED]).encode(), *(array.tobytes() for array in data))

    effects.require_effects(subject, observe)


def function(subject: Subject) -> None:
    """Rows that ``data`` draws lie between ``low`` and ``high`` and have the outputs that ``__call__`` gives."""
    for target, rows in (*((target, _ROWS) for target in subject.variants), (subject.defaults[0], _MANY_ROWS)):
        x, y, *_ = target.data(np.random.default_rng(0), rows)
        if x.min() < target.low or x.max() > target.high:
            raise FindingError(
                f"{subject.where('data')} draws inputs from {x.min():.6g} to {x.max():.6g}, but low and high are "
                f"{target.low:g} and {target.high:g} ({target}); correct one of them."
            )
        _require_close(
            f"{subject.where('data')} returns other outputs than {subject.where('__call__')}", y, target(x.copy())
        )


def row_by_row(subject: Subject) -> None:
    """``__call__`` leaves its input alone, keeps nothing, and each output follows from its own row."""
    for target, rows in (*((target, _ROWS) for target in subject.variants), (subject.defaults[0], _MANY_ROWS)):
        x = target.data(np.random.default_rng(0), rows)[0]
        kept = x.copy()
        x.flags.writeable = False
        where = subject.where("__call__")
        whole = np.array(target(x))
        require_same(x, kept, f"{where} changes its input", "compute into an array of its own")
        other = np.array(target(x[::-1].copy()))
        require_same(
            np.array(target(x)), whole, f"{where} gives something else for the same input later", "keep nothing"
        )
        _require_close(f"{where} gives other outputs when rows are reversed", other[::-1], whole)
        _require_close(
            f"{where} gives other outputs when a row comes alone", np.array(target(x[7:8].copy())), whole[7:8]
        )


def labels(subject: Subject) -> None:
    """The outputs of a classification are one-hot, or 0 and 1 where there is one output."""
    for target in subject.variants:
        if target.resolved_task != "classification":
            continue
        y = target.data(np.random.default_rng(0), None if target.samples is None else _MANY_ROWS)[1]
        wrong = ~np.isin(y, (0, 1)).all(axis=1)
        if y.shape[1] > 1:
            wrong |= y.sum(axis=1) != 1
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise FindingError(
                f"{subject.where('data')} gives row {at} the outputs {y[at].tolist()} ({target}); a classification "
                "has one-hot outputs, or a single one that is 0 or 1."
            )


def subsets(subject: Subject) -> None:
    """A draw from a data set gives some of its rows, none more often than it has; too many rows are refused."""
    for target in subject.variants:
        everything, again = (np.column_stack(_part(target, seed, None)) for seed in (0, 2))
        if everything.tobytes() == again.tobytes():
            columns = slice(None)
        elif np.array_equal(everything[:, : target.inputs], again[:, : target.inputs]):
            columns = slice(target.inputs)  # labels are drawn
        else:
            columns = slice(0)
        for samples in dict.fromkeys(
            (1, min(7, _few(target)), _few(target), max(1, len(everything) - 1), len(everything))
        ):
            _require_subset(subject, everything[:, columns], np.column_stack(_part(target, 1, samples))[:, columns])
        try:
            _part(target, 0, len(everything) + 1)
        except ConfigurationError:
            continue
        raise FindingError(
            f"{subject.where('data')} does not refuse {len(everything) + 1} rows of {len(everything)}; raise "
            "ConfigurationError."
        )


def _require_subset(subject: Subject, everything: Array, chosen: Array) -> None:
    count: dict[bytes, int] = {}
    for row in everything:
        count[row.tobytes()] = count.get(row.tobytes(), 0) + 1
    for row in chosen:
        count[row.tobytes()] = count.get(row.tobytes(), 0) - 1
    if min(count.values()) < 0:
        raise FindingError(
            f"{subject.where('data')} returns, among {len(chosen)} rows, some that the data set lacks or has less "
            "often; choose without replacement, and keep inputs and outputs together."
        )


def _part(target: Any, seed: int, samples: int | None) -> tuple[Array, ...]:
    return tuple(target.data(np.random.default_rng(seed), samples))


def _draws(target: Any, samples: int | None) -> randomness.Draws:
    return lambda rng: dict(zip(("x", "y", "weights"), target.data(rng, samples), strict=False))


def _few(target: Any) -> int:
    """Return a number of rows smaller than that of a data set."""
    if target.samples is not None:
        return _ROWS
    return max(1, min(_ROWS, len(target.data(np.random.default_rng(0), None)[0]) - 1))


def _require_close(what: str, actual: Any, expected: Array) -> None:
    if np.shape(actual) != expected.shape:
        raise FindingError(f"{what}: shape {np.shape(actual)} instead of {expected.shape}.")
    wrong = ~(np.abs(actual - expected) <= _ROUNDING * (1 + np.abs(expected)))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise FindingError(
            f"{what}: {actual[at]:.9g} instead of {expected[at]:.9g} in row {at[0]}; each output must follow from its "
            "own row.",
            returned=actual[at],
            expected=expected[at],
        )


def _is_function(subject: Subject) -> bool:
    return subject.cls.__call__ is not Target.__call__


def _no_function(subject: Subject) -> str:
    return "" if _is_function(subject) else "it is a data set, not a function"


def _no_data_set(subject: Subject) -> str:
    return "it draws as many rows as are asked for" if subject.defaults[0].samples is not None else ""


def _no_classes(subject: Subject) -> str:
    return "" if any(target.resolved_task == "classification" for target in subject.variants) else "it is a regression"


def _nothing_drawn(subject: Subject) -> str:
    few = [(target, max(1, _few(target) - 1)) for target in subject.variants]
    drawn = any(randomness.uses_generator(_draws(target, samples)) for target, samples in few)
    return "" if drawn else "it draws nothing at random"


def _of_a_file(subject: Subject) -> str:
    """Return why nobody can say that a parameter does nothing."""
    cls: Any = subject.cls
    return "what its parameters change depends on the file" if cls.reads else effects.without_parameters(subject)


CHECKS = (
    Check(declared),
    Check(deterministic),  # before others, because others would hide that calls are counted
    Check(shapes),
    Check(seeds, _nothing_drawn),
    Check(effective, _of_a_file),
    Check(function, _no_function),
    Check(row_by_row, _no_function),
    Check(labels, _no_classes),
    Check(subsets, _no_data_set),
)

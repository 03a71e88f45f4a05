"""What a run ended with, and where another training of it parts from that."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves, one_nan
from chainrule.engine.reason import Reason
from chainrule.records.environment import environment
from chainrule.records.manifest import PluginEntry, RunManifest
from chainrule.records.result import Result
from chainrule.records.run import Record, named_weights
from chainrule.registry.versions import changes

_DECIDE = ("python", "platform", "processor", "blas", "chainrule", "numpy", "git_commit")  # of the environment


@dataclass(frozen=True)
class Original:
    """What a run ended with.

    Attributes:
        weights: what its record keeps beside curves, see :meth:`chainrule.Record.weights`.
        curves: its curves.
        reason: why it stopped.
        epochs: how many epochs it trained.
        metrics: final losses and scores; None for a value that is not finite.
        digest: SHA-256 of its data.
        start: SHA-256 of the file with the parameters that it began with, those of another run; empty if they were
            drawn, or that is not known.
        environment: what it was trained with; empty if that is not known.
        plugins: likewise, by ``distribution:entry point``.
    """

    weights: Mapping[str, Array]
    curves: Curves
    reason: Reason
    epochs: int
    metrics: Mapping[str, float | None]
    digest: str
    start: str
    environment: Mapping[str, Any]
    plugins: Mapping[str, PluginEntry]

    @classmethod
    def of_record(cls, record: Record) -> Self:
        """Return what a record says.

        Raises:
            RecordError: a file of the record is missing or was changed.
        """
        known = record.manifest
        return cls(
            weights=record.weights(),
            curves=record.curves(),
            reason=known.reason,
            epochs=known.epochs,
            metrics=known.metrics,
            digest=known.data.digest,
            start=begun_with(known),
            environment=known.environment,
            plugins=known.plugins,
        )

    @classmethod
    def of_result(cls, result: Result) -> Self:
        """Return what a run of this process came to."""
        return cls(
            weights=named_weights(result),
            curves=result.curves,
            reason=result.reason,
            epochs=result.epochs,
            metrics=_finite(result.metrics),
            digest=result.samples.digest,
            start=result.origin.weights if result.origin else "",
            environment={},
            plugins={},
        )


@dataclass(frozen=True)
class Difference:
    """Where a training parts from the original.

    Attributes:
        first: the first step that may have been different, from 1; 0: before any step.
        last: the first step that was different, at the latest; less than ``first`` where no step was, but what was kept
            of them.
        where: the curves that show it first, by name; empty if none does.
        tensors: the largest absolute difference of each weight, bias or the like at the end, by name; NaN if the shapes
            or the names are not the same. Equal ones are left out.
        metrics: the metrics that differ, before and now.
    """

    first: int
    last: int
    where: tuple[str, ...]
    tensors: Mapping[str, float]
    metrics: Mapping[str, tuple[float | None, float | None]]

    def __str__(self) -> str:
        shown = f" ({', '.join(self.where)})" if self.where else ""
        begin = (
            f"before the first step{shown}"
            if not self.last
            else f"only in what it ended with{shown}"
            if self.first > self.last
            else f"in step {self.last}{shown}"
            if self.first == self.last
            else f"in one of the steps {self.first} to {self.last}{shown}"
        )
        ends = [f"{name} by {size:.3g}" for name, size in self.tensors.items()]
        at_end = f"; at the end {', '.join(ends[:6])}{' and more' if len(ends) > 6 else ''}" if ends else ""
        scores = [f"{name} was {_shown(was)}, is {_shown(now)}" for name, (was, now) in self.metrics.items()]
        return f"it differs {begin}{at_end}{f'; {scores[0]}' if scores else ''}"


def difference(original: Original, result: Result, per_epoch: int) -> Difference | None:
    """Return where a training of the same run parts from the original; None if it ends in the same bits.

    A record has its parameters at the end and its curves on the way. So the first step that differs lies between two
    points of the curves.

    Args:
        original: what the run ended with.
        result: what it came to when it was trained again.
        per_epoch: steps of an epoch.
    """
    tensors = dict(_tensors(original.weights, named_weights(result)))
    metrics = _other(original.metrics, _finite(result.metrics))
    old, new = original.curves, result.curves
    points = min(len(old.epochs), len(new.epochs))
    for at in range(points):
        where = _unequal(old, new, at)
        if where:
            first = int(old.epochs[at - 1]) * per_epoch + 1 if at else 0
            return Difference(first, int(old.epochs[at]) * per_epoch, where, tensors, metrics)
    same_end = (len(old.epochs), original.reason, original.epochs) == (len(new.epochs), result.reason, result.epochs)
    if not (tensors or metrics) and same_end:
        return None
    last = int(old.epochs[points - 1]) if points else 0
    where = () if same_end else (f"it stopped by {original.reason} after epoch {original.epochs}, now by "
                                 f"{result.reason} after epoch {result.epochs}",)  # fmt: skip
    return Difference(last * per_epoch + 1, max(original.epochs, result.epochs) * per_epoch, where, tensors, metrics)


def begun_with(manifest: RunManifest) -> str:
    """Return the SHA-256 of the parameters of the run that a recorded run started from; empty if it was none."""
    start = manifest.get("start")
    return str(start.get("weights", "")) if isinstance(start, dict) else ""


def changed(original: Original, plugins: Mapping[str, PluginEntry], result: Result) -> list[str]:
    """Return what is not as it was when the original was trained, one phrase each.

    Args:
        original: the run.
        plugins: those that it has now.
        result: what it came to now.
    """
    old, now = original.environment, environment()
    known = [name for name in _DECIDE if name in old]
    found = changes({name: old[name] for name in known}, {name: now.get(name, "unknown") for name in known})
    if original.plugins:
        before, after = (_versions(each) for each in (original.plugins, plugins))
        found += changes(before, after, "plugin ")
    found += changes({"data": original.digest}, {"data": result.samples.digest})
    if original.start and result.origin:
        name = "parameters of training.start"
        found += changes({name: original.start}, {name: result.origin.weights})
    return found


def _versions(plugins: Mapping[str, PluginEntry]) -> dict[str, str]:
    return {name: f"{entry.version} {entry.sha256}".lstrip() for name, entry in plugins.items()}


def _unequal(old: Curves, new: Curves, at: int) -> tuple[str, ...]:
    """Return the recorded curves that differ at a point, or ``epoch`` if that does."""
    if old.epochs[at] != new.epochs[at]:
        return ("epoch",)
    return tuple(name for name, own in old.values.items() if not _same(own, new.values.get(name), at))


def _same(old: Array, new: Array | None, at: int) -> bool:
    return new is not None and old[at].tobytes() == new[at].tobytes()


def _tensors(old: Mapping[str, Array], new: Mapping[str, Array]) -> Iterator[tuple[str, float]]:
    for name in dict.fromkeys([*old, *new]):
        one, other = old.get(name), new.get(name)
        if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
            yield name, math.nan
        elif one.dtype.kind not in "f":
            if not np.array_equal(one, other):
                yield name, math.nan
        elif one_nan(one).tobytes() != one_nan(other).tobytes():
            with np.errstate(all="ignore"):
                yield name, float(np.abs(one.astype(float) - other.astype(float)).max())


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _other(
    old: Mapping[str, float | None], new: Mapping[str, float | None]
) -> dict[str, tuple[float | None, float | None]]:
    names = dict.fromkeys([*old, *new])
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"

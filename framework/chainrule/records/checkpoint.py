"""Checkpoints on disk: from where a training that broke off goes on, checked when they are read."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.choice import Engine
from chainrule.engine.curves import Curves
from chainrule.engine.layers import States
from chainrule.engine.machine import Checkpoint
from chainrule.engine.reason import Reason
from chainrule.engine.trainer import Course, Trained
from chainrule.engine.trajectory import Snapshot
from chainrule.errors import RecordError
from chainrule.files.atomic import sync_folder, write_whole
from chainrule.files.reading import read_within
from chainrule.records.kept import FOLDER, MARK, files_in

_KEPT = 2  # the newest, and the one before, in case that is damaged
_ARRAY = "__array__"  # key of what stands for an array in the text
_DTYPES = "biufc"  # kinds of arrays that are kept


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was read.

    Attributes:
        path: its file.
        about: what was written about the runs, as plain data.
        checkpoint, course: from where training goes on.
        damaged: newer files that are not whole, and were passed over.
    """

    path: Path
    about: Mapping[str, Any]
    checkpoint: Checkpoint
    course: Course
    damaged: tuple[Path, ...] = ()


def write_checkpoint(
    directory: Path, about: Mapping[str, Any], checkpoint: Checkpoint, course: Course, synced: bool = True
) -> Path:
    """Write a checkpoint beside the one before, and remove those before that.

    Args:
        directory: of the run, or of the first run of a stack.
        about: what to know about the runs, as plain data.
        checkpoint: from where training goes on.
        course: what else has become of it so far.
        synced: whether it must survive a power failure; if not, its checksum reveals the damage.

    Raises:
        OSError: it cannot be written.
    """
    arrays: list[Array] = []
    text = {"about": about, "checkpoint": _plain(_of_checkpoint(checkpoint), arrays), "course": None}
    text["course"] = _plain(_of_course(course), arrays)
    text["arrays"] = [[array.dtype.str, list(array.shape)] for array in arrays]
    parts = [json.dumps(text).encode() + b"\n", *map(np.ascontiguousarray, arrays)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)  # type: ignore[arg-type]  # an array is a buffer
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"epoch-{checkpoint.epoch:010d}"
    write_whole(path, b"".join([MARK, digest.hexdigest().encode(), b"\n", *parts]), synced)  # type: ignore[list-item]
    if synced:
        sync_folder(folder)
    for older in files_in(directory)[_KEPT:]:
        older.unlink(missing_ok=True)
    return path


def read_checkpoint(directory: Path) -> Saved | None:
    """Return the newest checkpoint that is whole; None if there is none.

    Raises:
        RecordError: there are some, and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in files_in(directory):
        try:
            content = _content(path)
        except RecordError:
            damaged.append(path)
            continue
        return Saved(path, content["about"], content["checkpoint"], content["course"], tuple(damaged))
    if damaged:
        raise RecordError(f"{damaged[0]} is damaged, and no other checkpoint of the run is whole.")
    return None


def _content(path: Path) -> dict[str, Any]:
    """Read a file.

    Raises:
        RecordError: it is damaged, or another version wrote it.
    """
    try:
        first, text, rest = _split(read_within(path.parent, path.name))
        digest = hashlib.sha256(text + b"\n" + rest).hexdigest()
        if first != MARK + digest.encode():
            raise ValueError("its checksum is another")
        content = json.loads(text)
        arrays = _arrays(content["arrays"], rest)
        return {
            "about": content["about"],
            "checkpoint": _to_checkpoint(_filled(content["checkpoint"], arrays)),
            "course": _to_course(_filled(content["course"], arrays)),
        }
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}.") from None


def _split(content: bytes) -> tuple[bytes, bytes, bytes]:
    first, _, rest = content.partition(b"\n")
    text, _, rest = rest.partition(b"\n")
    return first, text, rest


def _arrays(described: Sequence[Any], content: bytes) -> list[Array]:
    """Return the arrays that lie one after the other in a file, as copies that can be changed."""
    arrays, start = [], 0
    for name, shape in described:
        dtype = np.dtype(str(name))
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in _DTYPES or min(shape, default=0) < 0 or start + size > len(content):
            raise ValueError("arrays do not fit the file")
        arrays.append(np.frombuffer(content, dtype, math.prod(shape), start).reshape(shape).copy())
        start += size
    if start != len(content):
        raise ValueError("there is more in it than arrays")
    return arrays


def _plain(value: Any, arrays: list[Array]) -> Any:
    """Return nested data with a number in the place of each array, which is added to the list."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _DTYPES:
            raise RecordError(f"an array of {value.dtype} cannot be kept in a checkpoint: states must hold numbers.")
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, arrays) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _filled(value: Any, arrays: Sequence[Array]) -> Any:
    """Return nested data with its arrays."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _filled(item, arrays) for key, item in value.items()}
    return [_filled(item, arrays) for item in value] if isinstance(value, list) else value


def _of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return _entries(checkpoint) | {"states": _of_states(checkpoint.states)}


def _to_checkpoint(content: dict[str, Any]) -> Checkpoint:
    return Checkpoint(**content | {"states": _to_states(content["states"])})


def _of_course(course: Course) -> dict[str, Any]:
    ended = [[run, _of_trained(end)] for run, end in course.ended.items()]
    snapshots = [_entries(point) | {"states": _of_states(point.states)} for point in course.snapshots]
    return _entries(course) | {
        "best_states": _of_states(course.best_states),
        "ended": ended,
        "snapshots": snapshots,
    }


def _to_course(content: dict[str, Any]) -> Course:
    ended = {int(run): _to_trained(end) for run, end in content["ended"]}
    snapshots = tuple(Snapshot(**point | {"states": _to_states(point["states"])}) for point in content["snapshots"])
    every, seen = content["spread"]
    states = {"best_states": _to_states(content["best_states"])}
    return Course(**content | states | {"ended": ended, "spread": (every, seen), "snapshots": snapshots})


def _of_trained(end: Trained) -> dict[str, Any]:
    curves = {"epochs": end.curves.epochs, "values": end.curves.values}
    # Of a run that has ended before others of its stack nobody draws a trajectory.
    without = {"checkpoint": None, "trajectory": None}
    return _entries(end) | {"states": _of_states(end.states), "curves": curves, **without}


def _to_trained(content: dict[str, Any]) -> Trained:
    gradients, losses = content["evaluations"]
    return Trained(
        **content
        | {
            "states": _to_states(content["states"]),
            "curves": Curves(**content["curves"]),
            "reason": Reason(content["reason"]),
            "engine": Engine(content["engine"]),
            "evaluations": (gradients, losses),
        }
    )


def _entries(data: Any) -> dict[str, Any]:
    return {field.name: getattr(data, field.name) for field in fields(data)}


def _of_states(states: States) -> list[Any]:
    return [[layer, group, arrays] for (layer, group), arrays in states.items()]


def _to_states(content: list[Any]) -> States:
    return {(int(layer), str(group)): arrays for layer, group, arrays in content}

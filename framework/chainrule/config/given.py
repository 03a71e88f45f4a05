"""Data that a Python program gives: the overrides that stand for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ConfigurationError, counted
from chainrule.files.in_memory import MARK, Frame
from chainrule.files.words import hydra_text
from chainrule.records.sweep import split_override
from chainrule.registry.loaded import installed

_PATH = "target.path"


def with_data(overrides: Sequence[str], data: Any) -> tuple[tuple[str, ...], Frame | None]:
    """Return overrides by which a run learns data in memory, and the frame to give; as they are without data.

    Args:
        overrides: as typed. Unless they choose a target, it is the one that reads data frames.
        data: a data frame, or a pair ``(X, y)``: arrays or data frames, ``(samples, features)``, and ``(samples,)`` or
            ``(samples, outputs)``; None for nothing.

    Raises:
        ConfigurationError: the data are neither, or the overrides name a file as well.
    """
    if data is None:
        return tuple(overrides), None
    typed = dict(map(split_override, overrides))
    if _PATH in typed:
        raise ConfigurationError(f"{_PATH}={typed[_PATH]} and data=... are two sources of data; give one of them.")
    if "," in typed.get("target", ""):
        raise ConfigurationError(f"target={typed['target']} are several, but data=... are one: leave target out.")
    named, registry = typed.get("target", ""), installed()
    if named in registry.names("target") and not getattr(registry.find("target", named), "reads_frames", False):
        raise ConfigurationError(f"target={named} reads no data, but data=... are given: leave one of them out.")
    table, labels, is_categorical = _table(data)
    frame = Frame.of(table)
    added = [] if "target" in typed else [f"target={_reader()}"]
    added.append(f"{_PATH}={frame.path}")
    if labels and "target.label" not in typed:
        added.append(f"target.label=[{','.join(map(hydra_text, labels))}]")
    if is_categorical and "target.task" not in typed:
        added.append("target.task=classification")
    return (*added, *overrides), frame


def given_again(directory: Path, arguments: Sequence[str], data: Any) -> Frame | None:
    """Return the frame of the data of a sweep or run that is to be finished; None if it reads no data in memory.

    Args:
        directory: of the sweep or run.
        arguments: as typed when it was started.
        data: as of :func:`with_data`.

    Raises:
        ConfigurationError: these are other data, they are missing, or it has none in memory.
    """
    typed = dict(split_override(text) for text in arguments if "=" in text)
    path = typed.get(_PATH, "")
    if not path.startswith(MARK):
        if data is not None:
            raise ConfigurationError(f"{directory} was started without data=..., so it is finished without.")
        return None
    digest = path.removeprefix(MARK)
    if data is None:
        raise ConfigurationError(
            f"{directory} learns data in memory (SHA-256 {digest}...): give them again, "
            "chainrule.resume(directory, data=...)."
        )
    _, frame = with_data((), data)
    assert frame
    if frame.path != path:
        raise ConfigurationError(
            f"{directory} learns other data than these: SHA-256 {digest}... there, "
            f"{frame.path.removeprefix(MARK)}... here."
        )
    return frame


def _reader() -> str:
    registry = installed()
    for name in registry.names("target"):
        if getattr(registry.find("target", name), "reads_frames", False):
            return name
    raise ConfigurationError("no target that is installed reads data in memory.")


def _table(data: Any) -> tuple[Any, list[str], bool]:
    """Return a data frame, the names of its labels (none: its last column), and whether these are categories."""
    import pandas as pd  # here, because it is slow to import

    if isinstance(data, pd.DataFrame):
        return data, [], False
    if not isinstance(data, tuple) or len(data) != 2:
        raise ConfigurationError(f"data must be a data frame of pandas, or a pair (X, y), not {type(data).__name__}.")
    features, labels = (_frame(part, letter) for part, letter in zip(data, ("x", "y"), strict=True))
    if len(features) != len(labels):
        raise ConfigurationError(f"data=(X, y): X has {counted(len(features), 'row')}, y has {len(labels)}.")
    taken, names = set(map(str, features.columns)), []
    for name in map(str, labels.columns):
        while name in taken:
            name += "_"
        names.append(name)
        taken.add(name)
    labels.columns = names
    is_categorical = len(names) == 1 and isinstance(labels.dtypes.iloc[0], pd.CategoricalDtype)
    return pd.concat([features, labels], axis=1), names, is_categorical


def _frame(part: Any, letter: str) -> Any:
    """Return ``X`` or ``y`` as a data frame whose columns have names."""
    import pandas as pd

    if isinstance(part, pd.Series):
        part = part.to_frame(letter if part.name is None else part.name)
    if isinstance(part, pd.DataFrame):
        return part.reset_index(drop=True)
    array = np.asarray(part)
    if array.ndim == 1 and letter == "y":
        return pd.DataFrame({letter: array})
    if array.ndim != 2:
        wanted = "(samples, features)" if letter == "x" else "(samples,) or (samples, outputs)"
        name = letter.upper() if letter == "x" else letter
        raise ConfigurationError(f"data=(X, y): {name} must have the shape {wanted}, not {array.shape}.")
    return pd.DataFrame(array, columns=[f"{letter}{number}" for number in range(1, array.shape[1] + 1)])

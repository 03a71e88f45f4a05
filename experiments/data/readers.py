"""How long do libraries take to read a table, and how much memory, beside ``target=table``?

``python experiments/data/readers.py FOLDER`` writes three files of numbers into the folder, reads each several times by
each way, every time in a process of its own, and prints a table in Markdown.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SHAPES = [(1_000_000, 10), (20, 10_000), (20, 60_000)]
WAYS = ["pandas", "pyarrow", "polars", "target=table"]
_MB = 1e6 if sys.platform == "darwin" else 1e3  # in units of ru_maxrss


def write(path: Path, rows: int, columns: int) -> None:
    """Write standard normal numbers with all their digits, and whole numbers as the label."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*(f"c{number}" for number in range(columns - 1)), "y"]) + "\n")
        for first in range(0, rows, 1000):
            for row in rng.normal(size=(min(1000, rows - first), columns - 1)).tolist():
                file.write(",".join(map(repr, row)) + f",{len(str(row[0]))}\n")


def read(way: str, path: str) -> tuple[int, ...]:
    """Read a file into an array of float64 and return its shape."""
    if way == "pandas":
        import pandas as pd

        return pd.read_csv(path).to_numpy(float).shape
    if way == "pyarrow":
        from pyarrow import csv

        found = csv.read_csv(path, csv.ReadOptions(block_size=1 << 27))  # a row may not be longer than a block
        return np.column_stack([column.to_numpy() for column in found.columns]).astype(float).shape
    if way == "polars":
        import polars as pl

        return pl.read_csv(path).to_numpy().astype(float).shape
    from chainrule_targets.table import Table

    x, y = Table(path=path).rows()
    return x.shape[0], x.shape[1] + y.shape[1]


def measured(way: str, path: Path) -> tuple[float, float]:
    """Return seconds, without those of imports, and the peak of memory in MB of a process that reads a file.

    Both are infinite where the process has not ended after two minutes.
    """
    words = [sys.executable, __file__, "--one", way, str(path)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    except subprocess.TimeoutExpired:
        return float("inf"), float("inf")
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def one(way: str, path: str) -> None:
    """Read a small file first, so that imports are done, then the file, and print seconds and MB."""
    small = Path(path).with_name("small.csv")
    read(way, str(small))
    begin = time.perf_counter()
    read(way, path)
    print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    write(given.folder / "small.csv", 20, 3)
    print("| read by | " + " | ".join(f"{rows:,} x {columns:,}" for rows, columns in SHAPES) + " |")
    print("|---|" + "---|" * len(SHAPES))
    paths = []
    for rows, columns in SHAPES:
        paths.append(given.folder / f"{rows}x{columns}.csv")
        write(paths[-1], rows, columns)
    for way in WAYS:
        cells = []
        for path in paths:
            found = [measured(way, path) for _ in range(given.times)]
            seconds, peak = (statistics.median(column) for column in zip(*found, strict=True))
            cells.append(f"{seconds:.3g} s, {peak:,.0f} MB")
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

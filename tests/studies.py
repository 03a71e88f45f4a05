"""What the tests of the studies share: run a study's small version, read its tables, load its script."""

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import forking

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def load(study: str, script: str) -> ModuleType:
    """Return the script of a study as a module."""
    specification = importlib.util.spec_from_file_location(f"{study}_{script}", EXPERIMENTS / study / f"{script}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def small(study: str, script: str) -> tuple[str, list[list[str]]]:
    """Run the small version of a study in the working directory; return what it printed, and the rows of its tables.

    Args:
        study: its folder.
        script: in that folder, without its ending; ``compared`` for the study's comparison.
    """
    own = [EXPERIMENTS / "compared.py", study] if script == "compared" else [EXPERIMENTS / study / f"{script}.py"]
    done = forking.python(*own, "--quick")
    assert (done.returncode, done.stderr) == (0, "")
    (figure,) = Path().glob("*.png")
    assert (EXPERIMENTS / study / figure.name).stat().st_size < 100_000
    rows = [_cells(line) for line in done.stdout.splitlines() if line.startswith("| ")]
    return done.stdout, [row for row in rows if row[0] != "---"]


def table(printed: str, corner: str) -> dict[str, dict[str, str]]:
    """Return the printed table whose first cell is ``corner``: names of rows to names of columns to cells."""
    lines = iter(printed.splitlines())
    columns = _cells(next(line for line in lines if line.startswith(f"| {corner} |")))
    next(lines)  # the line below the head
    below = map(_cells, itertools.takewhile(lambda line: line.startswith("| "), lines))
    return {row[0]: dict(zip(columns, row, strict=True)) for row in below}


def _cells(line: str) -> list[str]:
    return line.strip("| ").split(" | ")

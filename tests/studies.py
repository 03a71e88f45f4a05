"""What the tests of the studies share: run a study's small version, read its tables, load its script."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def load(study: str, script: str) -> ModuleType:
    """Return the script of a study as a module."""
    specification = importlib.util.spec_from_file_location(f"{study}_{script}", EXPERIMENTS / study / f"{script}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def small(study: str, script: str) -> tuple[str, list[list[str]]]:
    """Run the small version of a study in the working directory; return what it printed, and the rows of its tables."""
    command = [sys.executable, EXPERIMENTS / study / f"{script}.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (figure,) = Path().glob("*.png")
    assert (EXPERIMENTS / study / figure.name).stat().st_size < 60_000
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    return done.stdout, [row for row in rows if row[0] != "---"]

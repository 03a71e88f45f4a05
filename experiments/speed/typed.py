"""What does ``chainrule`` as it is typed cost?  ``python experiments/speed/typed.py [PYTHON]``.

The command with nothing after it, in a process of its own: first on a machine, where nothing is in the user's cache; in
a further project; and once more in the same project. Parts of it are switched off in turn. With the interpreter of an
environment that has an older version, both versions take turns. Times are of CPU, of all threads and processes.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROUNDS = 5
FIRST, PROJECT, AGAIN = "first on a machine", "first in a project", "once more"
PARTS = {  # once more, with parts switched off
    "without pictures": ["pictures=[]"],
    "nor tracking": ["pictures=[]", "tracking=none"],
    "nor training": ["pictures=[]", "tracking=none", "training.epochs=0"],
}


def seconds(python: str, arguments: list[str], project: Path, cache: Path) -> float:
    """Return the CPU time of the command in a folder, with the cache of a user."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "CHAINRULE_CACHE": str(cache)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        [python, "-m", "chainrule", *arguments], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(python: str) -> Iterator[tuple[str, float]]:
    """Yield what each use of the command takes, on a machine that has never seen it."""
    with tempfile.TemporaryDirectory(prefix="typed.") as folder:
        cache, one, other = (Path(folder, name) for name in ("cache", "one", "other"))
        for project in (one, other):
            project.mkdir()
            (project / "pyproject.toml").touch()  # which makes it a project of its own
        yield FIRST, seconds(python, [], one, cache)
        yield PROJECT, seconds(python, [], other, cache)
        yield AGAIN, seconds(python, [], other, cache)
        for name, arguments in PARTS.items():
            yield name, seconds(python, arguments, other, cache)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?", help="the interpreter of an environment with another version of chainrule")
    parser.add_argument("--quick", action="store_true", help="one round, to see that it works")
    given = parser.parse_args()
    versions = {**({"before": given.python} if given.python else {}), "now": sys.executable}
    taken: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in versions}
    for number in range(1 if given.quick else ROUNDS + 1):
        for name, python in list(versions.items())[:: 1 if number % 2 else -1]:
            for use, found in measured(python):
                if number or given.quick:  # the first round compiles modules
                    taken[name][use].append(found)
    cells = [f"s of CPU, {name}" for name in versions] + (["times that of before"] if given.python else [])
    print(f"| `chainrule` | {' | '.join(cells)} |\n|{'---|' * (len(cells) + 1)}")
    for use in (FIRST, PROJECT, AGAIN, *PARTS):
        each = [np.array(found[use]) for found in taken.values()]
        cells = [f"{np.median(own):.2f}" for own in each]
        if given.python:
            ratios = each[1] / each[0]
            cells.append(f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")
        print(f"| {use} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

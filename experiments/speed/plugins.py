"""What do many installed components cost?  ``python experiments/speed/plugins.py``.

Made-up distributions lie in a folder on the path. Commands with and without them take turns, each in a process of its
own; of the CPU time of each the least counts, since other work on the machine only adds.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

DISTRIBUTIONS, EACH = 30, 5  # activations and as many optimizers
COMMANDS = {
    "`chainrule --help`": ["--help"],
    "`chainrule --cfg job`": ["--cfg", "job"],
    "a run of no epochs": ["training.epochs=0", "tracking=none"],
    "completion": ["-sc", "query=bash"],
}
GOAL_START, GOAL_JOB = 0.3, 2.0  # seconds; milliseconds

MODULE = """
from dataclasses import dataclass
from typing import Annotated
import numpy as np
from annotated_types import Gt, Interval, doc
from chainrule import Activation, Optimizer, hookimpl
"""
OPTIMIZER = '''
@dataclass(frozen=True)
class Optimizer{0}(Optimizer):
    """Descends."""
    lr: Annotated[float, Gt(0), doc("learning rate")] = 1e-3
    beta: Annotated[float, Interval(ge=0, lt=1), doc("decay")] = 0.9
    eps: Annotated[float, Gt(0), doc("added to the denominator")] = 1e-8
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad
'''
ACTIVATION = '''
@dataclass(frozen=True)
class Activation{0}(Activation):
    """Bends."""
    alpha: Annotated[float, Gt(0), doc("steepness")] = 1.0
    def forward(self, z):
        return np.tanh(self.alpha * z)
    def slope(self, z, a):
        return self.alpha * (1 - a * a)
'''
HOOK = """
@hookimpl
def chainrule_{0}s():
    return [{1}]
"""


def install(folder: Path, distributions: int, each: int) -> None:
    """Write distributions with that many activations and optimizers each."""
    for number in range(distributions):
        numbers = range(number * each, (number + 1) * each)
        names = {kind: ", ".join(f"{kind}{i}" for i in numbers) for kind in ("Activation", "Optimizer")}
        source = MODULE + "".join(ACTIVATION.format(i) + OPTIMIZER.format(i) for i in numbers)
        source += "".join(HOOK.format(kind.lower(), classes) for kind, classes in names.items())
        (folder / f"many_{number}.py").write_text(source)
        information = folder / f"many_{number}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[chainrule]\nmany_{number} = many_{number}\n")


def seconds(arguments: list[str], path: str, where: Path) -> float:
    """Return the CPU time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "chainrule", *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")]),
        "COMP_LINE": "chainrule optimizer=ada",
        "COMP_POINT": "23",  # what the shell says when it completes
    }
    subprocess.run(command, cwd=where, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def dry(jobs: int) -> list[str]:
    """Return the arguments that compose, check and list that many jobs, and train none."""
    seeds = f"seed=range({jobs // 4})"
    return ["-m", seeds, "optimizer=adam,momentum", "optimizer.lr=0.01,0.1", "hydra.sweeper.dry_run=true"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show in seconds that everything works")
    quick = parser.parse_args().quick
    turns, (few, many) = (1, (4, 40)) if quick else (7, (40, 4000))
    paths = ("few", "many")
    with tempfile.TemporaryDirectory() as scratch:
        for name in paths:
            Path(scratch, name).mkdir()
        install(Path(scratch, "many"), *((2, 2) if quick else (DISTRIBUTIONS, EACH)))

        def least(arguments: list[str]) -> dict[str, float]:
            """Return the CPU time without and with the components."""
            times = {name: seconds(arguments, str(Path(scratch, name)), Path(scratch)) for name in paths}
            for _ in range(turns - 1):
                for name in paths:
                    times[name] = min(times[name], seconds(arguments, str(Path(scratch, name)), Path(scratch)))
            return times

        if not quick:
            least(["--help"])  # compiles the modules
        print("| s of CPU | built-in components | 300 more | difference |\n|---|---|---|---|")
        for title, arguments in COMMANDS.items():
            times = least(arguments)
            print(row(title, times, times["many"] - times["few"], GOAL_START, 3))
        small, large = least(dry(few)), least(dry(many))
        jobs = {name: 1000 * (large[name] - small[name]) / (many - few) for name in paths}
        print("\n| ms of CPU a job | built-in components | 300 more | difference |\n|---|---|---|---|")
        print(row("composition and checks", jobs, jobs["many"] - jobs["few"], GOAL_JOB, 3))


def row(title: str, values: dict[str, float], difference: float, goal: float, digits: int) -> str:
    met = "met" if difference < goal else "missed"
    cells = [f"{values['few']:.{digits}f}", f"{values['many']:.{digits}f}"]
    return f"| {title} | {' | '.join(cells)} | {difference:.{digits}f} (goal {goal:g}: {met}) |"


if __name__ == "__main__":
    main()

"""What a stranger's distribution finds where chainrule is installed from its wheel, as ``.ci/run`` runs it.

    python elsewhere.py MENAGERIE

The environment of this Python holds the wheels of chainrule, with the extra ``joblib``, and of ``chainrule-menagerie``,
with its extra ``test``; MENAGERIE is a copy of the latter's folder, for its tests. The working directory is empty. At
the end the menagerie is not installed any more, and a plugin that was written here is.

The folder ``yesterday`` beside this file was written by ``chainrule new-plugin`` of version 0.1 (with other names for
three components, which built-in ones have now), with an example of
every kind. It must work unchanged.
"""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

BIN = Path(sys.executable).parent
NAME = "chainrule-menagerie"
VERSION = version(NAME)
COMPONENTS = [
    "activation=squareplus",
    "loss=cauchy",
    "optimizer=adabelief",
    "target=ishigami",
    "initializer=sparse",
]
EXPERIMENT, VARIANT = "experiment=ishigami", "optimizer=adabelief_bold"
RUN = [EXPERIMENT, "training.epochs=10", "tracking=none"]
SWEEP = ["-m", *RUN, "seed=0,1", "optimizer=adabelief,adabelief_bold", "activation=squareplus,tanh"]
JOBS = 8


def require(condition: object, complaint: str) -> None:
    """End with a complaint unless the condition holds."""
    if not condition:
        sys.exit(f"elsewhere.py: {complaint}")


def run(*words: str | Path, code: int = 0, folder: str | Path = ".", **variables: str) -> subprocess.CompletedProcess:
    """Run a command, which ends with the exit code."""
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=folder, env={**os.environ, **variables}, timeout=600, check=False
    )
    command = shlex.join(map(str, words))
    require(
        done.returncode == code,
        f"`{command}` ended with {done.returncode}, not {code}, and said:\n{done.stdout}{done.stderr}",
    )
    return done


def chainrule(*words: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess:
    """Run the command."""
    return run(BIN / "chainrule", *words, code=code, **variables)


def records(folder: str, distribution: str, jobs: int) -> Iterator[Path]:
    """Return the directories of the records of a sweep; all name the version of a distribution."""
    found = sorted(path.parent for path in Path(folder).glob("*/manifest.json"))
    require(len(found) == jobs, f"{folder} holds {len(found)} records of {jobs}.")
    importlib.invalidate_caches()  # it may have been installed meanwhile
    wanted = f"{distribution} {version(distribution)}"
    for place in found:
        plugins = json.loads((place / "manifest.json").read_text())["plugins"]
        named = {f"{plugin.partition(':')[0]} {entry['version']}" for plugin, entry in plugins.items()}
        require(wanted in named, f"{place} names {named}, not {wanted}.")
        yield place


def require_equal(one: Path, other: Path) -> None:
    """Compare what was trained, byte by byte."""
    for name in ("weights.npz", "curves.npz"):
        require((one / name).read_bytes() == (other / name).read_bytes(), f"{name} of {one} and {other} differ.")


def check_what_is_installed() -> None:
    """The wheel is what is imported."""
    place = run(sys.executable, "-c", "import chainrule; print(chainrule.__file__)").stdout.strip()
    require(Path(place).is_relative_to(sys.prefix), f"chainrule is imported from {place}, not from {sys.prefix}.")


def check_lists() -> None:
    """The help and ``chainrule plugins`` list what it brings."""
    told = chainrule("--help").stdout
    for choice in (*COMPONENTS, EXPERIMENT):
        group, _, name = choice.partition("=")
        row = re.search(rf"^  {group} +(.*)$", told, re.MULTILINE)
        require(row and name in row[1].split(", "), f"the help lacks {choice}:\n{told}")
    told = chainrule("plugins").stdout
    require(f"{NAME} {VERSION}, entry point menagerie: ok" in told, f"`chainrule plugins` lacks {NAME}:\n{told}")
    for choice in COMPONENTS:
        require(f"  {choice}: " in told, f"`chainrule plugins` lacks {choice}:\n{told}")


def check_completion() -> None:
    """Completion offers everything that it brings."""
    for choice in (*COMPONENTS, EXPERIMENT, VARIANT):
        line = f"chainrule {choice[:-3]}"
        offered = chainrule("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line))).stdout.split()
        require(choice in offered, f"completion of `{line}` offers {offered}, not {choice}.")


def check_runs() -> None:
    """A stacked sweep leaves the bytes of single runs, and so does Hydra's launcher of other processes."""
    chainrule(*SWEEP, "hydra.sweep.dir=stacked")
    chainrule(*SWEEP, "hydra.sweep.dir=joblib", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    both = zip(records("stacked", NAME, JOBS), records("joblib", NAME, JOBS), strict=True)
    for number, (stacked, other) in enumerate(both):
        require_equal(stacked, other)
        if number % 3 == 0:  # every value of every axis is among these
            overrides = json.loads((stacked / "manifest.json").read_text())["overrides"]
            chainrule(*overrides, f"hydra.run.dir=single/{number}")
            require_equal(stacked, Path("single", str(number)))


def check_kit() -> None:
    """Its own tests pass, those of the kit among them."""
    told = run(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", folder=sys.argv[1]).stdout
    for choice in COMPONENTS:
        require(choice in told, f"the kit has not checked {choice}:\n{told}")
    chainrule("check", NAME)


def check_yesterday() -> None:
    """A plugin that ``chainrule new-plugin`` of version 0.1 wrote can be installed, passes its tests and trains."""
    folder = Path("yesterday")
    shutil.copytree(Path(__file__).with_name("yesterday"), folder)
    check_package("chainrule-yesterday", folder)
    # A plugin that has the same examples is written next.
    run(sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", "chainrule-yesterday")


def check_new_plugin() -> None:
    """A plugin that ``chainrule new-plugin`` writes can be installed, passes its tests and trains."""
    from chainrule.cli.new_plugin import kinds

    chainrule("new-plugin", "sanctuary", *(word for kind in kinds() for word in ("--kind", kind)))
    check_package("chainrule-sanctuary", Path("chainrule-sanctuary"))


def check_package(distribution: str, folder: Path) -> None:
    """Install a package that ``chainrule new-plugin`` wrote, run its tests, and train with all its components."""
    run(sys.executable, "-m", "pip", "install", "--quiet", f"./{folder}[test]")
    run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", folder=folder)
    chosen = re.findall(r"^chainrule (\w+=\w+)$", (folder / "README.md").read_text(), re.MULTILINE)
    sweep = f"sweep-{folder}"
    chainrule("-m", *chosen, "seed=0,1", "training.epochs=5", f"hydra.sweep.dir={sweep}")
    list(records(sweep, distribution, 2))


def check_what_is_missed() -> None:
    """Where it was uninstalled, a name of it is unknown, and resuming a sweep says which version is missing."""
    run(sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", NAME)
    for choice in (COMPONENTS[0], EXPERIMENT, VARIANT):
        told = chainrule(choice, "tracking=none", code=1).stderr
        require(f"{choice} is unknown" in told and told.count("\n") == 1, f"`chainrule {choice}` says: {told}")
    Path("stacked", "0", "manifest.json").unlink()
    told = chainrule("resume", "stacked", code=1).stderr
    require(NAME in told and VERSION in told and told.count("\n") == 1, f"resuming without {NAME} says: {told}")


CHECKS: tuple[Callable[[], None], ...] = (
    check_what_is_installed,
    check_lists,
    check_completion,
    check_runs,
    check_kit,
    check_yesterday,
    check_new_plugin,
    check_what_is_missed,
)

if __name__ == "__main__":
    for check in CHECKS:
        begin = time.perf_counter()
        check()
        print(f"{time.perf_counter() - begin:5.1f} s  {check.__doc__}", flush=True)

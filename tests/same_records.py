"""Do two checkouts of the project leave the same records?

``python tests/same_records.py BEFORE [AFTER] [--runs 100] [--seed 0] [--ignore title,...] [--no-pictures]
[--no-reports]``

For changes that must not change results, such as those of structure or speed. Random configurations, the same for both,
are trained by the checkout in the folder BEFORE and by that in AFTER (by default the one that this file lies in), and
every file that they leave is compared. Prints one line a way of training; the exit code is 1 if anything is different.
The libraries are those of the Python that runs this; it need not have the project installed.

Files are compared byte by byte, but for what says when, how long, where, and by which source: of ``manifest.json`` the
keys in ``OF_ATTEMPT`` and the versions and SHA-256 of plugins, of ``sweep.json`` likewise, the times in logs, and what
it costs in comparisons, the section Conditions of reports. Folders of the attempt are replaced by their roles. A change
that is meant to show, such as of titles, is left out by ``--ignore`` (dotted keys of ``manifest.json``),
``--no-pictures`` (which show titles) and ``--no-reports``.
"""

import argparse
import importlib.util
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import processes
from random_runs import TABLES, Overrides, configuration, sweep, table

MANIFEST, SWEEP, ERROR = "manifest.json", "sweep.json", "error.txt"
OF_ATTEMPT = {
    # The identity contains the SHA-256 of plugins; what lies beside is compared itself.
    MANIFEST: ("started", "seconds", "stack", "environment", "identity", "beside", "checksum", "format"),
    SWEEP: ("key", "times", "started", "finished", "state.code", "environment", "beside", "checksum", "format"),
    "failure.json": ("checksum", "format"),
    "comparison.json": ("cost",),
}
UNCOMPARED = {
    ".sweep.lock",
    "checksums.json",
    "optuna.log",
    "timing.json",
}  # no results: a lock, a study that says when, and how long
SHOWN = 5  # differing files of each way of training

TRAIN = """
import json, sys, traceback
from pathlib import Path
import chainrule

for directory, overrides in json.loads(Path(sys.argv[1]).read_text()).items():
    try:
        chainrule.run(*overrides, directory=directory)
    except Exception:
        Path(directory).mkdir(parents=True, exist_ok=True)
        (Path(directory) / "error.txt").write_text(traceback.format_exc())
"""
# The folders of this checkout come first on the path; those of another one that is installed must not be there at all,
# because Hydra finds plugins in every folder called hydra_plugins.
SITE = """
import sys
from pathlib import Path

OWN = Path(__file__).parents[1]
sys.path[:] = [
    entry for entry in sys.path
    if OWN in Path(entry).parents or "site-packages" in entry
    or not any([*Path(entry).glob("chainrule*/__init__.py"), *Path(entry).glob("hydra_plugins/chainrule_*.py")])
]
"""


class Side:
    """One of the two checkouts, with a folder for its records.

    Args:
        role: the name of the folder; those of both sides are equally long, because some files break lines by length.
        checkout: a folder with the project.
        scratch: where the folder is made.
    """

    def __init__(self, role: str, checkout: Path, scratch: Path) -> None:
        self.role, self.checkout, self.folder = role, checkout, scratch / role
        self.records = self.folder / "records"
        self.records.mkdir(parents=True)
        for file in TABLES.values():
            (self.records / file).write_text(table(file))
        code, packages = self.folder / "code", self.folder / "packages"
        code.symlink_to(checkout)
        _install(code, packages)
        paths = (packages, code / "framework", code / "plugins")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHAINRULE_")}
        self.environment = {**inherited, "PYTHONPATH": os.pathsep.join(map(str, paths))}

    def call(self, *arguments: str, place: str) -> None:
        """Run Python with this checkout until it ends; if it fails, ``error.txt`` in ``place`` says so."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.records, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            self._failed(place, done.stdout + done.stderr)

    def command(self, *arguments: str, place: str) -> None:
        """Run the command ``chainrule``, likewise."""
        self.call("-m", "chainrule", *arguments, place=place)

    def broken_off(self, *arguments: str, place: str) -> None:
        """Begin a sweep, kill all its processes as soon as there is a record, and take one away."""
        words = (sys.executable, "-m", "chainrule", *arguments)
        with processes.running(*words, folder=self.records, environment=self.environment) as process:
            found: list[Path] = []

            def has_begun() -> bool:
                found[:] = self.records.glob(f"{place}/*/{MANIFEST}")
                return bool(found) or process.poll() is not None

            processes.wait_until(has_begun)
            if found:
                os.killpg(process.pid, signal.SIGKILL)
        if found:
            found[0].unlink()  # so that there is always something left to train
        else:
            self._failed(place, f"the sweep ended with {process.returncode} before there was a record")

    def _failed(self, place: str, text: str) -> None:
        (self.records / place).mkdir(parents=True, exist_ok=True)
        (self.records / place / ERROR).write_text(text)


def _install(code: Path, packages: Path) -> None:
    """Write what makes Python see the checkout as an installed distribution, whatever else is installed."""
    project = tomllib.loads((code / "pyproject.toml").read_text())["project"]
    information = packages / f"{project['name']}-{project['version']}.dist-info"
    information.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (information / "METADATA").write_text(metadata)
    groups = project["entry-points"].items()
    lines = [line for group, entries in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in entries.items()))]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (packages / "sitecustomize.py").write_text(SITE)


Task = Callable[[Side], None]


def tasks(runs: int, seed: int) -> list[Task]:
    """Return what each side has to do, the same for both; each task leaves its records below a way of training."""
    rng = random.Random(seed)
    configurations = {f"run/{number:03}": ["tracking=none", *configuration(rng)] for number in range(runs)}
    groups = [dict(list(configurations.items())[start::4]) for start in range(min(4, runs))]
    sweeps = [sweep(rng, number) for number in range(max(3, runs // 12))]
    return [
        *(_notebook(number, group) for number, group in enumerate(groups)),
        *(_command(number, each) for number, each in enumerate(list(configurations.values())[::10])),
        *(_sweep(f"sweep/{number}", each) for number, each in enumerate(sweeps)),
        _resumed(rng),
        _comparison(rng),
        *([_search(rng)] if importlib.util.find_spec("optuna") else []),
    ]


def _notebook(number: int, group: Mapping[str, Overrides]) -> Task:
    def task(side: Side) -> None:
        listing = side.folder / f"{number}.json"
        listing.write_text(json.dumps(group))
        side.call("-c", TRAIN, str(listing), place=f"run/group {number}")

    return task


def _command(number: int, overrides: Overrides) -> Task:
    place = f"command/{number}"
    return lambda side: side.command(*overrides, f"hydra.run.dir={place}", place=place)


def _sweep(place: str, overrides: Overrides) -> Task:
    return lambda side: side.command("-m", "tracking=none", *overrides, f"hydra.sweep.dir={place}", place=place)


def _resumed(rng: random.Random) -> Task:
    seed, place = rng.randrange(1000), "resumed/0"
    typed = [f"seed=range({seed},{seed + 10})", "activation=tanh,relu", "training.epochs=100", "tracking=none"]
    options = ["hydra.launcher.stack=2", f"hydra.sweep.dir={place}"]

    def task(side: Side) -> None:
        side.broken_off("-m", *typed, *options, place=place)
        side.command("resume", place, place=place)

    return task


def _comparison(rng: random.Random) -> Task:
    place = "comparison/0"
    contenders = ",".join(rng.sample(["tanh", "relu", "sigmoid", "silu", "elu"], 2))
    options = ["--targets=sine,two_moons", "--budget=3", "--tuning-seeds=2", "--seeds=6"]
    options.append(f"--random-seed={rng.randrange(100)}")
    typed = [f"activation={contenders}", "training.epochs=6", "tracking=none", f"hydra.sweep.dir={place}"]
    return lambda side: side.command("compare", *typed, *options, place=place)


def _search(rng: random.Random) -> Task:
    options = ["hydra/sweeper=stacked_optuna", "hydra.sweeper.trials=8", "hydra.sweeper.batch=4"]
    space = ["optimizer.lr=tag(log,interval(1e-4,1))", "activation=tanh,relu", "seed=0,1", "training.epochs=6"]
    return _sweep("search/0", [*options, f"hydra.sweeper.sampler_seed={rng.randrange(100)}", *space])


# Comparison


@dataclass(frozen=True)
class Looking:
    """What is looked at.

    Attributes:
        ignored: dotted keys of ``manifest.json`` that may be different.
        unseen: endings of files that may be different, such as ``.png``.
    """

    ignored: Collection[str] = ()
    unseen: Collection[str] = ()


@dataclass(frozen=True)
class Verdict:
    """What came of the comparison of one way of training.

    Attributes:
        folders: how many were compared: one a record, one for the files of a sweep itself.
        records: how many of them hold a record.
        different: files that are not equal, by folder: name and what differs in it.
    """

    folders: int
    records: int
    different: Mapping[str, Sequence[str]]

    @property
    def same(self) -> bool:
        """Whether there was something to compare, and all of it is equal."""
        return self.records > 0 and not self.different


def compare(before: Path, after: Path, roots: tuple[Path, Path], looking: Looking) -> Verdict:
    """Compare the records below two folders.

    Args:
        before: one of them.
        after: the other.
        roots: the folders of the two sides, whose names do not count.
        looking: at what.
    """
    files = [{path.relative_to(folder): path for path in _files(folder, looking)} for folder in (before, after)]
    names = sorted(files[0].keys() | files[1].keys())
    different: dict[str, list[str]] = {}
    for name in names:
        paths = [side.get(name) for side in files]
        found = _differences(paths[0], paths[1], roots, looking)
        if found:
            different.setdefault(_folder(name), []).append(f"{name}: {found}")
    records = {name.parent for name in names if name.name == MANIFEST}
    return Verdict(len({_folder(name) for name in names}), len(records), different)


def _files(folder: Path, looking: Looking) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in UNCOMPARED and path.suffix not in looking.unseen:
            yield path


def _folder(name: Path) -> str:
    """Return the folder of the record that a file belongs to."""
    return (name.parent.parent if name.parent.name in (".hydra", "pictures") else name.parent).as_posix()


def _differences(before: Path | None, after: Path | None, roots: tuple[Path, Path], looking: Looking) -> str:
    """Return what is different in two files, empty if nothing is; None stands for a file that is not there."""
    for path, side in ((before, "before"), (after, "after")):
        if path and path.name == ERROR:
            return f"failed {side}: {(path.read_text().strip().splitlines() or [''])[-1]}"
    if before is None or after is None:
        return "only before" if after is None else "only after"
    one, other = (_content(path, root) for path, root in zip((before, after), roots, strict=True))
    if one == other:
        return ""
    try:
        found = [_parts(before.name, content, looking) for content in (one, other)]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, yaml.YAMLError) as error:
        return f"bytes, and one cannot be read: {error}"
    keys = [key for key in dict.fromkeys([*found[0], *found[1]]) if found[0].get(key) != found[1].get(key)]
    if not keys:  # of JSON, what is left out may be all that is different
        return "" if before.suffix == ".json" else "bytes"
    return ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")


def _content(path: Path, root: Path) -> bytes:
    """Return the bytes of a file, without what says when and where."""
    content = path.read_bytes()
    if path.suffix in (".png", ".npz"):
        return content
    for folder, role in ((root.resolve(), b"ROOT"), ((root / "code").resolve(), b"CHECKOUT")):
        content = content.replace(str(folder).encode(), role)
    if path.suffix == ".log":  # [2026-11-28 16:51:39,438][chainrule.runs][WARNING] - ...
        return re.sub(rb"^\[[^]]*\]\[[^]]*\]", b"", content, flags=re.MULTILINE)
    if path.suffix == ".html":
        return re.sub(rb'<dl>.*?</dl>|<section id="cost">.*?</section>', b"", content, flags=re.DOTALL)
    return content


def _parts(name: str, content: bytes, looking: Looking) -> dict[str, Any]:
    """Return what must be equal of a file by key; nothing where a file has no keys."""
    if name.endswith(".json"):
        return _entries(name, json.loads(content), looking)
    if name.endswith(".yaml"):
        return _flat(yaml.safe_load(content))
    if name.endswith(".npz"):
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {key: (array.dtype.str, array.shape, array.tobytes()) for key, array in archive.items()}
    return {}


def _entries(name: str, content: Any, looking: Looking) -> dict[str, Any]:
    if name == MANIFEST:
        content["plugins"] = sorted(content["plugins"])
        content["files"] = {k: v for k, v in content["files"].items() if Path(k).suffix not in looking.unseen}
    ignored = {*OF_ATTEMPT.get(name, ()), *(looking.ignored if name == MANIFEST else ())}
    return {
        key: value
        for key, value in _flat(content).items()
        if not any(key == each or key.startswith(f"{each}.") for each in ignored)
    }


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested data by dotted keys, in which the entries of lists have numbers; types count, so 1 is not 1.0."""
    if isinstance(content, Mapping) and content:
        return {k: v for key, value in content.items() for k, v in _flat(value, f"{prefix}{key}.").items()}
    if isinstance(content, list) and content:
        return {k: v for key, value in enumerate(content) for k, v in _flat(value, f"{prefix}{key}.").items()}
    return {prefix.removesuffix("."): repr(content)}


# Command


def main() -> None:
    """Train with both checkouts, compare, and exit."""
    options = _options()
    where = nullcontext(str(options.keep)) if options.keep else tempfile.TemporaryDirectory(prefix="same-records-")
    with where as name:
        scratch = Path(name).resolve()  # as Python has it where the temporary folder is a link
        sides = [Side("before", options.before, scratch), Side("after_", options.after, scratch)]
        work = [(task, side) for task in tasks(options.runs, options.seed) for side in sides]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda each: each[0](each[1]), work))
        unseen = [ending for ending, chosen in ((".png", options.no_pictures), (".html", options.no_reports)) if chosen]
        looking = Looking(options.ignore, unseen)
        roots = (sides[0].folder, sides[1].folder)
        ways = sorted({path.name for side in sides for path in side.records.iterdir() if path.is_dir()})
        verdicts = {way: compare(*(side.records / way for side in sides), roots, looking) for way in ways}
    for way, verdict in verdicts.items():
        print(told(way, verdict))
    sys.exit(not all(verdict.same for verdict in verdicts.values()))


def told(way: str, verdict: Verdict) -> str:
    """Return the line of a way of training, and below it some of the files that are different."""
    counts = f"{verdict.folders} folders with {verdict.records} records compared"
    lines = [f"{way}: {counts}, {verdict.folders - len(verdict.different)} same, {len(verdict.different)} different"]
    files = [file for found in verdict.different.values() for file in found]
    files.sort(key=lambda file: f"{ERROR}: " not in file)  # what explains all others comes first
    lines += [f"  {file}" for file in files[:SHOWN]]
    if len(files) > SHOWN:
        kinds = Counter(Path(file.partition(": ")[0]).name for file in files)
        lines.append("  in all " + ", ".join(f"{count} {name}" for name, count in kinds.most_common()))
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("before", type=_checkout, metavar="BEFORE", help="a checkout of the project")
    parser.add_argument(
        "after", type=_checkout, metavar="AFTER", nargs="?", default=str(Path(__file__).parents[1]), help="another one"
    )
    parser.add_argument("--runs", type=_number, default=100, metavar="N", help="random configurations (default: 100)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="from which they follow (default: 0)")
    parser.add_argument(
        "--ignore", type=lambda text: text.split(","), default=[], metavar="KEYS",
        help=f"keys of {MANIFEST} that may be different, such as title,metrics.train/r2",
    )  # fmt: skip
    parser.add_argument("--no-pictures", action="store_true", help="do not compare pictures")
    parser.add_argument("--no-reports", action="store_true", help="do not compare reports")
    parser.add_argument("--keep", type=_new, metavar="DIR", help="a new folder in which all records are kept")
    return parser.parse_args()


def _checkout(text: str) -> Path:
    folder = Path(text).resolve()
    if not (folder / "framework" / "chainrule").is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no checkout of the project: it has no framework/chainrule.")
    return folder


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on.")
    return int(text)


def _new(text: str) -> Path:
    if Path(text).exists():
        raise argparse.ArgumentTypeError(f"{text} exists already; name a new folder.")
    return Path(text)


if __name__ == "__main__":
    main()

"""Directories of strangers: nothing in them is executed, nothing outside is written or contacted, and all ends.

Each is a sweep and a run that somebody has made to do harm, with checksums that fit. Every command that opens a
directory is tried on it. It may end well or in one sentence, but in bounded time, and what lies outside stays as it is.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import socket
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli import main
from chainrule.records.entries import sealed
from chainrule.records.manifest import MANIFEST
from chainrule.records.sweep import SWEEP
from sealing import resealed, rewritten
from sizes import first

SHORT = ("training.epochs=1", "tracking=none", "data.samples=10")
SECONDS = 60  # most that a command may take on a machine that is busy; usually it is a fraction of one
CODE = "import pathlib\npathlib.Path({!r}).touch()\nimport chainrule\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chainrule.sweep("seed=0,1", *SHORT, "hydra.launcher.workers=1", directory="theirs/sweep", quiet=True)
        chainrule.run(*SHORT, directory="theirs/run")
    return folder / "theirs"


@pytest.fixture
def theirs(made, tmp_path):
    """A copy of what a stranger sends, in the folder of the project of the person who opens it."""
    (tmp_path / "pyproject.toml").touch()
    place = Path(shutil.copytree(made, tmp_path / "theirs", symlinks=True))
    resealed(place / "sweep" / SWEEP, working_directory=str(tmp_path), **of_here(place / "sweep"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("mine")
    (outside / "folder").mkdir()
    return place


def of_here(sweep):
    """The recorded arguments of a sweep that was moved here, as if it had been started here."""
    arguments = json.loads((sweep / SWEEP).read_bytes())["arguments"]
    return {"arguments": [w if not w.startswith("hydra.sweep.dir=") else f"hydra.sweep.dir={sweep}" for w in arguments]}


def arguments(place, *more):
    path = place / "sweep" / SWEEP
    resealed(path, arguments=[*json.loads(path.read_bytes())["arguments"], *more])
    broken_off(place)


def broken_off(place):
    """Let one run be missing, so that resuming trains it."""
    (place / "sweep" / "1" / MANIFEST).unlink(missing_ok=True)


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def link(path, to):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def sparse(path, size=1 << 40):
    with path.open("r+b") as file:
        file.truncate(size)


def of_weights(place, content):
    """Replace the weights of the run, with a manifest that fits."""
    (place / "run" / "weights.npz").write_bytes(content)
    files = json.loads((place / "run" / MANIFEST).read_bytes())["files"]
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewritten(place / "run", files={**files, "weights.npz": entry})


def packed(arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def overstated():
    """An archive whose array says that it has a million million numbers."""
    file = io.BytesIO()
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("W1.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    return file.getvalue()


def manifest(place, **changes):
    rewritten(place / "run", **changes)
    rewritten(place / "sweep" / "0", **changes)


def entry_of(place, name):
    return json.loads((place / "run" / MANIFEST).read_bytes())[name]


def deep(place):
    folder = os.open(place / "sweep", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def job(place, directory):
    path = place / "sweep" / SWEEP
    jobs = json.loads(path.read_bytes())["jobs"]
    resealed(path, jobs=[jobs[0], {**jobs[1], "directory": directory}])


def jobs_of(place, *words):
    path = place / "sweep" / SWEEP
    jobs = json.loads(path.read_bytes())["jobs"]
    resealed(path, jobs=[jobs[0], {**jobs[1], "overrides": [*jobs[1]["overrides"], *words]}])
    broken_off(place)


def comparison(place, **changes):
    plan = {"group": "activation", "contenders": ["tanh", "relu"], "targets": ["sine"], "space": {}, "points": 2,
            "tuning_seeds": 1, "tunings": 1, "seeds": 1, "metric": "loss", "until_decided": False, "rounds": [],
            "tuning_runs": 4, "runs": 6}  # fmt: skip
    resealed(place / "sweep" / SWEEP, comparison={**plan, **changes})


def plugin(place):
    """Code beside the sweep, where it says that it was started."""
    for folder in (place, place / "sweep"):
        (folder / "conf").mkdir()
        (folder / "plugins").mkdir()
        (folder / "plugins" / "mine.py").write_text(CODE.format(str(place.parent / "executed")))
        (folder / "conf" / "config.yaml").write_text("hydra: {callbacks: {c: {_target_: os.system}}}\n")
    resealed(place / "sweep" / SWEEP, working_directory=str(place))
    broken_off(place)


def checkpoint(place, content):
    """A checkpoint in the place of the record of the run, with a checksum that fits."""
    (place / "run" / MANIFEST).unlink()
    (place / "run" / "checkpoints").mkdir()
    text = json.dumps(content).encode()
    mark = b"chainrule checkpoint 1 " + hashlib.sha256(text + b"\n").hexdigest().encode()
    (place / "run" / "checkpoints" / "epoch-0000000001").write_bytes(mark + b"\n" + text + b"\n")


def bombs(place):
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    for path in (
        place / "run" / "configuration.yaml",
        place / "sweep" / "multirun.yaml",
        place / "sweep" / "1" / ".hydra" / "config.yaml",
    ):
        path.write_text("\n".join(lines))
    broken_off(place)


OUT = "../../outside"
HOSTILE = {
    # What is no file, or none of the directory.
    "pipes": lambda p: (fifo(p / "run" / MANIFEST), fifo(p / "sweep" / "0" / MANIFEST)),
    "a pipe for a sweep": lambda p: fifo(p / "sweep" / SWEEP),
    "a pipe among files": lambda p: (fifo(p / "run" / "weights.npz"), fifo(p / "sweep" / "0" / "curves.npz")),
    "a pipe beside": lambda p: fifo(p / "sweep" / "report.html"),
    "a pipe for checksums": lambda p: fifo(p / "sweep" / "checksums.json"),
    "a pipe for times": lambda p: os.mkfifo(p / "sweep" / "timing.json"),
    "a pipe for numbers": lambda p: os.mkfifo(p / "sweep" / "comparison.json"),
    "a pipe for a receipt": lambda p: os.mkfifo(p / "run" / "mlflow.json"),
    "a device": lambda p: (link(p / "run" / MANIFEST, "/dev/zero"), link(p / "sweep" / SWEEP, "/dev/zero")),
    "devices among files": lambda p: link(p / "run" / "weights.npz", "/dev/zero"),
    "a folder for a manifest": lambda p: (p / "run" / MANIFEST).unlink() or (p / "run" / MANIFEST).mkdir(),
    "links in a circle": lambda p: link(p / "run" / MANIFEST, MANIFEST),
    "a link out": lambda p: (
        shutil.copy(p / "run" / "weights.npz", p.parent / "outside" / "weights.npz"),
        link(p / "run" / "weights.npz", f"{OUT}/weights.npz"),
    ),
    # What is larger than it seems.
    "a sparse manifest": lambda p: (sparse(p / "run" / MANIFEST), sparse(p / "sweep" / SWEEP)),
    "sparse weights": lambda p: (
        sparse(p / "run" / "weights.npz"),
        manifest(p, files={**entry_of(p, "files"), "weights.npz": {"sha256": "0" * 64, "bytes": 1 << 40}}),
    ),
    "packed zeros": lambda p: of_weights(p, packed({"W1": np.zeros((2, 10_000_000))})),
    "an overstated array": lambda p: of_weights(p, overstated()),
    "a wide network": lambda p: manifest(p, network={"widths": [10**9, 10**9], "parameters": 1}),
    "many inputs": lambda p: manifest(p, data={**entry_of(p, "data"), "inputs": 10**12}),
    "alias bombs": bombs,
    "nested": lambda p: [(p / name).write_bytes(b"[" * 2_000_000) for name in (f"run/{MANIFEST}", f"sweep/{SWEEP}")],
    "nested in entries": lambda p: manifest(p, notes=json.loads("[" * 500 + "]" * 500)),
    "folders in folders": deep,
    "a large number": lambda p: [
        (p / name).write_bytes(b'{"format": 3, "epochs": ' + b"9" * 100_000 + b"}")
        for name in (f"run/{MANIFEST}", f"sweep/{SWEEP}")
    ],
    "a large comparison": lambda p: comparison(p, points=10**12, runs=4 * 10**12),
    "many contenders": lambda p: comparison(p, contenders=["a"] * 10**5, targets=["b"] * 10**5),
    "many trials": lambda p: resealed(p / "sweep" / SWEEP, search={"trials": 10**18, "space": {}, "seeds": ["0"]}),
    # Names.
    "NUL in a name": lambda p: manifest(p, files={**entry_of(p, "files"), "a\0b": {"sha256": "0" * 64, "bytes": 0}}),
    "half a character": lambda p: manifest(p, title="\ud800", notes=["\udfff"]),
    "a name above": lambda p: manifest(
        p, files={**entry_of(p, "files"), OUT + "/victim": {"sha256": "0" * 64, "bytes": 4}}
    ),
    "entries of other types": lambda p: manifest(p, data={**entry_of(p, "data"), "input_names": [1, {}]}),
    "a tracker that is none": lambda p: manifest(
        p, configuration={**entry_of(p, "configuration"), "tracking": {"name": "os.system"}}
    ),
    # Where runs would be trained.
    "a job above": lambda p: (job(p, OUT), broken_off(p)),
    "a job elsewhere": lambda p: job(p, str(p.parent / "outside" / "folder")),
    "a job behind a link": lambda p: link(p / "sweep" / "1", f"{OUT}/folder"),
    "a folder of Hydra behind a link": lambda p: (
        broken_off(p),
        link(p / "sweep" / "1" / ".hydra", f"{OUT}/../outside"),
    ),
    "pictures behind a link": lambda p: (broken_off(p), link(p / "sweep" / "1" / "pictures", "../../../outside")),
    "a log behind a link": lambda p: (
        broken_off(p),
        link(p / "sweep" / "1" / "chainrule.log", "../../../outside/victim"),
    ),
    "a new log behind a link": lambda p: (
        broken_off(p),
        link(p / "sweep" / "1" / "chainrule.log", "../../../outside/new"),
    ),
    "temporary names": lambda p: (
        broken_off(p),
        [
            link(p / "sweep" / "1" / f".{name}.tmp", "../../../outside/victim")
            for name in (MANIFEST, "curves.npz", "weights.npz")
        ],
        [
            link(p / "sweep" / f".{name}.tmp", f"{OUT}/victim")
            for name in (SWEEP, "report.html", "runs.csv", "checksums.json")
        ],
    ),
    "reports": lambda p: [
        link(p / "sweep" / name, f"{OUT}/victim") for name in ("report.html", "runs.csv", "checksums.json")
    ],
    "a lock": lambda p: (broken_off(p), link(p / "sweep" / ".sweep.lock", f"{OUT}/victim")),
    "a new lock": lambda p: (broken_off(p), link(p / "sweep" / ".sweep.lock", f"{OUT}/new")),
    "a folder of progress": lambda p: (broken_off(p), link(p / "sweep" / ".progress", f"{OUT}/folder")),
    # What could be executed.
    "plugins and configuration": plugin,
    "no arguments": lambda p: (resealed(p / "sweep" / SWEEP, arguments=[]), broken_off(p)),
    "a callback": lambda p: arguments(p, "+hydra.callbacks.c._target_=os.system"),
    "a handler of logs": lambda p: arguments(p, f"hydra.job_logging.handlers.file.filename={p.parent}/outside/victim"),
    "a path of configuration": lambda p: arguments(p, f"hydra.searchpath=[file://{p}]"),
    "another configuration": lambda p: arguments(p, "--config-dir", str(p)),
    "a pickle": lambda p: arguments(p, f"--experimental-rerun={p}/run/config.pickle"),
    "the environment": lambda p: arguments(p, "+hydra.job.env_set.PATH=/tmp"),
    "a launcher": lambda p: arguments(p, "+hydra.launcher._target_=os.system"),
    "a callback of a job": lambda p: jobs_of(p, "+hydra.callbacks.c._target_=os.system"),
    "a server of a job": lambda p: jobs_of(p, "tracking=mlflow", "tracking.uri=http://127.0.0.1:1"),
    "a checkpoint of other types": lambda p: checkpoint(p, {"about": 3, "checkpoint": {}, "course": {}, "arrays": []}),
    "a checkpoint of no run": lambda p: checkpoint(p, {"about": {"configuration": 3, "overrides": [{}]}}),
    "a checkpoint behind a link": lambda p: (
        (p / "run" / MANIFEST).unlink(),
        (p / "run" / "checkpoints").mkdir(),
        link(p / "run" / "checkpoints" / "epoch-0000000001", "../../../outside/victim"),
    ),
    "a pipe for a checkpoint": lambda p: (
        (p / "run" / MANIFEST).unlink(),
        (p / "run" / "checkpoints").mkdir(),
        os.mkfifo(p / "run" / "checkpoints" / "epoch-0000000001"),
    ),
    "nested words": lambda p: arguments(p, "transforms=" + "[" * 3000 + "]" * 3000),
}
FEW = ("a device", "sparse weights", "temporary names", "a lock", "plugins and configuration", "a callback of a job")
ON_SWEEP = {
    "report": lambda place: ["report", str(place / "sweep")],
    "resume": lambda place: ["resume", str(place / "sweep")],
    "sync": lambda place: ["sync", str(place / "sweep"), "--tracking", "none"],
    "doctor": lambda place: ["doctor", str(place / "sweep"), "--tracking", "none"],
    "verify": lambda place: ["verify", str(place / "sweep")],
    "export": lambda place: ["export", str(place / "sweep"), str(place / "paper.zip")],
    "delete": lambda place: ["delete", str(place / "sweep"), "--tracking", "none", "--yes"],
}
ON_RUN = {
    "predict": lambda place: ["predict", str(place / "run"), "rows.csv", "--out", "out.csv", "--overwrite"],
    "resume": lambda place: ["resume", str(place / "run")],
    "sync": lambda place: ["sync", str(place / "run"), "--tracking", "none"],
    "doctor": lambda place: ["doctor", str(place / "run"), "--tracking", "none"],
    "verify": lambda place: ["verify", str(place / "run")],
    "explain": lambda place: ["explain", str(place / "run"), "--html", str(place / "page.html")],
    "delete": lambda place: ["delete", str(place / "run"), "--tracking", "none", "--yes"],
}


def below(folder):
    return {str(path): path.lstat().st_mtime_ns for pattern in ("*", "*/*") for path in folder.glob(pattern)}


def outside(folder):
    """All that lies beside what the stranger sent."""
    found = {}
    for top in sorted(set(os.listdir(folder)) - {"theirs", "out.csv"}):
        for path in (folder / top, *(folder / top).rglob("*")):
            found[str(path)] = path.read_bytes() if path.is_file() else path.is_symlink()
    return found


@pytest.fixture
def watched(monkeypatch):
    """What was connected to, and what was executed."""
    found = []

    def refused(self, address):
        if self.family != socket.AF_UNIX:
            found.append(address)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refused)
    for name in ("system", "popen"):
        monkeypatch.setattr(os, name, found.append)
    return found


def run(words):
    """Run a command in this process; return its exit code and what it says at the end."""
    before = list(sys.argv), dict(os.environ), os.getcwd()
    sys.argv = ["chainrule", *words]
    try:
        main.main()
    except SystemExit as end:
        return (0, "") if end.code is None else (1, end.code) if isinstance(end.code, str) else (end.code, "")
    finally:
        sys.argv = before[0]
        os.environ.clear()
        os.environ.update(before[1])
        os.chdir(before[2])
        for handler in logging.getLogger().handlers[:]:
            if isinstance(handler, logging.FileHandler):  # of Hydra, which the end of the process would close
                logging.getLogger().removeHandler(handler)  # or it opens its file again when something is said
                handler.close()
    return 0, ""


@pytest.mark.parametrize("hostile", first(FEW, HOSTILE, ci=2))
def test_a_hostile_directory_harms_nobody(theirs, tmp_path, watched, capsys, hostile):
    Path("rows.csv").write_text("x1,x2\n0.5,1\n")
    earlier = below(theirs / "run")
    HOSTILE[hostile](theirs)
    before = outside(tmp_path)
    commands = ON_SWEEP if below(theirs / "run") == earlier else {**ON_SWEEP, **ON_RUN}
    for function in (chainrule.load, chainrule.outcomes_of):
        for place in (theirs / "run", theirs / "sweep"):
            try:
                found = function(place)
                repr(found)
                _ = found.links
            except (chainrule.ChainruleError, OSError):
                continue
    for name, command in commands.items():
        began = time.monotonic()
        code, said = run(command(theirs))
        assert time.monotonic() - began < SECONDS, name
        told = said + capsys.readouterr().err
        assert "Traceback" not in told, name
        assert code in (0, 1), (name, code)
        assert code == 0 or said.startswith("chainrule: "), (name, said)
        assert len(said) < 5000, name
        assert outside(tmp_path) == before, name
        assert watched == [], name


def test_what_a_stranger_sends_is_opened_resumed_and_reported_like_any_other(theirs, tmp_path):
    """So that the others fail for the reason that they name."""
    Path("rows.csv").write_text("x1,x2\n0.5,1\n")
    broken_off(theirs)
    for command in [*(ON_SWEEP[name] for name in ("resume", "report", "sync")), ON_RUN["predict"]]:
        assert run(command(theirs)) == (0, "")
    assert len(chainrule.load(theirs / "sweep")) == 2


def test_a_run_does_not_write_through_links_in_its_directory(theirs, tmp_path, watched):
    (theirs / "run" / MANIFEST).unlink()
    link(theirs / "run" / ".hydra", "../../outside/folder")
    before = outside(tmp_path)
    code, said = run([*SHORT, f"hydra.run.dir={theirs / 'run'}"])
    assert (code, outside(tmp_path)) == (1, before)
    assert ".hydra is a link; nothing is written through it" in said


def test_a_server_that_a_record_names_is_contacted_only_if_the_person_names_it(theirs, tmp_path, monkeypatch, capsys):
    sent = []
    monkeypatch.setattr(
        "chainrule_mlflow.tracker.MLflow.send_all", lambda self, records: sent.append(self.uri) or [None]
    )
    server = "http://127.0.0.1:1"
    shutil.rmtree(theirs / "sweep")
    configuration = entry_of(theirs, "configuration")
    tracking = {"name": "mlflow", "experiment": "chainrule", "uri": server}
    rewritten(theirs / "run", configuration={**configuration, "tracking": tracking})
    code, said = run(["sync", str(theirs)])
    assert (code, sent) == (1, [])
    assert "1 record was not sent" in said
    assert f"it names {server}, which is not contacted unless you know it: --allow {server}" in capsys.readouterr().err
    assert run(["sync", str(theirs), "--allow", server])[0] == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert run(["sync", str(theirs)])[0] == 0
    assert sent == [server, server]


def test_checksums_of_strangers_fit(theirs):
    """Otherwise all of the above would be refused as damaged."""
    manifest(theirs, title="changed")
    assert chainrule.load(theirs / "run").record.manifest.title == "changed"
    assert sealed({"a": 1}).startswith(b'{\n "a": 1')

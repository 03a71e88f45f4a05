"""How much longer does training take with a tracker that is dead, silent, slow or locked than with none?

    python experiments/tracking/measure.py [--seconds 70] [--repeats 3] [--only run]

Conditions follow one another in turn, so that what else the machine does meets all of them. Each is a process: a single
run, whose record is sent at its end, and a sweep, whose records are sent while it goes on.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# The command, which says at its end how long processors have worked for other threads than that which trains.
WATCHED = """
import atexit, resource, sys
from chainrule.__main__ import main

def tell():
    both = [resource.getrusage(which) for which in (resource.RUSAGE_SELF, resource.RUSAGE_THREAD)]
    whole, own = (used.ru_utime + used.ru_stime for used in both)
    print(whole - own, file=sys.stderr)

atexit.register(tell)
main()
"""
DELAY = 1.0  # seconds by which a slow server is late, each time it is asked


def command(sweep: bool, epochs: int) -> list[str]:
    """Return a run, or a sweep of 40 runs in two processes, whose time grows with the epochs."""
    words = [sys.executable, "-c", WATCHED, f"training.epochs={epochs}", "training.batch_size=16"]
    if not sweep:
        return [*words, "hydra.run.dir=r"]
    return [*words, "-m", "seed=range(40)", "hydra.launcher.stack=2", "hydra.launcher.workers=2", "hydra.sweep.dir=s"]


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the address of a server that does something with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def silent(connection: socket.socket) -> None:
    """Never answer."""
    time.sleep(3600)
    connection.close()


def late(port: int) -> Callable[[socket.socket], None]:
    """Pass everything on to the server at a port, each time some seconds late."""

    def pump(source: socket.socket, sink: socket.socket, delay: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(delay)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(connection, server, DELAY), daemon=True).start()
            pump(server, connection, 0.0)

    return serve


@contextlib.contextmanager
def real(folder: Path) -> Iterator[int]:
    """Yield the port of a server of MLflow."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/files"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # ten processes that nobody needs
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, env=environment, start_new_session=True, **silent)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.5)
        yield port
    finally:
        os.killpg(process.pid, 9)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep everybody else from writing into a database."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def seconds(words: list[str], tracking: list[str], prepared: Path) -> tuple[float, float, float]:
    """Return how long a command takes in a project of its own.

    Returns:
        By the clock in all, and what of that is not training; and for how long processors have worked for other threads
        of the process, which took the interpreter's lock from it. That does not grow on a machine that is busy.
    """
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "pyproject.toml").touch()
        shutil.copy(prepared, Path(place) / "mlflow.db")
        with locked(Path(place) / "mlflow.db") if "locked" in tracking else contextlib.nullcontext():
            began = time.monotonic()
            own = [word for word in tracking if word != "locked"]
            done = subprocess.run([*words, *own], cwd=place, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            whole = time.monotonic() - began
        records = [json.loads(path.read_text()) for path in Path(place).glob("[rs]/**/manifest.json")]
        trained = sum(record["seconds"] for record in records)  # by two processes where there are several runs
        return whole, whole - trained / min(2, len(records)), float(done.stderr.split()[-1])


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=70.0, help="about how long training takes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("run", "sweep"), help="one of them instead of both")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make = "import sys; from chainrule_mlflow import sending, store; "
        make += "sending.look(store.Store.at(sys.argv[1]), 'chainrule')"  # with the experiment, as after an earlier run
        subprocess.run([sys.executable, "-c", make, f"sqlite:///{folder}/mlflow.db"], check=True)
        prepared = folder / "mlflow.db"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{free.getsockname()[1]}"
        server = stack.enter_context(real(folder))
        conditions = {
            "none": ["tracking=none"],
            "SQLite": [],
            "SQLite, locked": ["locked"],
            "dead": [f"tracking.uri={dead}"],
            "silent": [f"tracking.uri={stack.enter_context(listening(silent))}"],
            "slow": [f"tracking.uri={stack.enter_context(listening(late(server)))}"],
        }
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {given.repeats} repeats\n")
        print("| what | tracker | seconds (median) | ratios to none, in turn | median | not training | other threads |")
        print("| --- | --- | ---: | --- | ---: | ---: | ---: |", flush=True)
        for sweep in (False, True):
            if given.only == ("run" if sweep else "sweep"):
                continue
            epochs, spent = 2000, 0.0
            while spent < given.seconds / 8:  # without what starting takes
                epochs *= 2
                spent = seconds(command(sweep, epochs), ["tracking=none"], prepared)[0] - 2
            words = command(sweep, round(epochs * given.seconds / spent))
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in conditions}
            for _ in range(given.repeats):
                for name, tracking in conditions.items():
                    found[name].append(seconds(words, tracking, prepared))
            for name, times in found.items():
                walls = [one[0] / none[0] for one, none in zip(times, found["none"], strict=True)]
                each = ", ".join(f"{ratio:.3f}" for ratio in walls)
                what = "sweep of 40 runs" if sweep else "one run"
                middle = statistics.median(one[0] for one in times)
                rest = " | ".join(f"{statistics.median(one[place] for one in times):.2f}" for place in (1, 2))
                row = f"{middle:.1f} | {each} | {statistics.median(walls):.3f} | {rest}"
                print(f"| {what} | {name} | {row} |", flush=True)
        print(f"\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()

"""What does a tracked sweep spend its time on?  ``python experiments/speed/parts.py``.

The workload of sweeps.py with a tenth of its steps and as many points, in one process: what is left is composing,
records and rows. Times are those of CPU; a part contains those that are indented below it.
"""

import argparse
import contextlib
import functools
import importlib
import io
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sweeps import RATES, WORKLOAD, seeds

FEWER = ["training.epochs=100", "training.measure_every=1", "hydra.launcher.workers=1"]
PARTS = {  # what it is, and the function that does it
    "compose a job": "chainrule.sweep.jobs.composer Composer.explained_job",
    "check a job": "chainrule.sweep.execution.plan Plan._add",
    "train a unit": "chainrule.sweep.execution.worker train",
    "- files of Hydra": "chainrule.sweep.jobs.job Job.write_files",
    "- draw data and parameters": "chainrule.runs.prepare prepare",
    "- train and measure": "chainrule.runs.execute train_stack",
    "- record": "chainrule.records.run write_record",
    "tell watchers": "chainrule.sweep.ledger Ledger.end",
    "- describe for MLflow": "chainrule_mlflow.contents describe",
    "- copy files": "chainrule_mlflow.sending _copy",
    "- rows": "chainrule_mlflow.bulk write",
    "- receipts": "chainrule_mlflow.receipts leave",
    "report": "chainrule.sweep.ledger Ledger.finish",
}


def watch(name: str, place: str, spent: Counter[str], calls: Counter[str]) -> None:
    """Add the CPU time of a function to ``spent``, wherever it has been imported to."""
    module, _, path = place.partition(" ")
    owner = functools.reduce(getattr, path.split(".")[:-1], importlib.import_module(module))
    function, last = getattr(owner, path.split(".")[-1]), path.split(".")[-1]

    @functools.wraps(function)
    def timed(*arguments, **keywords):
        begin = time.thread_time()
        try:
            return function(*arguments, **keywords)
        finally:
            spent[name] += time.thread_time() - begin
            calls[name] += 1

    setattr(owner, last, timed)
    for other in [module for key, module in sys.modules.items() if key.startswith("chainrule")]:
        if getattr(other, last, None) is function:
            setattr(other, last, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four runs, to see that it works")
    runs = 4 if parser.parse_args().quick else 1000
    spent, calls = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="parts.") as folder, contextlib.chdir(folder):
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        with contextlib.redirect_stderr(io.StringIO()):
            from mlflow import MlflowClient

            MlflowClient().search_experiments()
        with contextlib.closing(sqlite3.connect(Path(folder) / "mlflow.db")) as database:
            database.execute("PRAGMA journal_mode = WAL")
        for module in ("chainrule.sweep.grid", "chainrule_mlflow.tracker", "chainrule.reports.sweep"):
            importlib.import_module(module)
        from chainrule.cli.main import main as command

        for name, place in PARTS.items():
            watch(name, place, spent, calls)
        sys.argv = ["chainrule", "-m", seeds(runs), f"optimizer.lr={RATES}", *WORKLOAD, *FEWER]
        begin = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            command()
        total = time.process_time() - begin
    print("| part | times | ms a run |\n|---|---|---|")
    for name in PARTS:
        print(f"| {name} | {calls[name]} | {1000 * spent[name] / runs:.2f} |")
    print(f"| all, with the start of the command | 1 | {1000 * total / runs:.2f} |")


if __name__ == "__main__":
    main()

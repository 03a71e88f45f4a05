"""The tracker spreadsheet."""

import csv
import fcntl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import doc
from chainrule import ChainruleError, Tracker
from chainrule.records import Record

COLUMNS = ["directory", "title", "started", "reason", "epochs", "seconds", "train/loss", "validation/loss"]


@dataclass(frozen=True)
class Spreadsheet(Tracker):
    """A line for each run in a CSV file, which spreadsheets and pandas open."""

    path: Annotated[str, doc("the file, as seen from the working directory")] = "runs.csv"

    def runs_recorded(self, records: Sequence[Record]) -> None:
        """Append the runs that are not there yet."""
        with open(self.path, "a+", newline="", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the jobs of a sweep may be processes that write at once
            file.seek(0)
            known = {row["directory"] for row in csv.DictReader(file)}
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            if not file.tell():
                writer.writeheader()
            for record in records:
                if str(record.directory) not in known:
                    manifest = record.manifest
                    writer.writerow({**manifest, **manifest["metrics"], "directory": record.directory})

    def send(self, record: Record) -> None:
        """Append a run, unless it is there."""
        try:
            self.runs_recorded([record])
        except OSError as error:
            raise ChainruleError(f"{Path(self.path).absolute()} cannot be written: {error}.") from error

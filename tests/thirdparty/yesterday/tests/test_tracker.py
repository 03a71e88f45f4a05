"""The tracker against what its file holds."""

import csv
from pathlib import Path

import chainrule
import pytest
from chainrule import records

from chainrule_yesterday.tracker import Spreadsheet


def test_each_run_has_one_line_with_the_numbers_of_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["training.epochs=3", "tracking=spreadsheet"]
    results = [chainrule.run(*options, f"seed={seed}", directory=f"run{seed}") for seed in (0, 1)]
    Spreadsheet().send(records.read(Path("run0").absolute()))  # once more, which changes nothing
    with open("runs.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["directory"] for row in rows] == [str(tmp_path / "run0"), str(tmp_path / "run1")]
    assert [float(row["train/loss"]) for row in rows] == [result.metrics["train/loss"] for result in results]


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chainrule.run("training.epochs=1", "tracking=none", directory="run")
    with pytest.raises(chainrule.ChainruleError, match=r"nowhere/runs\.csv cannot be written"):
        Spreadsheet("nowhere/runs.csv").send(records.read(Path("run").absolute()))

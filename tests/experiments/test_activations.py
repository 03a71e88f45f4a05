"""Activations compared: the comparison finds what is known beforehand, and is told as it came out."""

import json
import re
from math import pi
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studies import load, small, table


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("activations", "compared")
    standing = table(printed, "contender")
    numbers = json.loads(Path("multirun/activations-quick/comparison.json").read_text())
    assert numbers["answer"] in printed.splitlines()
    assert sum(int(row["better than"]) for row in standing.values()) == sum(p["separated"] for p in numbers["pairs"])
    assert standing["identity"]["better than"] == "0"
    assert int(standing["identity"]["% of runs won"]) < 25, "no plane fits a sine or separates two moons"

    scores = table(printed, "median score")
    reached = float(scores["identity"]["sine"].removeprefix("R2 "))
    assert reached == pytest.approx(6 / pi**2, abs=0.04), "the share of the variance of sin x that a line explains"
    assert float(scores["gelu"]["sine"].removeprefix("R2 ")) > 0.9


@pytest.mark.rare  # a whole study, though a small one
def test_what_was_compared_already_is_told_again():
    printed, again = (small("activations", "compared")[0] for _ in range(2))
    assert re.findall(r"^\|.*", again, re.MULTILINE) == re.findall(r"^\|.*", printed, re.MULTILINE)


def test_a_reduced_comparison_has_fewer_points_and_all_targets_but_the_costly_one(monkeypatch):
    study, typed = load("", "compared"), []

    def run(words):
        typed.append(words)
        Path("multirun/activations-reduced-3").mkdir(parents=True, exist_ok=True)
        Path("multirun/activations-reduced-3/comparison.json").write_text("{}")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(study.subprocess, "run", run)
    for _ in range(2):
        assert study.compared("activations", "reduced", 3) == {}
    first, again = typed
    options = dict(word.split("=", 1) for word in first if word.startswith("--targets="))
    whole = first[first.index("--targets") + 1].split(",")
    assert options["--targets"].split(",") == [target for target in whole if target != "digits"]
    assert first.index("--budget", first.index("--budget") + 1) > first.index("--budget"), "the last one counts"
    assert {"--random-seed=3", "hydra.sweep.dir=multirun/activations-reduced-3"} <= set(first)
    assert again[-2:] == ["resume", "multirun/activations-reduced-3"]


def test_repetitions_are_counted(capsys):
    def numbers(answer, *verdicts):
        keys = "better", "worse", "separated", "equivalent"
        pairs = [dict(zip(keys, verdict, strict=True)) for verdict in verdicts]
        return {"answer": answer, "contenders": ["a", "b", "c"], "pairs": pairs}

    load("", "compared").repeated(
        [
            numbers("a!", ("b", "a", True, False), ("b", "c", False, True), ("a", "c", True, False)),
            numbers("b!", ("a", "b", True, False), ("b", "c", False, False), ("a", "c", True, False)),
            numbers("a!", ("a", "b", True, False), ("c", "b", False, True), ("a", "c", True, False)),
        ]
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[2:4] == ["| a! | 2 |", "| b! | 1 |"]
    assert lines[6:] == ["| a | b | 2 | 1 | 0 | 0 |", "| a | c | 3 | 0 | 0 | 0 |", "| b | c | 0 | 0 | 2 | 1 |"]


def test_the_matrix_holds_each_pair_from_both_sides():
    verdicts = [("b", "a", 0.9, True), ("b", "c", 0.6, False), ("c", "a", 0.8, True)]
    keys = "better", "worse", "probability", "separated"
    pairs = [dict(zip(keys, verdict, strict=True)) for verdict in verdicts]
    share, separated = load("", "compared").matrix({"pairs": pairs}, ["b", "c", "a"])
    np.testing.assert_allclose(share, [[0.5, 0.6, 0.9], [0.4, 0.5, 0.8], [0.1, 0.2, 0.5]])
    assert separated.tolist() == [[False, False, True], [False, False, True], [True, True, False]]

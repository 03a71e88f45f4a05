"""The benchmarks run, and their contenders do the same work."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studies import load, table

SPEED = Path(__file__).parents[2] / "experiments" / "speed"


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(SPEED)
    yield pytest.importorskip("peers")
    sys.modules.pop("peers")


@pytest.fixture
def steps(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS"):
        monkeypatch.setenv(name, "1")  # the script sets them; they are taken back after the test
    monkeypatch.syspath_prepend(SPEED)
    yield pytest.importorskip("steps")
    sys.modules.pop("steps")
    sys.modules.pop("peers")


@pytest.mark.rare  # it measures
def test_two_gradients_are_measured_in_every_case(tmp_path):
    command = [sys.executable, SPEED / "evaluations.py", "--quick"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    rows = [line.strip("| ").split(" | ") for line in output.splitlines()][2:]
    assert len(rows) == 10
    assert {row[3] for row in rows} == {"2"}


@pytest.mark.slow  # it measures
def test_every_row_is_filled(tmp_path):
    command = [sys.executable, SPEED / "steps.py", "--quick"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    cells = [line.strip("| ").split(" | ") for line in output.splitlines()]
    rows = [row for row in cells if row[0].startswith(("2-", "784-", "8 runs"))]
    assert len(rows) == 11
    assert all(float(cell) > 0 for row in [*rows[:3], *rows[9:]] for cell in row[1:3])
    assert all(re.fullmatch(r"[\d.]+ x \([\d.]+ to [\d.]+\)", cell) for row in rows[3:9] for cell in row[1:])
    torch = importlib.util.find_spec("torch") is not None
    assert ("PyTorch is not installed" in output, len(rows[0])) == ((False, 7) if torch else (True, 5))
    assert "`chainrule --help`" in output


def test_a_ratio_is_that_of_the_pairs_of_a_round(steps):
    """A round in which everything was slow counts for both, and neither's least time is compared with the other's."""
    theirs, ours = np.array([20.0, 100, 18, 30, 22]), np.array([2.0, 10, 2, 2, 2])
    assert steps.over(theirs, ours, None) == "10.0 x (9.0 to 15.0)"
    assert steps.over(theirs, ours, 10) == "10.0 x (9.0 to 15.0) (goal 10: met)"
    assert steps.over(theirs, ours, 11).endswith("(goal 11: MISSED)")


def test_contenders_take_turns_and_the_first_round_does_not_count(steps):
    turns = []
    taken = steps.timed({name: lambda name=name: turns.append(name) for name in "ab"}, 3)
    assert turns == list("abababab")
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_pytorch_loops_take_our_steps(peers, dtype):
    pytest.importorskip("torch")
    case = peers.Case("", (3, 2), 64, 64, 5, dtype)
    start, own = case.prepared().theta, peers.chainrule(case)()
    assert np.abs(own - start).max() > 1e-3
    for loop in (peers.pytorch, peers.lean_pytorch):
        np.testing.assert_allclose(loop(case)(), own, rtol=1e-12 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("batch_size", [1, 256])
def test_the_stack_and_the_single_runs_train_the_same(peers, batch_size):
    case = peers.Case("", (2, 2), 256, batch_size, 2)
    stacked, alone = peers.chainrule(case, runs=8)(), peers.chainrule_alone(case, runs=8)()
    assert stacked.tobytes() == alone.tobytes()
    assert stacked.tobytes() != case.prepared().theta.tobytes()


def test_scikit_learn_trains_as_many_steps(peers):
    case = peers.Case("", (2, 2), 64, 16, 3)
    assert case.steps == 12
    assert peers.scikit_learn(case)().shape == (2, 2)  # it checks the number of epochs itself


@pytest.mark.rare  # it measures
def test_a_sweep_is_measured_and_its_peers_train_the_same(tmp_path):
    command = [sys.executable, SPEED / "sweeps.py", "--quick"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    (part,) = (part for part in output.split("\n\n") if part.startswith("|"))
    table = {row[0]: row[1:] for row in (line.strip("| ").split(" | ") for line in part.splitlines() if " | " in line)}
    # The difference of two short times, which may be negative.
    assert re.search(r"Composing and checking a job takes -?[\d.]+ ms of a core", output)
    measured = [name for name in table if name.startswith(("chainrule", "floor"))]
    assert len(measured) == 4
    assert all(float(cell) > 0 for name in measured for cell in table[name][1:3])
    # The script itself compares every point of the curves, and fails where they differ.
    (ends,) = re.findall(r"Last loss from the same start: (.*)\.$", output, re.MULTILINE)
    losses = dict(end.split() for end in ends.split(", "))
    expected = {"usual": "torch", "tuned": "jax"}
    assert set(losses) == {"chainrule", *(name for name in expected if importlib.util.find_spec(expected[name]))}
    assert [float(loss) for loss in losses.values()] == pytest.approx([float(losses["chainrule"])] * len(losses), 1e-6)
    assert not list(tmp_path.iterdir())


@pytest.mark.rare  # it measures sweeps, as the one before
def test_growth_is_measured(tmp_path):
    command = [sys.executable, SPEED / "sweeps.py", "--quick", "--growth", "--only", "ours"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    lines = [line.strip("| ").split(" | ") for line in output.rpartition("\n\n")[2].splitlines()]
    growth = {line[0]: line[1:] for line in lines}
    assert all(float(cell) > 0 for runs in ("2", "4") for cell in growth[runs][:2])


@pytest.mark.rare  # it measures commands, as the next ones do
def test_the_cost_of_many_components_is_measured(tmp_path):
    command = [sys.executable, SPEED / "plugins.py", "--quick"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    rows = [line for line in output.splitlines() if "(goal " in line]
    assert len(rows) == 5
    assert all(float(cell) > 0 for row in rows[:4] for cell in row.split(" | ")[1:3])


@pytest.mark.rare  # it measures
def test_versions_take_turns(tmp_path):
    command = [sys.executable, SPEED / "versions.py", sys.executable, "--quick"]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    rows = [line.strip("| ").split(" | ") for line in output.splitlines()][2:]
    assert [row[0].split(",")[0] for row in rows] == ["2-2-2-1", "2-2-2-1", "2-64-64-1", "64 runs", "256 runs"]
    assert all(re.fullmatch(r"-?[\d.]+ \(-?[\d.]+ to -?[\d.]+\)", row[3]) for row in rows)


def test_the_command_as_typed_is_measured_in_each_use(monkeypatch, capsys):
    typed, uses = load("speed", "typed"), []

    def seconds(python, arguments, project, cache):
        assert (project / "pyproject.toml").exists()
        uses.append((python, *arguments))
        return 6 if python == "older" else 3

    monkeypatch.setattr(typed, "seconds", seconds)
    monkeypatch.setattr(sys, "argv", ["typed.py", "older", "--quick"])
    typed.main()
    found = table(capsys.readouterr().out, "`chainrule`")
    assert list(found) == [typed.FIRST, typed.PROJECT, typed.AGAIN, *typed.PARTS]
    assert [*found[typed.AGAIN].values()][1:] == ["6.00", "3.00", "0.50 (0.50 to 0.50)"]
    assert len(uses) == 12


@pytest.mark.slow  # it runs the command
def test_the_least_that_is_typed_costs_something(tmp_path):
    typed = load("speed", "typed")
    assert typed.seconds(sys.executable, [*typed.PARTS.popitem()[1]], tmp_path, tmp_path / "cache") > 0
    assert list(tmp_path.glob("outputs/*/*/manifest.json"))

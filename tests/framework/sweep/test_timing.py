"""How long a step takes: a component that needs a known time of CPU, and stopwatches that tell what they are told."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import distributions
from chainrule.config.compose import compose_settings
from chainrule.errors import RecordError
from chainrule.records.comparison import Comparison
from chainrule.records.sweep import read_sweep
from chainrule.records.timing import TIMING, read_timing
from chainrule.registry.loaded import installed
from chainrule.sweep import timing
from distributions import MOODY
from pages import parsed
from sweeping import command

WAIT = 0.001  # seconds of CPU in each forward pass, however many runs there are
# tanh, which takes its time.
LAZY = MOODY.replace("from dataclasses", "import time\nfrom dataclasses", 1).replace("Moody", "Lazy")
LAZY = LAZY.replace("        return np.tanh", f"""        end = time.process_time() + {WAIT}
        while time.process_time() < end:
            pass
        return np.tanh""")  # fmt: skip


@pytest.fixture(scope="module")
def lazy(tmp_path_factory):
    """A comparison of tanh with a tanh that is slow on purpose."""
    folder = tmp_path_factory.mktemp("lazy")
    distributions.install(folder / "site", "chainrule-lazy", LAZY)
    numbers = ["--budget=2", "--tuning-seeds=1", "--tunings=5", "--seeds=1", "training.epochs=12", "tracking=none"]
    numbers.append("training.measure_every=1")
    arguments = ["activation=tanh,lazy", "--targets=sine,wine", *numbers, "hydra.sweep.dir=found"]
    return folder, command("compare", *arguments, folder=folder, path=folder / "site")


@pytest.mark.slow
def test_a_component_that_is_slow_on_purpose_is_found_slow_by_as_much(lazy):
    """It is told apart by the time that it was told to take, on a machine of any speed."""
    folder, _ = lazy
    found = read_timing(folder / "found")
    assert (found.runs, found.note) == (timing.LEAST, "")
    assert [(cell.target, cell.contender) for cell in found.cells] == [
        (target, contender) for target in ("sine", "wine") for contender in ("tanh", "lazy")
    ]
    for tanh, slow in zip(found.cells[::2], found.cells[1::2], strict=True):
        assert (tanh.updates, tanh.epochs) == (slow.updates, slow.epochs)
        more = min(slow.seconds) - min(tanh.seconds)
        assert more * timing.LEAST == pytest.approx(WAIT, rel=0.5)
        assert len(tanh.seconds) == len(slow.seconds) == timing._ROUNDS


@pytest.mark.slow
def test_what_is_as_good_after_all_epochs_loses_at_equal_time(lazy):
    folder, done = lazy
    numbers = json.loads((folder / "found" / "comparison.json").read_text())
    assert numbers["pairs"][0]["probability"] == 0.5
    (sentence,) = numbers["cost"]["equal_time"]["changes"]
    assert ", tanh is ahead of lazy (tanh wins " in sentence
    assert sentence.endswith("; after all epochs they are equivalent.")
    assert f"  {sentence}" in done.stdout.splitlines()
    assert sentence in parsed((folder / "found" / "report.html").read_text())
    tanh, slow = numbers["cost"]["contenders"]
    assert (tanh["step"], tanh["spread"]) == (1, [1, 1])
    assert slow["spread"][0] > 2


@pytest.mark.slow  # it measures, as the two above
def test_a_finished_comparison_is_not_measured_again_and_older_ones_have_no_times(lazy, tmp_path):
    folder, _ = lazy
    place = folder / "found"
    before = {name: (place / name).read_bytes() for name in (TIMING, "comparison.json")}
    command("resume", str(place), folder=folder, path=folder / "site")
    assert {name: (place / name).read_bytes() for name in before} == before
    shutil.copytree(place, tmp_path / "older")
    (tmp_path / "older" / TIMING).unlink()
    command("report", str(tmp_path / "older"))
    assert json.loads((tmp_path / "older" / "comparison.json").read_text())["cost"] is None
    assert "What it costs" not in (tmp_path / "older" / "report.html").read_text()


@pytest.mark.slow  # it measures, as those above
def test_a_component_that_is_gone_leaves_a_note(lazy):
    folder, _ = lazy
    found = timing.measure(read_sweep(folder / "found"), installed())
    assert found.cells == []
    assert found.note.startswith("The time of a step was not measured: activation=lazy is unknown")


def test_stacks_take_turns_of_some_milliseconds_and_the_first_epochs_do_not_count():
    calls = []

    def watch(name, seconds):
        def train(epochs):
            calls.append((name, epochs))
            return epochs * (seconds if len(calls) > 4 else seconds / 2)

        return train

    short, long = timing._TURN / 10, 10 * timing._TURN
    found = timing.rounds([watch("short", short), watch("long", long)], [100, 100], math.inf)
    assert calls[:4] == [("short", 1), ("short", 1), ("long", 1), ("long", 1)]
    assert calls[4:8] == [("short", 20), ("long", 1), ("long", 1), ("short", 20)]
    assert found == [pytest.approx([short] * timing._ROUNDS), pytest.approx([long] * timing._ROUNDS)]


def test_a_turn_is_no_longer_than_a_run_and_one_round_is_always_whole():
    calls = []
    timing.rounds([lambda epochs: calls.append(epochs) or 1e-9], [3], -1)
    assert calls == [1, 1, 3]
    timing.rounds([lambda epochs: calls.append(epochs) or 1e-9], [0], -1)
    assert calls[3:] == [1, 1, 1]


PLAN = Comparison("activation", ("tanh", "relu"), ("sine",), {"optimizer.lr": "0.1,0.2"}, 2, 1, 2, 3)


@pytest.fixture
def runs(monkeypatch):
    """What the tuned runs were, by their numbers; None for one that failed."""
    found = {number: ["tracking=none", f"seed={number}", "training.epochs=2"] for number in range(PLAN.runs)}

    def read(directory):
        overrides = found[int(directory.name)]
        if overrides is None:
            raise RecordError("failed")
        return SimpleNamespace(manifest=SimpleNamespace(configuration=compose_settings(overrides).to_config()))

    monkeypatch.setattr(timing, "read_record", read)
    return found


def seeds_of(contender, count):
    sweep = SimpleNamespace(place=lambda number: Path(str(number)))
    found = timing._stack(sweep, PLAN, 0, contender, count, installed())
    return [run.settings.seed for run in found]


def test_a_stack_has_runs_of_all_tunings_in_turn(runs):
    own = [[*PLAN.tuned(0, 1, tuning)] for tuning in range(3)]
    in_turn = [own[tuning][seed] for seed in range(2) for tuning in range(3)]
    assert seeds_of(1, 4) == in_turn[:4]
    assert seeds_of(1, 16) == [*in_turn, *in_turn, *in_turn[:4]]
    runs[in_turn[1]] = None
    assert seeds_of(1, 4) == [in_turn[0], *in_turn[2:5]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda own: ["network.hidden=[3]", *own], "relu on sine differ in more than numbers"),
        (lambda own: None, "all tuned runs of relu on sine failed"),
    ],
)
def test_what_cannot_be_one_stack_is_not_measured(runs, change, reason):
    for number in [*PLAN.tuned(0, 1, 0), *(PLAN.tuned(0, 1, 1) if change([]) is None else ())]:
        runs[number] = change(runs[number])
    if change([]) is None:
        runs.update(dict.fromkeys(PLAN.tuned(0, 1, 2)))
    sweep = SimpleNamespace(comparison=PLAN, place=lambda number: Path(str(number)))
    found = timing.measure(sweep, installed(), largest=4)
    assert (found.cells, found.runs) == ([], 4)
    assert reason in found.note


def test_all_contenders_have_stacks_of_one_size_and_batches_may_differ(runs):
    for tuning in range(3):
        for number in PLAN.tuned(0, 1, tuning):
            runs[number] = [*runs[number], "training.batch_size=8", "data.samples=129"]
        for number in PLAN.tuned(0, 0, tuning):
            runs[number] = [*runs[number], "training.batch_size=null", "data.samples=129"]
    sweep = SimpleNamespace(comparison=PLAN, place=lambda number: Path(str(number)))
    found = timing.measure(sweep, installed())
    assert found.note == ""
    assert [cell.updates for cell in found.cells] == [1, math.ceil(103 / 8)]
    assert [cell.gradients for cell in found.cells] == [1.0, math.ceil(103 / 8)]
    assert [cell.epochs for cell in found.cells] == [2, 2]


@pytest.mark.parametrize(("share", "count"), [(20, 16), (5, 5), (0.5, 1)])
def test_stacks_of_large_data_are_small(runs, monkeypatch, share, count):
    (one,) = timing._stack(SimpleNamespace(place=lambda number: Path(str(number))), PLAN, 0, 0, 1, installed())
    size = 2 * (one.samples.train.nbytes + one.samples.validation.nbytes)
    monkeypatch.setattr(timing, "_BYTES", int(share * size))
    stacks = []

    class Stopwatch:
        gradients = 1.0

        def __init__(self, own):
            stacks.append(len(own))

        def __call__(self, epochs):
            return 1.0

    monkeypatch.setattr(timing, "stopwatch", Stopwatch)
    assert timing.measure(SimpleNamespace(comparison=PLAN, place=lambda n: Path(str(n))), installed()).note == ""
    assert stacks == [count, count]

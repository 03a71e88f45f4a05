"""Recorded runs, trained again: they end in the recorded bits, alone and in stacks."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import chainrule
import random_runs
from chainrule.engine.onlooker import Onlooker
from chainrule.errors import ConfigurationError
from chainrule.records.run import read_record
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Watchers
from chainrule.replay.replays import Replay, together
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare
from chainrule_untracked import NoTracking
from stacks import everything
from sweeping import command


def recorded(configurations, prune=None):
    """The directories of records of runs that were trained as one stack."""
    folder = Path(f"stack{len(list(Path().glob('stack*')))}")
    tasks = [
        Task(prepare(chainrule.settings(*words)), (folder / str(number)).absolute(), NoTracking())
        for number, words in enumerate(configurations)
    ]
    return [record.directory for _, record in execute(tasks, Watchers([]), installed(), prune, synced=False)]


def replays(directories):
    return [Replay.of_record(read_record(directory), installed()) for directory in directories]


def tables():
    for file in random_runs.TABLES.values():
        Path(file).write_text(random_runs.table(file))


def of_random_runs(seeds):
    """Record each of these random configurations alone or as a stack of three seeds, and train the records again."""
    tables()
    for seed in seeds:
        rng = random.Random(seed)
        words = [word for word in random_runs.configuration(rng) if not word.startswith("seed=")]
        stacked = rng.random() < 0.5
        directories = recorded([[*words, f"seed={seed + each}"] for each in range(3 if stacked else 1)])
        again = (
            together(replays(directories)) if rng.random() < 0.5 else [each.train() for each in replays(directories)]
        )
        for ended in again:
            assert ended.difference is None, (words, str(ended.difference))


def test_random_records_end_in_the_recorded_bits():
    of_random_runs(range(12))


@pytest.mark.slow
def test_many_random_records_end_in_the_recorded_bits(extent):
    of_random_runs(range(100, extent(few=150, ci=150, all=300)))


def test_a_run_of_a_class_that_the_program_declares(afresh):
    @chainrule.plugin
    @dataclass(frozen=True)
    class Cubed(chainrule.Activation):
        def forward(self, z):
            return z**3

        def slope(self, z, a):
            return 3 * z**2

    (directory,) = recorded([["activation=cubed", "optimizer.lr=0.001", "training.epochs=3"]])
    assert replays([directory])[0].train().difference is None


def test_runs_that_left_a_stack_at_different_times():
    def prune(epoch, active, watched):
        return np.array([epoch == {0: 2, 1: 4}.get(int(run)) for run in active])

    words = ["training.epochs=6", "training.batch_size=32", "training.measure_every=1"]
    directories = recorded([[*words, f"seed={seed}"] for seed in range(3)], prune)
    again = together(replays(directories))
    assert [ended.result.epochs for ended in again] == [2, 4, 6]
    assert [ended.difference for ended in again] == [None] * 3
    assert [each.train().difference for each in replays(directories)] == [None] * 3


def test_a_run_that_began_with_the_parameters_of_another_and_one_that_restores_its_best_epoch():
    (first,) = recorded([["training.epochs=2"]])
    (second,) = recorded([["training.epochs=2", f"training.start={first}", "training.restore_best=true"]])
    assert replays([second])[0].train().difference is None
    moved = first.rename(first.with_name("elsewhere"))
    there = Replay.of_record(read_record(second), installed(), {str(first): str(moved)})
    assert there.train().difference is None
    with pytest.raises(ConfigurationError, match="is no run to start from"):
        replays([second])[0].train()


def test_a_run_of_this_process_and_one_that_was_never_trained():
    run = chainrule.run("training.epochs=3")
    again = Replay.of_result(run)
    assert (again.per_epoch, again.epochs, again.steps) == (205, 3, 615)
    ended = again.train()
    assert everything(ended.result) == everything(run)
    assert ended.verdict == "trained again, it ends in the recorded bits"
    assert Replay(run.settings).train().difference is None


def test_onlookers_of_several_stacks_know_which_runs_they_see():
    seeds = [3, 5, 8]
    each = [Replay(chainrule.settings("training.epochs=1", f"seed={seed}", f"network.hidden=[{units}]"))
            for seed, units in zip(seeds, (2, 3, 2), strict=True)]  # fmt: skip
    seen = {}

    class Seeing(Onlooker):
        def __init__(self, places):
            self.places = places

        def measured(self, point):
            if point.epoch == 0:
                seen.update({self.places[run]: row.copy() for run, row in zip(point.runs, point.theta, strict=True)})

    together(each, Seeing)
    for place, replay in enumerate(each):
        assert seen[place].tobytes() == replay.prepare().theta.tobytes()


def test_a_branch_goes_on_where_the_run_was():
    from chainrule.runs.execute import train_on

    words = ["training.epochs=6", "training.batch_size=32", "training.measure_every=1"]
    run = chainrule.run(*words, "optimizer=adam", "network.dropout=0.1")
    checkpoint, prepared = Replay.of_result(run).until(2)
    assert (checkpoint.epoch, checkpoint.step) == (2, 14)
    later, _ = train_on(prepared, (checkpoint, run.curves))
    assert later.theta.tobytes() == run.theta.tobytes()


def test_data_are_found_where_the_sweep_was_started(tmp_path, monkeypatch):
    tables()
    words = ["target=table", "target.path=numbers.csv", "training.epochs=1", "seed=0,1", "tracking=none"]
    chainrule.sweep(*words, directory="there", quiet=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = sorted((tmp_path / "there").rglob("manifest.json"))
    assert [ended.difference for ended in together(replays([path.parent for path in found]))] == [None, None]


def test_data_are_found_where_the_run_was_started_or_it_is_said_where_that_was(tmp_path, monkeypatch):
    tables()
    command("target=table", "target.path=numbers.csv", "training.epochs=1", "tracking=none", "hydra.run.dir=there")
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    directory = tmp_path / "there"
    assert replays([directory])[0].train().difference is None
    Path("../numbers.csv").unlink()
    said = f"^numbers.csv is neither in {elsewhere} nor in {tmp_path}, where the run was started\\.$"
    with pytest.raises(ConfigurationError, match=said):
        replays([directory])
    (directory / ".hydra" / "hydra.yaml").write_text("hydra:\n  runtime:\n    cwd: [\n")
    with pytest.raises(ConfigurationError, match=r"target.path=numbers.csv does not exist"):
        replays([directory])[0].prepare()

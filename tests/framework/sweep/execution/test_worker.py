"""What a process does with one unit of a sweep."""

import logging
from pathlib import Path

import pytest

from broken_off import Breaks
from chainrule.engine import trainer
from chainrule.records.manifest import FAILURE
from chainrule.records.run import Failure, Record, read_end
from chainrule.registry.watching import Progress, Start, Watcher
from chainrule.runs import checkpoints
from chainrule.sweep.execution import worker
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.worker import Heartbeat, train, train_elsewhere
from jobs import job


def unit(count=3, **options):
    return Unit(
        tuple(job(n, f"seed={n}", seed=n, directory=Path("sweep", str(n))) for n in range(count)), "", 0, **options
    )


def contents(number):
    return [
        Path("sweep", str(number), name).read_bytes() for name in ("curves.npz", "weights.npz", "configuration.yaml")
    ]


class Ear(Watcher):
    """Counts the runs of each stack."""

    def __init__(self):
        self.stacks = []

    def stack_started(self, start):
        self.stacks.append(len(start.titles))


def test_the_jobs_of_a_unit_are_one_stack_and_each_has_its_record():
    ear = Ear()
    ends = train(unit(), ear)
    assert ear.stacks == [3]
    assert [(number, type(end)) for number, end in ends] == [(n, Record) for n in range(3)]
    for number, end in ends:
        assert read_end(Path("sweep", str(number))).manifest == end.manifest
        assert end.manifest.overrides == [f"seed={number}"]
        assert end.manifest.configuration["seed"] == number


def test_a_wrong_job_is_its_own_failure():
    wrong = job(1, seed=5, target={"name": "table"}, directory=Path("sweep", "1"))
    ends = dict(train(Unit((*unit(1).jobs, wrong), "", 0)))
    assert (type(ends[0]), type(ends[1])) == (Record, Failure)
    assert "target=table needs target.path" in ends[1].sentence
    assert (ends[1].seed, ends[1].details) == (5, "")
    assert read_end(Path("sweep", "1")) == ends[1]


class Epochs(Watcher):
    """Notes at which epochs a stack was measured."""

    def __init__(self):
        self.seen = []

    def epochs_recorded(self, progress):
        self.seen.append(progress.epoch)


def test_a_stack_goes_on_from_its_checkpoint_if_it_is_the_same_stack(monkeypatch):
    for name in ("_PAUSE", "_SHARE"):
        monkeypatch.setattr(checkpoints, name, 0)
    monkeypatch.setattr(trainer, "_SPAN", 0)
    longer = {"training": {"epochs": 6, "measure_every": 1, "checkpoint_every": 1e-9}}
    jobs = tuple(job(n, f"seed={n}", seed=n, directory=Path("sweep", str(n)), **longer) for n in range(3))
    train(Unit(jobs, "", 0))
    whole = [contents(number) for number in range(3)]
    with pytest.raises(KeyboardInterrupt):
        train(Unit(jobs, "", 0), Breaks(4))
    ear = Epochs()
    train(Unit(jobs, "", 0), ear)
    assert ear.seen == [4, 5, 6]
    assert [contents(number) for number in range(3)] == whole
    with pytest.raises(KeyboardInterrupt):
        train(Unit(jobs, "", 0), Breaks(4))
    ear = Epochs()
    train(Unit(jobs[:2], "", 0), ear)  # another stack begins anew
    assert ear.seen == [0, 1, 2, 3, 4, 5, 6]
    assert [contents(number) for number in range(2)] == whole[:2]
    assert not list(Path("sweep").glob("[01]/checkpoints"))


class MuteError(Exception):
    """As a plugin may raise it."""

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ArithmeticError("no"), "ArithmeticError: no"),
        (SystemExit(3), "SystemExit: 3"),
        (AssertionError(), "AssertionError"),
        (MuteError(), "MuteError"),
    ],
)
def test_a_job_that_raises_fails_alone_and_the_others_have_the_bytes_that_they_would_have(monkeypatch, error, sentence):
    train(unit())
    expected, whole, stacks = [contents(number) for number in range(3)], worker.execute, []

    def execute(tasks, *arguments, **options):
        stacks.append([task.directory.name for task in tasks])
        if "1" in stacks[-1]:
            [task.prepared.shuffle.random(7) for task in tasks]  # a stack draws numbers before it fails
            raise error
        return whole(tasks, *arguments, **options)

    monkeypatch.setattr(worker, "execute", execute)
    ends = train(unit())
    assert stacks == [["0", "1", "2"], ["0"], ["1"], ["2"]]
    assert [type(end) for _, end in ends] == [Record, Failure, Record]
    assert ends[1][1].sentence == sentence
    assert "Traceback" in ends[1][1].details
    assert Path("sweep", "1", FAILURE).is_file()
    for number in (0, 2):
        assert contents(number) == expected[number]


def test_ctrl_c_is_no_failure_of_a_job(monkeypatch):
    def execute(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "execute", execute)
    with pytest.raises(KeyboardInterrupt):
        train(unit(1))


def test_a_directory_that_cannot_be_written_is_a_failure_too(caplog):
    Path("sweep").write_text("a file, where there should be a folder")
    with caplog.at_level(logging.ERROR):
        ((number, end),) = train(unit(1))
    assert (number, type(end)) == (0, Failure)
    assert "sweep" in end.sentence
    assert "job 0 (seed=0): " in caplog.text
    assert "(and this cannot be written there: " in caplog.text


def test_the_pruner_of_a_unit_decides_by_the_numbers_of_the_jobs():
    class Pruner:
        def for_stack(self, numbers):
            self.numbers = list(numbers)
            return lambda epoch, active, losses: (active == 2) & (epoch == 1)

    pruner = Pruner()
    jobs = [job(n, seed=n, training={"measure_every": 1}, directory=Path("sweep", str(n))) for n in range(3)]
    ends = train(Unit(tuple(jobs), "", 0, pruner))
    assert pruner.numbers == [0, 1, 2]
    assert [(end.manifest.reason, end.manifest.epochs) for _, end in ends] == [
        ("epochs", 2),
        ("epochs", 2),
        ("pruned", 1),
    ]


def test_a_heartbeat_is_written_twice_a_second_at_most(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    heart = Heartbeat(tmp_path / "0", [0, 3])
    heart.stack_started(Start(("a", "b"), 40, ()))
    seen = []
    for now, epoch in ((100.0, 1), (100.25, 2), (100.5, 3), (100.75, 4), (102.0, 5)):
        clock[0] = now
        heart.epochs_recorded(Progress(epoch, (0.5, 0.25), 2))
        seen.append(heart.path.read_text())
    assert seen == [f"{epoch} 40 2\n0\n3" for epoch in (1, 1, 3, 3, 5)]


@pytest.mark.parametrize("fails", [False, True])
def test_elsewhere_the_heartbeat_lasts_as_long_as_the_training(tmp_path, monkeypatch, fails):
    progress = tmp_path / "progress"
    progress.mkdir()

    def trained(which, heart):
        heart.epochs_recorded(Progress(1, (0.5,), 1))
        assert [path.name for path in progress.iterdir()] == ["0"]
        if fails:
            raise KeyboardInterrupt
        return "ends"

    monkeypatch.setattr(worker, "train", trained)
    if fails:
        with pytest.raises(KeyboardInterrupt):
            train_elsewhere(unit(1), progress)
    else:
        assert train_elsewhere(unit(1), progress) == "ends"
    assert not list(progress.iterdir())

"""A training that breaks off between two epochs goes on to the bits of one without a break."""

import pytest

from broken_off import Breaks, files, kept
from chainrule import interrupts
from chainrule.config.compose import compose_settings
from chainrule.engine import trainer
from chainrule.records.checkpoint import read_checkpoint
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Watchers
from chainrule.runs import checkpoints
from chainrule.runs.checkpoints import Keeper, found
from chainrule.runs.execute import Task, execute, train_stack
from chainrule.runs.prepare import prepare
from chainrule_untracked import NoTracking

SMALL = ["data.samples=40", "training.epochs=9", "training.batch_size=8", "training.measure_every=1", "tracking=none"]
RUNS = [
    ["optimizer=adam"],
    ["optimizer=momentum", "training.batch_size=null"],
    ["optimizer=adam", "data.validation=0", "data.test=0.2"],
    ["optimizer=schedule_free"],
    ["optimizer=sgld", "training.measure_every=4"],
    ["optimizer=lbfgs", "training.batch_size=null"],
    ["transforms=[clip,noise,ema,lookahead]", "training.measure_every=3"],
    ["schedule=cosine", "training.restore_best=true", "optimizer.lr=0.9"],
    ["schedule=reduce_on_plateau", "schedule.patience=1", "training.patience=5"],
    ["norm=batch_norm", "activation=prelu", "training.restore_best=true"],
    ["network.dropout=0.3", "training.dtype=float32"],
    ["rule=kolen_pollack", "training.measure_every=5"],
    ["sampling=noise"],
    ["sampling=stream"],
]


@pytest.fixture(autouse=True)
def each_epoch(monkeypatch):
    """Training can be left after each epoch, and the copy in memory is that of the last one."""
    monkeypatch.setattr(trainer, "_SPAN", 0)
    monkeypatch.setattr(checkpoints, "_PAUSE", 0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)


def tasks(folder, *overrides, seeds=1):
    settings = [compose_settings([*SMALL, *overrides, f"seed={seed}"]) for seed in range(seeds)]
    return [Task(prepare(each), folder / str(seed), NoTracking(), overrides) for seed, each in enumerate(settings)]


def broken(folder, epoch, *overrides, seeds=1):
    with pytest.raises(KeyboardInterrupt):
        execute(tasks(folder, *overrides, seeds=seeds), Watchers([Breaks(epoch)]), installed())


def finish(folder, *overrides, seeds=1):
    again = tasks(folder, *overrides, seeds=seeds)
    since = found([task.prepared for task in again], [task.directory for task in again], installed())
    execute(again, Watchers([]), installed(), overwrite=True, since=since)
    return since


@pytest.mark.parametrize("overrides", RUNS, ids=" ".join)
def test_a_run_goes_on_to_the_bits_that_it_would_have_had(tmp_path, overrides):
    execute(tasks(tmp_path / "whole", *overrides), Watchers([]), installed())
    for epoch in (1, 6):
        folder = tmp_path / str(epoch)
        broken(folder, epoch, *overrides)
        assert finish(folder, *overrides).checkpoint.epoch <= 8
        assert files(folder / "0") == files(tmp_path / "whole" / "0")


def test_it_may_break_off_again_and_again(tmp_path):
    execute(tasks(tmp_path / "whole", *RUNS[0]), Watchers([]), installed())
    broken(tmp_path, 2, *RUNS[0])
    for since_epoch, epoch in ((1, 4), (3, 7)):
        again = tasks(tmp_path, *RUNS[0])
        since = found([again[0].prepared], [again[0].directory], installed())
        assert since.checkpoint.epoch == since_epoch
        with pytest.raises(KeyboardInterrupt):
            execute(again, Watchers([Breaks(epoch)]), installed(), overwrite=True, since=since)
    finish(tmp_path, *RUNS[0])
    assert files(tmp_path / "0") == files(tmp_path / "whole" / "0")


def test_a_stack_goes_on_though_some_of_its_runs_have_ended(tmp_path):
    """Which of them converge depends on their seeds."""
    overrides = ["optimizer=adam", "optimizer.lr=0.1", "training.epochs=60", "training.tolerance=0.2"]
    execute(tasks(tmp_path / "whole", *overrides, seeds=6), Watchers([]), installed(), synced=False)
    (tmp_path / "parts").mkdir()
    broken(tmp_path / "parts", 40, *overrides, seeds=6)
    assert 0 < len(read_checkpoint(tmp_path / "parts" / "0").course.ended) < 6
    finish(tmp_path / "parts", *overrides, seeds=6)
    for seed in range(6):
        assert files(tmp_path / "parts" / str(seed)) == files(tmp_path / "whole" / str(seed))
    assert not kept(tmp_path / "parts" / "0")


@pytest.mark.parametrize("changed", [["optimizer.lr=0.02"], ["data.samples=41"], ["training.epochs=10"]])
def test_runs_of_other_settings_begin_anew(tmp_path, changed):
    broken(tmp_path, 4, "optimizer=adam")
    assert finish(tmp_path, "optimizer=adam", *changed) is None


def test_nothing_is_kept_where_nothing_is_wanted(tmp_path):
    broken(tmp_path, 4, "training.checkpoint_every=null")
    assert not kept(tmp_path / "0")


def test_a_run_that_has_all_its_epochs_keeps_the_last_one_written_and_others_keep_none(tmp_path):
    often = ["training.checkpoint_every=1e-9"]
    execute(tasks(tmp_path, *often), Watchers([]), installed())
    assert kept(tmp_path / "0")
    execute(tasks(tmp_path, *often, "training.tolerance=1e9"), Watchers([]), installed(), overwrite=True)
    assert not kept(tmp_path / "0")


def test_the_two_newest_stay(tmp_path):
    broken(tmp_path, 7, "training.checkpoint_every=1e-9")
    assert [path.name for path in kept(tmp_path / "0")] == ["epoch-0000000006", "epoch-0000000005"]


class Clock:
    """Time passes by what is done: each copy and each writing take as long as they are said to."""

    def __init__(self, monkeypatch, copying, writing):
        self.now, self.copied, self.written, self._copying = 0.0, [], [], copying
        monkeypatch.setattr(checkpoints.time, "monotonic", lambda: self.now)

        def write(*_):
            self.written.append(self.now)
            self.now += writing

        monkeypatch.setattr(checkpoints, "write_checkpoint", write)

    def take(self):
        self.copied.append(self.now)
        self.now += self._copying
        return type("Made", (), {"epoch": len(self.copied)}), None


@pytest.mark.parametrize(
    ("copying", "writing", "copies", "writes"),
    [(1e-4, 0.05, 7000, 119), (0.05, 0.05, 350, 119), (1e-4, 3.0, 7000, 6), (0.2, 10.0, 80, 2)],
)
def test_it_takes_a_hundredth_of_the_time_however_long_it_takes(
    monkeypatch, tmp_path, copying, writing, copies, writes
):
    monkeypatch.undo()
    clock = Clock(monkeypatch, copying, writing)
    keeper = Keeper(tmp_path, 30.0, dict, 0.0, 10, synced=True)
    while clock.now < 3600:
        clock.now += 0.01
        keeper(clock.take)
    assert len(clock.copied) * copying + (len(clock.written) - 1) * writing <= 0.01 * 3600
    assert abs(len(clock.copied) - copies) <= 0.2 * copies
    assert abs(len(clock.written) - writes) <= 2


def test_a_disk_that_is_full_stops_nothing_and_is_told_once(monkeypatch, tmp_path, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_checkpoint", full)
    (done,) = execute(tasks(tmp_path, "training.checkpoint_every=1e-9"), Watchers([]), installed())
    assert done[1].is_intact()
    assert caplog.text.count("No checkpoint can be written: [Errno 28] No space left on device. Training goes on.") == 1
    assert not kept(tmp_path / "0")


def test_what_is_said_is_what_is_kept(monkeypatch, tmp_path):
    advice = []
    monkeypatch.setattr(interrupts, "_advice", None)
    (task,) = tasks(tmp_path)

    def train():
        runs = [task.prepared]
        with checkpoints.keeping(runs, [tmp_path], {}, installed(), None, True) as keeper:
            advice.append(interrupts._advice())
            train_stack(runs, Breaks(3).observe, moment=keeper)

    with pytest.raises(KeyboardInterrupt) as caught:
        train()
    assert advice == ["Nothing of the run is kept: it had just begun."]
    told = f"The run is kept up to epoch 2 of 9; `chainrule resume {tmp_path}` goes on."
    assert caught.value.__notes__ == [told]
    assert interrupts._advice() == told

"""Training, recording and telling: watchers hear everything and can alter nothing."""

import dataclasses
import logging
import pickle

import numpy as np
import pytest
import threadpoolctl

from chainrule.config.compose import compose_settings
from chainrule.engine import trainer
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Watcher, Watchers
from chainrule.runs.execute import Task, execute, stopwatch, train_on, train_stack
from chainrule.runs.prepare import prepare
from chainrule_untracked import NoTracking


class Listener(Watcher):
    def __init__(self, fails=()):
        self.heard, self.fails = [], fails

    def _hear(self, event):
        self.heard.append(event)
        if event in self.fails:
            raise RuntimeError("no")

    def stack_started(self, start):
        self._hear("started")

    def epochs_recorded(self, progress):
        self._hear(progress.epoch)

    def run_trained(self, result, directory):
        self._hear("trained")


def test_watchers_hear_everything_in_order_and_one_that_fails_is_left_out(tmp_path, caplog):
    good, bad = Listener(), Listener(fails=[1])
    settings = compose_settings(["training.epochs=3", "training.measure_every=1", "tracking=none"])
    with caplog.at_level(logging.ERROR):
        task = Task(prepare(settings), tmp_path / "run", NoTracking(), ["training.epochs=3"])
        ((result, record),) = execute([task], Watchers([bad, good]), installed())
    assert good.heard == ["started", 0, 1, 2, 3, "trained"]
    assert bad.heard == ["started", 0, 1]
    assert "Listener failed in epochs_recorded and is left out from now on" in caplog.text
    assert record.manifest["epochs"] == result.epochs == 3


class Meddler(Watcher):
    """Does what watchers should not."""

    def stack_started(self, start):
        np.seterr(all="raise")
        np.random.seed(0)  # noqa: NPY002 - what a watcher should not do

    def epochs_recorded(self, progress):
        np.seterr(all="raise")

    def run_trained(self, result, directory):
        result.theta[...] = 0


class Quitter(Watcher):
    def epochs_recorded(self, progress):
        raise SystemExit(3)


def test_watchers_alter_nothing_and_end_nothing(tmp_path, caplog):
    # Diverges, so that NumPy has something to raise about.
    settings = compose_settings(
        ["training.epochs=30", "optimizer.lr=100", "activation=relu", "training.batch_size=null"]
    )
    results = []
    with np.errstate(), caplog.at_level(logging.ERROR):
        for name, watchers in (("alone", []), ("watched", [Meddler(), Quitter()])):
            task = Task(prepare(settings), tmp_path / name, NoTracking())
            ((result, record),) = execute([task], Watchers(watchers), installed())
            results.append((result.theta.tobytes(), result.reason, record.curves().values["train/loss"].tobytes()))
    assert results[0] == results[1]
    assert "Meddler failed in run_trained and is left out from now on" in caplog.text
    assert "Quitter failed in epochs_recorded and is left out from now on" in caplog.text


class Duck:
    """Not even a watcher."""

    def run_trained(self, result, directory):
        result.metrics["train/loss"] = -1.0
        result.curves.values["train/loss"] = result.curves.values["train/loss"] * 0


def test_watchers_cannot_alter_the_record_nor_the_threads(tmp_path, caplog):
    class Threads(Watcher):
        def epochs_recorded(self, progress):
            threadpoolctl.threadpool_limits(8, "blas")
            heard.append(progress.epoch)

    heard, seen = [], []
    settings = compose_settings(["training.epochs=3", "network.hidden=[3]", "training.batch_size=null"])
    update = type(settings.optimizer).update

    def watched(self, *arguments):
        seen.extend(library.num_threads for library in trainer.blas().lib_controllers)
        update(self, *arguments)

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(type(settings.optimizer), "update", watched)
        task = Task(prepare(settings), tmp_path / "run", NoTracking())
        ((result, record),) = execute([task], Watchers([Duck(), Threads()]), installed())
    assert heard
    assert set(seen) == {1}
    assert record.manifest["metrics"]["train/loss"] == result.metrics["train/loss"] > 0
    assert record.curves().values["train/loss"][0] > 0
    assert "Duck failed in stack_started" in caplog.text


def test_a_stopwatch_trains_the_runs_and_leaves_them_as_they_are():
    runs = [prepare(compose_settings([f"seed={seed}", "training.epochs=3"])) for seed in range(2)]
    before = [run.theta.tobytes() for run in runs]
    seconds = stopwatch(runs)
    assert seconds(3) > 0
    assert seconds.gradients == 205
    assert [run.theta.tobytes() for run in runs] == before


IN_PARTS = [
    ["optimizer=adam", "training.batch_size=8"],
    ["optimizer=momentum", "training.batch_size=null"],
    ["optimizer=adam", "training.batch_size=8", "data.validation=0"],
    ["optimizer=schedule_free", "training.batch_size=8"],
    ["optimizer=sgld", "training.batch_size=8"],
    ["optimizer=lbfgs", "training.batch_size=null"],
    ["transforms=[clip,noise,ema,lookahead]", "training.batch_size=8"],
    ["schedule=reduce_on_plateau", "schedule.patience=1", "training.batch_size=8"],
    ["norm=batch_norm", "activation=prelu", "training.batch_size=8"],
    ["network.dropout=0.3", "training.batch_size=8"],
    ["rule=kolen_pollack", "training.batch_size=8"],
    ["sampling=noise", "training.batch_size=8"],
    ["training.dtype=float32", "training.batch_size=8"],
]


def until(run, epochs):
    training = dataclasses.replace(run.settings.training, epochs=epochs)
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, training=training))


@pytest.mark.parametrize("overrides", IN_PARTS, ids=" ".join)
def test_training_in_parts_has_the_bits_of_training_at_once(overrides):
    """Each part is trained with what a pickle of the earlier one holds."""
    run = prepare(compose_settings([*overrides, "data.samples=40", "training.epochs=7", "training.measure_every=1"]))
    kept = pickle.dumps((run, None))
    for epochs in (3, 4, 7):
        part, before = pickle.loads(kept)
        result, checkpoint = train_on(until(part, epochs), before)
        kept = pickle.dumps((part, (checkpoint, result.curves)))
    whole, _ = train_on(run)
    (alone,) = train_stack([prepare(run.settings)])
    for other in (whole, alone):
        assert result.theta.tobytes() == other.theta.tobytes()
        assert result.metrics == other.metrics
        for place, arrays in other.states.items():
            for name, array in arrays.items():
                assert array.tobytes() == result.states[place][name].tobytes()
        for name, values in other.curves.values.items():
            assert values.tobytes() == result.curves.values[name].tobytes()
        assert other.curves.epochs.tolist() == result.curves.epochs.tolist() == list(range(8))

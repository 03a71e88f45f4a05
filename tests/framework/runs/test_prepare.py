"""Parts that do not fit are refused before anything is trained or written."""

import logging

import numpy as np
import pytest
import threadpoolctl

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.engine import trainer
from chainrule.registry.registry import installed
from chainrule.registry.watching import Watcher, Watchers
from chainrule.runs.execute import Task, execute
from chainrule.runs.prepare import prepare
from chainrule_untracked import NoTracking


def refused(*overrides):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        prepare(compose_settings(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["output=softmax"], "output=softmax needs at least 2 outputs, but target=linear has 1 output."),
        (
            ["activation=softmax", "network.hidden=[3,1]"],
            "activation=softmax needs at least 2 units in a layer, but network.hidden[1] is 1.",
        ),
        (
            ["loss=categorical_cross_entropy"],
            "loss=categorical_cross_entropy needs at least 2 outputs, but target=linear has 1 output.",
        ),
        (
            ["loss=binary_cross_entropy"],
            "loss=binary_cross_entropy needs predictions in [0, 1], but output=identity gives values in [-inf, inf]; "
            "output=sigmoid fits.",
        ),
        (
            ["rule=as_printed", "network.hidden=[3]"],
            "rule=as_printed is defined for the 2-2-2-1 network only, but this one is 2-3-1.",
        ),
        (
            ["optimizer=rprop", "schedule=cosine"],
            "optimizer=rprop has no learning rate that schedule=cosine could change.",
        ),
        (["data.samples=2", "data.validation=0.99"], "data.validation=0.99 of 2 samples leaves none to train on; "),
    ],
)
def test_parts_that_do_not_fit(overrides, sentence):
    assert refused(*overrides).startswith(sentence)


def test_a_log_loss_on_values_outside_its_range():
    message = refused("loss=binary_cross_entropy", "output=sigmoid")
    assert message.startswith(
        "loss=binary_cross_entropy needs true values in [0, 1], but target=linear has values from 5."
    )


def test_a_target_that_the_output_cannot_reach_is_noted_before_training():
    (note,) = prepare(compose_settings(["output=sigmoid"])).notes
    assert note.startswith("target=linear has values from 5.")
    assert "which output=sigmoid cannot reach: its values lie in [0, 1]" in note
    assert prepare(compose_settings(["output=relu"])).notes == ()


def test_no_hidden_layer_is_legal():
    assert chainrule.run("network.hidden=[]", "training.epochs=2").shape.widths == (2, 1)


def test_streams_are_independent_of_one_another():
    """The start does not depend on how many samples there are, nor the data on the network."""
    first, other = prepare(compose_settings([])), prepare(compose_settings(["data.samples=9", "optimizer=adam"]))
    assert first.theta.tobytes() == other.theta.tobytes()
    wide = prepare(compose_settings(["network.hidden=[5]"]))
    assert wide.samples.train.tobytes() == first.samples.train.tobytes()


def test_predictions_are_in_the_target_s_units(tmp_path):
    result = chainrule.run("target=diabetes", "training.epochs=20")
    x, y = result.samples.raw(result.samples.validation)
    assert result.predict(x).shape == y.shape
    np.testing.assert_allclose(result.predict(x[:, 0]), result.predict(x)[:, 0], rtol=1e-12)
    assert 30 < result.predict(x).mean() < 300
    with pytest.raises(chainrule.ConfigurationError, match=r"x must have the shape \(10, samples\) or \(10,\)"):
        result.predict(x.T)
    assert not list(tmp_path.iterdir()), "nothing is written without a directory"


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
    settings = compose_settings(["training.epochs=3", "tracking=none"])
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
        seen.extend(library.num_threads for library in trainer._blas().lib_controllers)
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

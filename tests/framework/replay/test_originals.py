"""Where a training parts from what is recorded: from which step, in which tensor, and what has changed since."""

import math
from dataclasses import replace

import numpy as np
import pytest

import chainrule
from chainrule.engine.curves import Curves
from chainrule.records.environment import environment
from chainrule.records.run import read_record
from chainrule.replay.originals import Original, changed, difference
from chainrule.replay.replays import Replay
from sealing import rewritten


@pytest.fixture(scope="module")
def run():
    return chainrule.run("training.epochs=6", "training.batch_size=64", "training.measure_every=1")


def of(run, **values):
    return replace(Original.of_result(run), **values)


def curves(run, name, at):
    """The curves of a run, one of which has another last bit from a point on."""
    values = {key: value.copy() for key, value in run.curves.values.items()}
    values[name][at:] = np.nextafter(values[name][at:], np.inf)
    return Curves(run.curves.epochs, values)


def test_the_same_run_does_not_differ(run):
    assert difference(of(run), run, 4) is None


@pytest.mark.parametrize(("at", "steps"), [(0, (0, 0)), (1, (1, 4)), (5, (17, 20))])
def test_a_last_bit_of_a_curve_tells_between_which_steps(run, at, steps):
    found = difference(of(run, curves=curves(run, "gradient_norm/layer_2", at)), run, 4)
    assert (found.first, found.last) == steps
    assert found.where == ("gradient_norm/layer_2",)
    words = "before the first step" if at == 0 else f"in one of the steps {steps[0]} to {steps[1]}"
    assert str(found) == f"it differs {words} (gradient_norm/layer_2)"


def test_a_last_bit_of_a_weight_is_found_after_the_last_point(run):
    weights = {name: array.copy() for name, array in Original.of_result(run).weights.items()}
    weights["W2"][1, 0] += 1e-3
    found = difference(of(run, weights=weights), run, 4)
    assert (found.first, found.last, found.where) == (25, 24, ())
    assert found.tensors == {"W2": pytest.approx(1e-3)}


def test_tensors_of_another_shape_or_name_have_no_size(run):
    weights = dict(Original.of_result(run).weights)
    weights["W1"] = weights["W1"][:1]
    del weights["b1"]
    tensors = difference(of(run, weights=weights), run, 4).tensors
    assert sorted(tensors) == ["W1", "b1"]
    assert all(map(math.isnan, tensors.values()))


def test_curves_that_an_older_version_did_not_measure_are_no_difference(run):
    values = {name: values for name, values in run.curves.values.items() if not name.endswith("/r2")}
    assert difference(of(run, curves=Curves(run.curves.epochs, values)), run, 4) is None


def test_another_end_and_another_score_are_differences(run):
    found = difference(of(run, epochs=5, curves=run.curves), run, 4)
    assert "it stopped by epochs after epoch 5, now by epochs after epoch 6" in str(found)
    metrics = dict(Original.of_result(run).metrics)
    metrics["train/r2"] = 0.5
    assert "train/r2 was 0.5, is" in str(difference(of(run, metrics=metrics), run, 4))


def test_what_has_changed_since_is_named(run):
    plugin = {"mine:mine": {"version": "1.0", "sha256": "a" * 64}}
    entry = {key: chainrule.records.run.PluginEntry(value) for key, value in plugin.items()}
    original = of(run, environment={**environment(), "numpy": "1.0", "user": "somebody"}, plugins=entry)
    other = {"mine:mine": chainrule.records.run.PluginEntry(version="1.0", sha256="b" * 64)}
    found = changed(original, other, replace(run, samples=replace(run.samples, digest="c" * 64)))
    assert found == [
        f"numpy: was 1.0, is {np.__version__}",
        "plugin mine:mine: was 1.0 aaaaaaaaaaaa, is 1.0 bbbbbbbbbbbb",
        f"data: was {run.samples.digest[:12]}, is cccccccccccc",
    ]
    assert changed(of(run, environment=environment()), {}, run) == []


def test_a_record_of_another_seed_is_said_to_differ_before_the_first_step(tmp_path):
    chainrule.run("training.epochs=2", "tracking=none", directory=tmp_path / "run", quiet=True)
    known = read_record(tmp_path / "run").manifest
    rewritten(tmp_path / "run", configuration={**known.configuration, "seed": 1})
    replay = Replay.of_record(read_record(tmp_path / "run"), chainrule.registry.loaded.installed())
    verdict = replay.train().verdict
    assert "it differs before the first step (train/loss, validation/loss" in verdict
    assert "changed since: data: was " in verdict

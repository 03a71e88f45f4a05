"""A finished run as an object, from training or from its record."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.records.manifest import MANIFEST
from sealing import rewritten

SHORT = ["training.epochs=6", "training.batch_size=8", "tracking=none"]
KINDS = {
    "a regression": ["optimizer=adam", "seed=2"],
    "a classification": ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "data.test=0.2"],
    "trained fields and states": ["activation=[prelu,swish]", "norm=batch_norm", "training.restore_best=true"],
    "several pieces": ["activation=maxout"],
    "evaluations of losses": ["optimizer=lbfgs", "training.batch_size=null", "training.dtype=float32"],
}


@pytest.mark.parametrize("overrides", KINDS.values(), ids=list(KINDS))
def test_a_loaded_run_is_what_training_returned(overrides):
    made = chainrule.run(*SHORT, *overrides, directory="run")
    found = chainrule.load("run")
    assert type(made) is type(found) is chainrule.Run
    assert isinstance(made, chainrule.Result)
    x, _ = made.samples.raw(made.samples.train)
    assert found.predict(x).tobytes() == made.predict(x).tobytes()
    assert (found.theta.tobytes(), found.theta.dtype) == (made.theta.tobytes(), made.theta.dtype)
    assert [w.tobytes() for w in found.weights] == [w.tobytes() for w in made.weights]
    assert found.samples.train.tobytes() == made.samples.train.tobytes()
    for name, values in made.curves.values.items():
        assert found.curves.values[name].tobytes() == values.tobytes()
    for names in (made.trained, made.named_states):
        assert {name: array.tobytes() for name, array in names.items()} == {
            name: array.tobytes() for name, array in {**found.trained, **found.named_states}.items() if name in names
        }
    plain = (
        "settings",
        "shape",
        "reason",
        "epochs",
        "evaluations",
        "started",
        "seconds",
        "notes",
        "best_epoch",
        "engine",
    )
    for name in (*plain, "origin", "test_loss", "metrics"):
        assert getattr(found, name) == getattr(made, name), name
    assert vars(made).keys() == vars(found).keys()


def test_a_loaded_run_of_classes_has_a_confusion_matrix():
    made = chainrule.run("target=two_moons", "training.epochs=2", "tracking=none", directory="run")
    np.testing.assert_array_equal(chainrule.load("run").confusion(), made.confusion())


def test_a_run_says_in_a_few_lines_what_it_is():
    made = chainrule.run(*SHORT, directory="run")
    first, scores, reason, place = repr(made).splitlines()
    assert first == f"Run: {made.settings.title}"
    assert f"validation/loss {made.metrics['validation/loss']:.5g}" in scores
    assert reason == "  trained for all epochs"
    assert place == f"  record {Path('run').absolute()}"
    assert repr(chainrule.load("run")) == repr(made)
    assert len(repr(chainrule.run("training.tolerance=100")).splitlines()) == 3


@pytest.mark.slow
def test_a_run_has_links_as_the_command_prints_them():
    made = chainrule.run("training.epochs=2", directory="run")
    assert made.links["record"] == str(Path("run").absolute())
    assert made.links["MLflow"] == f"chainrule ui {Path('run').absolute()}"
    assert chainrule.load("run").links == made.links
    assert chainrule.run(*SHORT).links == {}


def test_curves_as_a_data_frame():
    made = chainrule.run(*SHORT, "training.measure_every=1")
    frame = made.to_pandas()
    assert frame["epoch"].tolist() == list(range(7))
    assert list(frame) == ["epoch", *made.curves.values]
    np.testing.assert_array_equal(frame["validation/loss"], made.curves.values["validation/loss"])


def table(path, rows):
    Path(path).write_text("a,b,label\n" + "".join(f"{i},{i * i % 7},{i % 5}.5\n" for i in range(rows)))


@pytest.mark.parametrize("change", [lambda: Path("data.csv").unlink(), lambda: table("data.csv", 41)])
def test_without_its_data_a_loaded_run_predicts_all_the_same(change):
    table("data.csv", 40)
    made = chainrule.run(*SHORT, "target=table", "target.path=data.csv", "target.label=label", directory="run")
    change()
    found = chainrule.load("run")
    x = [[0.5, 30.0], [3.0, 4.0]]
    assert found.predict(x).tobytes() == made.predict(x).tobytes()
    assert found.metrics == made.metrics
    assert f"{made.metrics['validation/r2']:.5g}" in found._repr_html_()
    assert "samples" not in vars(found), "the data are not asked for"
    assert found.samples.train.shape == (4, 0)


def test_metrics_that_are_not_finite_are_nan():
    made = chainrule.run(*SHORT, "optimizer.lr=1e9", directory="run")
    assert made.reason == "diverged"
    found = chainrule.load("run")
    assert np.isnan(found.metrics["train/loss"])
    assert found.curves.values["train/loss"].tobytes() == made.curves.values["train/loss"].tobytes()


@pytest.mark.slow
def test_a_run_that_started_from_another_says_so():
    chainrule.run(*SHORT, directory="first")
    made = chainrule.run(*SHORT, "training.start=first", directory="second")
    assert chainrule.load("second").origin == made.origin is not None


def test_settings_of_a_plugin_that_is_gone_are_refused(tmp_path):
    chainrule.run("training.epochs=0", "tracking=none", directory=tmp_path / "run")
    shutil.copytree("run", "other")
    configuration = json.loads((tmp_path / "other" / MANIFEST).read_text())["configuration"]
    rewritten("other", configuration={**configuration, "optimizer": {"name": "lynx", "lr": 0.1}})
    with pytest.raises(chainrule.ConfigurationError, match="optimizer=lynx is unknown"):
        chainrule.load("other")

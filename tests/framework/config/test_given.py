"""Data in memory: what stands for them, and what is made of them."""

import shutil
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import chainrule
from chainrule.config.given import with_data
from chainrule.errors import ConfigurationError
from chainrule.files.in_memory import find
from chainrule.registry.loaded import installed

rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": [*rng.normal(50, 10, 59), np.nan],
        "smokes": rng.choice(["never", "often"], 60),
        "alive": rng.choice([True, False], 60),
        "stage": rng.choice(["I", "II", "III"], 60),
    }
)
READ = ("target.text=onehot", "target.missing=mean", "target.standardize=true", "training.epochs=2")
CLASSES = (*READ, "output=softmax", "loss=categorical_cross_entropy")


def test_a_frame_is_read_as_the_file_that_pandas_writes_of_it():
    FRAME.to_csv("table.csv", index=False, float_format="%.17g")
    of_file = chainrule.run(*CLASSES, "target=table", "target.path=table.csv")
    of_frame = chainrule.run(*CLASSES, data=FRAME)
    assert of_frame.theta.tobytes() == of_file.theta.tobytes()
    assert of_frame.samples.digest == of_file.samples.digest
    assert of_frame.samples.x_fill.tobytes() == of_file.samples.x_fill.tobytes()
    for result in (of_file, of_frame):
        assert result.settings.target.input_names == ("age", "smokes=never", "smokes=often", "alive")
        assert result.settings.target.output_names == ("I", "II", "III")


def test_arrays_have_the_habit_of_scikit_learn():
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    samples = chainrule.prepare(chainrule.settings("data.validation=0", data=(x, y))).samples
    order = np.lexsort(samples.train[1:4])
    np.testing.assert_array_equal(samples.train[1:, order].T, np.hstack([x, y])[np.lexsort(x.T)])
    target = chainrule.settings(data=(x, y)).target
    assert (target.input_names, target.output_names) == (("x1", "x2", "x3"), ("y1", "y2"))
    assert chainrule.settings(data=(x.tolist(), y[:, 0].tolist())).target.output_names == ("y",)


@pytest.mark.parametrize(
    ("y", "task", "names"),
    [
        (np.array(["no", "yes"] * 20), "classification", ("no", "yes")),
        (np.array([True, False] * 20), "classification", ("False", "True")),
        (pd.Series(["no", "yes"] * 20, name="paid", dtype="category"), "classification", ("no", "yes")),
        (pd.Series([2, 1] * 20, name="grade", dtype="category"), "classification", ("1", "2")),
        (np.array([2, 1] * 20), "regression", ("y",)),
        (pd.Series([2.5, 1.0] * 20, name="price"), "regression", ("price",)),
        (pd.DataFrame({"a": [2.5, 1.0] * 20, "b": [1, 2] * 20}), "regression", ("a", "b_")),
    ],
)
def test_the_task_follows_from_y(y, task, names):
    x = pd.DataFrame({"b": np.arange(40.0), "c": rng.normal(size=40)}, index=range(100, 140))
    target = chainrule.settings(data=(x, y)).target
    assert (target.resolved_task, target.output_names, target.input_names) == (task, names, ("b", "c"))


@pytest.mark.parametrize("name", ["price in €, 'net'", "2020", "a=b", "null", "[x]", "back\\"])
def test_labels_may_have_any_name(name):
    x, y = rng.normal(size=(20, 2)), pd.Series(rng.normal(size=20), name=name)
    target = chainrule.settings(data=(x, y)).target
    assert (target.output_names, target.input_names) == ((name,), ("x1", "x2"))


def test_settings_choose_columns_and_task_as_of_a_file():
    target = chainrule.settings("target.label=alive", "target.features=[age]", "target.missing=drop", data=FRAME).target
    assert (target.input_names, target.output_names, len(target.rows()[0])) == (("age",), ("False", "True"), 59)
    x, y = rng.normal(size=(12, 2)), np.array([1, 2, 3] * 4)
    chosen = chainrule.settings("target.task=classification", data=(x, y)).target
    assert chosen.output_names == ("1", "2", "3")


def test_a_target_holds_its_data_as_long_as_it_lives():
    settings = chainrule.settings(*CLASSES, data=FRAME)
    path = settings.target.path
    first, second = chainrule.train([settings, settings])
    assert first.theta.tobytes() == second.theta.tobytes()
    assert find(path) is not None
    record = chainrule.run(*CLASSES, "tracking=none", data=FRAME, directory="one")
    assert record.settings.target == settings.target
    manifest = chainrule.load("one").record.manifest
    assert manifest.configuration["target"]["path"] == path
    assert manifest.data.digest == first.samples.digest


def test_without_its_data_a_target_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"memory:0123456789ab .* which this process does not have.*data="):
        chainrule.settings("target=table", "target.path=memory:0123456789ab")


@pytest.mark.parametrize(
    ("overrides", "data", "message"),
    [
        ((), FRAME, r"^data cannot be used as it is: .*'age' lacks 1 value in row 60.* Write target\.missing=mean"),
        ((), "table.csv", r"must be a data frame of pandas, or a pair \(X, y\), not str"),
        ((), (FRAME,), "must be a data frame of pandas, or a pair"),
        ((), (np.zeros((3, 2)), np.zeros(4)), "X has 3 rows, y has 4"),
        ((), (np.zeros(3), np.zeros(3)), r"X must have the shape \(samples, features\), not \(3,\)"),
        ((), (np.zeros((3, 2)), np.zeros((3, 1, 1))), r"y must have the shape \(samples,\) or \(samples, outputs\)"),
        (("target.path=a.csv",), FRAME, r"target.path=a.csv and data=\.\.\. are two sources"),
        (("target=sine",), FRAME, r"^target=sine reads no data, but data=\.\.\. are given: leave one of them out\.$"),
        (("target=table,wine",), FRAME, "target=table,wine are several, but data=... are one"),
        (("target.label=stadium",), FRAME, r"stadium is not a column of data \(did you mean 'stage'\?\)"),
        ((), (pd.DataFrame(np.zeros((3, 2)), columns=["a", "a"]), np.arange(3)), "two columns are called 'a'"),
        ((), FRAME[:0], "has column names but no rows"),
    ],
)
def test_what_is_no_table_gets_one_sentence(overrides, data, message):
    with pytest.raises(ConfigurationError, match=message):
        _ = chainrule.settings(*overrides, data=data).target.inputs


def test_nothing_changes_without_data():
    assert with_data(["seed=1"], None) == (("seed=1",), None)


def test_a_target_that_reads_frames_is_needed(monkeypatch):
    monkeypatch.setattr(installed().find("target", "table"), "reads_frames", False)
    with pytest.raises(ConfigurationError, match="no target that is installed reads data in memory"):
        chainrule.settings(data=FRAME)


SWEEP = (*CLASSES, "tracking=none", "seed=range(4)", "optimizer=adam,lion")


def theta(directory):
    return [chainrule.load(f"{directory}/{number}").record.weights()["W1"].tobytes() for number in range(8)]


def test_a_sweep_learns_them_and_is_finished_when_they_are_given_again():
    found = chainrule.sweep(*SWEEP, data=FRAME, directory="first")
    assert len(found.ranking) == 2
    whole = theta("first")
    alone = chainrule.run(*CLASSES, "seed=1", "optimizer=adam", data=FRAME)
    assert alone.weights[0].tobytes() in whole
    shutil.rmtree("first/3")
    with pytest.raises(ConfigurationError, match=r"learns data in memory \(SHA-256 [0-9a-f]{12}\.\.\.\): give them"):
        chainrule.resume("first")
    with pytest.raises(
        ConfigurationError, match=r"other data than these: SHA-256 (\w{12})\.\.\. there, (?!\1)\w{12}\.\.\. here"
    ):
        chainrule.resume("first", data=FRAME[::-1])
    chainrule.resume("first", data=FRAME.copy())
    assert theta("first") == whole


def test_a_sweep_of_something_else_takes_no_data():
    chainrule.sweep("training.epochs=1", "seed=0,1", "tracking=none", directory="other")
    with pytest.raises(ConfigurationError, match=r"was started without data=\.\.\."):
        chainrule.resume("other", data=FRAME)


@pytest.mark.slow
def test_the_processes_of_a_sweep_receive_them(monkeypatch):
    monkeypatch.setattr(import_module("chainrule.sweep.execution.pool"), "_SMALL", 0.0)
    two = ("hydra.launcher.workers=2", "hydra.launcher.stack=2")
    chainrule.sweep(*SWEEP, *two, data=FRAME, directory="two")
    chainrule.sweep(*SWEEP, data=FRAME, directory="one")
    assert theta("two") == theta("one")


def test_a_comparison_learns_them():
    few = ("hydra.sweeper.budget=2", "hydra.sweeper.seeds=2", "hydra.sweeper.tunings=1", "tracking=none")
    found = chainrule.compare(*CLASSES, *few, "optimizer=adam,lion", data=FRAME, directory="compared")
    assert found.comparison.comparison.targets == ("table",)


def test_a_search_learns_them():
    pytest.importorskip("optuna")
    found = chainrule.search(*CLASSES, "tracking=none", "optimizer.lr=interval(0.01,1)", budget=2, data=FRAME)
    assert len(found) == 2
    assert found.best.settings.target.output_names == ("I", "II", "III")

"""The settings of a run, and the title that tells runs apart."""

import dataclasses
from pathlib import Path

import pytest

import chainrule
from chainrule.records.settings import Settings, flat, seed_in
from chainrule.registry.kinds import GROUPS


@pytest.mark.parametrize(
    ("overrides", "title"),
    [
        ([], "linear, 2-2 sigmoid, gradient_descent, seed 0"),
        (
            ["target=sine", "network.hidden=[]", "optimizer=adam", "seed=3"],
            "sine, no hidden layer, adam, seed 3",
        ),
        (["rule=as_printed"], "linear, 2-2 sigmoid, gradient_descent, rule=as_printed, seed 0"),
        (["optimizer=adam", "optimizer.lr=0.1"], "linear, 2-2 sigmoid, adam, optimizer.lr=0.1, seed 0"),
        (["optimizer=adam", "optimizer.lr=0.001"], "linear, 2-2 sigmoid, adam, seed 0"),
        (
            ["data.samples=40", "training.batch_size=null", "training.dtype=float32"],
            "linear, 2-2 sigmoid, gradient_descent, data.samples=40, training.batch_size=null, "
            "training.dtype=float32, seed 0",
        ),
        (
            ["target.coefficients=[1,-2]", "output=softplus", "schedule=step", "schedule.gamma=0.5"],
            "linear, 2-2 sigmoid, gradient_descent, output=softplus, schedule=step, schedule.gamma=0.5, "
            "target.coefficients=[1,-2], seed 0",
        ),
        (
            ["transforms=[ema,clip]", "transforms.clip.limit=0.5"],
            "linear, 2-2 sigmoid, gradient_descent, transforms=[ema,clip], transforms.clip.limit=0.5, seed 0",
        ),
        # How long a run trains does not tell what it is, nor does who keeps it.
        (
            ["training.epochs=9", "training.tolerance=1", "training.patience=3", "training.measure_every=2"],
            "linear, 2-2 sigmoid, gradient_descent, seed 0",
        ),
        (["tracking=none"], "linear, 2-2 sigmoid, gradient_descent, seed 0"),
    ],
)
def test_the_title_lists_whatever_is_not_as_usual(overrides, title):
    assert chainrule.settings(*overrides).title == title


def test_the_path_of_a_data_set_is_in_the_title():
    Path("mine.csv").write_text("x,y\n1,0.5\n2,1.5\n3,2.5\n")
    title = chainrule.settings("target=table", "target.path=mine.csv").title
    assert title == "table, 2-2 sigmoid, gradient_descent, target.path=mine.csv, seed 0"


def test_settings_are_all_that_decides_a_run_and_the_tracker_does_not():
    names = {field.name for field in dataclasses.fields(Settings)}
    assert set(GROUPS) - names == {"tracking"}
    assert chainrule.settings("tracking=none") == chainrule.settings("tracking=mlflow")


@pytest.mark.parametrize(
    ("config", "seed"), [({"seed": 5}, 5), ({}, 0), ({"seed": "5"}, 0), ({"seed": None}, 0), ({"seed": True}, 0)]
)
def test_the_seed_in_a_configuration_that_may_be_wrong(config, seed):
    assert seed_in(config) == seed


def test_a_list_of_components_is_a_key_that_shows_its_order():
    both = chainrule.settings("transforms=[ema,clip]")
    keys = flat(both.to_config())
    assert {key: value for key, value in keys.items() if key.startswith("transforms")} == {
        "transforms": "[ema,clip]",
        "transforms.ema.decay": 0.999,
        "transforms.clip.limit": 1.0,
    }
    assert flat({"transforms": {}}) == {"transforms": "[]"}
    assert [component.name for group, component in both.components() if group == "transforms"] == ["ema", "clip"]
    assert "transforms" not in chainrule.settings().to_config()  # as in records of before

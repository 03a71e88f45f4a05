"""Output and loss suit the target where they are not typed."""

import pytest
from sklearn.datasets import load_iris

import chainrule
from chainrule.config.compose import compose_config, compose_settings
from chainrule.config.fitting import FITTED
from chainrule.files.defaults import fitting
from chainrule.records.run import read_record
from chainrule.registry.loaded import installed
from overrides import fitted_components

REGRESSION, TWO, SEVERAL = (tuple(fitting()[task].values()) for task in ("regression", "two_classes", "classes"))


def chosen(*overrides):
    found = compose_settings(overrides)
    return found.output.name, found.loss.name


@pytest.mark.parametrize("name", sorted(set(installed().names("target")) - {"table"}))
def test_what_suits_each_target(name):
    target = chainrule.component("target", name)
    several = SEVERAL if target.outputs > 1 else TWO
    assert chosen(f"target={name}") == (REGRESSION if target.task == "regression" else several)


def test_a_table_decides_by_its_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_iris(as_frame=True).frame.to_csv("iris.csv", index=False)
    table = ["target=table", "target.path=iris.csv"]
    assert chosen(*table, "target.task=classification") == SEVERAL
    assert chosen(*table, "target.label='petal length (cm)'") == REGRESSION
    assert compose_config(["target=table"])["output"] == {"name": "auto"}
    with pytest.raises(chainrule.ConfigurationError, match=r"absent\.csv"):
        compose_settings(["target=table", "target.path=absent.csv"])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["target=wine", "loss=categorical_cross_entropy"], SEVERAL),
        (["target=wine", "loss=half_squared_error"], ("identity", "half_squared_error")),
        (["target=wine", "loss=kl"], ("softmax", "kl")),
        (["target=wine", "output=softmax"], SEVERAL),
        (["target=wine", "output=sigmoid"], ("sigmoid", "half_squared_error")),
        (["target=two_moons", "output=sigmoid"], TWO),
        (["target=two_moons", "loss=focal"], ("sigmoid", "focal")),
        (["target=two_moons", "loss=hinge"], ("identity", "hinge")),
        (["output=tanh"], ("tanh", "half_squared_error")),
        (["loss=huber"], ("identity", "huber")),
        (["target=wine", "output=tanh", "loss=huber"], ("tanh", "huber")),
        (["target=wine", "output=auto", "loss=auto"], SEVERAL),
    ],
)
def test_what_is_typed_stays_and_the_other_one_fits_it(overrides, expected):
    assert chosen(*overrides) == expected


def test_a_parameter_of_what_was_not_chosen_is_refused():
    with pytest.raises(chainrule.ConfigurationError, match=r"loss\.gamma is not a key"):
        compose_settings(["target=wine", "loss.gamma=2"])


def test_concrete_names_stand_in_the_configuration_the_title_and_the_record(tmp_path):
    config = compose_config(["target=wine"])
    assert tuple(config[group]["name"] for group in FITTED) == SEVERAL
    run = chainrule.run("target=wine", "training.epochs=1", "tracking=none", directory=tmp_path, quiet=True)
    assert "output=softmax, loss=categorical_cross_entropy" in run.settings.title
    record = read_record(tmp_path)
    assert tuple(record.manifest.configuration[group]["name"] for group in FITTED) == SEVERAL
    assert compose_settings(["target=wine", "output=softmax", "loss=categorical_cross_entropy"]) == compose_settings(
        ["target=wine"]
    )
    assert compose_settings([]).title == "linear, 2-2 sigmoid, gradient_descent, seed 0"


def test_wine_is_learned_without_typing_them():
    often = [
        "network.hidden=[16]",
        "optimizer=adam",
        "optimizer.lr=0.01",
        "training.epochs=30",
        "training.batch_size=16",
    ]
    run = chainrule.run("target=wine", *often, "training.epochs=30", "training.batch_size=16", quiet=True)
    assert run.metrics["validation/accuracy"] > 0.9


def test_the_command_composes_what_it_trains():
    assert fitted_components(["target=wine", "optimizer=adam"])["output"] == {"name": "softmax"}
    assert fitted_components(["target=wine", "output=tanh", "loss=huber"]) == {}
    assert fitted_components(["target=nowhere"]) == fitted_components(["target=table", "target.path=absent.csv"]) == {}
    assert fitted_components(["hydra.mode=MULTIRUN"]) == {}

"""From plain configuration to checked settings and the tracker."""

import pytest

from chainrule.config.settings import keys, settings_from_config, tracker_from_config
from chainrule.errors import ConfigurationError
from chainrule.records.settings import DType
from chainrule.registry.loaded import installed
from jobs import CONFIGURATION, configuration


def settings(**changes):
    return settings_from_config(configuration(**changes), installed())


def test_each_part_of_the_configuration_becomes_one_of_the_settings():
    found = settings(seed=7, training={"dtype": "float32"})
    assert found.seed == 7
    assert found.network.hidden == (3,)
    assert (found.data.samples, found.data.validation) == (None, 0.25)
    assert (found.training.epochs, found.training.dtype) == (2, DType.FLOAT32)
    assert (found.activation.name, found.output.name) == ("tanh", "identity")
    assert (found.optimizer.name, found.optimizer.lr) == ("adam", 0.25)
    assert found.optimizer.beta1 == 0.9, "what is not given has its default"


def test_settings_make_the_configuration_from_which_they_were_made():
    found = settings(target={"name": "linear", "coefficients": [1, 2, 3]})
    again = {**found.to_config(), "tracking": {"name": "none"}}
    assert settings_from_config(again, installed()) == found
    assert again["target"] == {**again["target"], "name": "linear", "coefficients": [1.0, 2.0, 3.0]}


def test_what_decides_no_run_may_be_there():
    assert settings(command="chainrule -m seed=0,1", plugins={"prefer": [], "block": []}) == settings()
    without = {key: value for key, value in CONFIGURATION.items() if key != "seed"}
    assert settings_from_config(without, installed()) == settings(seed=0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sede": 1}, "sede is not a key of the configuration (did you mean 'seed'?)."),
        ({"seed": -1}, "seed must be a whole number >= 0, not -1."),
        ({"seed": "1"}, "seed must be a whole number >= 0, not '1'."),
        ({"training": {"epochs": -1}}, "training.epochs must be a whole number >= 0, not -1."),
        ({"training": {"epoch": 1}}, "training.epoch is not a parameter of training (did you mean 'epochs'?)"),
        ({"optimizer": "adam"}, "optimizer must be a group of settings, not 'adam'."),
        ({"optimizer": None}, "optimizer must be a group of settings, not None."),
        ({"optimizer": {"lr": 0.1}}, "optimizer names no component: write optimizer=NAME."),
        ({"optimizer": {"name": 3}}, "optimizer names no component: write optimizer=NAME."),
        ({"optimizer": {"name": "adm"}}, "optimizer=adm is unknown (did you mean 'adam'?)"),
        ({"output": {"name": "tnah"}}, "output=tnah is unknown (did you mean 'tanh'?)"),
        ({"optimizer": {"name": "adam", "lr": "x"}}, "optimizer.lr must be a number >= 0, not 'x'."),
        ({"plugins": []}, "plugins must be a group of settings, not []."),
        ({"plugins": {"block": ["lynx"]}}, "plugins.block must be known before plugins are loaded: "),
    ],
)
def test_what_is_wrong_gets_one_sentence(changes, sentence):
    with pytest.raises(ConfigurationError) as caught:
        settings(**changes)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("group", ["activation", "target", "rule"])
def test_a_group_that_is_missing_is_named(group):
    without = {key: value for key, value in CONFIGURATION.items() if key != group}
    with pytest.raises(ConfigurationError, match=rf"^{group} is missing: write {group}=NAME\.$"):
        settings_from_config(without, installed())


@pytest.mark.parametrize("section", [3, ["epochs"], None])
def test_a_section_that_is_no_mapping_is_named(section):
    with pytest.raises(ConfigurationError, match=r"^training must be a group of settings, not "):
        settings_from_config({**CONFIGURATION, "training": section}, installed())


def test_the_tracker_is_made_apart_from_the_settings():
    assert tracker_from_config(configuration(), installed()).name == "none"
    other = configuration(tracking={"name": "mlflow", "uri": "sqlite:///mine.db"})
    assert tracker_from_config(other, installed()).uri == "sqlite:///mine.db"
    assert settings_from_config(other, installed()) == settings()
    with pytest.raises(ConfigurationError, match=r"tracking=mlfow is unknown \(did you mean 'mlflow'\?\)"):
        tracker_from_config(configuration(tracking={"name": "mlfow"}), installed())


def test_every_key_that_belongs_to_no_component_is_described():
    found = keys()
    assert {"seed", "network.hidden", "data.noise", "training.epochs", "plugins.prefer"} <= found.keys()
    expected = {
        "seed",
        "pictures",
        *(f"{part}.{key}" for part in ("network", "data", "training") for key in CONFIGURATION[part]),
    }
    assert {key for key in found if not key.startswith("plugins.")} == expected
    assert all(parameter.description for parameter in found.values())

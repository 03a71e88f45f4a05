"""Overrides become settings; what is wrong gets one sentence with the nearest name."""

import dataclasses
from importlib import metadata

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException

import chainrule
from chainrule.config.compose import _LAUNCHERS, compose_config, compose_settings, explained
from chainrule.files import paths
from chainrule.registry.kinds import GROUPS
from chainrule.registry.loaded import installed
from sizes import one_in


def refused(*overrides):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        compose_settings(overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("launcher", "extra"), _LAUNCHERS.items())
def test_a_launcher_of_others_says_what_installs_it(launcher, extra):
    error = MissingConfigException("", f"hydra/launcher/{launcher}", ["basic", "stacked"])
    assert str(explained(error)) == (
        f"hydra/launcher={launcher} needs a package that is not installed: pip install 'chainrule[{extra}]'."
    )
    assert extra in metadata.metadata("chainrule").get_all("Provides-Extra")


def test_the_default_is_the_article_s_run():
    settings, config = compose_settings([]), compose_config([])
    assert {group: config[group]["name"] for group, kind in GROUPS.items() if not kind.many} == {
        "activation": "sigmoid", "output": "identity", "loss": "half_squared_error", "optimizer": "gradient_descent",
        "schedule": "constant", "target": "linear", "initializer": "normal", "rule": "exact", "sampling": "shuffled",
        "tracking": "mlflow", "norm": "identity",
    }  # fmt: skip
    assert {group: config[group] for group, kind in GROUPS.items() if kind.many} == {"transforms": {}}
    assert settings.transforms == ()
    assert settings.network.hidden == (2, 2)
    assert settings.training.batch_size == 1
    assert settings.seed == 0


@pytest.mark.parametrize(
    ("group", "name"), one_in(3, [(g, n) for g, kind in GROUPS.items() for n in installed().names(kind.name)])
)
def test_every_component_is_an_option_of_its_groups(group, name):
    config = compose_config([f"{group}={name}"])[group]
    assert list(config) == [name] if GROUPS[group].many else config["name"] == name


def test_a_list_keeps_its_order_and_each_has_its_parameters():
    settings = compose_settings(["transforms=[ema,clip]", "transforms.clip.limit=0.5"])
    assert [(one.name, dataclasses.asdict(one)) for one in settings.transforms] == [
        ("ema", {"decay": 0.999}),
        ("clip", {"limit": 0.5}),
    ]
    assert compose_settings(["transforms=clip", "transforms.clip.limit=0.5"]).transforms == settings.transforms[1:]
    assert compose_settings(["transforms=[]"]) == compose_settings([])


def test_parameters_are_overridden_and_typed():
    settings = compose_settings(
        ["optimizer=adam", "optimizer.lr=1", "target.coefficients=[1,2,3]", "network.hidden=[]"]
    )
    assert settings.optimizer.lr == 1.0
    assert settings.target.coefficients == (1.0, 2.0, 3.0)
    assert settings.network.hidden == ()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["optimizer=adm"],
            "optimizer=adm is unknown (did you mean 'adam'?); choose one of adabound, adadelta, adagrad, adam",
        ),
        (["output=sigmod"], "output=sigmod is unknown (did you mean 'sigmoid'?)"),
        (
            ["optimizer.lrr=1"],
            "optimizer.lrr is not a key of the configuration (did you mean 'lr'?); optimizer has name, lr",
        ),
        (
            ["trainin.epochs=1"],
            "trainin is not a key of the configuration (did you mean 'training'?); its keys are seed, network, data,",
        ),
        (["transforms=[clp,ema]"], "transforms=clp is unknown (did you mean 'clip'?); choose one of centralization, "),
        (["transforms.clip.limit=1"], "transforms has no clip here: transforms=[clip] chooses it."),
        (
            ["transforms=[clip]", "transforms.clip.limt=1"],
            "transforms.clip.limt is not a key of the configuration (did",
        ),
        (["transforms=[clip]", "transforms.clip.limit=0"], "transforms.clip.limit must be a number > 0, not 0."),
        (["transforms=[clip]", "+transforms.clip.a=0"], "transforms.clip.a is not a parameter of transforms.clip; it"),
        (["seed=-1"], "seed must be a whole number >= 0, not -1."),
        (["training.epoch=1"], "training.epoch is not a key of the configuration (did you mean 'epochs'?)"),
        (["+training.epoch=1"], "training.epoch is not a parameter of training (did you mean 'epochs'?)"),
        (["+sede=1"], "sede is not a key of the configuration (did you mean 'seed'?)"),
        (["training.epochs=abc"], "training.epochs must be a whole number >= 0, not 'abc'."),
        (["training.epochs=1.5"], "training.epochs must be a whole number >= 0, not 1.5."),
        (["training.epochs=-1"], "training.epochs must be a whole number >= 0, not -1."),
        (["training.batch_size=0"], "training.batch_size must be a whole number >= 1 or null, not 0."),
        (["training.dtype=float16"], "training.dtype must be one of float64, float32, not 'float16' (did you mean "),
        (["optimizer.lr=-1"], "optimizer.lr must be a number >= 0, not -1."),
        (["optimizer.lr=abc"], "optimizer.lr must be a number >= 0, not 'abc'."),
        (["optimizer.lr=nan"], "optimizer.lr must be a number >= 0, not nan."),
        (["data.samples=0"], "data.samples must be a whole number >= 1 or null, not 0."),
        (["data.validation=1"], "data.validation must be a number >= 0 and < 1, not 1."),
        (["network.hidden=[2,0]"], "network.hidden[1] must be a whole number >= 1, not 0."),
        (["network.hidden=2"], "network.hidden must be a list, each entry a whole number >= 1, not 2."),
        (["seed=-1"], "seed must be a whole number >= 0"),
        (["seed=abc"], "seed must be a whole number >= 0"),
        (["optimizer=null"], "a choice is a name, not null or a number: write GROUP=NAME"),
        (["target=table"], "target=table needs target.path"),
        (
            ["optimizer.lr=${nothing}"],
            "optimizer.lr refers to another key by ${...}: Interpolation key 'nothing' not found.",
        ),
        (["optimizer.lr=[1"], "optimizer.lr=[1 has [ without ]"),
        (["target.path=a=b.csv"], "has characters that need quotes: write \"target.path='a=b.csv'\"."),
        (["optimizer.lr=0.1,", "0.2"], "without blanks, write optimizer.lr=0.1,0.2."),
        (["0.2"], "is no override: write KEY=VALUE."),
        (["~optimizer"], "optimizer is missing: write optimizer=NAME."),
        (["experiment=nothing"], "experiment=nothing is unknown"),
    ],
)
def test_a_wrong_override_gives_one_sentence(overrides, sentence):
    if overrides == ["target=table"]:
        from chainrule.runs.prepare import prepare

        with pytest.raises(chainrule.ConfigurationError, match=sentence):
            prepare(compose_settings(overrides))
    else:
        assert sentence in refused(*overrides)


def test_composing_inside_another_hydra_application_leaves_it_alone():
    assert not GlobalHydra.instance().is_initialized()
    compose_settings([])
    assert not GlobalHydra.instance().is_initialized()
    with initialize_config_dir(str(paths.configuration()), version_base="1.3"):
        theirs = GlobalHydra.instance().hydra
        compose_settings([])
        assert GlobalHydra.instance().hydra is theirs

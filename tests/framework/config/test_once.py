"""A command is composed once, and as Hydra composes it."""

import contextlib
import random

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

import answering
from chainrule.config import application, compose
from chainrule.config.fitting import known
from chainrule.config.once import Once
from chainrule.files import paths
from overrides import fitted_components, random_overrides
from sizes import one_in


@pytest.fixture(autouse=True)
def _alone():
    yield
    GlobalHydra.instance().clear()


@pytest.fixture
def composed(monkeypatch):
    """The lists of overrides that Hydra composes."""
    lists, compose_ = [], ConfigLoaderImpl._load_configuration_impl

    def noted(self, config_name, overrides, *arguments, **words):
        lists.append(list(overrides))
        return compose_(self, config_name, overrides, *arguments, **words)

    monkeypatch.setattr(ConfigLoaderImpl, "_load_configuration_impl", noted)
    return lists


def asked_and_composed(loader, overrides, multirun):
    """What Hydra's entry asks of a loader for a command: the mode, and all of it; or the error."""
    search = create_automatic_config_search_path(None, None, str(paths.configuration()))
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("chainrule", search)
    hydra.config_loader = loader(search)
    mode, overrides = hydra.get_mode("config", list(overrides)), list(overrides)
    if mode is None or (multirun and mode == RunMode.RUN):
        mode = RunMode.MULTIRUN if multirun else RunMode.RUN
        overrides.append(f"hydra.mode={mode.name}")
    try:
        return mode, OmegaConf.to_yaml(hydra.compose_config("config", overrides, mode))
    except Exception as error:
        return mode, type(error), str(error)


COMMANDS = [
    (False, []),
    (True, []),
    (False, ["seed=1,2"]),  # refused, because it is no sweep
    (True, ["seed=1,2", "optimizer=adam,sam", "optimizer.lr=0.1"]),
    (False, ["hydra.mode=MULTIRUN", "seed=1,2"]),
    (True, ["hydra.mode=RUN", "seed=1"]),
    (True, ["hydra.mode=RUN", "seed=1,2"]),
    (False, ["optimizer=adm"]),
    (True, ["seed=range(3)", "nothing=1"]),
    (True, ["hydra.sweep.dir=there", "hydra/sweeper=stacked_optuna", "+seeds=1"]),
    (False, ["training.epochs=text"]),
]


@pytest.mark.parametrize(("multirun", "overrides"), one_in(3, COMMANDS))
def test_what_hydra_composes_twice_is_composed_once(multirun, overrides, composed):
    by_hydra = asked_and_composed(ConfigLoaderImpl, overrides, multirun)
    assert len(composed) == 2
    composed.clear()
    assert asked_and_composed(Once, overrides, multirun) == by_hydra
    if len(by_hydra) == 2:
        assert len(composed) == 1


def test_random_commands_are_those_of_hydra():
    rng, errors = random.Random(0), 0
    for _ in range(4):
        overrides, multirun = random_overrides(rng), rng.random() < 0.5
        by_hydra = asked_and_composed(ConfigLoaderImpl, overrides, multirun)
        assert asked_and_composed(Once, overrides, multirun) == by_hydra
        errors += len(by_hydra) > 2
    assert errors < 4


def test_a_choice_that_only_a_sweep_makes_is_missing_in_a_run(tmp_path):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "open.yaml").write_text("# @package _global_\ndefaults:\n  - override /optimizer: ???\n")
    for multirun in (False, True):
        by_hydra = asked_and_composed(ConfigLoaderImpl, ["experiment=open"], multirun)
        assert asked_and_composed(Once, ["experiment=open"], multirun) == by_hydra


def test_other_compositions_of_a_loader_are_made_anew(composed):
    search = create_automatic_config_search_path(None, None, str(paths.configuration()))
    loader = Once(search)
    Hydra("chainrule", loader)
    loader.load_configuration("config", ["seed=1"], RunMode.MULTIRUN, validate_sweep_overrides=False)
    assert loader.load_configuration("config", ["seed=2", "hydra.mode=RUN"], RunMode.RUN).seed == 2
    first, second = (loader.load_configuration("config", ["seed=3"], RunMode.RUN) for _ in range(2))
    assert first is not second
    assert len(composed) == 4


@pytest.mark.parametrize("arguments", [["tracking=none", "training.epochs=0"], ["--cfg", "job", "target=wine"]])
def test_a_command_is_composed_once(arguments, composed):
    assert answering.chainrule(*arguments).code == 0
    assert len(composed) == 1


@pytest.mark.parametrize(
    "overrides",
    one_in(
        3,
        [
            (["target=wine", "optimizer=adam"],),
            (["target=wine", "output=tanh", "loss=huber"],),
            (["target=nowhere"],),
            (["+output.extra=1"],),  # beside what is found
            (["target=wine", "+loss.extra=1", "output=softmax"],),
            (["hydra.mode=MULTIRUN"],),
        ],
    ),
)
def test_what_is_shown_is_what_is_trained(overrides, capsys, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    shown = None
    with contextlib.suppress(Exception):
        application.run(["--cfg", "job", *overrides])
        shown = capsys.readouterr().out
    expected = None
    with contextlib.suppress(Exception), known(fitted_components(overrides)):
        expected = OmegaConf.to_yaml(compose._composed(overrides))
    assert shown == expected

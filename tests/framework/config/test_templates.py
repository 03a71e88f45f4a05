"""Configurations that are made from others are what Hydra composes."""

import contextlib
import enum
import os
import random
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

import chainrule
from chainrule.config import compose
from chainrule.config.compose import compose_config
from chainrule.config.fitting import known
from chainrule.config.templates import Template, Templates
from overrides import fitted_components, random_overrides

HUNDRED = "# @package _global_\ntraining:\n  epochs: 100\n"


def by_hydra(overrides):
    """What Hydra composes afresh, or the sentence that says what is wrong."""
    try:
        compose.require_parsed(overrides)
        with compose._hydras_errors_explained(), known(fitted_components(overrides)):
            return compose.resolved(compose._composed(overrides))
    except chainrule.ConfigurationError as error:
        return str(error)


def made(overrides):
    try:
        return compose_config(overrides)
    except chainrule.ConfigurationError as error:
        return str(error)


@pytest.fixture
def composed(monkeypatch):
    """The lists of overrides that Hydra composes."""
    monkeypatch.setattr(compose, "_kept", [])
    lists, original = [], compose._composed
    monkeypatch.setattr(compose, "_composed", lambda texts: lists.append(texts) or original(texts))
    return lists


@pytest.mark.parametrize("lists", [8, pytest.param(20, marks=pytest.mark.rare)])
def test_random_lists_give_what_hydra_gives(lists):
    rng, errors = random.Random(1), 0
    for _ in range(lists):
        overrides = random_overrides(rng)
        expected, found = by_hydra(overrides), made(overrides)
        assert found == expected, overrides
        assert list(found) == list(expected)
        errors += isinstance(found, str)
    assert lists / 12 <= errors <= 3 * lists / 4


def test_later_configurations_are_made_from_the_first(composed):
    for seed in range(3):
        for name in ("adam", "rprop"):
            found = compose_config([f"optimizer={name}", f"seed={seed}", "network.hidden=[3]"])
            assert (found["optimizer"]["name"], found["seed"]) == (name, seed)
    assert composed == []


def test_what_is_changed_afterwards_does_not_come_back():
    first = compose_config(["network.hidden=[3]"])
    first["network"]["hidden"].append(4)
    first["training"]["epochs"] = -1
    again = compose_config(["network.hidden=[3]"])
    assert again["network"]["hidden"] == [3]
    assert again["training"]["epochs"] == 200


def test_files_that_are_made_changed_or_gone_are_noticed():
    file = Path("conf/experiment/hundred.yaml")
    assert "hundred" in made(["experiment=hundred"])
    file.parent.mkdir(parents=True)
    file.write_text(HUNDRED)
    assert compose_config(["experiment=hundred"])["training"]["epochs"] == 100
    file.write_text(HUNDRED.replace("100", "1234"))
    assert compose_config(["experiment=hundred"])["training"]["epochs"] == 1234
    file.unlink()
    assert "hundred" in made(["experiment=hundred"])


def test_each_working_directory_has_its_own_files(tmp_path, monkeypatch):
    for epochs in (3, 4):
        folder = tmp_path / str(epochs) / "conf" / "experiment"
        folder.mkdir(parents=True)
        (folder / "own.yaml").write_text(HUNDRED.replace("100", str(epochs)))
        monkeypatch.chdir(tmp_path / str(epochs))
        assert compose_config(["experiment=own"])["training"]["epochs"] == epochs


def test_variables_of_the_environment_are_read_each_time(monkeypatch):
    for epochs in (3, 4):
        monkeypatch.setenv("EPOCHS", str(epochs))
        assert compose_config(["training.epochs=${oc.env:EPOCHS}"])["training"]["epochs"] == str(epochs)


def test_a_choice_may_depend_on_the_environment(monkeypatch):
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/own.yaml").write_text(
        "# @package _global_\ndefaults:\n- override /optimizer: ${oc.env:CHOSEN}\n"
    )
    for name in ("adam", "rprop"):
        monkeypatch.setenv("CHOSEN", name)
        assert compose_config(["experiment=own"])["optimizer"]["name"] == name


@pytest.mark.usefixtures("composed")
def test_templates_stay_while_another_folder_is_worked_in(monkeypatch):
    made, original = [], compose.Templates
    monkeypatch.setattr(compose, "Templates", lambda loading: made.append(original(loading)) or made[-1])
    Path("other/conf/experiment").mkdir(parents=True)
    Path("other/conf/experiment/own.yaml").write_text(HUNDRED)
    for _ in range(3):
        assert compose_config(["optimizer=adam"])["training"]["epochs"] != 100
        with contextlib.chdir("other"):
            assert compose_config(["experiment=own"])["training"]["epochs"] == 100
    assert len(made) == 2


def test_further_folders_are_left_to_hydra(composed):
    Path("further/experiment").mkdir(parents=True)
    file = Path("further/experiment/own.yaml")
    for epochs in ("3", "1234"):
        file.write_text(HUNDRED.replace("100", epochs))
        found = compose_config([f"hydra.searchpath=[file://{Path.cwd()}/further]", "experiment=own"])
        assert found["training"]["epochs"] == int(epochs)
    Path("conf").mkdir()
    usual = (compose.paths.configuration() / "config.yaml").read_text()
    Path("conf/config.yaml").write_text(
        usual.replace("hydra:\n", f"hydra:\n  searchpath: [file://{os.getcwd()}/further]\n")
    )
    for epochs in ("5", "4321"):
        file.write_text(HUNDRED.replace("100", epochs))
        assert compose_config(["experiment=own"])["training"]["epochs"] == int(epochs)
    assert len(composed) == 4


@pytest.mark.usefixtures("afresh")
def test_a_class_that_is_declared_again_has_its_new_parameters():
    for default in (1.0, 2.0):

        @chainrule.plugin
        @dataclass(frozen=True)
        class Slope(chainrule.Activation, name="slope_of_test"):
            slope: float = default

            def forward(self, z):
                return self.slope * z

            def backward(self, grad_a, z, a):
                return self.slope * grad_a * np.ones_like(z)

        assert compose_config(["activation=slope_of_test"])["activation"]["slope"] == default


def test_whole_numbers_are_parsed_like_hydra_parses_them():
    parser = OverridesParser.create()
    templates = Templates.__new__(Templates)
    templates._parser, templates._parse = parser, lambda text: templates._parsed(text)
    for key in ("seed", "data.samples", "a_b.c", "_x"):
        for value in (
            "0",
            "1",
            "7",
            "10",
            "007",
            "1_000",
            "123456789012345678",
            "1234567890123456789012",
            "1e3",
            "1.0",
        ):
            assert templates._parsed(f"{key}={value}") == parser.parse_overrides([f"{key}={value}"])[0]
    for text in ("seed=1,2", "+seed=1", "seed@x=1", "~seed", "seed.=1", "se-ed=1", "seed=-1"):
        try:
            expected = parser.parse_overrides([text])[0]
        except HydraException as error:
            with pytest.raises(HydraException, match=re.escape(str(error))):
                templates._parsed(text)
        else:
            assert templates._parsed(text) == expected


class Level(enum.Enum):
    LOW = 0
    HIGH = 7


@dataclass
class Typed:
    whole: int = 3
    number: float = 1.5
    text: str = "a"
    switch: bool = False
    level: Level = Level.LOW
    either: int | str = "a"
    maybe: int | None = None
    anything: Any = "a"
    many: list[int] = field(default_factory=list)


@pytest.mark.parametrize(
    "key", ["plain", "own.inner", "nothing", "absent", *(f"typed.{f.name}" for f in fields(Typed))]
)
def test_whole_numbers_change_what_each_would_change_by_itself(key):
    config = OmegaConf.create({"plain": 1.0, "own": {"inner": "x"}, "nothing": None, "typed": Typed(), "hydra": {}})
    OmegaConf.set_struct(config, True)
    for number in (1, 7, 123456789012345678):
        (override,) = OverridesParser.create().parse_overrides([f"{key}={number}"])
        expected = Template(config)._change(override)
        fresh = Template(config)
        assert fresh.changes([override]) == (None if expected is None else (expected,))
        if expected:
            assert type(fresh.changes([override])[0][1]) is type(expected[1])

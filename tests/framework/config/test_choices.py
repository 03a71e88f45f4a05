"""Other choices of components are what Hydra composes, or are left to it."""

import itertools
import random
from pathlib import Path

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from chainrule.config.choices import Choices, Loading, component_finder
from chainrule.config.compose import compose_config, is_composition_error
from chainrule.files import paths
from chainrule.sweep.jobs.composer import Composer
from sizes import one_in
from sweeping import composing

COMPONENTS = {
    "activation": ["tanh", "relu", "elu", "leaky_relu"],
    "output": ["sigmoid", "softmax"],
    "optimizer": ["adam", "rprop", "gradient_descent", "sgld"],
    "target": ["sine", "digits", "table"],
    "loss": ["huber", "binary_cross_entropy"],
    "rule": ["exact", "sign_symmetric"],
    "tracking": ["none"],
}
OWN = {  # files of a project
    "experiment/rated": "# @package _global_\noptimizer:\n  lr: 0.3\n  extra: [1, 2]\nactivation: {alpha: 7}\n",
    "experiment/chosen": "# @package _global_\ndefaults:\n- override /rule: sign_symmetric\n- override /target: wine\n",
    "experiment/named": "# @package _global_\nactivation: {name: elu}\ntarget: null\nloss: ${output}\n",
    "experiment/missing": "# @package _global_\noptimizer:\n  lr: ???\n  beta1: ${seed}\n",
    "experiment/deep": "# @package _global_\noptimizer: {lr: {low: 1}}\n",
    "experiment/twice": "# @package _global_\ndefaults:\n- /activation@second: relu\n- _self_\n",
    "experiment/beside": "defaults:\n- /optimizer@other: adam\n- _self_\nnote: 1\n",
    "of/sigmoid": "{}",
    "of/tanh": "# @package _global_\nseed: 8\n",
    "of/relu": "# @package _global_\noptimizer: {lr: 8}\n",
    "activation/own": "name: tanh\nslope: 3\n",
    "activation/elu": "name: elu\nalpha: 9\n",
    "loss/chosen": "# @package _global_\ndefaults:\n- override /target: spirals\n- _self_\nloss: {name: huber}\n",
}
FILES = {"experiment": ["article", "errata", *(name[11:] for name in OWN if name.startswith("experiment"))],
         "activation": ["own"], "loss": ["chosen"]}  # fmt: skip


@pytest.fixture
def own():
    """The project's own files."""
    for name, text in OWN.items():
        path = Path("conf", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def drawn(rng, options):
    groups = rng.sample(sorted(options), rng.choice(range(len(options) + 1)))
    return {group: rng.choice(options[group]) for group in groups}


def texts(chosen):
    return [f"{group}={name}" for group, name in chosen.items()]


def by_hydra(loader, master, overrides):
    """The text that Hydra composes, or the error."""
    try:
        return text(loader.load_sweep_config(master, overrides))
    except Exception as error:
        if not is_composition_error(error):
            raise
        return error


def first(*arguments):
    """The choices, or None where they cannot be made."""
    try:
        return Choices(*arguments)
    except (HydraException, OmegaConfBaseException):
        return None


def made_from(choices, chosen):
    try:
        return choices.config(chosen)
    except (HydraException, OmegaConfBaseException):
        return None


def text(config):
    """All that depends on the choice, in order, but what Hydra writes of its overrides."""
    data = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    del data["hydra"]["overrides"]["task"], data["hydra"]["job"]["override_dirname"]
    assert all(OmegaConf.is_struct(node) for node in (config, config.optimizer) if node is not None)
    return OmegaConf.to_yaml(data)


@pytest.mark.parametrize(("seed", "lists"), [(0, 2), pytest.param(1, 6, marks=pytest.mark.slow)])
def test_every_choice_is_what_hydra_composes(tmp_path, own, seed, lists):
    rng = random.Random(seed)
    made = left = 0
    with composing(tmp_path) as (hydra, master):
        loader, is_component = hydra.config_loader, component_finder(hydra.config_loader)
        for _ in range(lists):
            others = texts(drawn(rng, FILES) if rng.random() < 0.8 else {})
            taken = [other.partition("=")[0] for other in others]
            free = {group: names for group, names in COMPONENTS.items() if group not in taken}
            choices = None
            for _ in range(3):
                chosen = drawn(rng, free)
                if not all(itertools.starmap(is_component, chosen.items())):  # elu, which is a file here
                    continue
                expected = by_hydra(loader, master, [*others, *texts(chosen)])
                choices = choices or first(Loading.of_jobs(loader, master), others, chosen)
                config = choices and made_from(choices, chosen)
                made, left = made + (config is not None), left + (config is None)
                assert config is None or text(config) == expected, (others, chosen)
    assert made > 2 * lists / 3, left


@pytest.mark.parametrize(
    ("others", "is_left"),
    one_in(3, [(name, name in {"deep", "twice", "beside"}) for name in FILES["experiment"]]),
)
def test_where_something_else_may_depend_on_the_choice_hydra_composes(tmp_path, own, others, is_left):
    with composing(tmp_path) as (hydra, master):
        loader, overrides = hydra.config_loader, [f"experiment={others}"]
        choices = Choices(Loading.of_jobs(loader, master), overrides, {"activation": "tanh"})
        chosen = {"activation": "leaky_relu", "optimizer": "adam"}
        config = made_from(choices, chosen)
        assert (config is None) == is_left
        assert is_left or text(config) == by_hydra(loader, master, [*overrides, *texts(chosen)])


@pytest.mark.parametrize("entry", ["optional of: ${activation}", "of/${activation}"])
def test_files_that_are_called_like_a_choice_are_left_to_hydra(tmp_path, own, entry):
    usual = (paths.configuration() / "config.yaml").read_text()
    Path("conf/config.yaml").write_text(usual.replace("- experiment: null", f"- experiment: null\n  - {entry}"))
    with composing(tmp_path) as (hydra, master):
        loader, chosen = hydra.config_loader, {"activation": "relu"}
        assert loader.load_sweep_config(master, texts(chosen)).optimizer.lr == 8
        choices = Choices(Loading.of_jobs(loader, master), [], {"activation": "tanh"})
        assert made_from(choices, chosen) is None
        assert choices.config({"activation": "tanh"}).seed == 8
        composer = Composer(loader, master)
        found = [composer.job(0, [f"activation={name}"]).config for name in ("tanh", "relu")]
    assert [(config["seed"], config["optimizer"]["lr"]) for config in found] == [(8, 0.001), (0, 8)]


def test_what_files_add_before_a_component_is_left_to_hydra(tmp_path):
    Path("conf").mkdir()
    usual = (paths.configuration() / "config.yaml").read_text()
    Path("conf/config.yaml").write_text(f"{usual}\noptimizer:\n  name: adam\n  beta1: 0.5\n")
    with composing(tmp_path) as (hydra, master):
        assert hydra.config_loader.load_sweep_config(master, ["optimizer=rprop"]).optimizer.beta1 == 0.5
        assert Choices(Loading.of_jobs(hydra.config_loader, master), [], {}).config({"optimizer": "rprop"}) is None


def test_folders_that_hydra_is_told_of_are_left_to_it(tmp_path, own):
    with composing(tmp_path, f"hydra.searchpath=[file://{Path.cwd()}/conf/of]") as (hydra, master):
        assert Choices(Loading.of_jobs(hydra.config_loader, master), [], {}).config({}) is None


def test_only_installed_components_that_no_file_is_called_like_are_exchanged(tmp_path, own):
    with composing(tmp_path) as (hydra, _):
        is_component = component_finder(hydra.config_loader)
        found = {name: is_component("activation", name) for name in ("tanh", "own", "elu", "nothing", "")}
    assert found == {"tanh": True, "own": False, "elu": False, "nothing": False, "": False}
    assert not is_component("experiment", "article")


def composed_by(loader, monkeypatch):
    """The lists of overrides that Hydra composes from now on."""
    composed, loaded = [], loader.load_sweep_config
    monkeypatch.setattr(loader, "load_sweep_config", lambda *args: composed.append(args[1]) or loaded(*args))
    return composed


def test_hydra_composes_once_for_all_choices(tmp_path, monkeypatch):
    with composing(tmp_path) as (hydra, master):
        composer, composed = Composer(hydra.config_loader, master), composed_by(hydra.config_loader, monkeypatch)
        rows = itertools.product(["tanh", "relu", "elu"], ["sine", "digits"], [[], ["output=softmax", "loss=huber"]])
        lists = [[f"activation={activation}", "seed=2", f"target={target}", *rest] for activation, target, rest in rows]
        jobs = [composer.job(number, overrides) for number, overrides in enumerate(lists)]
    assert composed == [lists[0][::2]]
    assert [job.config for job in jobs] == [compose_config(overrides) for overrides in lists]


def test_an_option_of_several_layers_is_composed_by_hydra_once(tmp_path, monkeypatch):
    with composing(tmp_path) as (hydra, master):
        composer, composed = Composer(hydra.config_loader, master), composed_by(hydra.config_loader, monkeypatch)
        rows = itertools.product(["tanh", "tanh+elu", "relu"], ["sine", "digits", "wine"])
        lists = [[f"activation={activation}", "seed=2", f"target={target}"] for activation, target in rows]
        jobs = [composer.job(number, overrides) for number, overrides in enumerate(lists)]
    assert len(composed) == 2
    assert [job.config for job in jobs] == [compose_config(overrides) for overrides in lists]

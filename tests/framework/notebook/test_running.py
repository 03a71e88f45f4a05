"""Runs trained from Python, one or many at once."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.notebook import running
from stacks import everything

SHORT = ["training.epochs=6", "training.batch_size=8"]
# The settings that these describe fall into three stacks: two functions, and another number of samples.
MIXED = [
    [*SHORT, "activation=tanh", "seed=1"],
    [*SHORT, "activation=relu"],
    [*SHORT, "activation=tanh", "optimizer.lr=0.5"],
    [*SHORT, "activation=tanh", "data.samples=40"],
    [*SHORT, "activation=relu", "seed=2"],
]


@pytest.fixture
def stacks(monkeypatch):
    """How many runs each stack has had."""
    sizes, whole = [], running.train_stack

    def counted(runs, *options):
        sizes.append(len(runs))
        return whole(runs, *options)

    monkeypatch.setattr(running, "train_stack", counted)
    return sizes


def test_runs_are_stacked_by_structure_and_come_back_in_order_with_the_bytes_of_single_runs(stacks, tmp_path):
    together = chainrule.train(MIXED)
    assert stacks == [2, 2, 1]
    for overrides, result in zip(MIXED, together, strict=True):
        assert result.settings == chainrule.settings(*overrides)
        assert everything(result) == everything(chainrule.run(*overrides))
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_a_stack_has_a_largest_size(stacks, monkeypatch):
    monkeypatch.setattr(running, "MOST", 2)
    first = chainrule.settings(*SHORT)
    results = chainrule.train(dataclasses.replace(first, seed=seed) for seed in range(5))
    assert stacks == [2, 2, 1]
    assert [result.settings.seed for result in results] == [0, 1, 2, 3, 4]


def test_a_run_is_given_as_overrides_as_settings_or_prepared(stacks):
    settings = chainrule.settings(*SHORT, "seed=3")
    results = chainrule.train([[*SHORT, "seed=3"], settings, chainrule.prepare(settings)])
    assert stacks == [3]
    assert len({result.theta.tobytes() for result in results}) == 1
    assert chainrule.train([]) == []


def test_a_run_alone_needs_no_list_and_an_override_alone_none_either(stacks):
    (alone,) = chainrule.train("training.epochs=2")
    settings = chainrule.settings("training.epochs=2")
    others = [*chainrule.train(settings), *chainrule.train(chainrule.prepare(settings))]
    others += chainrule.train(["training.epochs=2", settings])
    assert stacks == [1, 1, 1, 2]
    assert all(everything(each) == everything(alone) for each in others)


@pytest.mark.parametrize("configurations", [5, [5], [["seed=1"], None]])
def test_what_describes_no_run_is_refused_in_a_sentence(stacks, configurations):
    with pytest.raises(
        chainrule.ConfigurationError, match=r"^each run is a list of overrides such as .*, not (5|None)"
    ):
        chainrule.train(configurations)
    assert stacks == []


def test_a_wrong_override_is_refused_before_anything_is_trained(stacks):
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'adam'"):
        chainrule.train([SHORT, ["optimizer=adm"]])
    assert stacks == []


@pytest.mark.parametrize("validation", ["0.2", "0"])
def test_runs_can_be_stopped_and_the_others_have_their_bytes(validation):
    runs = [[*overrides, "training.measure_every=1", f"data.validation={validation}"] for overrides in MIXED]
    name = "train/loss" if validation == "0" else "validation/loss"
    whole, told = [chainrule.run(*overrides) for overrides in runs], {}

    def stop(epoch, places, losses):
        for place, loss in zip(places, losses, strict=True):
            told[int(place), epoch] = loss
        return np.isin(places, [0, 4]) & (epoch >= 2)

    results = chainrule.train(runs, stop=stop)
    assert [result.reason for result in results] == ["pruned", "epochs", "epochs", "epochs", "pruned"]
    for place, (result, alone) in enumerate(zip(results, whole, strict=True)):
        if place in (0, 4):
            assert (result.epochs, result.curves.epochs.tolist()) == (2, [0, 1, 2])
            for curve, values in result.curves.values.items():
                assert values.tobytes() == alone.curves.values[curve][:3].tobytes()
        else:
            assert everything(result) == everything(alone)
        epochs = range(3 if place in (0, 4) else 6)  # the end of a run is not asked about
        assert {epoch: loss for (who, epoch), loss in told.items() if who == place} == {
            epoch: alone.curves.values[name][epoch] for epoch in epochs
        }


def replaced(section, **values):
    return dataclasses.replace(BASE, **{section: dataclasses.replace(getattr(BASE, section), **values)})


BASE = chainrule.settings(*SHORT)
WRONG = [
    (dataclasses.replace(BASE, seed=-1), r"^seed must be a whole number >= 0, not -1\."),
    (dataclasses.replace(BASE, seed="a"), r"^seed must be a whole number >= 0, not 'a'\."),
    (replaced("training", epochs="5"), r"^training.epochs must be a whole number >= 0, not '5'\."),
    (replaced("network", hidden=3), r"^network.hidden must be a list, each entry a whole number >= 1, not 3\."),
    (replaced("optimizer", lr=-1.0), r"^optimizer.lr must be a number >= 0, not -1.0\."),
    (replaced("training", dtype="float46"), r"^training.dtype must be one of .* \(did you mean 'float64'\?\)\."),
    (dataclasses.replace(BASE, training=5), r"^training must be settings of class Training, not 5\."),
    (
        dataclasses.replace(BASE, optimizer="adam"),
        r"^optimizer must be chainrule.component\('optimizer', NAME\), not 'adam'\.",
    ),
    (
        dataclasses.replace(BASE, activation=("relu", "tanh")),
        r"^activation.1 must be chainrule.component\('activation', NAME\), not 'relu'",
    ),
    (dataclasses.replace(BASE, transforms=chainrule.component("transform", "clip")), "^transforms must be a tuple of "),
]


@pytest.mark.parametrize(("settings", "sentence"), WRONG)
def test_settings_with_a_wrong_value_are_refused_in_a_sentence(settings, sentence):
    for use in (chainrule.prepare, chainrule.train):
        with pytest.raises(chainrule.ConfigurationError, match=sentence):
            use(settings)


def test_settings_become_what_the_configuration_makes_of_the_same_values():
    typed = replaced("training", dtype="float32", epochs=np.int64(6), tolerance=0)
    (trained,) = chainrule.train(dataclasses.replace(typed, seed=np.int64(3)))
    (composed,) = chainrule.train([[*SHORT, "training.dtype=float32", "training.tolerance=0", "seed=3"]])
    assert trained.settings == composed.settings
    assert everything(trained) == everything(composed)
    assert BASE.checked() == BASE


@pytest.mark.parametrize(
    "use",
    [
        chainrule.load,
        chainrule.resume,
        chainrule.verify,
        chainrule.outcomes_of,
        lambda place: chainrule.export(place, "package.zip"),
        lambda place: chainrule.export(".", place),
        lambda place: chainrule.export_onnx(place, "network.onnx"),
        lambda place: chainrule.run(*SHORT, directory=place or 5),
        lambda place: chainrule.sweep(*SHORT, "seed=0,1", directory=place or 5),
    ],
)
def test_what_no_path_can_be_is_refused_in_a_sentence(use):
    for place, sentence in (
        (None, r"^a directory or a file is named by a text or a Path, not by "),
        ("a\0b", "zero byte"),
    ):
        with pytest.raises(chainrule.ConfigurationError, match=sentence):
            use(place)


def test_numbers_of_steps_and_runs_are_whole():
    (run,) = chainrule.train(BASE)
    for words in ({"step": 1.5}, {"step": "last"}, {"epoch": 1.5}, {"sample": 1.5}):
        ((name, value),) = words.items()
        with pytest.raises(chainrule.ConfigurationError, match=f"^{name} must be a whole number, not {value!r}"):
            run.explain(**words)
    with pytest.raises(chainrule.ConfigurationError, match=r"^runs must be a whole number from 0 on, not 1.5\."):
        run.why(runs=1.5)
    with pytest.raises(chainrule.ConfigurationError, match=r"^The goal must be .* at most 1, not 'x'"):
        run.why(goal="x")

"""What names and values of unknown runs suggest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.analysis.guesses import (
    guessed_direction,
    guessed_metric,
    guessed_seeds,
    known_metric,
    number,
    roles,
)
from chainrule.errors import ConfigurationError


def test_the_metric_is_that_of_chainrule_else_the_only_one():
    assert guessed_metric(["train/loss", "validation/loss", "a"]) == "validation/loss"
    assert guessed_metric(["train/loss", "a"]) == "train/loss"
    assert guessed_metric(["a", "a", "system/cpu_utilization_percentage"]) == "a"
    with pytest.raises(ConfigurationError, match=r"several metrics: choose one by --metric NAME .*, of a, b\."):
        guessed_metric(["b", "a", "system/disk"])
    with pytest.raises(ConfigurationError, match="no metrics"):
        guessed_metric(["system/disk"])


def test_a_metric_that_no_run_has_is_refused_with_the_nearest():
    assert known_metric("loss", ["loss", "acc"]) == "loss"
    with pytest.raises(ConfigurationError, match=r"'lss' \(did you mean 'loss'\?\); they have acc, loss\."):
        known_metric("lss", ["loss", "acc"])


@pytest.mark.parametrize(
    "name",
    ["accuracy", "val_acc", "valAccuracy", "test/roc_auc", "macro-F1", "r2", "R2", "neg_mean_squared_error", "recall"],
)
def test_large_values_are_good(name):
    assert guessed_direction(name) is True


@pytest.mark.parametrize(
    "name", ["loss", "validation/loss", "valLoss", "RMSE", "test.mae", "log_loss", "error_rate", "neg_r2"]
)
def test_small_values_are_good(name):
    assert guessed_direction(name) is False


@pytest.mark.parametrize("name", ["score", "mean_test_score", "seconds", "accuracy_loss", "reward", "lossy", "pacc"])
def test_where_the_name_does_not_tell_it_is_asked_for(name):
    with pytest.raises(ConfigurationError, match=f"'{name}' does not say .* add --maximize or --minimize"):
        guessed_direction(name)


def test_seeds_are_called_so():
    names = ["lr", "seed", "data.seed", "clf__random_state", "Random-Seed", "torch_seed", "trainer/rng", "randomState"]
    assert guessed_seeds(names) == tuple(names[1:])
    assert guessed_seeds(["n_seeds", "num_seed", "seeded", "seed_ratio", "state", "string"]) == ()


@given(st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False)))
def test_texts_of_numbers_are_numbers(value):
    assert number(str(value)) == value
    assert number(repr(float(value))) == value


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_000", "", "adam", "0x10", "1e", "True", "1,5"])
def test_other_texts_stay_texts(text):
    assert number(text) == text


def test_equal_numbers_are_one_value():
    assert [repr(number(text)) for text in ("1", "1.0", "1e0", "+1.")] == ["1"] * 4
    assert {number(text) for text in ("0.001", "1e-3", "1E-03", ".001")} == {0.001}


SEEDS = [0, 1, 2, 0, 1, 2]
RATES = [0.1, 0.1, 0.1, 0.2, 0.2, 0.2]


def test_settings_are_what_varies():
    found = roles({"lr": RATES, "epochs": [5] * 6, "decay": [None, None, None, 1, 1, 1]}, SEEDS)
    assert found.settings == ("lr", "decay")
    assert found.constants == {"epochs": 5}
    assert found.apart == {}


def test_what_follows_from_the_seed_is_no_setting():
    found = roles(
        {"lr": RATES, "fold": [7, 8, 9, 7, 8, 9], "half": [0, 0, 1, 0, 0, 1], "mixed": [7, 8, 9, 7, 9, 8]}, SEEDS
    )
    assert found.apart == {"fold": "it follows from the seed"}
    assert found.settings == ("lr", "half", "mixed")  # one value for two seeds, and two for one, may be settings
    # Where each run has a seed of its own everything follows from it.
    assert roles({"lr": [0.1, 0.2, 0.3]}, [4, 5, 6]).settings == ("lr",)
    assert roles({"lr": [0.1, 0.2, 0.1]}, [None] * 3).settings == ("lr",)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("label", list("abcdef")),  # a text, and without it runs differ in their seed only
        ("label", [None, *"bcdef"]),
        ("run_id", [3, 1, 4, 5, 9, 2]),  # a number that is called like an identity
        ("trialNumber", [3, 1, 4, 5, 9, 2]),
        ("timestamp", [3.5, 1, 4, 5, 9, 2]),
    ],
)
def test_what_identifies_a_run_is_no_setting(name, own):
    found = roles({"lr": RATES, name: own}, SEEDS)
    assert found.settings == ("lr",)
    assert found.apart == {name: "it differs from run to run"}


@pytest.mark.parametrize(
    "own",
    [
        ["/tmp/a", "/tmp/b", "/tmp/c"],
        ["./a", "../b", "~/c"],
        ["s3://x/a", "s3://x/b", "file:///c"],
        ["C:\\a", "C:\\b", "D:\\c"],
        ["0f3a9c1e", "deadbeef01", "8badf00d2"],
    ],
)
def test_places_and_hashes_identify_runs_whether_there_is_a_seed_or_not(own):
    assert roles({"out": own, "depth": [1, 2, 2]}, [None] * 3).apart == {"out": "it differs from run to run"}
    assert roles({"out": own[:2], "depth": [1, 2]}, [None] * 2).settings == ("out", "depth")  # two are too few to tell


def test_settings_that_each_run_has_another_of_are_settings():
    drawn = {"lr": [0.11, 0.32, 0.53], "hidden": [3, 5, 9], "model": ["tree", "forest", "org/large"]}
    assert roles(drawn, [None] * 3).settings == ("lr", "hidden", "model")
    assert roles(drawn, [0] * 3).settings == ("lr", "hidden", "model")
    assert roles(drawn, [1, 2, 3]).settings == ("lr", "hidden", "model")


def test_of_few_runs_little_is_said():
    assert roles({}, []) == roles({}, [1])
    assert roles({"a": [1]}, [1]).constants == {"a": 1}

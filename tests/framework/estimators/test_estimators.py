"""Regressor and Classifier: scikit-learn's own checks, and what they add."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule

IRIS = datasets.load_iris(return_X_y=True)
DIABETES = datasets.load_diabetes(return_X_y=True)
BOTH = [(chainrule.Regressor, DIABETES), (chainrule.Classifier, IRIS)]


@parametrize_with_checks([chainrule.Regressor(), chainrule.Classifier()])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about data that a check makes odd on purpose
        check(estimator)


@pytest.mark.parametrize(("cls", "data"), BOTH)
def test_training_in_parts_has_the_bits_of_one_fit(cls, data):
    common = {"random_state": 3, "overrides": ["training.measure_every=1"]}  # else calls are measured at their ends
    whole = cls(epochs=7, **common).fit(*data)
    fitted = cls(epochs=4, **common).fit(*data).partial_fit(*data).partial_fit(*data, epochs=2)
    parts = cls(**common)
    for _ in range(7):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(*data)))
    for other in (fitted, parts):
        assert other.result_.theta.tobytes() == whole.result_.theta.tobytes()
        assert other.predict(data[0]).tobytes() == whole.predict(data[0]).tobytes()
        assert (other.loss_curve_, other.n_iter_) == (whole.loss_curve_, 7)
        assert other.result_.metrics == whole.result_.metrics


RANDOM = {"dropout": 0.2, "transforms": ["clip", "noise", "ema"], "norm": "batch_norm", "sampling": "mixup"}


def test_what_is_random_in_training_goes_on_too():
    model = chainrule.Classifier(hidden=(8,), **RANDOM, random_state=1)
    whole = clone(model).set_params(epochs=5).fit(*IRIS)
    parts = clone(model).partial_fit(*IRIS, epochs=2)
    before = parts.result_.theta.copy()
    parts.partial_fit(*IRIS, epochs=3)
    assert parts.result_.theta.tobytes() == whole.result_.theta.tobytes() != before.tobytes()


def test_a_model_is_the_run_of_its_data():
    """The same run by the command's road: a table of the same numbers."""
    x, y = DIABETES
    model = chainrule.Regressor(hidden=(5,), epochs=3, random_state=0).fit(x, y)
    seed = f"seed={model.result_.settings.seed}"
    run = chainrule.run(
        *(
            "network.hidden=[5]",
            "activation=relu",
            "initializer=xavier_uniform",
            "optimizer=adam",
            "training.batch_size=200",
        ),
        *("training.epochs=3", "target.standardize=true", "data.validation=0", seed),
        data=(x, y),
    )
    assert run.theta.tobytes() == model.result_.theta.tobytes()
    np.testing.assert_array_equal(run.predict(x.T)[0], model.predict(x))


def test_the_model_keeps_no_samples():
    x = np.random.default_rng(0).normal(size=(5000, 20))
    model = chainrule.Regressor(hidden=(3,), epochs=1).fit(x, x[:, 0])
    assert len(pickle.dumps(model)) < x.nbytes / 20
    assert model.result_.metrics["train/r2"] == pytest.approx(model.score(x, x[:, 0]))


def test_partial_fit_takes_samples_as_they_come():
    x, y = datasets.make_regression(600, 5, noise=1.0, random_state=0)
    model = chainrule.Regressor(hidden=(), lr=0.01, random_state=0)
    for start in [*range(0, 500, 50)] * 20:
        model.partial_fit(x[start : start + 50], y[start : start + 50])
    expected = LinearRegression().fit(x[:500], y[:500]).score(x[500:], y[500:])
    assert model.score(x[500:], y[500:]) == pytest.approx(expected, abs=1e-3)
    assert (model.n_iter_, len(model.loss_curve_)) == (200, 200)


def test_values_that_only_standardizing_moves_out_of_a_loss_are_said_to_be_left_by_another_parameter():
    x, y = datasets.make_regression(60, 5, random_state=0)
    with pytest.raises(chainrule.ConfigurationError, match=r"these of 0 to \S+, and standardize=False leaves them\.$"):
        chainrule.Regressor(loss="poisson").fit(x, y - y.min())
    chainrule.Regressor(loss="poisson", standardize=False, epochs=1, lr=1e-9).fit(x, y - y.min())


def test_classes_may_come_later():
    x, y = IRIS[0], IRIS[1]
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = chainrule.Classifier(random_state=0, lr=0.01)
    model.partial_fit(x[:99], names[:99], classes=["virginica", "setosa", "versicolor"])
    model.partial_fit(x, names, epochs=50)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.score(x, names) > 0.9
    with pytest.raises(ValueError, match="'iris', which is not among those of the first call"):
        model.partial_fit(x[:2], ["setosa", "iris"])


@pytest.mark.parametrize(
    ("cls", "load", "score"),
    [
        (chainrule.Classifier, datasets.load_iris, 0.9),
        (chainrule.Classifier, datasets.load_wine, 0.95),
        (chainrule.Regressor, datasets.load_diabetes, 0.28),
        pytest.param(chainrule.Classifier, datasets.load_digits, 0.96, marks=pytest.mark.slow),
    ],
)
def test_without_parameters_the_model_is_good(cls, load, score):
    x, y = load(return_X_y=True)
    shown, held, learned, true = train_test_split(x, y, test_size=0.3, random_state=0)
    assert cls(random_state=0).fit(shown, learned).score(held, true) > score


def test_values_are_predicted_in_their_own_units():
    x, y = DIABETES
    y = np.stack([1e6 * y, y / 1e6], axis=1)
    model = chainrule.Regressor(epochs=50, random_state=0).fit(x, y)
    assert model.predict(x).shape == y.shape
    assert model.score(x, y) > DummyRegressor().fit(x, y).score(x, y) + 0.5
    scores = [
        chainrule.Regressor(epochs=50, random_state=0, standardize=scale).fit(x, y).score(x, y) for scale in (1, 0)
    ]
    assert scores[0] > 0.5 > scores[1]


def test_it_works_in_pipelines_and_searches():
    x, y = IRIS
    model = make_pipeline(PolynomialFeatures(2), chainrule.Classifier(hidden=(5,), epochs=60, random_state=0))
    search = GridSearchCV(
        model, {"classifier__lr": np.logspace(-3, -1, 2), "classifier__optimizer": ["adam", "lion"]}, cv=2
    )
    search.fit(x, y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_["classifier"].result_.settings.optimizer.lr == search.best_params_["classifier__lr"]
    assert cross_val_score(search.best_estimator_, x, y, cv=3).mean() > 0.9


def test_a_data_frame_gives_its_names():
    x = pd.DataFrame(IRIS[0], columns=["a", "b", "c", "d"])
    model = chainrule.Classifier(epochs=1).fit(x, np.array(["no", "perhaps", "yes"])[IRIS[1]])
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    target = model.result_.settings.target
    assert (target.input_names, target.output_names) == (("a", "b", "c", "d"), ("no", "perhaps", "yes"))
    assert "arrays" in model.result_.settings.title


def test_probabilities_are_those_of_the_network():
    x, y = IRIS
    model = chainrule.Classifier(epochs=5, random_state=0, dtype="float32").fit(x, y)
    found = model.predict_proba(x)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    (W1, W2), (b1, b2) = model.result_.weights, model.result_.biases
    hidden = np.maximum(W1 @ ((x - x.mean(axis=0)) / x.std(axis=0)).T + b1[:, None], 0)
    z = W2 @ hidden + b2[:, None]
    np.testing.assert_allclose(found.T, np.exp(z) / np.exp(z).sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize(("output", "there"), [(None, True), ("sigmoid", True), ("identity", False), ("sigmod", False)])
def test_probabilities_need_an_output_that_gives_them(output, there):
    assert hasattr(chainrule.Classifier(output=output), "predict_proba") is there


def test_every_option_has_a_parameter_or_the_door():
    model = chainrule.Classifier(
        hidden=[4, 3],
        activation=["tanh", "relu"],
        transforms=["clip"],
        lr=0.02,
        overrides=("optimizer.beta2=0.9", "transforms.clip.limit=2", "data.balance_classes=true", "sampling=fixed"),
        epochs=2,
    )
    settings = model.fit(*IRIS).result_.settings
    assert [one.name for one in settings.activation] == ["tanh", "relu"]
    assert (settings.optimizer.lr, settings.optimizer.beta2, settings.transforms[0].limit) == (0.02, 0.9, 2.0)
    assert (settings.data.balance_classes, settings.sampling.name, settings.network.hidden) == (True, "fixed", (4, 3))


def test_a_single_override_may_be_typed_without_a_list():
    settings = chainrule.Classifier(overrides="optimizer.beta2=0.9", epochs=1).fit(*IRIS).result_.settings
    assert settings.optimizer.beta2 == 0.9


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"optimizer": "adm"}, r"optimizer=adm is unknown \(did you mean 'adam'\?\)"),
        ({"activation": ["tanh", "rleu"]}, r"activation=rleu is unknown \(did you mean 'relu'\?\)"),
        ({"activation": ["tanh", "relu"]}, "activation"),
        ({"optimizer": "prodigy", "lr": "fast"}, "optimizer.lr must be a number"),
        ({"epochs": -1}, "training.epochs must be a whole number >= 0, not -1"),
        ({"overrides": ("optimizer.beta3=1",)}, r"optimizer.beta3 is not a key of the configuration \(did you mean"),
        ({"overrides": ("traning.epochs=1",)}, r"traning is not a key of the configuration \(did you mean 'training'"),
        ({"overrides": ("seed=1",)}, "seed=1 is no override of an estimator, which has random_state for that"),
        ({"overrides": ("target.label=y",)}, "which has X and y for that"),
        ({"overrides": ("training.epochs=1,2",)}, "training.epochs=1,2 has several values, which are for a sweep"),
        ({"overrides": ("training.epochs.more=2",)}, "training.epochs.more is not a key of the configuration"),
        ({"overrides": ("optimizer=",)}, "optimizer= lacks a name"),
        ({"loss": "log_loss"}, "loss="),
    ],
)
def test_a_wrong_parameter_gets_one_sentence(parameters, message):
    with pytest.raises(chainrule.ConfigurationError, match=message):
        chainrule.Regressor(**parameters).fit(*DIABETES)


def test_what_partial_fit_cannot_do_it_says():
    x, y = DIABETES
    for held_out in ({"validation": 0.1}, {"overrides": ("data.test=0.1",)}):
        with pytest.raises(ValueError, match="partial_fit trains on all samples"):
            chainrule.Regressor(**held_out).partial_fit(x, y)
    model = chainrule.Regressor().partial_fit(x, y)
    with pytest.raises(ValueError, match="epochs must be 1 or more, not 0"):
        model.partial_fit(x, y, epochs=0)
    with pytest.raises(ValueError, match="y has 2 outputs, but had 1 in the first call"):
        model.partial_fit(x, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="needs two classes at least"):
        chainrule.Classifier().fit(x, ["a"] * len(x))
    with pytest.raises(ValueError, match=r"^classes holds 0 classes; a classifier needs two classes at least"):
        chainrule.Classifier().partial_fit(*IRIS, classes=[])
    with pytest.raises(NotFittedError):
        chainrule.Classifier().predict(x)


def test_validation_and_patience_end_training():
    model = chainrule.Classifier(validation=0.2, patience=3, restore_best=True, epochs=500, lr=0.03, random_state=0)
    model.fit(*IRIS)
    assert model.n_iter_ < 500
    assert model.result_.reason == "plateau"
    assert model.result_.metrics["best_epoch"] < model.n_iter_


def test_training_that_diverges_is_a_warning():
    with pytest.warns(ConvergenceWarning, match="has diverged in epoch"):
        chainrule.Regressor(optimizer="gradient_descent", lr=1e6, random_state=0).fit(*DIABETES)


def test_scikit_learn_is_imported_when_an_estimator_is_wanted():
    code = "import sys, chainrule; chainrule.Activation; assert 'sklearn' not in sys.modules; chainrule.Regressor"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("cls", [chainrule.Regressor, chainrule.Classifier])
def test_a_column_of_text_is_named_with_what_to_do(cls):
    frame = pd.DataFrame({"size": ["1", "2.5"], "colour": ["1", "red"]})
    with pytest.raises(ValueError, match=r"^Column 'colour' of X has text \('red'\), and a network needs numbers: "):
        cls().fit(frame, [0, 1])
    with pytest.raises(ValueError, match=r"^Column 1 of X has text"):
        cls().fit(frame.to_numpy(), [0, 1])

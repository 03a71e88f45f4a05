"""Samples that count more than others: by the weights of a target, by their classes."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import sklearn.linear_model

import chainrule
from chainrule.components.contracts import Target
from chainrule.engine.weights import classes_of, sample_weights
from chainrule.records.settings import DType

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 2))
LABEL = (X @ [1.0, -0.5] + 2 * RNG.normal(size=40) > 0.8).astype(float)[:, None]
ONE_LAYER = ["network.hidden=[]", "data.validation=0", "training.batch_size=null", "training.tolerance=0"]
LOGISTIC = ["output=sigmoid", "loss=binary_cross_entropy", "training.epochs=4000", "optimizer.lr=1"]


@dataclass(frozen=True)
class Rows(Target):
    """Rows that the tests give it; weights are in the last column, if there are any."""

    task: str = "regression"
    rows: tuple[tuple[float, ...], ...] = ()
    weighted: bool = False
    inputs = 2
    outputs = 1
    samples = None

    def data(self, rng, samples):
        """Return x, y and the weights."""
        block = np.array(self.rows)
        return (block[:, :2], block[:, 2:3], block[:, 3]) if self.weighted else (block[:, :2], block[:, 2:3])


def rows(*parts, task="regression", weighted=False):
    """The target of these columns."""
    return Rows(task, tuple(map(tuple, np.column_stack(parts).tolist())), weighted)


def trained(target, *overrides, **changes):
    """The result of a run."""
    settings = dataclasses.replace(chainrule.settings(*overrides), target=target, **changes)
    return chainrule.train([settings])[0]


@pytest.mark.parametrize("loss", ["half_squared_error", "absolute_error", "log_cosh"])
def test_a_whole_weight_is_as_many_samples(loss):
    """One of them is left out by a weight of 0."""
    y, weights = X @ [1.0, 2.0] + RNG.normal(size=40), RNG.integers(0, 4, 40)
    common = ["training.batch_size=null", "data.validation=0", f"loss={loss}", "training.epochs=50", "optimizer.lr=0.1"]
    weighted = trained(rows(X, y, weights, weighted=True), *common)
    repeated = trained(rows(np.repeat(X, weights, axis=0), np.repeat(y, weights)), *common)
    assert (weights == 0).any()
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-10)
    np.testing.assert_allclose(
        weighted.curves.values["train/loss"], repeated.curves.values["train/loss"], rtol=1e-10, atol=1e-14
    )


def test_a_whole_weight_is_as_many_samples_in_derivatives_of_predictions():
    y, weights = X @ [1.0, 2.0] + RNG.normal(size=40), RNG.integers(1, 4, 40)
    common = ["training.batch_size=null", "data.validation=0", "training.epochs=4", "optimizer=levenberg_marquardt"]
    weighted = trained(rows(X, y, weights, weighted=True), *common)
    repeated = trained(rows(np.repeat(X, weights, axis=0), np.repeat(y, weights)), *common)
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-9)


def test_weights_are_relative():
    y = X @ [1.0, 2.0]
    weights = RNG.random(40)
    one, hundred = (trained(rows(X, y, scale * weights, weighted=True), "training.epochs=3") for scale in (1, 64))
    assert one.theta.tobytes() == hundred.theta.tobytes()


def test_equal_weights_are_none():
    y = X @ [1.0, 2.0]
    plain, weighted = (
        trained(target, "training.epochs=5") for target in (rows(X, y), rows(X, y, np.full(40, 0.5), weighted=True))
    )
    assert plain.theta.tobytes() == weighted.theta.tobytes()
    assert plain.metrics == weighted.metrics
    assert plain.samples.digest != weighted.samples.digest


def test_least_squares_with_weights_are_those_of_scikit_learn():
    y, weights = X @ [1.0, 2.0] + RNG.normal(size=40), RNG.random(40)
    peer = sklearn.linear_model.LinearRegression().fit(X, y, sample_weight=weights)
    result = trained(rows(X, y, weights, weighted=True), *ONE_LAYER, "training.epochs=3000", "optimizer.lr=0.3")
    np.testing.assert_allclose(result.weights[0][0], peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(result.biases[0][0], peer.intercept_, rtol=1e-8)


@pytest.mark.parametrize(
    ("override", "class_weight"),
    [("data.class_weights=[1,5]", {0: 1, 1: 5}), ("data.balance_classes=true", "balanced")],
)
def test_weights_of_classes_are_those_of_scikit_learn(override, class_weight):
    peer = sklearn.linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, class_weight=class_weight)
    peer.fit(X, LABEL[:, 0])
    result = trained(rows(X, LABEL, task="classification"), *ONE_LAYER, *LOGISTIC, override)
    np.testing.assert_allclose(result.weights[0], peer.coef_, rtol=1e-4)
    np.testing.assert_allclose(result.biases[0], peer.intercept_, rtol=1e-4)


def test_both_weights_of_classes_multiply():
    target = rows(X, LABEL, task="classification")
    share = LABEL.mean()
    both = ["data.class_weights=[2,1]", "data.balance_classes=true"]
    alone = [f"data.class_weights=[{2 / (1 - share)},{1 / share}]"]
    one, other = (trained(target, *ONE_LAYER, *LOGISTIC, *chosen, "training.epochs=20") for chosen in (both, alone))
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-12)


@pytest.mark.parametrize("dtype", [DType.FLOAT64, DType.FLOAT32])
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_weighted_runs_have_the_bytes_in_a_stack_that_they_have_alone(batch_size, dtype):
    """They differ in seed, rate and tolerance, so that some leave."""
    target = rows(X, LABEL, RNG.random(40), task="classification", weighted=True)
    base = chainrule.settings(*LOGISTIC, "training.epochs=12", "data.class_weights=[1,3]", "training.measure_every=1")
    training = dataclasses.replace(base.training, batch_size=batch_size, dtype=dtype)
    runs = [
        dataclasses.replace(
            base, target=target, seed=seed,
            training=dataclasses.replace(training, tolerance=0.9 if seed == 2 else 0.0),
            optimizer=dataclasses.replace(base.optimizer, lr=0.1 + seed),
        )
        for seed in range(5)
    ]  # fmt: skip
    for run, together in zip(runs, chainrule.train(runs), strict=True):
        (alone,) = chainrule.train([run])
        assert together.theta.tobytes() == alone.theta.tobytes()
        for name, curve in alone.curves.values.items():
            assert together.curves.values[name].tobytes() == curve.tobytes()


@pytest.mark.parametrize(
    ("target", "overrides", "sentence"),
    [
        (rows(X, LABEL), ["data.class_weights=[1,2]"], "data.class_weights needs classes, but target=rows is a regr"),
        (rows(X, LABEL), ["data.balance_classes=true"], "data.balance_classes needs classes, but target=rows is a"),
        (
            rows(X, LABEL, task="classification"), ["data.class_weights=[1,2,3]"],
            "data.class_weights has 3 entries, but target=rows has 2 classes: give one each.",
        ),
        (rows(X, LABEL, LABEL - 0.5, weighted=True), [], "target=rows has weights of samples that are negative"),
        (rows(X, LABEL, 0 * LABEL, weighted=True), [], "All training samples of target=rows have a weight of zero."),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_get_a_sentence(target, overrides, sentence):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        trained(target, *overrides)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(("part", "place"), [("training", 0), ("validation", 1), ("test", 2)])
def test_the_part_whose_weights_are_zero_is_named(part, place):
    parts = np.split(np.arange(40), [20, 30])
    weights = np.ones(40)
    weights[parts[place]] = 0
    with pytest.raises(chainrule.ConfigurationError) as caught:
        sample_weights(rows(X, LABEL), [weights], LABEL.T, parts, None, False)
    assert str(caught.value) == f"All {part} samples of target=rows have a weight of zero."


@pytest.mark.parametrize("outputs", [1, 3])
def test_classes_are_those_of_whatever_axis_has_the_outputs(outputs):
    y = np.random.default_rng(0).uniform(size=(4, outputs, 7))  # (runs, outputs, samples)
    y[0, 0, 0] = 0.5
    wanted = y.argmax(axis=1) if outputs > 1 else y[:, 0] >= 0.5
    np.testing.assert_array_equal(classes_of(y), wanted)
    for own, classes in zip(y, wanted, strict=True):
        np.testing.assert_array_equal(classes_of(own, axis=0), classes)
        np.testing.assert_array_equal(classes_of(own.T), classes)

"""Curves of R2 and accuracy: at each point what the metrics would be if the run ended there."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import chainrule
from chainrule.engine.scores import score_of
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare

EACH = ("training.measure_every=1", "data.samples=40")
RUNS = {
    "regression": [],
    "full batches": ["training.batch_size=null", "optimizer.lr=0.1"],
    "scaled outputs": ["target=diabetes", "data.samples=null", "training.batch_size=64", "optimizer.lr=0.01"],
    "one class": ["target=two_moons"],
    "ten classes": ["target=digits", "data.samples=null", "training.batch_size=64"],
    "hinge": ["target=two_moons", "loss=hinge", "output=identity"],
    "poisson": ["loss=poisson", "output=identity", "optimizer.lr=1e-5"],
    "means and variances": ["loss=gaussian_nll", "output=identity", "optimizer.lr=1e-3"],
    "weights": ["target=breast_cancer", "data.samples=null", "data.balance_classes=true", "training.batch_size=64"],
    "averages": ["transforms=[ema]"],
    "batch norm": ["norm=batch_norm", "training.batch_size=8"],
    "single precision": ["training.dtype=float32"],
    "a test": ["data.test=0.2"],
}


def run(*words):
    return chainrule.run(*EACH, *words, quiet=True)


@pytest.mark.parametrize("name", RUNS)
def test_a_point_is_the_metric_of_a_run_that_ends_there(name):
    longer = run(*RUNS[name], "training.epochs=3")
    tolerance = 1e-4 if name == "single precision" else 1e-9
    scores = {curve for curve in longer.curves.values if curve.endswith(("/r2", "/accuracy"))}
    assert len(scores) == 2, "of training and of validation samples"
    for epochs in (0, 3):
        ended = longer if epochs == 3 else run(*RUNS[name], f"training.epochs={epochs}")
        for curve in scores:
            found = longer.curves.values[curve][longer.curves.epochs == epochs].item()
            assert found == pytest.approx(ended.metrics[curve], rel=tolerance, abs=tolerance), (curve, epochs)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=(2, 5, 3, 30))
    name, score = score_of("regression", chainrule.component("loss", "half_squared_error"), y)
    assert name == "r2"
    np.testing.assert_allclose(score(predicted), [r2_score(t.T, p.T) for t, p in zip(y, predicted, strict=True)])
    one_hot = (y == y.max(axis=1, keepdims=True)).astype(float)
    name, score = score_of("classification", chainrule.component("loss", "categorical_cross_entropy"), one_hot)
    assert name == "accuracy"
    wanted = [accuracy_score(t.argmax(0), p.argmax(0)) for t, p in zip(one_hot, predicted, strict=True)]
    np.testing.assert_array_equal(score(predicted), wanted)


def test_constant_outputs_few_samples_and_lost_runs():
    loss = chainrule.component("loss", "half_squared_error")
    y = np.array([[[1.0, 1, 1], [1, 2, 3]]])
    _, score = score_of("regression", loss, y)
    assert score(y).tolist() == [1.0]
    assert score(y + np.array([[[0.5], [0]]])).tolist() == [0.5], "what is constant and missed scores 0"
    assert np.isnan(score(y * np.nan))
    assert np.isnan(score_of("regression", loss, y[..., :1])[1](y[..., :1]))
    _, score = score_of("classification", loss, np.array([[[0.0, 1]], [[1, 1]]]))
    found = score(np.array([[[0.2, 0.4]], [[np.nan, 1]]]))
    assert found[0] == 0.5
    assert np.isnan(found[1])


def test_the_bits_of_a_curve_are_those_of_the_run_alone_also_where_runs_leave():
    words = [[*EACH, "training.epochs=12", f"seed={seed}", f"optimizer.lr={lr}"] for seed, lr in
             ((0, 0.01), (1, 0.02), (2, 1e9), (3, 0.005))]  # fmt: skip
    for task in ([], ["target=wine", "data.samples=null"]):
        settings = [chainrule.settings(*task, *each) for each in words]
        together = train_stack([prepare(each) for each in settings])
        for own, result in zip(settings, together, strict=True):
            (alone,) = train_stack([prepare(own)])
            for name, values in alone.curves.values.items():
                assert values.tobytes() == result.curves.values[name].tobytes(), name


def test_a_score_that_is_not_defined_ends_no_run():
    result = run("training.epochs=3", "data.samples=5", "data.validation=0.2")
    assert np.isnan(result.curves.values["validation/r2"]).all()
    assert result.reason.value == "epochs"

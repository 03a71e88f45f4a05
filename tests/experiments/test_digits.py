"""Both contenders do the same work: the same digits, the same scaling, the same steps, the same loss."""

import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.preprocessing import StandardScaler

from chainrule.config.compose import compose_settings
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from studies import load, small

PIXELS, LABELS = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def study():
    return load("digits", "digits")


@pytest.fixture
def table(study, tmp_path):
    """A fold's table in the working directory: the overrides that choose it, its rows, its test rows."""
    train, test = study.splits(consecutive=False)[0]
    study.write_table(tmp_path / "fold.csv", train)
    return ["target=table", "target.path=fold.csv", "target.task=classification"], train, test


def trained(*overrides):
    return train_stack([prepare(compose_settings(["experiment=digits", *overrides]))])[0]


@pytest.mark.rare  # a whole study, though a small one
def test_the_small_version():
    _, rows = small("digits", "digits")
    accuracy = {row[0]: float(row[1].split()[0]) for row in rows if row[0] in ("chainrule", "MLPClassifier")}
    assert min(accuracy.values()) > 94
    paired = next(row for row in rows if row[0] == "after the same work" and row[1] != "% right")
    assert float(paired[1].split()[0]) == pytest.approx(accuracy["chainrule"] - accuracy["MLPClassifier"], abs=0.011)
    better, worse = map(int, paired[2:4])
    assert 0 < better + worse < 0.1 * len(LABELS)


@pytest.mark.parametrize("consecutive", [False, True])
def test_each_digit_is_tested_once_and_never_trained_on_then(study, consecutive):
    splits = study.splits(consecutive)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(LABELS)))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(len(LABELS)))
        shares = np.bincount(LABELS[test], minlength=10) / np.bincount(LABELS)
        assert consecutive or np.abs(shares - 0.2).max() < 0.01


@pytest.mark.parametrize("standardize", [True, False])
def test_both_see_the_rows_of_the_table_and_no_others(study, table, standardize):
    words, train, test = table
    run = prepare(compose_settings(["experiment=digits", *words, f"target.standardize={standardize}"]))
    parts = run.samples.train, run.samples.validation
    seen = np.hstack([np.vstack(run.samples.raw(part)) for part in parts]).T
    rows = np.column_stack([PIXELS, np.eye(10)[LABELS]])[train]
    assert sorted(seen.round(6).tolist()) == sorted(rows.tolist())

    raw = run.samples.raw(run.samples.train)[0].T
    expected = StandardScaler().fit(raw).transform(PIXELS[test]) if standardize else PIXELS[test]
    np.testing.assert_allclose(run.samples.x_scaling.apply(PIXELS[test].T).T, expected, atol=1e-9)
    x, labels = study.as_rows(run.samples.validation)
    np.testing.assert_array_equal(x, run.samples.validation[1:65].T)
    np.testing.assert_array_equal(np.eye(10)[labels].T, run.samples.validation[65:])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_from_the_same_start_both_take_the_same_steps(study, activation):
    """Full batches, which shuffling does not alter, and no eps, which each of them adds at another place."""
    words = [f"activation={activation}", "training.epochs=20", "training.batch_size=null", "optimizer.eps=1e-30"]
    run = prepare(compose_settings(["experiment=digits", *words]))
    x, labels = study.as_rows(run.samples.train)
    once = dataclasses.replace(
        run.settings, training=dataclasses.replace(run.settings.training, epochs=1, batch_size=len(x))
    )
    model = study.fitted(dataclasses.replace(run, settings=once))
    weights, biases = run.shape.split(run.theta)
    model.coefs_, model.intercepts_ = [block.T.copy() for block in weights], biases
    model.set_params(warm_start=True, max_iter=20, n_iter_no_change=20, epsilon=1e-30).fit(x, labels)
    (result,) = train_stack([run])
    assert model.n_iter_ == 20
    assert result.metrics["train/loss"] < 1
    for ours, theirs in zip(result.weights, model.coefs_, strict=True):
        np.testing.assert_allclose(ours, theirs.T, atol=1e-9)


def test_with_the_same_weights_both_give_the_same_probabilities_loss_and_accuracy(study, table):
    words, _, test = table
    result = trained(*words, "training.epochs=3")
    run = prepare(result.settings)
    model = study.fitted(run)
    model.coefs_, model.intercepts_ = [block.T for block in result.weights], result.biases
    x, labels = study.as_rows(run.samples.validation)
    probabilities = model.predict_proba(x)
    np.testing.assert_allclose(result.predict(run.samples.raw(run.samples.validation)[0]).T, probabilities, atol=1e-12)
    assert result.metrics["validation/loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-9)
    assert result.metrics["validation/accuracy"] == accuracy_score(labels, model.predict(x))
    (ours,) = study.our_labels([prepare(result.settings)], PIXELS[test])
    np.testing.assert_array_equal(ours, model.predict(run.samples.x_scaling.apply(PIXELS[test].T).T))


def test_what_a_search_knows_and_when(study):
    good, poor = (compose_settings(["experiment=digits", f"optimizer.lr={lr}"]) for lr in (0.01, 0.02))
    trials = [
        study.Trial(dataclasses.replace(settings, seed=seed), loss, seconds)
        for settings, seed, loss, seconds in [
            (poor, 0, 0.1, 1),
            (good, 0, 0.2, 2),
            (poor, 1, 0.5, 3),
            (good, 1, 0.2, 4),
        ]
    ]
    assert study.incumbents(trials) == [(3, poor), (4, good)]
    right = {poor: np.array([[True, False]]), good: np.array([[True, True]])}
    contender = study.Contender([study.incumbents(trials)], right, 4, 1)
    assert contender.seen(2.9) is None
    assert contender.seen(3).tolist() == [[True, False]]
    assert contender.seen().tolist() == [[True, True]]

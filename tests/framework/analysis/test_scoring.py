"""Scores of predictions that come some at a time are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from chainrule.analysis.scoring import Scoring
from chainrule.components.schema import Schema

PARTS = (slice(0, 7), slice(7, 8), slice(8, 30))


@pytest.mark.parametrize("outputs", [1, 3])
def test_r2_is_that_of_scikit_learn_also_far_from_zero(outputs):
    rng = np.random.default_rng(0)
    truth = 1e6 + rng.normal(size=(outputs, 30))
    y = truth + rng.normal(size=truth.shape) / 3
    names = [f"y{at}" for at in range(outputs)]
    scoring = Scoring(Schema.of("regression", 1, outputs, input_names=["a"], output_names=names), dict.fromkeys(names))
    for part in PARTS:
        scoring.add(dict(zip(names, truth[:, part], strict=True)), y[:, part], {})
    assert scoring.is_complete
    assert scoring.count == 30
    assert scoring.score == pytest.approx(r2_score(truth.T, y.T), rel=1e-9)


def test_accuracy_is_that_of_scikit_learn_without_rows_that_lack_a_label():
    rng = np.random.default_rng(0)
    truth, predicted = (rng.choice(["a", "b", "c"], 30).astype(object) for _ in range(2))
    schema = Schema.of("classification", 1, 3, input_names=["x"], output_names=["a", "b", "c"], label_names=["kind"])
    scoring, labels = Scoring(schema, {"kind": None}), truth.copy()
    labels[[2, 7, 20]] = [None, float("nan"), None]
    for part in PARTS:
        scoring.add({"kind": labels[part]}, np.empty((3, 0)), {"prediction": predicted[part]})
    known = np.delete(np.arange(30), [2, 7, 20])
    assert scoring.score == accuracy_score(truth[known], predicted[known])
    assert (scoring.count, scoring.name) == (27, "accuracy")


def test_classes_that_are_numbers_may_be_written_in_several_ways_and_unknown_ones_are_wrong():
    schema = Schema.of("classification", 1, 2, input_names=["x"], output_names=["1", "2"], label_names=["kind"])
    for labels in (np.array([1.0, 2.0, 3.0]), np.array(["1", "2.0", "other"], object)):
        scoring = Scoring(schema, {"kind": labels})
        scoring.add({"kind": labels}, np.empty((2, 0)), {"prediction": np.array(["1", "2", "2"], object)})
        assert (scoring.right, scoring.count) == (2, 3)


def test_without_all_labels_there_is_no_score():
    schema = Schema.of("regression", 1, 2, input_names=["a"], output_names=["u", "v"])
    assert not Scoring(schema, {"a": None, "u": None}).is_complete
    assert np.isnan(Scoring(schema, {"u": None, "v": None}).score)

"""What predicts is read from a record alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

import chainrule
from chainrule.config.recorded import predictor_of
from chainrule.errors import ConfigurationError, RecordError
from chainrule.records.manifest import WEIGHTS
from chainrule.records.run import CONFUSION, read_record
from chainrule.registry.loaded import installed


def test_a_record_has_all_that_predictions_need(tmp_path):
    result = chainrule.run("target=wine", "training.epochs=1", directory=tmp_path)
    predictor = predictor_of(read_record(tmp_path), installed())
    assert predictor.schema == result.samples.schema
    assert predictor.theta.tobytes() == result.theta.tobytes()
    assert predictor.settings == result.settings
    x = result.settings.target.rows()[0]
    np.testing.assert_array_equal(predictor(x.T), result.predict(x.T))


def test_the_weights_name_their_rows_and_columns(tmp_path):
    result = chainrule.run("target=wine", "training.epochs=1", directory=tmp_path)
    weights = read_record(tmp_path).weights()
    assert weights["input_names"].tolist() == list(result.settings.target.input_names)
    assert weights["output_names"].tolist() == ["class_0", "class_1", "class_2"]
    assert len(weights["input_names"]) == weights["W1"].shape[1]
    assert len(weights["output_names"]) == weights["W3"].shape[0]


def test_where_nothing_has_a_name_nothing_is_added(tmp_path):
    chainrule.run("training.epochs=1", directory=tmp_path)
    record = read_record(tmp_path)
    assert not {"input_names", "output_names"} & {*record.weights(), *record.manifest.data}


def test_changed_weights_are_refused(tmp_path):
    chainrule.run("training.epochs=1", directory=tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"")
    with pytest.raises(RecordError, match="was changed after it was recorded"):
        predictor_of(read_record(tmp_path), installed())


def test_the_record_of_a_classification_says_which_class_was_taken_for_which(tmp_path):
    result = chainrule.run("target=wine", "data.test=0.2", "training.epochs=2", directory=tmp_path)
    table = pd.read_csv(tmp_path / "confusion.csv")
    assert table.columns.tolist() == ["part", "true class", *result.samples.schema.classes]
    assert CONFUSION in read_record(tmp_path).manifest.files
    for part, samples in result.samples.parts.items():
        x, y = result.samples.raw(samples)
        expected = confusion_matrix(y.argmax(axis=0), result.predict(x).argmax(axis=0), labels=range(3))
        np.testing.assert_array_equal(table[table["part"] == part].iloc[:, 2:], expected)
        np.testing.assert_array_equal(result.confusion(part), expected)


def test_a_regression_has_no_confusion_matrix(tmp_path):
    result = chainrule.run("training.epochs=1", directory=tmp_path)
    assert not (tmp_path / CONFUSION).exists()
    with pytest.raises(ConfigurationError, match="target=linear is a regression"):
        result.confusion()
    with pytest.raises(ConfigurationError, match="There are no samples for 'test'; the run has train, validation"):
        chainrule.run("target=xor", "training.epochs=1").confusion("test")

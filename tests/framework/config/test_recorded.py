"""What predicts is read from a record alone."""

import numpy as np
import pytest

import chainrule
from chainrule.config.recorded import predictor_of
from chainrule.errors import RecordError
from chainrule.records.run import WEIGHTS, read_record
from chainrule.registry.registry import installed


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

"""What predicts is read from a record alone."""

import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

import chainrule
from chainrule.config.recorded import predictor_of
from chainrule.engine import trainer
from chainrule.errors import ChainruleError, ConfigurationError, RecordError
from chainrule.records.manifest import WEIGHTS
from chainrule.records.run import CONFUSION, read_record
from chainrule.registry import loaded
from chainrule.registry.loaded import installed
from distributions import CUBED


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


@pytest.mark.usefixtures("afresh")
def test_a_plugin_that_is_gone_is_named_by_all_that_read_a_run(tmp_path, monkeypatch, capsys):
    Path("conf").mkdir()
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(CUBED)
    monkeypatch.setattr(trainer, "_SPAN", 0)
    often = "training.epochs=2", "training.checkpoint_every=1e-9", "tracking=none"
    chainrule.run(*often, "activation=cubed", "optimizer.lr=1e-9", directory="run", quiet=True)
    shutil.rmtree("plugins")
    loaded._loaded_once.cache_clear()
    needs = rf"needs the plugin plugins/mine.py, which is not in {tmp_path} or is switched off: put it back\."
    words = {
        "explain": ["run"],
        "why": ["run", "--runs=0"],
        "predict": ["run", "x.csv"],
        "export": ["run", "x.zip"],
        "export_onnx": ["run", "x.onnx"],
        "verify": ["run"],
        "resume": ["run", "training.epochs=4"],
    }
    for command, arguments in words.items():
        with pytest.raises(ChainruleError, match=needs):
            import_module(f"chainrule.cli.{command}").main(arguments)
    with pytest.raises(ConfigurationError, match=f"^the run {needs}"):
        chainrule.load("run")


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

"""Predictions from arrays, data frames and records are the same, and nothing about their shape is guessed."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import chainrule
from chainrule.components.schema import Schema
from chainrule.config.recorded import predictor_of
from chainrule.errors import ConfigurationError
from chainrule.records.run import read_record
from chainrule.registry.loaded import installed
from sizes import one_in

MIXED = ("target=table", "target.missing=median", "target.text=onehot", "target.indicator=true")
CLASSES = ("output=softmax", "loss=categorical_cross_entropy", "training.epochs=3")


def mixed(rows=40):
    """Return a table of numbers and text, some missing, with classes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(5, 2, rows), "colour": rng.choice(["red", "green", "blue"], rows)})
    frame["old"] = rng.choice(["True", "false"], rows)
    frame["kind"] = np.where(frame["size"] + (frame["colour"] == "red") > 5, "pear", "apple")
    frame.loc[3, "size"] = np.nan
    frame.loc[5, "colour"] = None
    return frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a table, a result on it, and its record, whose table is gone."""
    frame, folder = mixed(), tmp_path_factory.mktemp("trained")
    frame.to_csv(folder / "t.csv", index=False)
    path = f"target.path={folder / 't.csv'}"
    result = chainrule.run(*MIXED, path, *CLASSES, "target.standardize=true", directory=folder / "rec")
    (folder / "t.csv").unlink()
    return frame, result, read_record(folder / "rec")


def test_arrays_frames_and_records_give_the_same_numbers(trained):
    frame, result, record = trained
    predicted = result.predict(frame)
    x = result.predictor.inputs(frame, str)
    values = predicted[["probability_apple", "probability_pear"]].to_numpy()
    np.testing.assert_array_equal(result.predict(x).T, values)
    np.testing.assert_array_equal(result.predict(x.T, samples_first=True), values)
    pd.testing.assert_frame_equal(predictor_of(record, installed())(frame), predicted)


def test_columns_become_inputs_as_scikit_learn_s_pipeline_makes_them(trained):
    frame, result, _ = trained
    numbers = frame.assign(old=(frame["old"] == "True").astype(float))
    text = make_pipeline(OneHotEncoder(categories=[["blue", "green", "red"]], handle_unknown="ignore"))
    wanted = ColumnTransformer(
        [("size", SimpleImputer(strategy="median", add_indicator=True), ["size"]), ("colour", text, ["colour"])],
        sparse_threshold=0,
    ).fit_transform(numbers)
    x = result.predictor.inputs(frame, str).T
    np.testing.assert_array_equal(np.isnan(x[:, 0]), np.isnan(frame["size"]))
    known = ~np.isnan(x[:, 0])
    np.testing.assert_array_equal(x[known][:, [0, 1, 2, 3, 4]], wanted[known])
    np.testing.assert_array_equal(x[:, 1], wanted[:, 1])
    np.testing.assert_array_equal(x[:, 6], numbers["old"])


def test_a_missing_value_is_predicted_for_as_the_median_of_the_training_rows(trained):
    frame, result, _ = trained
    x = result.predictor.inputs(frame, str)
    given = np.where(np.isnan(x), result.samples.x_fill, x)
    np.testing.assert_array_equal(result.predict(x), result.predict(given))


def test_a_frame_keeps_its_index_and_names_the_class_with_the_largest_probability(trained):
    frame, result, _ = trained
    some = frame.iloc[[7, 2, 30]][["old", "colour", "size"]].assign(further=1)
    predicted = result.predict(some)
    assert predicted.index.tolist() == [7, 2, 30]
    assert predicted.columns.tolist() == ["prediction", "probability_apple", "probability_pear"]
    largest = predicted.iloc[:, 1:].idxmax(axis=1).str.removeprefix("probability_")
    assert predicted["prediction"].tolist() == largest.tolist()
    np.testing.assert_allclose(predicted.iloc[:, 1:].sum(axis=1), 1)


def test_square_arrays_are_read_by_the_convention_that_is_said():
    result = chainrule.run("training.epochs=3")
    square = np.array([[0.1, 0.7], [-0.4, 0.2]])
    columns = np.column_stack([result.predict(square[:, 0]), result.predict(square[:, 1])])
    rows = np.stack([result.predict(square[0]), result.predict(square[1])])
    np.testing.assert_allclose(result.predict(square), columns, rtol=1e-12)
    np.testing.assert_allclose(result.predict(square, samples_first=True), rows, rtol=1e-12)
    np.testing.assert_allclose(result.predict(pd.DataFrame(square))["prediction"], rows[:, 0], rtol=1e-12)


@pytest.mark.parametrize("x", ["text", [["a", "b"]], [[1.0], [1.0, 2.0]], {"a": 1}])
def test_what_is_no_array_of_numbers_is_refused(x):
    with pytest.raises(chainrule.ConfigurationError, match=r"^x must be an array of numbers, or a data frame: "):
        chainrule.run("training.epochs=0").predict(x)


@pytest.mark.parametrize(
    ("shape", "samples_first", "hint"),
    [
        ((5, 2), False, "not (5, 2); write samples_first=True if a row is a sample."),
        ((2, 5), True, "not (2, 5); write samples_first=False if a row is an input."),
        ((3, 4), False, "x must have the shape (2, samples) or (2,), not (3, 4)."),
        ((3, 4), True, "x must have the shape (samples, 2) or (2,), not (3, 4)."),
    ],
)
def test_a_wrong_shape_is_answered_with_the_other_convention_where_that_fits(shape, samples_first, hint):
    result = chainrule.run("training.epochs=0")
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        result.predict(np.zeros(shape), samples_first=samples_first)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "purple"}, "column 'colour' has 'purple' in row 0, which was not there in training; the run knows"),
        ({"size": "big"}, "column 'size' has text ('big' in row 0)"),
    ],
)
def test_what_does_not_fit_is_one_sentence(trained, change, message):
    frame, result, _ = trained
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        result.predict(frame.assign(**change))
    with pytest.raises(ConfigurationError, match="cannot be predicted for: columns 'size', 'old' are missing"):
        result.predict(frame[["colour"]])


def test_equal_names_of_columns_are_refused(trained):
    frame, result, _ = trained
    with pytest.raises(ConfigurationError, match="The data frame has several columns called 'size'; rename one"):
        result.predict(pd.concat([frame, frame[["size"]]], axis=1))


def test_missing_values_are_refused_where_training_had_none():
    pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [0.0, 1, 0, 1], "y": [1.0, 2, 3, 4]}).to_csv("t.csv", index=False)
    result = chainrule.run("target=table", "target.path=t.csv", "training.epochs=1")
    frame = pd.DataFrame({"a": [1, None, None], "b": [1, 2, 3]})
    with pytest.raises(ConfigurationError, match="'a' has no value in row 1 and 1 more, and the run"):
        result.predict(frame)


@pytest.fixture(scope="module")
def partly(tmp_path_factory):
    """Return a result whose table lacks values in one column of numbers and one of text, and its record."""
    folder = tmp_path_factory.mktemp("partly")
    frame = pd.DataFrame({"a": [1.0, None, 3, 4, 2, 6], "b": [0.0, 1, 0, 1, 2, 3], "c": list("uvuvuv"), "y": range(6)})
    frame.assign(d=["u", None, "v", "u", "v", "u"])[[*"abcd", "y"]].to_csv(folder / "t.csv", index=False)
    path = f"target.path={folder / 't.csv'}"
    result = chainrule.run("target=table", path, *MIXED[1:3], "training.epochs=1", directory=folder / "rec")
    return result, read_record(folder / "rec")


@pytest.mark.parametrize(("column", "is_filled"), [("a", True), ("b", False), ("c", False), ("d", True)])
def test_a_missing_value_is_refused_in_each_column_that_lacked_none_in_training(partly, column, is_filled):
    result, record = partly
    frame = pd.DataFrame({"a": [1.0, 2], "b": [1.0, 2], "c": ["u", "v"], "d": ["u", "v"]}).astype({column: object})
    frame.loc[1, column] = None
    for predict in (result.predict, predictor_of(record, installed())):
        if is_filled:
            assert np.isfinite(predict(frame)["prediction"]).all()
            continue
        with pytest.raises(ConfigurationError, match=f"column '{column}' has no value in row 1, and the run has"):
            predict(frame)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1, np.nan, 1, 0, 1, 0], "x has no value for input 'b' in sample 1, and the run has learned nothing that"),
        ([1, np.inf, 1, 0, 1, 0], "x has inf for input 'b' in sample 1, no finite number."),
        ([-np.inf, 1, 1, 0, 1, 0], "x has -inf for input 'a' in sample 1, no finite number."),
        ([np.nan, 1, 1, 0, 1, 0], None),
    ],
)
def test_a_missing_value_is_refused_in_an_array_as_in_a_frame(partly, x, message):
    predict = partly[0].predict
    if message is None:
        assert np.isfinite(predict(x)).all()
        return
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        predict(x)
    with pytest.raises(ConfigurationError, match=re.escape(message.replace("sample 1", "sample 2"))):
        predict([[1, 1, 1, 0, 1, 0], x], samples_first=True)


def test_a_missing_value_is_refused_where_the_target_fills_none():
    with pytest.raises(ConfigurationError, match="x has no value for input 'x1' in sample 1, and the run"):
        chainrule.run("training.epochs=0").predict([np.nan, 1])


def test_text_in_an_array_is_said_to_belong_in_a_frame(trained):
    frame, result, _ = trained
    with pytest.raises(
        ConfigurationError, match=r"frame: it has text \('(red|green|blue)'\), which becomes inputs only"
    ):
        result.predict(frame.to_numpy())


def test_a_record_of_before_that_does_not_name_such_columns_fills_each(partly):
    result, record = partly
    entry = {key: value for key, value in record.manifest.data.items() if key != "incomplete"}
    earlier = replace(result.predictor, schema=Schema.of_entry(entry))
    frame = pd.DataFrame({"a": [None], "b": [None], "c": ["u"], "d": ["u"]})
    assert np.isfinite(earlier(frame)["prediction"]).all()


def test_outputs_are_called_probabilities_only_if_they_are():
    point = pd.DataFrame({"x1": [0.3], "x2": [0.1]})

    def columns(*overrides, frame=point):
        return chainrule.run("training.epochs=2", *overrides).predict(frame).columns.tolist()

    one = ("target=two_moons", "output=sigmoid", "loss=binary_cross_entropy")
    assert columns(*one) == ["prediction", "probability_0", "probability_1"]
    assert columns("target=two_moons", "output=identity") == ["prediction", "output_y"]
    wine = chainrule.component("target", "wine")
    rows = pd.DataFrame(wine.rows()[0][:3], columns=wine.input_names)
    several = [f"class_{number}" for number in range(3)]
    assert columns("target=wine", *CLASSES, frame=rows)[1:] == [f"probability_{name}" for name in several]
    assert columns("target=wine", "output=sigmoid", frame=rows)[1:] == [f"output_{name}" for name in several]


def test_two_classes_of_one_output_have_complementary_probabilities():
    result = chainrule.run("target=breast_cancer", "output=sigmoid", "loss=binary_cross_entropy", "training.epochs=3")
    target = result.settings.target
    predicted = result.predict(pd.DataFrame(target.rows()[0], columns=target.input_names))
    y = result.predict(target.rows()[0], samples_first=True)[:, 0]
    np.testing.assert_array_equal(predicted["probability_benign"], y)
    np.testing.assert_array_equal(predicted["probability_malignant"], 1 - y)
    assert (predicted["prediction"] == np.where(y >= 0.5, "benign", "malignant")).all()


def test_several_values_have_their_names():
    pd.DataFrame({"a": [1.0, 2, 3], "u": [1.0, 2, 3], "v": [2.0, 3, 4]}).to_csv("t.csv", index=False)
    result = chainrule.run("target=table", "target.path=t.csv", "target.label=[u,v]", "training.epochs=1")
    assert result.predict(pd.DataFrame({"a": [1.0]})).columns.tolist() == ["prediction_u", "prediction_v"]


def test_a_run_that_diverged_has_no_class():
    result = chainrule.run(
        "target=two_moons", "output=identity", "optimizer.lr=1e300", "training.epochs=20", "data.samples=20"
    )
    assert result.reason == "diverged"
    assert result.predict(pd.DataFrame({"x1": [0.3], "x2": [0.1]}))["prediction"].isna().all()


@pytest.mark.parametrize(
    "overrides",
    one_in(
        4,
        [
            (("norm=batch_norm", "activation=prelu", "network.hidden=[5,4]", "training.batch_size=16"),),
            (("training.dtype=float32",),),
            (("loss=gaussian_nll", "target=sine"),),
            (("activation=[tanh,relu]", "network.hidden=[5,4]"),),
        ],
    ),
)
def test_records_of_all_kinds_predict_as_their_results(overrides, tmp_path):
    result = chainrule.run(*overrides, "training.epochs=3", directory=tmp_path / "rec")
    x = np.random.default_rng(0).normal(size=(result.shape.widths[0], 7))
    predictor = predictor_of(read_record(tmp_path / "rec"), installed())
    np.testing.assert_array_equal(predictor(x), result.predict(x))

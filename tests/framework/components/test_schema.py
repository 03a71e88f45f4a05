"""Columns of a table become inputs as scikit-learn's encoders make them, and names have defaults."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from chainrule.components.schema import NUMBER, ONEHOT, ORDINAL, TRUTH, Feature, Schema
from chainrule.errors import ConfigurationError

COLOURS = ("blue", "green", "red")


def place(row):
    return f"row {row}"


def encoded(feature, values):
    return feature.encoded(values, place)[0]


@given(st.lists(st.sampled_from(COLOURS), min_size=1, max_size=20))
def test_text_is_encoded_as_scikit_learn_does(values):
    cells = np.array(values, object)[:, None]
    for kind, encoder in ((ONEHOT, OneHotEncoder(sparse_output=False)), (ORDINAL, OrdinalEncoder())):
        expected = encoder.fit(np.array(COLOURS, object)[:, None]).transform(cells)
        np.testing.assert_array_equal(encoded(Feature("c", kind, COLOURS), values), expected)


@pytest.mark.parametrize("make", [list, np.array, pd.Series, lambda v: pd.Series(v, dtype="Int64"), pd.Categorical])
def test_numbers_may_come_in_any_container(make):
    np.testing.assert_array_equal(encoded(Feature("a"), make([1, 2])), [[1], [2]])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, "", " NA ", "?"])
def test_what_is_missing_is_nan_or_a_row_of_zeros_and_may_have_an_indicator(missing):
    values = pd.Series(["2", missing], dtype=object)
    np.testing.assert_array_equal(encoded(Feature("a", NUMBER, (), indicator=True), values), [[2, 0], [np.nan, 1]])
    np.testing.assert_array_equal(encoded(Feature("a", ONEHOT, ("1", "2"), True), values), [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(encoded(Feature("a", ORDINAL, ("1", "2")), values), [[1], [np.nan]])
    assert Feature("a", NUMBER).encoded(values, place)[1].tolist() == [False, True]


def test_numbers_are_levels_where_training_had_text():
    for values in ([3, 1], [3.0, 1.0], ["3", " 1"]):
        np.testing.assert_array_equal(encoded(Feature("a", ONEHOT, ("1", "2", "3")), values), [[0, 0, 1], [1, 0, 0]])


def test_true_and_false_are_one_and_zero_however_they_are_written():
    feature = Feature("a", TRUTH, ("false", "true"))
    np.testing.assert_array_equal(encoded(feature, [True, False]), [[1], [0]])
    np.testing.assert_array_equal(encoded(feature, ["TRUE", "False", None]), [[1], [0], [np.nan]])


@pytest.mark.parametrize(
    ("feature", "values", "message"),
    [
        (Feature("a"), [1, "x"], "column 'a' has text ('x' in row 1), but the run has learned from numbers there"),
        (Feature("a"), [True], "column 'a' has text ('True' in row 0)"),
        (Feature("a"), ["1_000"], "column 'a' has text ('1_000' in row 0)"),
        (Feature("a"), np.array(["2020-01-01"], "datetime64[ns]"), "column 'a' has text ('2020-01-01"),
        (Feature("a"), [datetime.date(2020, 1, 1)], "column 'a' has text ('2020-01-01' in row 0)"),
        (Feature("a"), [1.0, np.inf], "column 'a' has inf in row 1, no finite number"),
        (Feature("c", ONEHOT, COLOURS), ["red", "gren"], "'gren' in row 1, which was not there in training (did you"),
        (Feature("c", TRUTH, ("false", "true")), [1], "column 'c' has '1' in row 0, which was not there in training"),
    ],
)
def test_what_is_of_another_kind_is_one_sentence(feature, values, message):
    with pytest.raises(ConfigurationError) as caught:
        encoded(feature, values)
    assert message in str(caught.value)


def test_what_has_no_names_gets_some():
    schema = Schema.of("regression", 2, 1)
    assert (schema.inputs, schema.outputs, schema.classes, schema.labels) == (("x1", "x2"), ("y",), (), ("y",))
    assert Schema.of("regression", 1, 2).outputs == ("y1", "y2")
    assert Schema.of("classification", 1, 1).classes == ("0", "1")
    assert Schema.of("classification", 1, 3).classes == Schema.of("classification", 1, 3).outputs == ("0", "1", "2")


def test_columns_are_found_by_name_in_any_order_and_without_names_taken_in_theirs():
    named = Schema.of("regression", 2, 1, input_names=["a", "b"])
    assert named.chosen(["z", "b", "a"]) == {"a": "a", "b": "b"}
    unnamed = Schema.of("regression", 2, 1)
    assert unnamed.chosen(["x2", "other", "x1"]) == {"x1": "x1", "x2": "x2"}
    assert unnamed.chosen(["a", "y", "b"]) == {"x1": "a", "x2": "b"}


@pytest.mark.parametrize(
    ("schema", "names", "message"),
    [
        (Schema.of("regression", 2, 1, input_names=["size", "b"]), ["b", "sise"], "column 'size' is missing (did you"),
        (Schema.of("regression", 3, 1, input_names=["a", "b", "c"]), ["c"], "columns 'a', 'b' are missing; there are"),
        (Schema.of("regression", 2, 1), ["a"], "there are 1 column ('a'), but the run has 2 inputs"),
    ],
)
def test_missing_columns_are_named_all_at_once(schema, names, message):
    with pytest.raises(ConfigurationError) as caught:
        schema.chosen(names)
    assert message in str(caught.value)


FEATURES = (Feature("a", indicator=True), Feature("c", ONEHOT, COLOURS), Feature("t", TRUTH, ("false", "true")))
INPUTS = tuple(name for feature in FEATURES for name in feature.inputs)


@pytest.mark.parametrize(
    ("task", "schema"),
    [
        ("regression", Schema.of("regression", 2, 1)),
        ("regression", Schema.of("regression", 2, 2, input_names=["a", "b"], output_names=["u", "v"])),
        ("classification", Schema.of("classification", 1, 1)),
        ("classification", Schema.of("classification", 1, 1, input_names=["a"], class_names=["no", "yes"])),
        (
            "classification",
            Schema.of(
                "classification",
                len(INPUTS),
                2,
                input_names=INPUTS,
                output_names=["m", "n"],
                label_names=["kind"],
                features=FEATURES,
            ),
        ),
    ],
)
def test_a_manifest_gives_the_schema_back(task, schema):
    entry = {"task": task, "inputs": len(schema.inputs), "outputs": len(schema.outputs), **schema.as_entry(task)}
    assert Schema.of_entry(entry) == schema
    assert schema.is_named == ("input_names" in entry)

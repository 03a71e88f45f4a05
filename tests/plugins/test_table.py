"""The target ``table``: a CSV file becomes samples, or one sentence says why not."""

import csv
import datetime
import os
import re
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

import chainrule
from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError
from chainrule.files import memory
from chainrule_targets.table import Table, Task

RNG = np.random.default_rng(0)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes ``t.csv`` in the working directory and makes a table of it."""
    monkeypatch.chdir(tmp_path)

    def written(content, **options):
        Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return build(Table, {"path": "t.csv", **options}, "target")

    return written


def complaint(table):
    """Return the whole message; every way to look at the table must end in it."""
    messages = set()
    for look in (
        lambda: table.inputs,
        lambda: table.outputs,
        lambda: table.resolved_task,
        lambda: table.data(RNG, None),
    ):
        with pytest.raises(ConfigurationError) as caught:
            look()
        messages.add(str(caught.value))
    assert len(messages) == 1
    return messages.pop()


def test_numeric_labels_make_a_regression(write):
    table = write("a,b,y\n1,2.5,3\n-4,5e-1,6\n")
    x, y = table.data(RNG, None)
    np.testing.assert_array_equal(x, [[1, 2.5], [-4, 0.5]])
    np.testing.assert_array_equal(y, [[3], [6]])
    assert (table.inputs, table.outputs, table.resolved_task, table.samples) == (2, 1, "regression", None)
    assert x.dtype == y.dtype == np.float64


def test_text_labels_make_one_hot_classes_in_sorted_order(write):
    table = write("a,kind\n1,pear\n2,apple\n3,plum\n4,apple\n")
    _, y = table.data(RNG, None)
    np.testing.assert_array_equal(y, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    assert (table.inputs, table.outputs, table.resolved_task) == (1, 3, "classification")


def test_two_classes_are_one_hot_as_well(write):
    _, y = write("a,kind\n1,no\n2,yes\n3,no\n").data(RNG, None)
    np.testing.assert_array_equal(y, [[1, 0], [0, 1], [1, 0]])


def test_numbers_are_classes_on_request_in_numerical_order(write):
    table = write("a,n\n1,10\n2,9\n3,9.0\n", task="classification")
    assert table.resolved_task == "classification"
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[0, 1], [1, 0], [1, 0]])


def test_numbers_and_text_are_classes_on_request(write):
    table = write("a,n\n1,10\n2,x\n3,9\n", task="classification")
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_the_label_is_a_column_of_choice(write):
    table = write("a,kind,b\n1,x,2\n3,y,4\n", label="kind")
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[1, 2], [3, 4]])
    assert table.resolved_task == "classification"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,y\r\n1,2\r\n",
        b"a,y\n1,2",
        b"a,y\r1,2\r",
        b"a,y\n1,2\n\n\r\n  \n",
        b'"a","y"\n"1","2"\n',
        b" a , y\n 1,  2 \n",
    ],
    ids=["byte order mark", "no final newline", "old line ends", "blank lines at the end", "quotes", "blanks"],
)
def test_dialects_of_one_row(write, content):
    table = write(content, label="y")
    x, y = table.data(RNG, None)
    np.testing.assert_array_equal(x, [[1.0]])
    np.testing.assert_array_equal(y, [[2.0]])


def test_quoted_cells_may_hold_the_delimiter_and_line_ends(write):
    table = write('"a, b",kind\n1,"x, ""y"""\n2,"p\nq"\n', label="kind")
    assert (table.inputs, table.outputs) == (1, 2)
    assert "column 'a' lacks 1 value in line 4" in complaint(write('a,kind\n1,"p\nq"\n,p\n'))


@pytest.mark.parametrize(("delimiter", "between"), [(";", ";"), ("\t", "\t"), (r"\t", "\t"), ("|", "|")])
def test_other_delimiters(write, delimiter, between):
    table = write("a,b,y\n1,2,3\n".replace(",", between), delimiter=delimiter)
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[1, 2]])


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_impossible_delimiters(delimiter):
    with pytest.raises(ConfigurationError) as caught:
        Table(path="t.csv", delimiter=delimiter)
    assert str(caught.value) == (
        "target.delimiter must be comma, semicolon, tab, pipe, space, auto or one character, not "
        f"{delimiter!r}; a shell needs names: target.delimiter=semicolon."
    )


def test_standardizing_is_a_choice(write):
    assert not write("a,y\n1,2\n").standardized
    assert write("a,y\n1,2\n", standardize=True).standardized


def test_a_path_is_required():
    assert (
        complaint(Table()) == "target=table needs target.path=FILE.csv, a CSV file whose first row names the columns."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " is empty; its first row must name the columns."),
        ("\n\n", " is empty; its first row must name the columns."),
        ("a,b,y\n", " has column names but no rows."),
        ("a,y\n1,2\n,\n", " cannot be used as it is: label 'y' lacks 1 value in line 3; column 'a' lacks 1 value "
                         "in line 3. Write target.missing=mean."),
        ("a,b,y\n1,2,3\n4, ,6\n", " cannot be used as it is: column 'b' lacks 1 value in line 3. "
                                 "Write target.missing=mean, or target.drop=b."),
        ("a,b,y\n1,2,\n2,3,4\n", " cannot be used as it is: label 'y' lacks 1 value in line 2. "
                                "Write target.missing=drop."),
        ("a,b,y\n1,2,3\n4,5\n", ", line 3 has 2 cells, but 3 columns are named."),
        ("a,b,y\n1\n", ", line 2 has 1 cell, but 3 columns are named."),
        ("a,b,y\n1,2,3,4,5\n", ", line 2 has 5 cells, but 3 columns are named. Does a cell with the delimiter in it "
                             "lack quotes?"),
        ("a,b,y\n1,2,3\n1,2\n1\n", ", line 3 has 2 cells, but 3 columns are named (and 1 other line is of another "
                                   "length)."),
        ("a,b,a\n1,2,3\n", ": two columns are called 'a'; rename one of them."),
        ("a,b,y\n1,two,3\n", " cannot be used as it is: column 'b' holds text ('two'). Write target.text=onehot, or "
                            "target.drop=b."),
        ("a,b,y\n1,1_000,3\n", " cannot be used as it is: column 'b' holds text ('1_000'). Write target.text=onehot, "
                              "or target.drop=b."),
        ("y\n1\n", " has only the column 'y', so it has labels but no features."),
        ("a b\n1 2\n", " has only the column 'a b', so it has labels but no features; target.delimiter=space makes "
                      "2 columns of it."),
        ("a,y\nnan,1\n", " cannot be used as it is: column 'a' holds no values. Correct the file."),
        ("a,y\n1,1\n-inf,1\n", " cannot be used as it is: column 'a' has -inf in line 3, no finite number. "
                              "Correct the file."),
        ("a,b,y\n1e999,2,1\n", " cannot be used as it is: column 'a' has inf in line 2, no finite number. "
                              "Write target.drop=a."),
        ("a,y\n1,x\n2,x\n", " cannot be used as it is: label 'y' holds a single class, 'x'. Correct the file."),
        ("b,a,y\n1,1,x\n2,2,x\n", " cannot be used as it is: label 'y' holds a single class, 'x'. "
                                "Write target.label=a target.drop=y."),
        ("a,y\n1,2\n3,4\n5,4o\n", " cannot be used as it is: label 'y' has text ('4o' in line 4) beside numbers "
                                 "('2'). Write target.task=classification."),
        ('a,y\n1,2\n3,"4\n5,6\n', ", line 3 is not valid CSV: unexpected end of data."),
        ('a,y\n1,2\n"3"x,4\n', ", line 3 is not valid CSV: ',' expected after '\"'."),
        (b"a,y\n1,2\n\xe9,2\n", ", line 3: byte 0xe9 is not UTF-8; write target.encoding=cp1252 if '\xe9,2' is right, "
                               "or save the file as UTF-8."),
        ("a,y\n1,2\n".encode("utf-16-le"), ", line 1 has a zero byte, so this is no text; or set target.encoding."),
        ("1,2\n3,4\n", " may have no header: its first row is '1, 2'. Write target.header=false if this row is data, "
                      "or target.header=true if it names the columns."),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", " may have no header: its first row is '5.1, 3.5, setosa'. Write "
                                            "target.header=false if this row is data, or target.header=true if it "
                                            "names the columns."),
        ("a,b;c,d\n1,2;3,4\n", " can be read in several ways: 3 columns by target.delimiter=comma, 2 columns by "
                              "target.delimiter=semicolon; say which."),
    ],
)  # fmt: skip
def test_what_is_missing_or_unclear_in_a_file_is_one_sentence(write, content, message):
    assert complaint(write(content)) == f"target.path=t.csv{message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "regression"}, " cannot be used as it is: label 'kind' has text ('p' in line 2). "
                                 "Write target.task=classification."),
        ({"label": "a"}, " cannot be used as it is: column 'kind' holds text ('p', 'q'). Write target.text=onehot."),
        ({"label": "a", "features": ["a"]}, ": column 'a' is the label and in target.features; choose one of them."),
        ({"label": "a", "drop": "a"}, ": column 'a' is the label and in target.drop; choose one of them."),
        ({"drop": "a"}, " has only the label 'kind', but no features."),
        ({"drop": ["a", "kind"]}, ": no column is left."),
        ({"label": ["a", "kind"], "features": []}, " has only the label 'a', 'kind', but no features."),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_options_is_one_sentence(write, options, message):
    assert complaint(write("a,kind\n1,p\n2,q\n", **options)) == f"target.path=t.csv{message}"


@pytest.mark.parametrize(("given", "hint"), [("kin", " (did you mean 'kind'?)"), ("xyz", "")])
def test_a_column_that_does_not_exist(write, given, hint):
    message = f" is not a column of target.path=t.csv{hint}; it has a, kind."
    assert complaint(write("a,kind\n1,p\n2,q\n", label=given)) == f"target.label={given}{message}"
    assert complaint(write("a,kind\n1,p\n2,q\n", drop=given)) == f"target.drop: {given}{message}"
    assert complaint(write("a,kind\n1,p\n2,q\n", features=[given])) == f"target.features: {given}{message}"


def test_a_single_class_of_numbers(write):
    assert complaint(write("a,y\n1,7\n1,7.0\n", task="classification")) == (
        "target.path=t.csv cannot be used as it is: label 'y' holds a single class, 7. Correct the file."
    )


@pytest.mark.parametrize(
    ("cells", "settings", "values"),
    [
        (["300,50", "1,25"], "decimal=comma", [300.5, 1.25]),
        (["1,200,000", "30"], "thousands=comma", [1200000, 30]),
        (["1.200.000", "1.300.000"], "decimal=comma thousands=point", [1200000, 1300000]),
        (["1.200.000,5", "3"], "decimal=comma thousands=point", [1200000.5, 3]),
        (["1 200 000", "3"], "thousands=space", [1200000, 3]),
        (["1'200'000.5", "3"], "thousands=apostrophe", [1200000.5, 3]),
        (["$250000", "$3"], "signs=ignore", [250000, 3]),
        (["5 %", "7.5%"], "signs=ignore", [5, 7.5]),
        (["3,50 €", "4,00 €"], "decimal=comma signs=ignore", [3.5, 4]),
        (["$1,250,000.50", "$3"], "thousands=comma signs=ignore", [1250000.5, 3]),
    ],
)
@pytest.mark.parametrize("place", ["label", "feature"])
def test_numbers_that_are_written_otherwise_are_read_by_the_settings_that_the_error_names(
    write, cells, settings, values, place
):
    rows = [f'"{cell}";1' if place == "feature" else f'1;"{cell}"' for cell in cells]
    content = "\n".join(["a;b", *rows]) + "\n"
    words = " ".join(f"target.{setting}" for setting in settings.split())
    assert f"({cells[0]!r})" in (said := complaint(write(content, label="b"))) or f"({cells[1]!r})" in said
    assert "numbers that are written otherwise" in said
    assert said.endswith(f" Write {words}.")
    x, y = write(content, label="b", **dict(setting.split("=") for setting in settings.split())).data(RNG, None)
    np.testing.assert_array_equal((x if place == "feature" else y)[:, 0], values)


def test_a_comma_that_may_be_either_mark_is_explained(write):
    assert complaint(write('a,price\n1,"250,000"\n2,30\n')) == (
        "target.path=t.csv cannot be used as it is: label 'price' has numbers that are written otherwise ('250,000'): "
        "write target.thousands=comma if 250,000 is 250000 or target.decimal=comma if 250,000 is 250."
    )


def test_a_column_that_may_be_read_in_two_ways_is_read_as_the_others_are(write):
    said = complaint(write("a;b;c;y\n1,5;2,512;2,125;1\n2,25;3,500;3,250;2\n"))
    assert said.endswith("; column 'c' has numbers that are written otherwise ('2,125'). Write target.decimal=comma.")


GROUPED = "people;share;y\n" + "".join(f"{n}.{n}50;{n},5;{n}\n" for n in range(1, 9))


@pytest.mark.parametrize("options", [{}, {"decimal": "comma"}, {"thousands": "comma"}])
def test_settings_are_advised_by_which_no_other_column_is_lost(write, options):
    table = write(GROUPED, **options)
    assert " ".join(table.overview().settings) == "target.decimal=comma target.thousands=point"
    x, _ = write(GROUPED, decimal="comma", thousands="point").data(RNG, None)
    np.testing.assert_array_equal(x[:2], [[1150, 1.5], [2250, 2.5]])


def test_where_two_readings_lose_no_column_it_is_asked_which_is_meant(write):
    said = complaint(write("a;b;y\n1.234;1,234;1\n2.345;2,345;3\n"))
    assert said.endswith(
        "column 'b' has numbers that are written otherwise ('1,234'): write target.thousands=comma if 1,234 is 1234 "
        "or target.decimal=comma target.thousands=point if 1,234 is 1.234."
    )
    said = complaint(write("a;b;y\n1.234;1;1\n2.345;2;3\n", decimal="comma"))
    assert "write target.decimal=point if 1.234 is 1.234 or target.decimal=comma target.thousands=point if" in said
    said = complaint(write("a;b;y\n$5;1,234;1\n$6;2,345;3\n"))
    assert "('$5'); column 'b'" in said, "only a cell that has two readings is asked about"


@pytest.mark.parametrize(
    ("cells", "is_noted"),
    [
        (["1.234", "2.500", "3.125"], True),
        (["1.234", "12.500", "850"], True),
        (["1.234", "2.500", "3.12"], False),
        (["1.234", "2.500", "0.125"], False),
        (["1.234", "2.500", "3.1255"], False),
        (["1.234", "2.500", "3000.125"], False),
        (["1", "2", "3"], False),
    ],
)
def test_points_that_may_separate_thousands_are_noted_in_files_with_semicolons(write, cells, is_noted):
    rows = [f"{cell};{at}" for at, cell in enumerate(cells)]
    notes = write("\n".join(["a;y", *rows])).notes
    asked = (
        "target.path=t.csv: column 'a' has three digits behind each point ('1.234'); write target.decimal=comma "
        "target.thousands=point if 1.234 is 1234."
    )
    assert (asked in notes) == is_noted
    assert asked not in write("\n".join(["a,y", *rows]).replace(";", ",")).notes
    assert asked not in write("\n".join(["a;b;y", *(f"1.5;{row}" for row in rows)])).notes


def test_such_points_are_noted_beside_what_is_wrong(write):
    overview = write("a;b;y\n1.234;x;1\n2.500;y;2\n").overview()
    assert overview.error
    assert "has three digits behind each point" in overview.notes[0]


def test_settings_hold_for_all_columns(write):
    said = complaint(write("a;b;y\n1,5;1.5;1\n2,5;2.5;2\n", decimal="comma"))
    assert "column 'b' has numbers that are written otherwise ('1.5')" in said
    assert said.endswith(" Write target.drop=b.")


def test_different_signs_in_one_column_are_refused(write):
    assert complaint(write("a,y\n1,5 %\n2,5\n")) == (
        "target.path=t.csv cannot be used as it is: label 'y' has numbers with different signs ('5', '5 %'). "
        "Correct the file."
    )


@pytest.mark.parametrize(
    "dates",
    [
        ["2020-01-05", "2020-02-05"],
        ["05.01.2020", "06.01.2020"],
        ["1/5/20", "2/5/20"],
        ["2020-01-05 10:30:00", "2020-01-06T10:30Z"],
        ["Jan 5, 2020", "March 2020"],
        ["5 Jan 2020", "6 Jan 2020"],
        ["10:30", "11:45:10"],
    ],
)
def test_dates_are_neither_classes_nor_levels(write, dates):
    rows = "".join(f'{at},"{date}",{at}\n' for at, date in enumerate(dates))
    assert complaint(write(f"a,day,y\n{rows}", text="onehot")) == (
        f"target.path=t.csv cannot be used as it is: column 'day' holds dates ({min(dates)!r}). Write target.drop=day."
    )
    assert complaint(write(f"a,day,y\n{rows}", label="day", features=["a", "y"])) == (
        f"target.path=t.csv cannot be used as it is: label 'day' holds dates ({min(dates)!r}). "
        "Write target.label=y target.features=a."
    )


def test_text_that_names_rows_is_no_classification_unless_asked_for(write):
    content = "a,b,name\n" + "".join(f"{i},{i},n{i:02}\n" for i in range(30))
    assert complaint(write(content)) == (
        "target.path=t.csv cannot be used as it is: label 'name' has 30 different texts in 30 rows ('n00', 'n01', "
        "'n02', 'n03', 'n04', ...), too many for classes. Write target.label=b target.drop=name."
    )
    assert write(content, task="classification").outputs == 30


def test_numbers_beside_text_are_no_levels(write):
    content = "a,b,y\n" + "".join(f"{i},{'x' if i == 7 else i},{i}\n" for i in range(30))
    said = complaint(write(content, text="onehot"))
    assert "column 'b' has text ('x' in line 9) beside numbers ('0')" in said
    assert write("a,b,y\n1,0,1\n2,1,2\n3,3+,4\n", text="onehot").input_names == ("a", "b=0", "b=1", "b=3+")


@pytest.mark.parametrize(
    ("cell", "at", "said"),
    [
        ("1.2.3", [7], "('1.2.3' in line 9) beside numbers ('0'): correct this cell, or leave the column out by"),
        (
            "-",
            [7, 9],
            "('-' in lines 9, 11 (2 of 40)) beside numbers ('0'): empty these cells if there is no value, or",
        ),
        ("none", range(0, 40, 2), "(20 of 40)) beside numbers ('1'): empty these cells if there is no value, or leave"),
    ],
)
def test_few_cells_of_text_in_a_column_of_numbers_are_named_and_no_command_leaves_it_out(write, cell, at, said):
    rows = "".join(f"{i * i},{cell if i in at else i},{i}\n" for i in range(40))
    for text in ("error", "onehot"):
        table = write(f"a,b,y\n{rows}", text=text)
        assert said in complaint(table)
        assert complaint(table).endswith(" leave the column out by target.drop=b.")
        assert table.overview().trains_as is None
    label = write(f"a,y,b\n{rows}", label="y", drop=["b"])
    assert complaint(label).endswith(said.split("beside")[1].partition(", or")[0] + ".")


def test_a_few_numbers_and_no_value_may_be_levels_and_are_so_where_they_were(write):
    content = "a,b,y\n1,0,1\n2,-,2\n3,1,4\n"
    assert "write target.text=onehot if all of these are levels, or leave" in complaint(write(content))
    assert write(content, text="onehot").input_names == ("a", "b=-", "b=0", "b=1")
    labels = "a,y\n1,0\n2,-\n3,1\n"
    assert "'-' in line 3) beside numbers ('0'): empty this cell if there is no value." in complaint(write(labels))
    assert write(labels, task="classification").output_names == ("-", "0", "1")


def test_numbers_that_are_written_otherwise_are_seen_beside_cells_without_a_value(write):
    content = "a;b;y\n1;0,5;1\n2;-;2\n3;1,25;4\n"
    assert "empty this cell if there is no value and write target.decimal=comma" in complaint(write(content))
    assert "empty this cell if there is no value, write" in complaint(write(content, decimal="comma"))
    asked = complaint(write("a;b;y\n1;0;1\n2;-;2\n3;1,250;4\n"))
    assert asked.endswith("write target.thousands=comma if 1,250 is 1250 or target.decimal=comma if 1,250 is 1.25.")


def test_all_that_is_wrong_is_counted_at_once_and_both_lines_work(write):
    content = "a,b,c,d,e,f,y\n1,x,2020-01-01,,10:30,1,1\n,y,2020-01-02,4,11:30,2,2\n3,y,2020-01-03,5,12:30,3,4\n"
    assert complaint(write(content)) == (
        "target.path=t.csv cannot be used as it is: 2 columns ('a', 'd') lack 2 values in lines 2, 3 (2 of 3); "
        "column 'b' holds text ('x', 'y'); 2 columns ('c', 'e') hold dates ('2020-01-01'). "
        'Write "target.drop=[c,e]" target.missing=mean target.text=onehot, or "target.drop=[a,d,b,c,e]".'
    )
    assert write(content, drop=["c", "e"], missing="mean", text="onehot").inputs == 5
    assert write(content, drop=["a", "b", "c", "d", "e"]).input_names == ("f",)


@pytest.mark.parametrize("mark", ["", "NA", "N/A", "nan", "null", "None", "?", " NA "])
def test_marks_of_missing_values(write, mark):
    content = f"a,b,y\n1,{mark},1\n2,3,{mark}\n3,4,5\n"
    assert "label 'y' lacks 1 value in line 3; column 'b' lacks 1 value in line 2." in complaint(write(content))
    x, y = write(content, missing="drop").data(RNG, None)
    np.testing.assert_array_equal(np.hstack([x, y]), [[3, 4, 5]])
    x, y = write(content, missing="mean").data(RNG, None)
    np.testing.assert_array_equal(np.hstack([x, y]), [[1, np.nan, 1], [3, 4, 5]])


def test_a_missing_label_is_no_class(write):
    content = "a,kind\n1,x\n2,NA\n3,y\n4,\n"
    assert "label 'kind' lacks 2 values in lines 3, 5 (2 of 4). Write target.missing=drop." in complaint(write(content))
    table = write(content, missing="drop")
    assert (table.outputs, len(table.data(RNG, None)[0]), table.output_names) == (2, 2, ("x", "y"))
    assert table.notes == ("target.path=t.csv: 2 rows of 4 without some value are left out.",)


def test_dropping_all_rows_is_refused(write):
    assert complaint(write("a,b,y\n1,,1\n,2,2\n", missing="drop")) == (
        "target.path=t.csv: each of its 2 rows lacks a value, so target.missing=drop leaves none; column 'a' lacks "
        "1 value: leave it out by target.drop=a."
    )


@pytest.mark.parametrize(("how", "statistic"), [("mean", np.mean), ("median", np.median)])
def test_missing_values_are_filled_with_what_the_training_rows_say(write, how, statistic):
    rng = np.random.default_rng(5)
    cells = [[f"{value:.3f}" if value < 1 else "" for value in row] for row in rng.normal(size=(40, 2))]
    content = "\n".join(["a,b,y", *(",".join([*row, str(at)]) for at, row in enumerate(cells))])
    write(content)
    result = chainrule.run("target=table", "target.path=t.csv", f"target.missing={how}", "training.epochs=1",
                           "network.hidden=[2]", "data.validation=0.4", "tracking=none")  # fmt: skip
    samples = result.samples
    for part in (samples.train, samples.validation):
        x, y = samples.raw(part)
        assert np.isfinite(x).all()
        raw = np.array([[float(cell or "nan") for cell in cells[int(row)]] for row in y[0]]).T
        expected = np.array(
            [[float(cell or "nan") for cell in cells[int(row)]] for row in samples.raw(samples.train)[1][0]]
        )
        fill = np.array([statistic(column[~np.isnan(column)]) for column in expected.T])[:, None]
        np.testing.assert_allclose(x, np.where(np.isnan(raw), fill, raw), rtol=1e-14)
    np.testing.assert_array_equal(result.predict([[np.nan], [0.5]]), result.predict([samples.x_fill[0], [0.5]]))


def test_an_indicator_says_which_values_were_missing(write):
    table = write("a,b,y\n1,x,1\n,,2\n3,y,4\n", missing="mean", text="onehot", indicator=True)
    assert table.input_names == ("a", "a is missing", "b=x", "b=y", "b is missing")
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[1, 0, 1, 0, 0], [np.nan, 1, 0, 0, 1], [3, 0, 0, 1, 0]])


def test_text_becomes_numbers_on_request(write):
    content = "a,b,y\n1,pear,1\n2,apple,2\n3,pear,4\n"
    np.testing.assert_array_equal(write(content, text="onehot").data(RNG, None)[0], [[1, 0, 1], [2, 1, 0], [3, 0, 1]])
    np.testing.assert_array_equal(write(content, text="ordinal").data(RNG, None)[0], [[1, 1], [2, 0], [3, 1]])
    many = "a,b,y\n1,p,1\n2,q,2\n3,r,4\n"
    assert complaint(write(many, text="onehot", levels=2)) == (
        "target.path=t.csv cannot be used as it is: column 'b' holds text of up to 3 levels ('p', 'q', 'r'), more than "
        "target.levels. Write target.drop=b."
    )


def test_truth_values_are_one_and_zero(write):
    np.testing.assert_array_equal(write("a,y\ntrue,1\nFalse,2\n").data(RNG, None)[0], [[1], [0]])
    assert write("a,y\n1,TRUE\n2,FALSE\n").output_names == ("FALSE", "TRUE")


@pytest.mark.parametrize("content", [",a,y\n1,1,2\n2,3,4\n", '"a","y"\n"r1",1,2\n"r2",3,4\n', "a,y\n1,1,2\n2,3,4\n"])
def test_a_first_column_without_a_name_is_left_out_with_a_note(write, content):
    table = write(content)
    np.testing.assert_array_equal(np.hstack(table.data(RNG, None)), [[1, 2], [3, 4]])
    assert table.notes == ("target.path=t.csv: its first column has no name and is left out.",)


def test_delimiters_at_the_end_of_each_row_shift_no_column(write):
    assert complaint(write("a,b,y\n1,2,3,\n4,5,6,\n")) == (
        "target.path=t.csv: every row has 4 cells, but 3 columns are named."
    )
    np.testing.assert_array_equal(np.hstack(write("a,y,\n1,2,\n3,4,\n").data(RNG, None)), [[1, 2], [3, 4]])


def test_columns_are_named_where_there_is_no_header(write):
    table = write("1,2,3\n4,5,6\n", header=False, label="c2")
    assert (table.input_names, table.output_names) == (("c1", "c3"), ("c2",))
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[2], [5]])
    assert write("1,2,3\n4,5,6\n", header=True, label=2).output_names == ("2",)


def test_several_labels_make_a_regression_of_several_outputs(write):
    table = write("a,y,b,z\n1,2,3,4\n5,6,7,8\n", label=["z", "y"])
    assert (table.inputs, table.outputs, table.output_names) == (2, 2, ("z", "y"))
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[4, 2], [8, 6]])
    said = complaint(write("a,y,z\n1,p,4\n5,q,8\n", label=["y", "z"]))
    assert "several labels make a regression only, and need numbers" in said


def test_features_are_chosen_by_name(write):
    table = write("id,a,b,y\nx,1,2,3\ny,4,5,6\n", features=["b", "a"])
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[2, 1], [5, 4]])


def test_a_file_in_another_encoding(write):
    content = "a,kind\n1,Zürich\n2,Bern\n"
    assert write(content.encode("cp1252"), encoding="cp1252").output_names == ("Bern", "Zürich")
    assert write(content.encode("utf-16")).output_names == ("Bern", "Zürich")
    assert complaint(write(content, encoding="klingon")).startswith("target.encoding=klingon is not an encoding")


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.bz2", ".csv.xz", ".tsv", ".parquet", ".json"])
def test_other_kinds_of_files(write, ending):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [True, False], "kind": ["x", "y"]})
    path = f"t{ending}"
    if ending == ".parquet":
        frame.to_parquet(path)
    elif ending == ".json":
        frame.to_json(path, orient="records")
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    table = Table(path=path)
    np.testing.assert_array_equal(np.hstack(table.data(RNG, None)), [[1.5, 1, 1, 0], [2.5, 0, 0, 1]])
    Path(path).write_bytes(b"\x1f\x8b\xff")
    assert complaint(Table(path=path)).startswith(f"target.path={path}")


def test_an_address_is_refused():
    address = "https://example.org/t.csv"
    assert complaint(Table(path=address)) == (
        f"target.path={address} is an address; download the file and give its path."
    )


def test_memory_is_checked_before_it_is_taken(write, monkeypatch):
    table = write("a,y\n" + "".join(f"{i},x{i}\n" for i in range(2000)), task="classification")
    monkeypatch.setattr(memory, "available", lambda: 10**8)
    assert complaint(table) == (
        "target.path=t.csv needs about 0.2 GB of memory for 2000 rows of 2001 inputs and outputs, but 0.1 GB are free."
    )


def test_a_note_says_that_columns_differ_in_scale(write):
    content = "a,b,y\n1,1000,3\n2,9000,4\n"
    (note,) = write(content).notes
    assert note.startswith("target=table: columns differ in scale ('b' spans 8e+03 and ")
    assert not write(content, standardize=True).notes
    assert not write("a,b,y\n1,2,3\n2,3,4\n").notes


def test_many_columns_are_not_all_listed(write):
    names = [f"c{i}" for i in range(12)]
    table = write(f"{','.join(names)}\n{','.join('1' * 12)}\n", label="?")
    assert (
        complaint(table)
        == f"target.label=? is not a column of target.path=t.csv; it has {', '.join(names[:10])} and others."
    )


def test_an_unknown_problem_names_the_choices(write):
    with pytest.raises(ConfigurationError) as caught:
        write("a,y\n1,2\n", task="regresion")
    assert str(caught.value) == (
        "target.task must be one of auto, regression, classification, not 'regresion' (did you mean 'regression'?)."
    )


def test_a_missing_file_names_the_nearest_one(write):
    write("a,y\n1,2\n")
    Path("iris.csv").touch()
    assert complaint(Table(path="irsi.csv")) == "target.path=irsi.csv does not exist (did you mean 'iris.csv'?)."
    assert complaint(Table(path="zzzzzz")) == "target.path=zzzzzz does not exist."
    assert complaint(Table(path="x.csv")) == "target.path=x.csv does not exist.", "an ending alone is no likeness"
    assert complaint(Table(path="iris.cvs")) == "target.path=iris.cvs does not exist (did you mean 'iris.csv'?)."


@pytest.mark.parametrize("path", ["none/t.csv", "t.csv/t.csv"])
def test_a_missing_folder(write, path):
    write("a,y\n1,2\n")
    assert complaint(Table(path=path)) == f"target.path={path} does not exist, nor does its folder."


def test_a_directory(tmp_path):
    assert complaint(Table(path=str(tmp_path))) == f"target.path={tmp_path} is a directory; name a CSV file in it."


def test_what_is_no_regular_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("door")
        assert complaint(Table(path="door")) == "target.path=door is not a regular file."


def test_an_unreadable_file(write, monkeypatch):
    table = write("a,y\n1,2\n")

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert complaint(table) == "target.path=t.csv cannot be read: Permission denied."


def test_an_impossible_path():
    said = complaint(Table(path="a\0b"))
    assert re.fullmatch("target.path=a\0b cannot be read: .*embedded null .*\\.", said)


def test_the_home_directory_may_be_written_as_a_tilde(write, tmp_path, monkeypatch):
    write("a,y\n1,2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Table(path="~/t.csv").inputs == 1


def test_a_file_is_read_once_until_it_changes(write, monkeypatch):
    reads = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: reads.append(self) or original(self))
    table = write("a,y\n1,2\n3,4\n")
    for _ in range(3):
        assert (table.inputs, table.outputs, table.resolved_task) == (1, 1, "regression")
        table.data(RNG, None)
    assert len(reads) == 1
    table = write("a,y\n1,2\n3,4\n5,6\n")
    assert len(table.data(RNG, None)[0]) == 3
    os.utime("t.csv", ns=(1, 1))
    assert len(table.data(RNG, None)[0]) == 3
    assert len(reads) == 3


def test_a_subset_is_drawn_and_the_rows_stay_as_they_are(write):
    table = write("a,y\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    x, y = table.data(np.random.default_rng(1), 8)
    np.testing.assert_array_equal(x**2, y)
    assert len(np.unique(x)) == 8
    again, _ = table.data(np.random.default_rng(1), 8)
    np.testing.assert_array_equal(x, again)
    for samples in (None, 8, 20):
        x, y = table.data(RNG, samples)
        x += 1
        y += 1
    np.testing.assert_array_equal(table.data(RNG, None)[0][:, 0], range(20))
    with pytest.raises(ConfigurationError) as caught:
        table.data(RNG, 21)
    assert str(caught.value) == "data.samples=21 is more than the 20 rows that target=table has."


def test_a_real_data_set_written_and_read(write):
    iris = datasets.load_iris()
    names = ",".join(["sepal length", "sepal width", "petal length", "petal width", "species"])
    rows = [
        ",".join([*map(str, row), str(iris.target_names[label])])
        for row, label in zip(iris.data.tolist(), iris.target, strict=True)
    ]
    table = write("\r\n".join([names, *rows, ""]))
    x, y = table.data(RNG, None)
    np.testing.assert_array_equal(x, iris.data)
    np.testing.assert_array_equal(y.argmax(axis=1), iris.target)


@given(
    rows=st.integers(2, 5).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=width, max_size=width), min_size=1
        )
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    data=st.data(),
)
def test_numbers_survive_the_way_through_a_file(tmp_path_factory, rows, delimiter, quoting, data):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    width = len(rows[0])
    label = data.draw(st.integers(0, width - 1))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
        writer.writerows([[f"c{i}" for i in range(width)], *rows])
    table = Table(path=str(path), label=f"c{label}", delimiter=delimiter, task=Task.REGRESSION)
    x, y = table.data(RNG, None)
    expected = np.array(rows)
    assert y.tobytes() == expected[:, [label]].tobytes()
    assert x.tobytes() == np.delete(expected, label, axis=1).tobytes()


@pytest.mark.parametrize(
    ("label", "typed"),
    [("2020", 2020), ("007", "007"), ("1e5", 1e5), ("2.50", 2.5), ("true", True), ("True", True), ("FALSE", False)],
)
def test_a_column_is_found_that_is_called_like_a_number_or_a_truth(write, label, typed):
    content = f"a,{label},z\n1,2,5\n3,4,6\n"
    table = write(content, label=typed, drop=["z"], header=True)
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[2], [4]])
    assert table.output_names == (label,)
    np.testing.assert_array_equal(write(content, drop=typed, header=True).data(RNG, None)[0], [[1], [3]])


def test_of_two_columns_of_equal_numbers_the_name_itself_counts(write):
    assert write("1e5,100000.0,z\n1,2,5\n3,4,6\n", label="1e5", header=True).output_names == ("1e5",)
    assert "is not a column" in complaint(write("1e5,1E5,z\n1,2,5\n3,4,6\n", label=1e5, header=True))


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Return a function that writes ``t.xlsx``, a list of rows for each sheet, and makes a table of it."""
    openpyxl = pytest.importorskip("openpyxl")
    monkeypatch.chdir(tmp_path)

    def written(*sheets, names=("Sheet", "Other", "More"), **options):
        made = openpyxl.Workbook()
        made.remove(made.active)
        for name, rows in zip(names, sheets, strict=False):
            page = made.create_sheet(name)
            for row in rows:
                page.append(row)
        made.save("t.xlsx")
        return build(Table, {"path": "t.xlsx", **options}, "target")

    return written


NUMBERS = [["a", "b", "y"], [1, 2.5, 10], [3, 0.1, 20]]


def test_a_workbook_is_read_as_a_text_is(book, write):
    same = write("a,b,y\n1,2.5,10\n3,0.1,20\n")
    for one, other in zip(book(NUMBERS).data(RNG, None), same.data(RNG, None), strict=True):
        np.testing.assert_array_equal(one, other)
    assert book(NUMBERS).input_names == ("a", "b")
    assert book(NUMBERS).notes == ()


def test_what_cells_of_a_workbook_hold(book):
    when = datetime.datetime(2020, 1, 2)
    table = book([["t", "n", "m", "w", "y"], [True, "1.5", 1, when, "x"], [False, 2, None, when, "z"]], drop=["w"])
    assert "in row 3" in complaint(table)
    x, y = build(Table, {"path": "t.xlsx", "drop": ["w", "m"]}, "target").data(RNG, None)
    np.testing.assert_array_equal(x, [[1, 1.5], [0, 2]])
    np.testing.assert_array_equal(y, [[1, 0], [0, 1]])
    assert "dates" in complaint(build(Table, {"path": "t.xlsx", "drop": ["m"], "text": "onehot"}, "target"))
    assert "text" in complaint(book([["a", "y"], [1, 2], ["1,5", 3], ["two", 4]]))


@pytest.mark.parametrize("empty", ["NA", "?", " ", "n/a", None])
def test_what_is_missing_in_a_workbook(book, empty):
    assert "row 3" in complaint(book([["a", "y"], [1, 2], [empty, 3], [5, 6]]))
    assert len(book([["a", "y"], [1, 2], [empty, 3], [5, 6]], missing="drop").data(RNG, None)[0]) == 2
    assert "label 'y' lacks 1 value in row 3" in complaint(book([["a", "y"], [1, 2], [4, empty], [5, 6]]))


def test_which_sheet_is_read_is_said(book):
    other = [["a", "y"], [7, 8], [9, 10]]
    assert book(NUMBERS, other).notes == (
        "target.path=t.xlsx: only its first sheet of 2, 'Sheet', is read (target.sheet).",
    )
    chosen = book(NUMBERS, other, sheet="Other")
    assert (chosen.notes, chosen.input_names) == ((), ("a",))
    np.testing.assert_array_equal(chosen.data(RNG, None)[0], [[7], [9]])
    assert complaint(book(NUMBERS, other, sheet="Othr")) == (
        "target.sheet=Othr is not in target.path=t.xlsx (did you mean 'Other'?); it has Sheet, Other."
    )
    assert book(NUMBERS, other, names=("1", "2020"), sheet=2020).input_names == ("a",)
    assert complaint(build(Table, {"path": "t.csv", "sheet": "a"}, "target")).endswith(
        "does not exist (did you mean 't.xlsx'?)."
    )


@pytest.mark.parametrize(
    "rows",
    [[[1, 2], [3, 4]], [[1.5, "x"], [2.5, "y"]], [["red", 1.5], ["blue", 2], ["red", 3]], [[2019, 2020], [1, 2]]],
)
def test_a_workbook_without_a_header_keeps_its_first_row(book, rows):
    assert "may have no header" in complaint(book(rows))
    found = book(rows, header=False, text="onehot")
    assert found.overview().rows == len(rows)


def test_rows_of_a_workbook_are_called_as_excel_calls_them_and_blank_ones_do_not_count(book):
    rows = [[None, None], ["a", "y"], [1, 2], [None, None], ["?", 4], [5, 6]]
    assert "row 5" in complaint(book(rows))
    assert len(book(rows, missing="drop").data(RNG, None)[0]) == 2


def test_two_columns_of_one_name_are_refused_in_a_workbook_too(book):
    assert "two columns are called 'a'" in complaint(book([["a", "a", "y"], [1, 2, 3], [4, 5, 6]]))


def test_without_openpyxl_it_is_said_how_to_install_it(book, monkeypatch):
    table = book(NUMBERS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert complaint(table) == "target.path=t.xlsx needs openpyxl to be read: pip install 'chainrule[excel]'."


def test_what_is_no_workbook(book):
    book(NUMBERS)
    Path("t.xlsx").write_text("a,y\n1,2\n")
    assert "cannot be read as .xlsx" in complaint(build(Table, {"path": "t.xlsx"}, "target"))


def test_sheets_are_those_of_workbooks(write):
    assert complaint(write("a,y\n1,2\n3,4\n", sheet="a")) == (
        "target.path=t.csv has no sheets; target.sheet is for .xlsx files."
    )


def many(cell, count=24, header="a,y"):
    return f"{header}\n" + "".join(f"{2 * number},{cell(number)}\n" for number in range(count))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (lambda n: f"202001{n + 1:02}", "numbers that look like dates (20200101)"),
        (lambda n: ["na", "cat", "dog"][n % 3], "has the class 'na'; empty these cells if they have no value"),
        (lambda n: ["-", "cat", "dog"][n % 3], "has the class '-'"),
        (lambda n: ["Cat", "cat", "dog"][n % 3], "has 'Cat' and 'cat' as different classes"),
        (lambda n: f"1.5D+0{n % 9}", "text that begins with numbers ('1.5D+00')"),
        (lambda n: f"{n % 9 + 5} kg", "text that begins with numbers"),
        (lambda n: 2**53 + 2 * n + 2, "whole numbers above 2**53"),
    ],
)
def test_what_may_be_meant_otherwise_is_noted(write, cell, said):
    (note,) = [note for note in write(many(cell)).notes if "scale" not in note]
    assert note.startswith("target.path=t.csv: label 'y' ")
    assert said in note


@pytest.mark.parametrize("empty", [0, 5])
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (lambda n: f"202001{n + 1:02}", "numbers that look like dates"),
        (lambda n: 2**53 + 2 * n + 2, "whole numbers above 2**53"),
    ],
)
def test_a_missing_value_hides_no_doubt(write, cell, said, empty):
    rows = "".join(f"{'' if n == empty else cell(n)},{n}\n" for n in range(24))
    (note,) = [note for note in write(f"a,y\n{rows}", missing="mean").notes if "scale" not in note]
    assert said in note


@pytest.mark.parametrize(
    "cell",
    [
        lambda n: 20200100 + n,  # the day 0
        lambda n: 1.5 * n,
        lambda n: ["cat", "dog"][n % 2],
        lambda n: ["2door", "4door"][n % 2],
        lambda n: ["setosa1", "setosa2", "x3"][n % 3],
        lambda n: 2**53 - n,
    ],
)
def test_what_is_usual_is_not_noted(write, cell):
    assert [note for note in write(many(cell)).notes if "scale" not in note] == []


@pytest.mark.parametrize(
    ("cells", "options", "said"),
    [
        ([0, 1], {}, "label 'y' holds only 0 and 1; write target.task=classification if these are classes."),
        ([1, 2, 3], {}, "label 'y' holds only 1, 2 and 3; write target.task=classification if these are classes."),
        ([0, 1], {"task": "regression"}, None),
        ([0, 1], {"task": "classification"}, None),
        ([0, 0.5], {}, None),
        ([1], {}, None),
        (range(8), {}, None),  # three rows each
    ],
)
def test_a_label_of_few_whole_numbers_may_be_classes(write, cells, options, said):
    content = many(lambda n: cells[n % len(cells)])
    notes = [note.removeprefix("target.path=t.csv: ") for note in write(content, **options).notes]
    assert [note for note in notes if note.startswith("label")] == ([] if said is None else [said])
    beside = write("t,a,y\n" + "".join(f"{'uv'[n % 2]},{2 * n},{n % 2}\n" for n in range(24))).overview()
    assert beside.error
    assert "holds only 0 and 1" in beside.notes[0], "also where something else is wrong"


def test_a_column_that_counts_the_rows_may_be_left_out(write):
    rows = "".join(f"{n},{24 - n},{n + 2},{2 * n},{n / 2}\n" for n in range(24))
    (note,) = [note for note in write(f"id,back,later,a,y\n{rows}").notes if "scale" not in note]
    assert note == (
        "target.path=t.csv: columns 'id', 'back' look like numbers of the rows; "
        'write "target.drop=[id,back]" if they are.'
    )
    (note,) = [note for note in write(f"id,back,later,a,y\n{rows}", drop=["back"]).notes if "scale" not in note]
    assert note.endswith("column 'id' looks like a number of the row; write \"target.drop=[back,id]\" if it is.")
    chosen = write(f"id,back,later,a,y\n{rows}", features=["id", "a"])
    assert [note for note in chosen.notes if "scale" not in note] == []


def test_text_that_names_rows_is_left_out_unless_asked_for(write):
    content = "name,a,y\n" + "".join(f"n{n:02},{2 * n},{n}\n" for n in range(12))
    said = complaint(write(content))
    assert "column 'name' holds another text in each row ('n00', " in said
    assert said.endswith(" Write target.drop=name.")
    assert complaint(write(content, features=["name"])).endswith(" Write target.text=onehot.")
    assert len(write(content, text="onehot").input_names) == 13


@pytest.mark.parametrize("empty", ["#N/A", "<NA>", "-nan", "#NA", "1.#QNAN"])
def test_what_pandas_takes_for_no_value_is_missing(write, empty):
    assert "lacks 1 value in line 5" in complaint(write(many(lambda n: empty if n == 3 else ["cat", "dog"][n % 2])))


def test_a_first_row_whose_words_come_again_below_is_no_header(write):
    rows = "".join(f"{'abc'[n % 3]},{['cat', 'dog'][n % 2]}\n" for n in range(24))
    assert "may have no header: its first row is 'a, cat'" in complaint(write(rows, text="onehot"))
    assert write(rows, text="onehot", header=False).rows()[0].shape == (24, 3)
    assert write(f"animal,cat\n{rows}", text="onehot").rows()[0].shape == (24, 3), "one of its words is new"

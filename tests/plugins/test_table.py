"""The target ``table``: a CSV file becomes samples, or one sentence says why not."""

import csv
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from chainrule.components.parameters import build
from chainrule.errors import ConfigurationError
from chainrule_targets.table import Problem, Table

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
    for look in (lambda: table.inputs, lambda: table.outputs, lambda: table.task, lambda: table.data(RNG, None)):
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
    assert (table.inputs, table.outputs, table.task, table.samples) == (2, 1, "regression", None)
    assert x.dtype == y.dtype == np.float64


def test_text_labels_make_one_hot_classes_in_sorted_order(write):
    table = write("a,kind\n1,pear\n2,apple\n3,plum\n4,apple\n")
    _, y = table.data(RNG, None)
    np.testing.assert_array_equal(y, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    assert (table.inputs, table.outputs, table.task) == (1, 3, "classification")


def test_two_classes_are_one_hot_as_well(write):
    _, y = write("a,kind\n1,no\n2,yes\n3,no\n").data(RNG, None)
    np.testing.assert_array_equal(y, [[1, 0], [0, 1], [1, 0]])


def test_numbers_are_classes_on_request_in_numerical_order(write):
    table = write("a,n\n1,10\n2,9\n3,9.0\n", problem="classification")
    assert table.task == "classification"
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[0, 1], [1, 0], [1, 0]])


def test_numbers_and_text_are_classes_on_request(write):
    table = write("a,n\n1,10\n2,x\n3,9\n", problem="classification")
    np.testing.assert_array_equal(table.data(RNG, None)[1], [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_the_label_is_a_column_of_choice(write):
    table = write("a,kind,b\n1,x,2\n3,y,4\n", label="kind")
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[1, 2], [3, 4]])
    assert table.task == "classification"


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
    assert complaint(write('a,kind\n1,"p\nq"\nx,p\n')) == (
        "target.path=t.csv, line 4, column 'a': 'x' is not a number; features must be numbers."
    )


@pytest.mark.parametrize(("delimiter", "between"), [(";", ";"), ("\t", "\t"), (r"\t", "\t"), ("|", "|")])
def test_other_delimiters(write, delimiter, between):
    table = write("a,b,y\n1,2,3\n".replace(",", between), delimiter=delimiter)
    np.testing.assert_array_equal(table.data(RNG, None)[0], [[1, 2]])


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_impossible_delimiters(delimiter):
    with pytest.raises(ConfigurationError) as caught:
        Table(path="t.csv", delimiter=delimiter)
    assert str(caught.value) == rf"target.delimiter must be one character (\t for a tab), not {delimiter!r}."


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
        ("\na,y\n1,2\n", ", line 1 is empty; delete it."),
        ("a,y\n1,2\n\n3,4\n", ", line 3 is empty; delete it."),
        ("a,y\n1,2\n,\n", ", line 3, column 'a' is empty; fill it in or delete the row."),
        ("a,b,y\n1,2,3\n4, ,6\n", ", line 3, column 'b' is empty; fill it in or delete the row."),
        ("a,b,y\n1,2,\n", ", line 2, column 'y' is empty; fill it in or delete the row."),
        ("a,b,y\n1,2,3\n4,5\n", ", line 3 has 2 cells, but 3 columns are named."),
        ("a,b,y\n1\n", ", line 2 has 1 cell, but 3 columns are named."),
        ("a,b,y\n1,2,3,4\n", ", line 2 has 4 cells, but 3 columns are named."),
        ("a,,y\n1,2,3\n", ", line 1: column 2 has no name; give it one or delete the column."),
        ("a,y,\n1,2,\n", ", line 1: column 3 has no name; give it one or delete the column."),
        ("a,b,a\n1,2,3\n", ", line 1: two columns are called 'a'; rename one of them."),
        ("a,b,y\n1,two,3\n", ", line 2, column 'b': 'two' is not a number; features must be numbers."),
        ("a,b,y\n1,1_000,3\n", ", line 2, column 'b': '1_000' is not a number; features must be numbers."),
        ("a;b;y\n1;1,5;3\n", " has only the column 'a;b;y', so it has labels but no features; "
                             "is ',' the right target.delimiter?"),
        ("y\n1\n", " has only the column 'y', so it has labels but no features; is ',' the right target.delimiter?"),
        ("a,y\nnan,1\n", ", line 2, column 'a': 'nan' is not a finite number."),
        ("a,y\n1,1\n-inf,1\n", ", line 3, column 'a': '-inf' is not a finite number."),
        ("a,y\n1e999,1\n", ", line 2, column 'a': '1e999' is not a finite number."),
        ("a,y\n1,1\n1,NaN\n", ", line 3, column 'y': 'NaN' is not a finite number."),
        ("a,y\n1,x\n2,x\n", ", column 'y' holds a single class, 'x'; a classification needs at least two."),
        ("a,y\n1,2\n3,4\n5,4o\n", ", column 'y' has numbers ('2' in line 2) and text ('4o' in line 4); "
                                  "correct it or set target.problem."),
        ("a,y\n1,x\n3,nan\n", ", column 'y' has numbers ('nan' in line 3) and text ('x' in line 2); "
                              "correct it or set target.problem."),
        ('a,y\n1,2\n3,"4\n5,6\n', ", line 3 is not valid CSV: unexpected end of data."),
        ('a,y\n1,2\n"3"x,4\n', ", line 3 is not valid CSV: ',' expected after '\"'."),
        (b"a,y\n1,2\n\xe9,2\n", ", line 3: byte 0xe9 is not UTF-8; save the file as UTF-8."),
        ("a,y\n1,2\n".encode("utf-16"), ", line 1: byte 0xff is not UTF-8; save the file as UTF-8."),
    ],
)  # fmt: skip
def test_what_is_missing_or_unclear_in_a_file_is_one_sentence(write, content, message):
    assert complaint(write(content)) == f"target.path=t.csv{message}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problem": "regression"}, "target.path=t.csv, line 2, column 'kind': 'p' is not a number; "
                                    "labels of a regression must be numbers."),
        ({"label": "kin"}, "target.label=kin is not a column of target.path=t.csv (did you mean 'kind'?); "
                           "it has a, kind."),
        ({"label": "xyz"}, "target.label=xyz is not a column of target.path=t.csv; it has a, kind."),
        ({"label": "a"}, "target.path=t.csv, line 2, column 'kind': 'p' is not a number; features must be numbers."),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_options_is_one_sentence(write, options, message):
    assert complaint(write("a,kind\n1,p\n2,q\n", **options)) == message


def test_a_single_class_of_numbers(write):
    assert complaint(write("a,y\n1,7\n2,7.0\n", problem="classification")) == (
        "target.path=t.csv, column 'y' holds a single class, '7'; a classification needs at least two."
    )


def test_many_columns_are_not_all_listed(write):
    names = [f"c{i}" for i in range(12)]
    table = write(f"{','.join(names)}\n{','.join('1' * 12)}\n", label="?")
    assert (
        complaint(table)
        == f"target.label=? is not a column of target.path=t.csv; it has {', '.join(names[:10])} and others."
    )


def test_an_unknown_problem_names_the_choices(write):
    with pytest.raises(ConfigurationError) as caught:
        write("a,y\n1,2\n", problem="regresion")
    assert str(caught.value) == (
        "target.problem must be one of auto, regression, classification, not 'regresion' (did you mean 'regression'?)."
    )


def test_a_missing_file_names_the_nearest_one(write):
    write("a,y\n1,2\n")
    Path("iris.csv").touch()
    assert complaint(Table(path="irsi.csv")) == "target.path=irsi.csv does not exist (did you mean 'iris.csv'?)."
    assert complaint(Table(path="zzzzzz")) == "target.path=zzzzzz does not exist."


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
    assert complaint(Table(path="a\0b")) == "target.path=a\0b cannot be read: embedded null byte."


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
        assert (table.inputs, table.outputs, table.task) == (1, 1, "regression")
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
    table = Table(path=str(path), label=f"c{label}", delimiter=delimiter, problem=Problem.REGRESSION)
    x, y = table.data(RNG, None)
    expected = np.array(rows)
    assert y.tobytes() == expected[:, [label]].tobytes()
    assert x.tobytes() == np.delete(expected, label, axis=1).tobytes()

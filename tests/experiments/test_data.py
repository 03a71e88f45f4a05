"""The study of real tables judges files as it says."""

import pytest

from studies import load

data = load("data", "data")


@pytest.mark.parametrize(
    ("content", "outcome", "settings"),
    [
        ("a,y\n1,2\n3,4\n", "loads", ""),
        ("a,b,y\n1,x,2\n3,y,4\n", "one setting", "target.text=onehot"),
        ("a,b,y\n1,x,2\n3,,4\n", "one setting", "target.drop=b"),
        ("a,b,y\n1,x,2\n,y,4\n3,y,\n", "several settings", "target.missing=mean target.text=onehot"),
        ("1,2\n3,4\n", "one setting", "target.header=false"),
        ('a,y\n1,"250,000"\n2,30\n', "one setting", "target.thousands=comma"),
        ("a,y\n1,Zürich\n2,Bern\n".encode("cp1252"), "one setting", "target.encoding=cp1252"),
        ("y\n1\n", "no line", ""),
    ],
)
def test_a_file_is_judged_by_what_it_needs(tmp_path, content, outcome, settings):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = data.judged("t.csv", path)
    assert (found.outcome, found.settings) == (outcome, settings)


def test_what_pandas_reads_otherwise_is_seen(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,2\n3,4\n")
    table, x, y = data.read(path)
    assert data.difference(path, table, x, y) == ""
    assert data.difference(path, table, x + 1, y) == "other values in 'a'"
    assert data.difference(path, table, x[:1], y[:1]) == "1 rows, pandas 2"

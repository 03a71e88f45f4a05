"""Words of a command line: what a shell and Hydra make of them is what was meant."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import given
from hypothesis import strategies as st

from chainrule.files.words import typed

PARSER = OverridesParser.create()


def read(word):
    """Return the value that Hydra reads from a word as a shell passes it on."""
    (passed,) = shlex.split(word)
    return PARSER.parse_override(passed).value()


def text(value):
    return value.text if isinstance(value, QuotedString) else str(value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(lambda value: "${" not in value))
def test_any_text_survives_a_shell_and_hydra(value):
    assert text(read(typed("target.path", value))) == value
    assert [text(one) for one in read(typed("target.drop", [value, "b"]))] == [value, "b"]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("t.csv", "target.path=t.csv"),
        ("2020", "target.path=2020"),
        ("007", "\"target.path='007'\""),
        ("true", "\"target.path='true'\""),
        ("a=b.csv", "\"target.path='a=b.csv'\""),
        ("it's.csv", r'''"target.path='it\'s.csv'"'''),
        ("données.csv", "\"target.path='données.csv'\""),
        ("$x", """'target.path='"'"'$x'"'"''"""),
        (["a", "sepal length"], "\"target.path=[a,'sepal length']\""),
        (("a", "b"), "target.path=[a,b]"),
    ],
)
def test_only_what_needs_quotes_has_them(value, word):
    assert typed("target.path", value) == word

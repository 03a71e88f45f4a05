"""Words of a command line: what a shell and Hydra make of them is what was meant."""

import shutil
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import given
from hypothesis import strategies as st

from chainrule.files.words import typed

PARSER = OverridesParser.create()


def passed(shell, word):
    """Return what a shell makes of a word; it does not look for files, as none are there."""
    return subprocess.run([shell, "-c", f"printf %s {word}"], capture_output=True, check=True).stdout.decode()


def read(word):
    """Return the value that Hydra reads from a word as a shell passes it on."""
    return PARSER.parse_override(passed("sh", word)).value()


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
        ("$x", r'''"target.path='\$x'"'''),
        ('6".csv', r'''"target.path='6\".csv'"'''),
        ("wow!.csv", """'target.path="wow!.csv"'"""),
        (["a", "sepal length"], "\"target.path=[a,'sepal length']\""),
        (("a", "b"), '"target.path=[a,b]"'),
    ],
)
def test_only_what_needs_quotes_has_them(value, word):
    assert typed("target.path", value) == word


NASTY = ["a b", "a=b", "it's", 'q"q', "$HOME", "$HOMEx", "`id`", "wow!", "it's!", "a#b",
         "(1)", "[1]", "{1}", "a;b", "a&b", "a|b", "a<b>", "*", "?", "~/a", "a,b", ", ", "\\", "C:\\new\\t.csv", "C:\\",
         "données", "日本", "^", "-t", "007", "1e5", "null", "true", "'", '"', "'\"", "!'"]  # fmt: skip


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "ksh"])
def test_the_line_that_is_told_works_in_the_shells_that_are_here(shell):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    for value in NASTY:
        found = PARSER.parse_override(passed(shell, typed("target.path", value))).value()
        assert text(found) == value
        both = PARSER.parse_override(passed(shell, typed("target.drop", [value, "b"]))).value()
        assert [text(one) for one in both] == [value, "b"]


@pytest.mark.skipif(not shutil.which("bash"), reason="it is about bash")
def test_an_exclamation_mark_is_none_of_bashs_history():
    lines = "".join(f"printf '%s\\n' {typed('target.path', value)}\n" for value in ("wow!", "it's!", "a!b c"))
    options = ["bash", "--norc", "--noprofile", "-i"]
    done = subprocess.run(options, input=f"echo before\n{lines}", capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("target.path=")]
    assert [text(PARSER.parse_override(line).value()) for line in found] == ["wow!", "it's!", "a!b c"]

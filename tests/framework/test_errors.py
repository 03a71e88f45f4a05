"""Sentences about errors, the nearest name, and one thing that is not called many."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from chainrule.errors import (
    ChainruleError,
    ConfigurationError,
    PluginError,
    RecordError,
    agreeing,
    counted,
    listed,
    nearest,
    sentence,
)


@pytest.mark.parametrize(
    ("word", "choices", "found"),
    [
        ("adm", ["adam", "rprop"], " (did you mean 'adam'?)"),
        ("ADAM", ["adam", "rprop"], " (did you mean 'adam'?)"),
        ("epochs", ["Epochs"], " (did you mean 'Epochs'?)"),
        ("13", [12, 300], " (did you mean '12'?)"),
        ("zzz", ["adam", "rprop"], ""),
        ("adam", [], ""),
        ("", ["adam"], ""),
    ],
)
def test_the_nearest_choice_is_suggested_as_it_is_written(word, choices, found):
    assert nearest(word, iter(choices)) == found


def test_how_like_a_suggestion_must_be():
    """The likeness of two words is twice the number of letters in common, divided by the number of all letters."""
    assert nearest("abcd", ["abxy"], likeness=0.5) == " (did you mean 'abxy'?)"
    assert nearest("abcd", ["abxy"], likeness=0.51) == ""


@pytest.mark.parametrize("cls", [ChainruleError, ConfigurationError, PluginError, RecordError])
def test_an_expected_error_is_its_whole_sentence(cls):
    text = "long " * 100 + "\nand more"
    assert sentence(cls(text)) == text


class MuteError(Exception):
    """As a plugin may raise it."""

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyError("lr"), "KeyError: 'lr'"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError("\n  \nfirst"), "ValueError: first"),
        (ValueError(300 * "x"), "ValueError: " + 300 * "x"),
        (ValueError(301 * "x"), "ValueError: " + 300 * "x" + " ..."),
        (AssertionError(), "AssertionError"),
        (MuteError(), "MuteError"),
    ],
)
def test_an_unexpected_error_is_its_class_and_one_short_line(error, text):
    assert sentence(error) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "run", "1 run"),
        (0, "run", "0 runs"),
        (2, "class", "2 classes"),
        (3, "entry", "3 entries"),
        (2, "array", "2 arrays"),
        (2, "batch", "2 batches"),
        (2, "epoch", "2 epochs"),
        (1, "other line", "1 other line"),
        (12, "other line", "12 other lines"),
    ],
)
def test_a_number_of_things(number, noun, text):
    assert counted(number, noun) == text


@pytest.mark.parametrize(("things", "text"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_things_are_listed_as_a_sentence_does(things, text):
    assert listed(things) == text


def test_a_word_agrees_with_its_number():
    assert [agreeing(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


ROOT = Path(__file__).parents[2]
THINGS = re.compile(
    " (?:other |more )?(?:arrays|batches|bytes|cells|characters|checks|classes|columns|cores|derivatives|entries|"
    "epochs|errors|files|inputs|instructions|jobs|layers|levels|lines|numbers|outputs|pairs|parameters|pieces|plugins|"
    "points|predictions|processes|records|rows|runs|samples|seeds|settings|stacks|steps|sweeps|"
    r"threads|trials|units|values|weights|workers)\b(?![/-])"
)
MANY = {  # what stands before one of these words and is more than one there, or no number
    "analysis/comparison.py": {"len(self.pairs)"},
    "analysis/tracked.py": {"'larger' if maximize else 'smaller'"},
    "compiled/generate.py": {"len(w.lines)"},
    "engine/weights.py": {"part"},
    "files/reading.py": {"size", "found.st_size"},
    "registry/hookspecs.py": {"kind.name"},
    "replay/diagnosis.py": {"of", "cure.best", "best[0].best", "self.proof.control.start", "apart"}
    | {"min((t.start.of for t in useless))"},
    "replay/export.py": {"len(records)"},
    "reports/comparison.py": {"comparison.runs"},
    "runs/prepare.py": {"activation.pieces"},
    "sweep/execution/processes.py": {"len(jobs)"},
    "sweep/ledger.py": {"ended"},
    "chainrule_instruments/units.py": {"ends.shape[1]"},
    "chainrule_mlflow/contents.py": {"'-'.join(map(str, network.widths))", "_counts(data)"},
    "chainrule_targets/choice.py": {"rows", "width"},
    "chainrule_targets/faults.py": {"rows", "len(columns)"},
}


def plurals(path):
    """What stands before a word of many things in the sentences of a module; but constants, which are known."""
    for node in ast.walk(ast.parse(path.read_text())):
        for one, after in pairwise(node.values if isinstance(node, ast.JoinedStr) else ()):
            if isinstance(one, ast.FormattedValue) and isinstance(after, ast.Constant) and not one.format_spec:
                number = ast.unparse(one.value)
                if THINGS.match(after.value) and not re.fullmatch("_[A-Z_]+", number):
                    yield number


def test_one_thing_is_not_called_many():
    """A sentence says how many by ``counted``; the checks of components have sizes of their own, all above one."""
    found = {}
    for root in (ROOT / "framework" / "chainrule", ROOT / "plugins"):
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith("testing/") and (numbers := set(plurals(path))):
                found[name] = numbers
    assert found == MANY


def test_a_sentence_that_calls_one_thing_many_is_found(tmp_path):
    """One of each kind that is found, and others that are fine."""
    module = tmp_path / "module.py"
    module.write_text("f\"{a} runs {b} other lines {c.d} of {counted(e, 'run')}, {_MOST} samples, {g:.3g} steps/s\"")
    assert list(plurals(module)) == ["a", "b"]

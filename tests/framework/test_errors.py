"""Sentences about errors, and the nearest name."""

import pytest

from chainrule.errors import ChainruleError, ConfigurationError, PluginError, RecordError, nearest, sentence


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

"""Why a run stopped."""

import json

import pytest

from chainrule.engine.reason import Reason


def test_a_reason_is_written_as_one_word_and_read_back():
    assert json.dumps([Reason.EPOCHS, Reason.PRUNED]) == '["epochs", "pruned"]'
    assert Reason("diverged") is Reason.DIVERGED
    assert Reason.FAILED == "failed"
    with pytest.raises(ValueError, match="stopped"):
        Reason("stopped")


def test_each_reason_has_a_phrase_of_its_own():
    phrases = [reason.words for reason in Reason]
    assert len(set(phrases)) == len(Reason)
    assert all(phrase and phrase == phrase.strip().rstrip(".") for phrase in phrases)

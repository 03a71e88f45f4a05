"""Hydra, run with the arguments of a command."""

from pathlib import Path

from sweeping import SHORT, command


def test_no_flag_may_be_abbreviated():
    assert "unrecognized arguments: --multi\n" in command("--multi", *SHORT, "seed=0,1", code=2).stderr
    assert not list(Path().iterdir())


def test_an_unknown_flag_is_a_usage_error():
    assert "unrecognized arguments: --bogus" in command("--bogus", code=2).stderr

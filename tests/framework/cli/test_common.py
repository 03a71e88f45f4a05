"""What the commands share: options in full, the nearest one for a mistyped one, plugins before anything else."""

from importlib import import_module

import pytest

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.cli.main import _COMMANDS


@pytest.mark.parametrize(
    ("command", "words", "complaint"),
    [
        ("compare", ["activation=tanh,relu", "--seed", "4"], "--seed 4 (did you mean '--seeds'?)"),
        ("compare", ["activation=tanh,relu", "--seed=4"], "--seed=4 (did you mean '--seeds'?)"),
        ("new-plugin", ["lynx", "--kin", "rule"], "--kin rule (did you mean '--kind'?)"),
        ("plugins", ["--js"], "--js (did you mean '--json'?)"),
        ("check", ["--jso"], "--jso (did you mean '--json'?)"),
        ("sync", ["outputs", "--track", "none"], "--track none (did you mean '--tracking'?)"),
        ("report", ["sweep", "--hel"], "--hel (did you mean '--help'?)"),
        ("resume", ["sweep", "--bogus"], "--bogus"),
    ],
)
def test_no_option_may_be_abbreviated(capsys, command, words, complaint):
    with pytest.raises(SystemExit, match="2"):
        import_module(f"chainrule.cli.{_COMMANDS[command]}").main(words)
    (line,) = capsys.readouterr().err.splitlines()
    # From Python 3.13 on 4 is an override.
    expected = f"chainrule {command}: error: unrecognized arguments: {complaint}"
    assert line.replace("--seed 4", "--seed") == expected.replace("--seed 4", "--seed")


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_usage_says_once_that_words_may_follow(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        import_module(f"chainrule.cli.{_COMMANDS[command]}").main(["--help"])
    usage = " ".join(capsys.readouterr().out.partition("\n\n")[0].split())
    assert usage.startswith(f"usage: chainrule {command} ")
    assert "... ..." not in usage


def test_words_about_plugins_are_for_the_start():
    options = parser("report", "Write a report.")
    options.add_argument("directory")
    words = ["plugins.block=[lynx]", "sweep", "+plugins.prefer=[a]"]
    assert vars(parse(options, words)) == {"directory": "sweep"}


def test_where_a_line_is_completed_nothing_is_said(capsys, monkeypatch):
    class Found:
        reports = ("plugin lynx was skipped",)

    monkeypatch.setattr("chainrule.cli.common.installed", Found)
    monkeypatch.setenv("CHAINRULE_PLUGINS_CHOSEN", "")  # what load_plugins exports is taken back
    for name in ("PREFER", "BLOCK"):
        monkeypatch.setenv(f"CHAINRULE_{name}_PLUGINS", "")
    load_plugins(["-sc", "query=bash"])
    assert capsys.readouterr().err == ""
    load_plugins(["seed=1"])
    assert capsys.readouterr().err == "chainrule: plugin lynx was skipped.\n"

"""A step in a terminal: equations, or tables and heat maps."""

import io

import numpy as np
import pytest
from rich.console import Console

import replaying
from chainrule.replay.equations import sections
from chainrule.replay.terminal import blocks, console_for, heat, show, text
from replaying import CASES, explained
from sizes import one_in


@pytest.mark.parametrize("name", one_in(3, CASES))
def test_every_case_is_shown(name, afresh):
    replaying.declare_cubed()
    printed = text(explained(CASES[name], 2), width=400)
    assert "step 2 of " in printed
    assert "Update" in printed
    assert "nan" not in printed or name == "diverged"


def test_all_equations_are_printed_with_their_marks():
    explanation = explained(["rule=as_printed"], 2)
    printed = " ".join(text(explanation, width=300).split())
    for section in sections(explanation.steps[0]):
        assert section.title in printed
        for equation in section.equations:
            assert f"{equation.symbol} {'<-' if equation.arrow else '='} {equation.sides[0]}" in printed
            assert equation.note in printed
    assert printed.count("✓") + printed.count("≠") == 5 + 15


def test_tables_and_heat_maps_of_larger_networks():
    explanation = explained(replaying.DIGITS, 2)
    (of,) = explanation.steps
    printed = text(explanation)
    assert "layer 1: 32 units, the 16 with the largest deltas" in printed
    assert "2410 derivatives checked against central differences: all agree." in printed
    assert f"{of.of_sample(of.step.z, 2)[4]:.6g}" in printed
    assert "W^(1), 32 x 64" in printed


def test_a_heat_map_has_the_largest_of_each_block():
    values = np.zeros((64, 200))
    values[1, 7], values[63, 199] = -5.0, 2.0
    cells = blocks(values)
    assert cells.shape == (32, 64)
    assert (cells[0].min(), cells[-1, -1], np.count_nonzero(cells)) == (-5.0, 2.0, 2)
    lines = heat(np.array([[1.0, -1.0, 0.01], [0.2, -0.2, np.nan]]), False).plain.splitlines()
    assert lines == ["#=·", "+-·"]
    assert "▀" in heat(values, True).plain


def test_a_coloured_terminal_has_colours():
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=120)
    show(explained(replaying.DIGITS, 1), console)
    assert "\x1b[" in console.file.getvalue()
    assert "blue is positive" in console.file.getvalue()


def test_a_terminal_without_other_characters_gets_ascii(capsys):
    show(explained([], 1), console_for("ascii"))
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "*" in printed
    assert "·" in text(explained([], 1))


def test_a_pipe_gets_lines_without_blanks_at_their_ends(capsys):
    show(explained([], 1), console_for("utf-8"))
    printed = capsys.readouterr().out
    assert "·" in printed
    assert not any(line.endswith(" ") for line in printed.splitlines())


def test_a_terminal_gets_a_console_of_its_own(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert type(console_for("utf-8")) is Console

"""A run explains itself in Python."""

import html
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import ConfigurationError
from replaying import unpacked

SHORT = ["training.epochs=2", "training.batch_size=32", "tracking=none"]


def test_a_run_explains_a_step():
    run = chainrule.run(*SHORT)
    explained = run.explain(-1, sample=3)
    assert explained.step.step.number == 14
    assert explained.step.step.after.tobytes() == run.theta.tobytes()
    assert explained.verdict == "trained again, it ends in the recorded bits"
    assert "z_1^(1) = b_1^(1) + x_1 w_11^(1)" in " ".join(str(explained).split())
    assert run.explain(epoch=1).step.step.number == 8
    with pytest.raises(ConfigurationError, match="took 14 steps"):
        run.explain(15)


def test_a_loaded_run_explains_itself_from_its_record():
    chainrule.run(*SHORT, directory="run", quiet=True)
    explained = chainrule.load("run").explain(2)
    explained.write("page.html")
    found = unpacked(Path("page.html").read_text())
    assert found["shown"][found["asked"]]["number"] == 2
    framed = explained._repr_html_()
    assert framed.startswith('<iframe srcdoc="')
    inside = html.unescape(framed.partition('srcdoc="')[2].partition('" style=')[0])
    assert unpacked(inside) == found

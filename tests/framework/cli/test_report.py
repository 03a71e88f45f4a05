"""``chainrule report``: the report of a sweep, once more."""

import json
import re
from pathlib import Path

from pages import parsed
from sweeping import command


def test_the_command_writes_the_report_of_a_sweep_again():
    arguments = ["-m", "seed=0,1", "optimizer.lr=0.1,0.01", "training.epochs=3", "tracking=none", "hydra.sweep.dir=s"]
    done = command(*arguments)
    path = Path("s/report.html").absolute()
    assert re.search(rf"^  report +{path}$", done.stdout, re.MULTILINE)
    first = path.read_text()
    path.unlink()
    again = command("report", "s")
    assert again.stdout == f"{path}\n"
    assert path.read_text() == first
    assert "polyline" in first
    parsed(first.replace("https://", "").replace("http://", ""))
    assert json.loads((path.parent / "sweep.json").read_text())["finished"]

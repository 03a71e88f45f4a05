"""Ten thousand runs, but fewer of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "tracking" / "thousands.py"


@pytest.mark.rare  # five commands, as other tests try them one by one
def test_all_runs_are_recorded_and_sent(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "--quick"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    *_, resumed, again, sent, known = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    for line in (resumed, again, sent, known):
        assert line.endswith(" | 24 | 24 |")
    assert re.search(r"^sweep: \d+ files, \d+ MB$", done.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir())

"""One level of tests and intervals, which texts name."""

import re
from statistics import NormalDist

import pytest

from chainrule.analysis.confidence import CONFIDENCE, IN_PERCENT, SIGNIFICANCE
from chainrule.analysis.shares import _Z
from rooms import FRAMEWORK, ROOT

FOLDERS = FRAMEWORK, ROOT / "plugins"


def test_intervals_cover_with_what_tests_leave():
    assert (CONFIDENCE, SIGNIFICANCE, IN_PERCENT) == (0.95, 0.05, "95 %")
    assert NormalDist().inv_cdf(1 - SIGNIFICANCE / 2) == pytest.approx(_Z)


def test_texts_follow_from_it():
    for path in (path for folder in FOLDERS for pattern in ("*.py", "*.jinja") for path in folder.rglob(pattern)):
        text = path.read_text()
        told = re.sub(r'"""(?:.|\n)*?"""|#.*', "", text) if path.suffix == ".py" else text
        assert "95 %" not in told, path

"""Measured times on disk: whole, checked, and absent beside what earlier versions left."""

import json

import pytest

from chainrule.errors import RecordError
from chainrule.records.timing import TIMING, CellEntry, Timing, read_timing, write_timing
from sealing import resealed

MEASURED = Timing(
    runs=16,
    cells=[CellEntry(target="sine", contender="tanh", seconds=[1e-5, 2e-5], updates=7, gradients=7.0, epochs=100)],
    note="",
)


def test_what_is_written_is_read(tmp_path):
    write_timing(tmp_path, MEASURED)
    found = read_timing(tmp_path)
    assert (found.runs, found.note, found.cells) == (16, "", MEASURED.cells)
    assert found.cells[0].seconds == [1e-5, 2e-5]
    assert [path.name for path in tmp_path.iterdir()] == [TIMING]


def test_earlier_versions_have_left_none(tmp_path):
    assert read_timing(tmp_path) is None


def test_a_damaged_one_is_named(tmp_path):
    write_timing(tmp_path, MEASURED)
    cells = json.loads((tmp_path / TIMING).read_text())["cells"]
    resealed(tmp_path / TIMING, cells=[{**cells[0], "seconds": ["soon"]}])
    with pytest.raises(
        RecordError, match=r"timing\.json is damaged: these entries are missing or of the wrong type: cells"
    ):
        read_timing(tmp_path)

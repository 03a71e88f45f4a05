"""The tour is executed as a person does it: in a kernel, where cells declare classes and progress is displayed."""

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def results(cell):
    """The kinds of the results of a cell, and what it prints with each number left out."""
    kinds = [sorted(out.data) for out in cell.outputs if out.output_type == "execute_result"]
    text = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    return kinds, re.sub(r"[\d.e-]+", "", re.sub(r"records .*", "", text)).split()


@pytest.mark.slow
def test_the_tour_is_executed_and_its_outputs_are_those_that_are_kept(tmp_path):
    kept = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    fresh = nbformat.from_dict(kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's own libraries
        nbclient.NotebookClient(fresh, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert len(code(fresh)) == 10
    for before, after in zip(code(kept), code(fresh), strict=True):
        assert results(after) == results(before), after.source
    right = code(fresh)[3].outputs[-1].data["text/plain"]
    assert right == "True", "the gradient is that of finite differences"
    assert "tanh" in str(code(fresh)[7].outputs[-1].data["text/plain"])


def test_what_is_kept_is_small_and_shows_itself():
    path = ROOT / "docs" / "tour.ipynb"
    assert path.stat().st_size < 300_000
    outputs = [out for cell in code(nbformat.read(path, as_version=4)) for out in cell.outputs]
    shown = [kind for out in outputs for kind in out.get("data", ())]
    assert shown.count("text/html") >= 5
    assert shown.count("image/png") == 2
    assert "/home/you/" in path.read_text(), "it was executed where no path says whose machine it was"

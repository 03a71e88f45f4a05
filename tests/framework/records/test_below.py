"""Records are found below a folder, and what MLflow has copied of them is not taken for others."""

from pathlib import Path

import pytest

import chainrule
from chainrule.cli import sync
from chainrule.records.below import records_below
from chainrule.records.manifest import MANIFEST
from chainrule.records.sweep import SWEEP
from chainrule.sweep import health

STORED = "mlartifacts/01a22d76c5bb74fcbeb8bd8cc725c3cd/artifacts"


def made(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(directory):
    return {path.relative_to(directory).as_posix() for path in records_below(Path(directory), MANIFEST, SWEEP)}


def test_copies_are_no_records(tmp_path):
    copies = [STORED, f"mlruns/0/{32 * 'a'}/artifacts", f"mlartifacts/models/m-{32 * 'b'}/artifacts", "fetched/it"]
    made("a/manifest.json", "s/sweep.json", "s/0/manifest.json", "artifacts/manifest.json")
    made(*(f"{copy}/{name}" for copy in copies for name in (MANIFEST, "MLmodel")), f"{STORED}/{SWEEP}")
    assert found(tmp_path) == {"a/manifest.json", "s/sweep.json", "s/0/manifest.json", "artifacts/manifest.json"}
    for copy in copies:
        assert MANIFEST in found(tmp_path / copy), "it is named itself"
    Path(STORED, "MLmodel").unlink()  # as of a sweep
    assert found(tmp_path / "mlartifacts") == set()


@pytest.mark.slow
def test_a_project_with_a_store_of_mlflow_is_whole(tmp_path, capsys):
    short = "training.epochs=2", "data.samples=10", "tracking=mlflow"
    chainrule.run(*short, directory="run")
    chainrule.sweep("seed=0,1", *short, directory="sweep", quiet=True)
    assert len(list(tmp_path.rglob(MANIFEST))) > 3
    assert list(health.directory_faults(tmp_path)) == list(health.unsent(tmp_path)) == []
    sync.main(["."])
    assert "0 records sent now, 3 had been sent before" in capsys.readouterr().out
    assert len(chainrule.verify(tmp_path).runs) == 3
    assert chainrule.export(tmp_path, tmp_path / "all.zip").runs == 3

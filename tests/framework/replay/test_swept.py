"""A sweep whose failures, and whose settings to blame, are known by construction."""

import shutil
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import RecordError
from chainrule.registry.loaded import installed
from chainrule.replay.swept import diagnose_sweep

WORDS = [
    "network.hidden=[]",
    "training.batch_size=null",
    "training.epochs=100",
    "training.measure_every=20",
    "tracking=none",
]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sweep") / "rates"
    axes = ["optimizer.lr=1e-9,0.5,2.1", "training.tolerance=1e-6,1e-7", "seed=range(5)"]
    return chainrule.sweep(*WORDS, *axes, directory=directory, quiet=True)


def test_it_counts_what_failed_of_what_and_since_when(swept):
    found = diagnose_sweep(Path(swept.record.directory), installed())
    assert (len(found.runs), len(found.failed), found.lost, found.different) == (30, 20, {}, ())
    counts = {symptom.name: (len(symptom.runs), symptom.from_the_start) for symptom in found.symptoms}
    assert counts == {"updates are far too small": (10, 10), "the learning rate is above 2 / lambda_max": (10, 10)}


def test_it_blames_the_rates_and_not_the_tolerance(swept):
    found = swept.why()
    assert {one.key for one in found.blamed} == {"optimizer.lr"}
    text = str(found)
    assert "20 of 30 [49, 81 %] runs have not learned: their skill is below 0.9." in text
    assert "Settings to blame:" in text
    assert "10 of 10 [72, 100 %] failed, and 10 of 20" in text
    assert "tolerance" not in text


def test_a_sweep_of_which_nothing_is_recorded_has_no_diagnosis(swept, tmp_path):
    shutil.copytree(swept.record.directory, tmp_path / "begun")
    for manifest in (tmp_path / "begun").glob("*/manifest.json"):
        manifest.unlink()
    with pytest.raises(RecordError, match=r"^No run of \S+/begun is recorded yet: `chainrule resume \S+/begun` trains"):
        diagnose_sweep(tmp_path / "begun", installed())

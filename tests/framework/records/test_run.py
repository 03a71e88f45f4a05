"""The record of a run: complete or absent, and checked when read."""

import hashlib
import json

import numpy as np
import pytest

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.config.settings import settings_from_config
from chainrule.records import run
from chainrule.records.entries import sealed
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import claim_directory, read_record, write_record
from chainrule.registry.loaded import installed
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from sealing import rewritten, unsealed


@pytest.fixture
def result():
    words = ["training.epochs=4", "training.measure_every=1", "tracking=none", "optimizer=adam"]
    return train_stack([prepare(compose_settings(words))])[0]


def written(directory, result, overrides=()):
    claim_directory(directory, overwrite=True)
    used = installed().plugins_of(result.settings)
    return write_record(directory, result, tracking={"name": "none"}, plugins=used, overrides=overrides)


def test_what_is_written_is_read_back(result, tmp_path):
    claim_directory(tmp_path / "run")
    original = written(tmp_path / "run", result, ["optimizer=adam"])
    record = read_record(tmp_path / "run")
    assert json.loads(json.dumps(record.manifest)) == json.loads(json.dumps(original.manifest))
    assert record.manifest["overrides"] == ["optimizer=adam"]
    assert record.manifest["metrics"]["validation/loss"] == result.metrics["validation/loss"]
    curves = record.curves()
    assert curves.epochs.tolist() == [0, 1, 2, 3, 4]
    assert curves.values["train/loss"].tobytes() == result.curves.values["train/loss"].tobytes()
    measured = {f"{part}/{name}" for part in ("train", "validation") for name in ("loss", "r2")}
    assert set(curves.values) == measured | {*(f"gradient_norm/layer_{i}" for i in (1, 2, 3))}
    weights = record.weights()
    assert weights["W1"].tobytes() == result.weights[0].tobytes()
    np.testing.assert_array_equal(weights["b3"], result.biases[2])
    for name, entry in record.manifest["files"].items():
        assert hashlib.sha256((tmp_path / "run" / name).read_bytes()).hexdigest() == entry["sha256"]


def test_the_configuration_in_a_record_makes_the_same_settings(result, tmp_path):
    record = written(tmp_path, result)
    assert settings_from_config(record.manifest["configuration"], installed()) == result.settings


def test_identity_depends_on_settings_and_data_but_not_on_the_tracker(result, tmp_path):
    first = written(tmp_path / "1", result).manifest["identity"]
    others = [
        ["training.epochs=4", "training.measure_every=1", "optimizer=adam", "tracking=mlflow"],
        ["training.epochs=4", "training.measure_every=1", "tracking=none", "seed=1", "optimizer=adam"],
    ]
    tracked, reseeded = (train_stack([prepare(compose_settings(o))])[0] for o in others)
    assert written(tmp_path / "2", tracked).manifest["identity"] == first
    assert written(tmp_path / "3", reseeded).manifest["identity"] != first


def test_a_diverged_run_is_recorded_in_strict_json(tmp_path):
    result = chainrule.run(
        "optimizer.lr=1e30", "activation=relu", "training.epochs=50", "tracking=none", directory=tmp_path
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert manifest["reason"] == result.reason == "diverged"
    assert manifest["metrics"]["train/loss"] is None


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_noticed(result, tmp_path, damage):
    record = written(tmp_path, result)
    path = tmp_path / "weights.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes(content if damage == "flip" else content[:-20])
    with pytest.raises(chainrule.RecordError, match=r"weights.npz is missing or was changed after it was recorded"):
        record.weights()


def test_without_a_manifest_there_is_no_record(tmp_path):
    with pytest.raises(chainrule.RecordError, match="holds no finished record"):
        read_record(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(chainrule.RecordError, match="cannot be read"):
        read_record(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(chainrule.RecordError, match="is not a record of format 3"):
        read_record(tmp_path)


def test_a_manifest_cannot_name_files_outside_of_the_record(result, tmp_path):
    written(tmp_path / "run", result)
    for name in ("../../secret", "/etc/passwd", "a//b", "pictures/../x", "", ".", "a\n", "a\\b", "x" * 300):
        files = json.loads((tmp_path / "run" / "manifest.json").read_text())["files"]
        rewritten(tmp_path / "run", files={**files, name: files["weights.npz"]})
        with pytest.raises(chainrule.RecordError, match=r"entries are missing or of the wrong type: files"):
            read_record(tmp_path / "run")
        rewritten(tmp_path / "run", files=files)


def test_writing_again_never_leaves_an_old_manifest_beside_new_files(result, tmp_path, monkeypatch):
    written(tmp_path, result)
    monkeypatch.setattr(run, "write_new", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        written(tmp_path, result)
    with pytest.raises(chainrule.RecordError, match="holds no finished record"):
        read_record(tmp_path)


def test_a_directory_that_cannot_be_written_is_found_out_before_training(monkeypatch):
    monkeypatch.setattr("chainrule.runs.execute.train_stack", lambda *_: pytest.fail("trained"))
    with pytest.raises(OSError, match="nowhere"):
        chainrule.run("tracking=none", directory="/proc/nowhere")


def test_claiming_a_directory_ends_the_record_in_it_only_if_that_is_said(result, tmp_path):
    written(tmp_path, result)
    with pytest.raises(chainrule.ConfigurationError, match=r"holds the record of a run already: .* --overwrite"):
        claim_directory(tmp_path)
    read_record(tmp_path)
    claim_directory(tmp_path, overwrite=True)
    with pytest.raises(chainrule.RecordError, match="holds no finished record"):
        read_record(tmp_path)


def test_only_pictures_join_a_record(result, tmp_path):
    (tmp_path / "pictures" / "folder.png").mkdir(parents=True)
    for name in ("loss.png", "private.jpg"):
        (tmp_path / "pictures" / name).write_bytes(b"x")
    record = written(tmp_path, result)
    assert sorted(record.manifest["files"]) == ["configuration.yaml", "curves.npz", "pictures/loss.png", "weights.npz"]


@pytest.mark.parametrize("change", [{"files": None}, {"configuration": []}, {"overrides": "seed=1"}, {"epochs": "3"}])
def test_a_damaged_manifest_names_what_is_wrong(result, tmp_path, change):
    record = written(tmp_path, result)
    (tmp_path / MANIFEST).write_bytes(sealed({**record.manifest, **change}))
    with pytest.raises(
        chainrule.RecordError, match=f"is damaged: these entries are missing or of the wrong type: {next(iter(change))}"
    ):
        read_record(tmp_path)


def test_a_record_made_from_python_has_pictures_and_prints_nothing(tmp_path, capsys):
    chainrule.run("training.epochs=1", "tracking=none", directory=tmp_path)
    assert {"pictures/loss.png", "pictures/surface.png"} <= set(read_record(tmp_path).manifest["files"])
    assert not capsys.readouterr().out


def test_a_test_part_and_a_start_are_in_the_record_only_if_there_are(result, tmp_path):
    plain = written(tmp_path / "plain", result).manifest
    assert not {"start", "test"} & {*plain, *plain.data}
    first = ["training.epochs=2", "tracking=none", "data.test=0.1"]
    chainrule.run(*first, directory="first")
    chainrule.run(*first, f"training.start={tmp_path / 'first'}", directory="second")
    start, manifest = (read_record(tmp_path / name).manifest for name in ("first", "second"))
    assert manifest.data["test"] == 26
    assert manifest["start"] == {
        "directory": str(tmp_path / "first"),
        "identity": start.identity,
        "weights": start.files["weights.npz"].sha256,
    }
    assert {"test/loss", "test/r2"} <= manifest.metrics.keys()


@pytest.mark.slow
def test_identity_depends_on_the_parameters_that_a_run_starts_with(tmp_path):
    identities = []
    for seed in (0, 1):
        chainrule.run("training.epochs=0", f"seed={seed}", "tracking=none", directory="first", overwrite=True)
        again = {"directory": "second", "overwrite": True}
        chainrule.run("training.epochs=1", "training.start=first", "tracking=none", **again)
        identities.append(read_record(tmp_path / "second").manifest.identity)
    assert identities[0] != identities[1]


def test_the_order_of_a_list_is_part_of_the_identity(tmp_path):
    records = []
    for words in (["transforms=[clip,ema]"], ["transforms=[ema,clip]"], ["transforms=[ema,clip]"], []):
        run_ = prepare(compose_settings(["training.epochs=1", *words]))
        records.append(written(tmp_path / str(len(records)), train_stack([run_])[0]))
        again = settings_from_config(read_record(records[-1].directory).manifest["configuration"], installed())
        assert again == run_.settings
    identities = [record.manifest["identity"] for record in records]
    assert identities[1] == identities[2]
    assert len(set(identities)) == 3
    assert "chainrule:transforms" in records[0].manifest["plugins"]
    assert "chainrule:transforms" not in records[3].manifest["plugins"]


def test_a_record_of_before_is_read_and_told_from_one_with_a_checksum(result, tmp_path):
    record = written(tmp_path, result)
    assert record.is_sealed
    unsealed(tmp_path / MANIFEST, 2, seconds=7.5)
    earlier = read_record(tmp_path)
    assert not earlier.is_sealed
    assert earlier.is_intact()
    assert (earlier.manifest.stack, earlier.manifest.beside) == ({"runs": None, "seconds": 7.5}, {})
    unsealed(tmp_path / MANIFEST, 2, configuration={**record.manifest.configuration, "seed": 5})
    with pytest.raises(chainrule.RecordError, match=r"its identity is not that of its settings, data and plugins"):
        read_record(tmp_path)


def test_a_checksum_cannot_be_left_out_by_naming_an_earlier_format(result, tmp_path):
    written(tmp_path, result)
    content = (tmp_path / MANIFEST).read_bytes()
    (tmp_path / MANIFEST).write_bytes(content.replace(b'"format": 3', b'"format": 2'))
    with pytest.raises(chainrule.RecordError, match="as its checksum says"):
        read_record(tmp_path)


def test_the_seconds_of_a_stack_are_shared_among_its_runs():
    settings = [compose_settings([f"training.tolerance={t}", "tracking=none"]) for t in (1e-6, 1e9)]
    runs = train_stack([prepare(each) for each in settings])
    assert [run.epochs for run in runs] == [200, 0]
    assert {(run.stack_runs, run.stack_seconds) for run in runs} == {(2, runs[0].stack_seconds)}
    assert sum(run.seconds for run in runs) == pytest.approx(runs[0].stack_seconds)
    assert runs[0].seconds == pytest.approx(200 * runs[1].seconds)

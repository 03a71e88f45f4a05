"""The command as people type it, each in a process of its own."""

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import chainrule
import forking
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record
from sizes import one_in

SHORT = ["training.epochs=3", "tracking=none"]


def chainrule_command(*arguments, code=0, **variables):
    done = forking.python("-m", "chainrule", *arguments, environment={**os.environ, **variables})
    assert done.returncode == code, done.stdout + done.stderr
    return done


def record_directories(folder):
    return sorted(manifest.parent for manifest in Path(folder).rglob(MANIFEST))


def test_a_run_prints_a_summary_and_leaves_a_record(tmp_path):
    done = chainrule_command(*SHORT, "optimizer=adam")
    (directory,) = record_directories("outputs")
    assert done.stderr == ""
    assert "linear, 2-2 sigmoid, adam, seed 0" in done.stdout
    assert f"record   {tmp_path / directory}" in done.stdout
    record = read_record(directory)
    assert record.manifest["overrides"] == [*SHORT, "optimizer=adam"]
    pictures = {f"pictures/{name}.png" for name in ("loss", "predictions", "surface")}
    assert pictures <= set(record.manifest["files"])
    assert (directory / ".hydra" / "config.yaml").is_file()
    assert not (tmp_path / "mlflow.db").exists()


def test_the_version_is_that_of_the_framework():
    assert chainrule_command("--version").stdout == f"chainrule {metadata.version('chainrule')}\n"


def test_the_command_and_the_notebook_train_the_same_run():
    chainrule_command(*SHORT, "seed=3")
    (directory,) = record_directories("outputs")
    result = chainrule.run(*SHORT, "seed=3")
    np.testing.assert_array_equal(read_record(directory).weights()["W1"], result.weights[0])


def test_a_multirun_trains_every_combination():
    chainrule_command("-m", *SHORT, "seed=0,1", "activation=tanh,relu")
    found = [read_record(directory).manifest["configuration"] for directory in record_directories("multirun")]
    assert [(c["seed"], c["activation"]["name"]) for c in found] == [(0, "tanh"), (0, "relu"), (1, "tanh"), (1, "relu")]


def test_the_configuration_can_be_shown():
    shown = chainrule_command("--cfg", "job", "optimizer=rprop").stdout
    assert "name: rprop" in shown
    assert "eta1: 0.5" in shown
    assert "_target_" not in shown


def test_completion_offers_components():
    line = "chainrule optimizer=ada"
    done = chainrule_command("-sc", "query=bash", COMP_LINE=line, COMP_POINT=str(len(line)))
    assert set(done.stdout.split()) == {
        f"optimizer={name}" for name in ("adabound", "adadelta", "adagrad", "adam", "adamw")
    }


def test_a_variant_in_the_working_directory_is_an_option(tmp_path):
    folder = tmp_path / "conf" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "hasty.yaml").write_text("defaults: [adam]\nlr: 0.5\n")
    chainrule_command(*SHORT, "optimizer=hasty")
    (directory,) = record_directories("outputs")
    chosen = read_record(directory).manifest["configuration"]["optimizer"]
    assert (chosen["name"], chosen["lr"]) == ("adam", 0.5)


def test_a_note_on_an_unreachable_target_comes_before_training():
    lines = chainrule_command(*SHORT, "output=sigmoid").stdout.splitlines()
    (note,) = [i for i, line in enumerate(lines) if "cannot reach" in line]
    (first,) = [i for i, line in enumerate(lines) if line.startswith("epoch 0/3")]
    assert note < first


def test_a_diverging_run_is_no_error():
    done = chainrule_command("tracking=none", "optimizer.lr=1e30", "activation=relu")
    assert "diverged" in done.stdout or "infinite" in done.stdout
    assert done.stderr == ""


BAD_CSV = {
    "text.csv": "a,y\n1,2\nx,3\n",
    "empty_cell.csv": "a,y\n1,2\n,3\n",
    "infinite.csv": "a,y\n1,2\n3,inf\n",
    "ragged.csv": "a,y\n1,2\n3\n",
    "header.csv": "a,y\n",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    one_in(
        3,
        [
            (["optimizer=adm"], ["optimizer=adm", "did you mean 'adam'"]),
            (["optimizer.lrr=1"], ["optimizer.lrr", "did you mean 'lr'"]),
            (["trainig.epochs=1"], ["trainig", "did you mean 'training'"]),
            (["training.epochs=many"], ["training.epochs", "whole number", "'many'"]),
            (["optimizer.lr=-1"], ["optimizer.lr", ">= 0", "-1"]),
            (["data.samples=0"], ["data.samples", ">= 1"]),
            (["output=softmax"], ["output=softmax", "target=linear has 1 output"]),
            (["target=table"], ["target=table", "target.path"]),
            (["target=table", "target.path=missing.csv"], ["missing.csv"]),
            (["target=table", "target.path=text.csv"], ["text.csv", "3", "'x'"]),
            (["target=table", "target.path=empty_cell.csv"], ["empty_cell.csv", "line 3", "target.missing=mean"]),
            (["target=table", "target.path=infinite.csv"], ["infinite.csv", "3", "inf"]),
            (["target=table", "target.path=ragged.csv"], ["ragged.csv", "3"]),
            (
                ["target.path=a=b.csv"],
                ["target.path=a=b.csv has characters that need quotes", "\"target.path='a=b.csv'\""],
            ),
            (["optimizer.lr=0.1,", "0.2"], ["optimizer.lr=0.1,0.2"]),
            (["-m", "optimizer=nadam,adam", "optimizer.beta1=0.5"], ['"optimizer.beta1=choice(0.5)"']),
            (["target=table", "target.path=header.csv"], ["header.csv"]),
            (["target=table", "target.path=ragged.csv", "target.label=yy"], ["ragged.csv", "3"]),
            (["hydra.run.dir=/proc/nowhere"], ["cannot write to /proc/nowhere"]),
        ],
    ),
)
def test_bad_input_gives_one_sentence_and_leaves_no_record(tmp_path, arguments, words):
    for name, content in BAD_CSV.items():
        (tmp_path / name).write_text(content)
    done = chainrule_command(*arguments, code=1)
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("chainrule: ")
    for word in words:
        assert word in sentence
    assert done.stdout == ""
    assert not record_directories(tmp_path)
    assert not (tmp_path / "mlflow.db").exists()


def test_a_mistyped_command_is_named():
    done = chainrule_command("resum", "x", code=1)
    assert done.stderr == (
        "chainrule: resum is not a command (did you mean 'resume'?); "
        "choose from check, compare, data, delete, doctor, explain, export, export-onnx, "
        "new-plugin, plugins, predict, report, resume, sync, ui, verify, why.\n"
    )


def test_flags_that_exclude_one_another_get_one_sentence():
    (sentence,) = chainrule_command("--cfg", "job", "-m", code=1).stderr.splitlines()
    assert sentence.startswith("chainrule: Only one of --run, --multirun, --cfg")


def test_a_bad_job_of_a_multirun_is_named():
    done = chainrule_command("-m", *SHORT, "optimizer.lr=0.1,-1", code=1)
    assert done.stderr == (
        "chainrule: optimizer.lr must be a number >= 0, not -1. That is wrong with job 1 (training.epochs=3 "
        "tracking=none optimizer.lr=-1). Nothing was trained.\n"
    )
    assert not list(Path().iterdir())

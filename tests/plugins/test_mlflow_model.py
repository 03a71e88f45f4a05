"""The run in MLflow is a model that predicts as the record does."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.records.run import read_record

mlflow = pytest.importorskip("mlflow")
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:mlflow"),  # about type hints within MLflow itself
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning"),
]
FRUIT = ("target=table", "target.path=t.csv", "target.text=onehot", "output=softmax", "training.epochs=2")
CLASSES = "loss=categorical_cross_entropy"


@pytest.fixture(params=["bulk", "client"])
def way(request, monkeypatch, database):
    """Records are sent by either way."""
    if request.param == "client":
        monkeypatch.setattr("chainrule_mlflow.bulk.REVISIONS", frozenset())
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    yield request.param
    mlflow.set_tracking_uri(before)


@pytest.fixture
def sent(way):
    """Return a table, a result on it, and the run in MLflow that it was sent to."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.integers(1, 9, 40), "colour": rng.choice(["red", "green"], 40)})
    frame["kind"] = np.where(frame["size"] > 5, "pear", "apple")
    frame.to_csv("t.csv", index=False)
    result = chainrule.run(*FRUIT, CLASSES, directory="rec")
    return frame, result, the_run()


def the_run():
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    return run


def the_model(run):
    (output,) = run.outputs.model_outputs
    return mlflow.MlflowClient().get_logged_model(output.model_id)


def test_the_model_predicts_for_frames_as_the_result_does(sent):
    frame, result, run = sent
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/")
    expected = result.predict(frame)
    pd.testing.assert_frame_equal(model.predict(frame), expected, check_exact=True)
    assert [column.name for column in model.metadata.signature.inputs] == ["size", "colour"]
    assert [column.name for column in model.metadata.signature.outputs] == list(expected.columns)
    with pytest.raises((ConfigurationError, mlflow.MlflowException), match="colour"):
        model.predict(frame[["size"]])
    with pytest.raises(ConfigurationError, match="column 'size' is missing"):
        model.predict(frame[["colour"]])


def test_a_model_of_its_own_is_linked_to_run_metrics_and_dataset(sent):
    frame, result, run = sent
    logged = the_model(run)
    assert (str(logged.status), logged.source_run_id) == ("READY", run.info.run_id)
    assert logged.name.startswith("table, 2-2 sigmoid, gradient_descent, output=softmax")
    assert logged.params == run.data.params
    (data,) = run.inputs.dataset_inputs
    finite = {name: value for name, value in run.data.metrics.items() if not math.isnan(value)}
    assert {metric.key: metric.value for metric in logged.metrics} == finite
    assert {(m.dataset_name, m.dataset_digest) for m in logged.metrics} == {(data.dataset.name, data.dataset.digest)}
    model = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    pd.testing.assert_frame_equal(model.predict(frame), result.predict(frame), check_exact=True)
    example = model.input_example
    assert list(example.columns) == ["size", "colour"]
    assert example["size"][0] == pytest.approx(result.samples.x_scaling.shift[0, 0])
    predicted = model.predict(example)
    assert set(predicted["prediction"]) <= {"apple", "pear"}
    folder = mlflow.artifacts.download_artifacts(f"models:/{logged.model_id}")
    needed = (read_text(folder, "requirements.txt")).splitlines()
    assert f"chainrule=={chainrule.__version__}" in needed
    assert f"numpy=={np.__version__}" in needed
    assert mlflow.pyfunc.get_model_dependencies(f"models:/{logged.model_id}")
    request = read_text(folder, "serving_input_example.json")
    assert json.loads(request)["dataframe_split"]["columns"] == ["size", "colour"]


def read_text(folder, name):
    with open(f"{folder}/{name}") as file:
        return file.read()


def test_arrays_of_a_function_are_predicted_for_in_rows(way):
    result = chainrule.run("training.epochs=2", "target=sine", directory="rec")
    x = np.linspace(-1, 1, 7)[:, None]
    for uri in (f"runs:/{the_run().info.run_id}/", f"models:/{the_model(the_run()).model_id}"):
        model = mlflow.pyfunc.load_model(uri)
        np.testing.assert_array_equal(model.predict(x), result.predict(x, samples_first=True))
        frame = pd.DataFrame({"x1": x[:, 0]})
        pd.testing.assert_frame_equal(model.predict(frame), result.predict(frame), check_exact=True)


def test_sending_again_makes_no_second_model(sent):
    from chainrule_mlflow import MLflow

    _, _, run = sent
    (refused,) = MLflow().send_all([read_record(Path("rec").absolute())])
    assert refused is None
    assert the_run().info.run_id == run.info.run_id
    assert len(mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")) == 1


def test_the_best_run_of_a_sweep_has_a_model_and_the_others_have_none(way):
    found = chainrule.sweep("training.epochs=3", "target=sine", "activation=tanh,relu", "seed=0,1", directory="s",
                            quiet=True)  # fmt: skip
    (model,) = mlflow.search_logged_models(experiment_ids=["1"], output_format="list")
    best = found.best
    run = mlflow.get_run(model.source_run_id)
    assert run.data.tags["chainrule.record"] == str(best.record.directory)
    x = np.linspace(-1, 1, 5)[:, None]
    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    np.testing.assert_array_equal(loaded.predict(x), best.predict(x, samples_first=True))


@pytest.mark.slow
def test_the_model_can_be_registered(sent):
    frame, result, run = sent
    found = mlflow.register_model(f"runs:/{run.info.run_id}", "fruit")
    model = mlflow.pyfunc.load_model(f"models:/fruit/{found.version}")
    pd.testing.assert_frame_equal(model.predict(frame), result.predict(frame), check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["bulk"], indirect=True)
def test_the_model_is_served(sent):
    frame, result, run = sent
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{the_model(run).model_id}"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
    programs = Path("programs")  # MLflow looks for uvicorn in the PATH, and this environment may not be activated
    programs.mkdir()
    (programs / "uvicorn").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m uvicorn "$@"\n')
    (programs / "uvicorn").chmod(0o755)
    with open("serve.log", "w") as log:
        own = {**os.environ, "PATH": os.pathsep.join([str(programs.absolute()), os.environ["PATH"]])}
        server = subprocess.Popen([*command, "-p", str(port)], stdout=log, stderr=log, start_new_session=True, env=own)
    try:
        deadline = time.monotonic() + 120
        while not (answer := asked(port, "ping")):
            assert time.monotonic() < deadline, Path("serve.log").read_text()
            assert server.poll() is None, Path("serve.log").read_text()
            time.sleep(0.5)
        expected = result.predict(frame).to_dict("records")
        rows = frame[["size", "colour"]].to_json(orient="split", index=False)
        answer = asked(port, "invocations", f'{{"dataframe_split": {rows}}}'.encode())
        assert answer == {"predictions": expected}
        request = (folder / "serving_input_example.json").read_bytes()
        assert len(asked(port, "invocations", request)["predictions"]) == 2
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def asked(port, page, data=None):
    """Return what the server answers, nothing where it does not answer yet."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{page}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read().strip() or "true")
    except OSError:
        if data:
            raise
        return None

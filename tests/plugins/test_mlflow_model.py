"""The run in MLflow is a model that predicts as the record does."""

import numpy as np
import pandas as pd
import pytest

import chainrule
from chainrule.errors import ConfigurationError

mlflow = pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:mlflow")  # about type hints within MLflow itself


@pytest.fixture(params=["bulk", "client"])
def sent(request, monkeypatch, tmp_path):
    """Return a table, a result on it, and the run in MLflow that it was sent to."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(5, 2, 40), "colour": rng.choice(["red", "green"], 40)})
    frame["kind"] = np.where(frame["size"] > 5, "pear", "apple")
    frame.to_csv("t.csv", index=False)
    if request.param == "client":
        monkeypatch.setattr("chainrule_mlflow.bulk.REVISIONS", frozenset())
    table = ("target=table", "target.path=t.csv", "target.text=onehot", "output=softmax")
    options = ("loss=categorical_cross_entropy", "training.epochs=2", f"tracking.uri={uri}")
    result = chainrule.run(*table, *options, directory="rec")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield frame, result, mlflow.search_runs(search_all_experiments=True, output_format="list")[0]
    mlflow.set_tracking_uri(before)


def test_the_model_predicts_for_frames_and_arrays_as_the_result_does(sent):
    frame, result, run = sent
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/")
    pd.testing.assert_frame_equal(model.predict(frame), result.predict(frame), check_exact=True)
    x = result.predictor.inputs(frame, str).T
    np.testing.assert_array_equal(model.predict(x), result.predict(x, samples_first=True))
    with pytest.raises(ConfigurationError, match="column 'colour' is missing"):
        model.predict(frame[["size"]])


@pytest.mark.slow
def test_the_model_can_be_registered(sent):
    frame, result, run = sent
    found = mlflow.register_model(f"runs:/{run.info.run_id}", "fruit")
    model = mlflow.pyfunc.load_model(f"models:/fruit/{found.version}")
    pd.testing.assert_frame_equal(model.predict(frame), result.predict(frame), check_exact=True)

"""The files of a run in MLflow are a model, too: ``mlflow.pyfunc.load_model("runs:/RUN").predict(frame)``.

A file ``MLmodel`` beside those of the record says that this module loads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.files.yaml_text import dump
from chainrule.records.run import RunManifest, read_record
from chainrule.registry.registry import installed

if TYPE_CHECKING:
    from chainrule.records.predictor import Predictor

FILE = "MLmodel"


def description(manifest: RunManifest) -> str:
    """Return the text of the file ``MLmodel``; it is the same each time."""
    flavour = {"loader_module": __name__, "python_version": manifest.environment.get("python", "")}
    return dump({"flavors": {"python_function": flavour}, "utc_time_created": manifest.started})


class Model:
    """What MLflow calls to predict.

    Args:
        predictor: that of the record.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: Any, params: Any = None) -> Any:
        """Return predictions for a data frame or an array, in which each row is a sample.

        A data frame gives one with the column ``prediction`` and, of classes, the probability of each; an array gives
        an array ``(samples, outputs)``. See ``chainrule.Result.predict``.

        Args:
            model_input: the samples.
            params: nothing; MLflow asks for it.

        Raises:
            ConfigurationError: columns are missing, or hold other values than in training.
        """
        return self._predictor(model_input, samples_first=True)


def _load_pyfunc(path: str) -> Model:
    """Return the model in a folder, for MLflow."""
    from chainrule.config.recorded import predictor_of  # here, because sending does not need it

    return Model(predictor_of(read_record(Path(path)), installed()))

"""The files of a run in MLflow are a model, too: ``mlflow.pyfunc.load_model("runs:/RUN/").predict(frame)``.

A file ``MLmodel`` beside those of the record says that this module loads it, and what its columns are called. A model
of its own, with an example and what must be installed, has single runs and the best of a sweep; see ``logged``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.components.schema import ONEHOT, ORDINAL, Feature, Schema, number
from chainrule.errors import ChainruleError
from chainrule.files.yaml_text import dump
from chainrule.records.manifest import MANIFEST, WEIGHTS, RunManifest
from chainrule.records.run import Record, read_record
from chainrule.registry.loaded import installed

if TYPE_CHECKING:
    from chainrule.records.predictor import Predictor

FILE = "MLmodel"
_CONDA, _VENV, _NEEDED = "conda.yaml", "python_env.yaml", "requirements.txt"
_EXAMPLE, _REQUEST = "input_example.json", "serving_input_example.json"


def description(record: Record, more: Mapping[str, Any] | None = None, **flavour: Any) -> str:
    """Return the text of the file ``MLmodel``; it is the same each time.

    Args:
        record: of the run.
        more: further entries.
        flavour: further entries of the flavour.
    """
    manifest = record.manifest
    python = {"loader_module": __name__, "python_version": manifest.environment.get("python", ""), **flavour}
    found = {"flavors": {"python_function": python}, "signature": _signature(record), **(more or {})}
    return dump({**found, "utc_time_created": manifest.started})


def files(record: Record, example: Mapping[str, Any], run_id: str, model_id: str) -> dict[str, bytes]:
    """Return the files of a model of its own by name: what predicts, an example, and what must be installed.

    Args:
        record: of the run.
        example: what ``example`` returns.
        run_id: the run in MLflow.
        model_id: of the model there.

    Raises:
        RecordError: a file of the record is missing or damaged.
    """
    manifest = record.manifest
    needed = requirements(manifest)
    python = manifest.environment.get("python", "")
    saved = {"artifact_path": _EXAMPLE, "serving_input_path": _REQUEST, "type": "dataframe", "pandas_orient": "split"}
    more = {
        "mlflow_version": manifest.environment.get("mlflow", ""),
        "model_id": model_id,
        "model_uuid": model_id,
        "run_id": run_id,
        "saved_input_example_info": saved,
    }
    conda = {"name": "chainrule", "channels": ["conda-forge"]}
    texts = {
        FILE: description(record, more, env={"conda": _CONDA, "virtualenv": _VENV}),
        _NEEDED: "".join(f"{line}\n" for line in needed),
        _VENV: dump({"python": python, "build_dependencies": ["pip"], "dependencies": [f"-r {_NEEDED}"]}),
        _CONDA: dump({**conda, "dependencies": [f"python={python}", "pip", {"pip": needed}]}),
        _EXAMPLE: json.dumps(example),
        _REQUEST: json.dumps({"dataframe_split": example}, indent=1),
    }
    own = {WEIGHTS: record.content(WEIGHTS), MANIFEST: (record.directory / MANIFEST).read_bytes()}
    return own | {name: text.encode() for name, text in texts.items()}


def requirements(manifest: RunManifest) -> list[str]:
    """Return what must be installed to predict: chainrule, MLflow, NumPy, and the plugins that the run used.

    A plugin that is a file has no version, and must be there.
    """
    versions = {name: manifest.environment[name] for name in ("chainrule", "mlflow", "numpy")}
    for name, plugin in manifest.plugins.items():
        if plugin.version:
            versions.setdefault(name.partition(":")[0], plugin.version)
    return [f"{name}=={version}" for name, version in versions.items() if version]


def _signature(record: Record) -> dict[str, str | None]:
    """Return what MLflow knows of inputs and outputs.

    It refuses whole numbers where it expects real ones, and numbers where it expects text, so columns of a table may
    hold anything: what is wrong with them is said when they are read. Where inputs have no names, MLflow must not know
    any, or it would refuse arrays.
    """
    schema = Schema.of_entry(record.manifest.data)
    if schema.is_named:
        inputs = [
            {"name": each.name, "type": _kind(each), "required": _kind(each) != "any"} for each in schema.features
        ]
    else:
        inputs = [{"type": "double", "required": True} for _ in schema.features]
    outputs = [{"name": name, "type": kind, "required": True} for name, kind in _outputs(record, schema).items()]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _kind(feature: Feature) -> str:
    is_text = feature.kind in (ONEHOT, ORDINAL) and not any(number(level) is not None for level in feature.levels)
    return "string" if is_text else "any"


def _outputs(record: Record, schema: Schema) -> dict[str, str]:
    """Return the columns of predictions; of classes ``prediction`` alone where components are not here to say more."""
    if schema.classes:
        configuration, width = record.manifest.configuration, record.manifest.network.widths[-1]
        last = json.dumps([configuration.get("output"), configuration.get("loss"), width], sort_keys=True, default=str)
        try:
            kind = _kind_of_outputs(_Last(last, record))
        except ChainruleError:
            return {"prediction": "string"}
        names = schema.classes if kind == "probability" else schema.outputs
        return {"prediction": "string", **{f"{kind}_{name}": "double" for name in names}}
    several = len(schema.outputs) > 1
    return dict.fromkeys([f"prediction_{name}" for name in schema.outputs] if several else ["prediction"], "double")


@dataclass(frozen=True)
class _Last:
    """The end of a network, which decides what its outputs are, and a record that has it."""

    key: str
    record: Record = field(compare=False)


@functools.lru_cache(maxsize=64)  # the runs of a sweep have few
def _kind_of_outputs(last: _Last) -> str:
    """Return how the columns of outputs of classes begin: ``probability`` or ``output``."""
    from chainrule.config.recorded import predictor_of  # here, because sending other runs does not need it

    predictor = predictor_of(last.record, installed())
    _, first, *_ = predictor.columns(np.zeros((predictor.shape.widths[-1], 1)))
    return first.partition("_")[0]


def example(record: Record) -> dict[str, Any]:
    """Return two samples as MLflow writes a data frame: means of the training data, and one deviation above.

    Of inputs that are not scaled, these are 0 and 1; of text, its first and its last value.

    Raises:
        RecordError: the record has no weights.
    """
    schema, arrays = Schema.of_entry(record.manifest.data), record.weights()
    shift, scale = (np.ravel(arrays[name]) for name in ("x_shift", "x_scale"))
    ends: list[Array] = list(np.broadcast_arrays(shift, shift + scale))
    first = 0
    columns: list[list[Any]] = []
    for feature in schema.features:
        levels = feature.levels
        columns.append([levels[0], levels[-1]] if levels else [float(end[min(first, end.size - 1)]) for end in ends])
        first += len(feature.inputs)
    names = [feature.name for feature in schema.features]
    return {"columns": names, "data": [list(row) for row in zip(*columns, strict=True)]}


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
        an array ``(samples, outputs)``. See ``chainrule.Result.predict``. MLflow makes a data frame of an array, whose
        columns have numbers for names.

        Args:
            model_input: the samples.
            params: nothing; MLflow asks for it.

        Raises:
            ConfigurationError: columns are missing, or hold other values than in training.
        """
        columns = getattr(model_input, "columns", None)
        if columns is not None and list(columns) == list(range(len(columns))) and not self._predictor.schema.is_named:
            model_input = model_input.to_numpy()
        return self._predictor(model_input, samples_first=True)


def _load_pyfunc(path: str) -> Model:
    """Return the model in a folder, for MLflow."""
    from chainrule.config.recorded import predictor_of  # here, because sending does not need it

    return Model(predictor_of(read_record(Path(path)), installed()))

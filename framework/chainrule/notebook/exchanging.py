"""Trained networks for other programs."""

from pathlib import Path

from chainrule.files import paths
from chainrule.notebook.reading import load
from chainrule.notebook.runs import Run
from chainrule.records import exchange
from chainrule.records.exchange import Exchanged
from chainrule.records.result import Result


def export_onnx(run: Result | str | Path, path: str | Path) -> Exchanged:
    """Write the network of a run as an ONNX file, which predicts what :meth:`Result.predict` does.

    The input ``x (samples, inputs)`` and the output ``y (samples, outputs)`` are float64, in the target's units: the
    scaling of both, values for missing inputs, and the ``point`` of a loss are in the file. Text is not: where columns
    hold text, ``x`` has the inputs that they become, whose names are in the file.

    Args:
        run: the result of a run, or the directory of its record, or that of a sweep for its best run.
        path: the file, which is replaced if it is there.

    Returns:
        What was written; ``difference`` says how far predictions of onnxruntime are from those of chainrule.

    Raises:
        ChainruleError: ONNX is not installed, or cannot express a component; or predictions differ by more than 1e-6,
            in single precision by 1e-3; or no run of the sweep is the best.
        RecordError: there is no record.
        OSError: the file cannot be written.
    """
    if isinstance(run, Result):
        return exchange.write(run.predictor, paths.named(path))
    loaded = load(run)
    best = loaded if isinstance(loaded, Run) else loaded.best
    return exchange.write(best.predictor, paths.named(path))

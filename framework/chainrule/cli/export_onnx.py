"""``chainrule export-onnx``: a trained network for other programs."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser, predictor_at
from chainrule.errors import ChainruleError
from chainrule.records.exchange import write


def main(arguments: Sequence[str]) -> None:
    """Write the network of a recorded run as an ONNX file.

    Its input x (samples, inputs) and output y (samples, outputs) are float64, in the target's units: scaling and values
    for missing inputs are in the file. It is written when onnxruntime has predicted with it what chainrule predicts.
    What ONNX cannot express is refused by name.
    """
    command = parser("export-onnx", main.__doc__)
    command.add_argument("run", type=Path, metavar="RUN", help="directory of a run, or of a sweep for its best run")
    command.add_argument("file", type=Path, metavar="FILE.onnx", help="the network")
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    given = parse(command, arguments)
    if given.file.exists() and not given.overwrite:
        raise ChainruleError(f"{given.file} exists already; name another file, or write --overwrite.")
    load_plugins([])
    print(write(predictor_at(given.run), given.file))

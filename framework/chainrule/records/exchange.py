"""A trained network as a file that other programs read: ONNX, with the scaling of inputs and outputs.

The formulas of activations, and of a loss that turns outputs into predictions, are recorded as for machine code, those
of third parties, too. What cannot be recorded, or looks at other samples, is refused by name.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.compiled.nodes import BATCH, Graph, applied
from chainrule.compiled.untraceable import Untraceable, where_untraceable
from chainrule.components.arguments import asked
from chainrule.components.contracts import Array, Loss
from chainrule.components.stacking import stack
from chainrule.engine.data import Scaling
from chainrule.engine.layers import filling, with_fields
from chainrule.engine.network import Placed, placed
from chainrule.errors import ChainruleError
from chainrule.files.atomic import write_whole
from chainrule.records.predictor import Predictor

X, Y = "x", "y"  # what the input and the output of the graph are called
_OPSET, _IR = 18, 8  # of 2022: later runtimes read them, too
_COMPARED = 256  # samples for which a file is tried
_EQUAL = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-3}  # beside 1, or the size of what is predicted
_INSTALL = "pip install 'chainrule[onnx]'"


@dataclass(frozen=True)
class Exchanged:
    """A network in a file.

    Attributes:
        path: of the file.
        inputs, outputs: how many the graph has for a sample.
        difference: the largest difference between what onnxruntime and chainrule predict for samples around the
            training data, beside 1 or the size of the prediction.
    """

    path: Path
    inputs: int
    outputs: int
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.path}: {X} (samples, {self.inputs}) to {Y} (samples, {self.outputs}); "
            f"onnxruntime predicts the same to {self.difference:.1g}"
        )


def write(predictor: Predictor, path: Path) -> Exchanged:
    """Write a network as an ONNX file, when onnxruntime has predicted with it what chainrule predicts.

    Raises:
        ChainruleError: ONNX is not installed, a component has no operations there, or predictions differ.
        OSError: the file cannot be written.
    """
    content = serialized(predictor)
    difference = _difference(predictor, content)
    if not difference <= _EQUAL[predictor.theta.dtype]:
        raise ChainruleError(
            f"onnxruntime predicts other values than chainrule with this network, by up to {difference:.1g}; "
            "no file was written."
        )
    write_whole(path, content)
    return Exchanged(path, predictor.shape.widths[0], _outputs(predictor), difference)


def serialized(predictor: Predictor) -> bytes:
    """Return the content of an ONNX file.

    Its input ``x (samples, inputs)`` and its output ``y (samples, outputs)`` are float64, in the target's units.

    Raises:
        ChainruleError: ONNX is not installed, or a component has no operations there.
    """
    try:
        import onnx  # here, because it is an extra
        from onnx import helper, numpy_helper
    except ImportError:
        raise ChainruleError(f"ONNX is not installed: {_INSTALL}.") from None
    graph = graph_of(predictor)
    kinds = {dtype: helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for dtype in (np.float64, np.float32, np.bool_)}
    nodes = []
    for node in graph.nodes:
        given = {
            name: kinds[each.type] if isinstance(each, np.dtype) else each for name, each in node.attributes.items()
        }
        nodes.append(helper.make_node(node.operation, list(node.inputs), [node.output], **given))
    x, y = (
        helper.make_tensor_value_info(name, kinds[np.float64], [BATCH, width])
        for name, width in ((X, predictor.shape.widths[0]), (Y, _outputs(predictor)))
    )
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = helper.make_model(
        helper.make_graph(nodes, "network", [x], [y], constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="chainrule",
    )
    helper.set_model_props(made, _description(predictor))
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def graph_of(predictor: Predictor) -> Graph:
    """Return the operations from raw inputs to predictions in the target's units.

    Raises:
        ChainruleError: a component has no operations in ONNX.
    """
    graph, chosen, dtype = Graph(), predictor.settings, predictor.theta.dtype
    graph("Shape", X, name=BATCH, start=0, end=1)
    value = _scaled(graph, _without_missing(graph, predictor), predictor.x_scaling, back=False)
    value = _cast(graph, value, np.dtype(np.float64), dtype)
    theta = predictor.theta[None]
    parts = list(placed(chosen.activation, chosen.output, chosen.norm, predictor.shape.layers))
    for layer, block in enumerate(predictor.shape.blocks(theta)[1:], 1):
        weights = graph.constant(np.ascontiguousarray(block[0, :, 1:].T), f"W{layer}")
        product = graph("MatMul", value, weights)
        value = graph("Add", product, graph.constant(block[0, :, 0][None], f"b{layer}"))
        width = len(block[0])
        for part in parts:
            if part.layer == layer:
                formula = _forward(predictor, part)
                value, width = _applied(graph, formula, value, width, dtype, f"{part.group}={part.activation.name}")
    loss = chosen.loss
    if type(loss).point is not Loss.point:
        value, _ = _applied(graph, stack([loss], dtype).point, value, width, dtype, f"loss={loss.name}")
    value = _cast(graph, value, dtype, np.dtype(np.float64))
    graph("Identity", _scaled(graph, value, predictor.y_scaling, back=True), name=Y)
    return graph


def _forward(predictor: Predictor, part: Placed) -> Callable[[Any], Any]:
    """Return what an activation does to ``z``, as in a prediction."""
    layer, group, one = part
    shape, theta = predictor.shape, predictor.theta
    own = with_fields(stack([one], theta.dtype), shape.fields_of(theta[None], layer, group))
    kept = {name: array.copy() for name, array in predictor.states.get((layer, group), {}).items()}
    offered = {"rng": None, "layer": layer, "training": False, "state": kept}
    wanted = {name: offered[name] for name in asked(type(own), "forward") if name in offered}
    forward = filling(own.forward, **wanted)

    def formula(z: Any) -> Any:
        width, samples = shape.units(layer, group), z.shape[-1]
        a = np.empty_like(z, shape=(1, width, samples))
        forward(z, out=a)
        return a

    return formula


def _applied(
    graph: Graph, formula: Callable[[Any], Any], value: str, width: int, dtype: Any, named: str
) -> tuple[str, int]:
    try:
        made, units, _ = applied(graph, formula, value, width, dtype)
    except Exception as error:  # whatever a formula does with an array that has no numbers
        what = str(error) if isinstance(error, Untraceable) else f"fails with {type(error).__name__}: {error}"
        line = where_untraceable(error)
        at = f" ({line})" if line and not line.startswith(Path(__file__).name) else ""
        raise ChainruleError(f"ONNX cannot express {named}: it {what}{at}.") from None
    return made, units


def _without_missing(graph: Graph, predictor: Predictor) -> str:
    """Return the inputs, with what stands for missing values."""
    if predictor.x_fill is None:
        return X
    return graph("Where", graph("IsNaN", X), graph.constant(predictor.x_fill.reshape(1, -1), "x_fill"), X)


def _scaled(graph: Graph, value: str, scaling: Scaling, back: bool) -> str:
    """Return a value scaled for the network, or ``back`` in the target's units; the identity needs no operation."""
    shift, scale = (np.asarray(each, float).reshape(1, -1) for each in (scaling.shift, scaling.scale))
    if not shift.any() and (scale == 1).all():
        return value
    side = "y" if back else "x"
    by, moved = graph.constant(scale, f"{side}_scale"), graph.constant(shift, f"{side}_shift")
    return graph("Add", graph("Mul", value, by), moved) if back else graph("Div", graph("Sub", value, moved), by)


def _cast(graph: Graph, value: str, given: Any, wanted: Any) -> str:
    return value if given == wanted else graph("Cast", value, to=wanted)


def _outputs(predictor: Predictor) -> int:
    return len(predictor.in_units(np.zeros((predictor.shape.widths[-1], 1), predictor.theta.dtype)))


def _description(predictor: Predictor) -> Mapping[str, str]:
    """Return what a program is told about the columns."""
    schema = predictor.schema
    inputs = [name for feature in schema.features for name in feature.inputs]
    return {
        "inputs": json.dumps(list(map(str, inputs))),
        "outputs": json.dumps(list(map(str, schema.outputs))),
        "classes": json.dumps(list(map(str, schema.classes))),
        "settings": json.dumps(predictor.settings.to_config(), default=str),
    }


def _difference(predictor: Predictor, content: bytes) -> float:
    """Return how far predictions are from those of onnxruntime, for samples around the training data."""
    try:
        import onnxruntime
    except ImportError:
        raise ChainruleError(f"onnxruntime, which tries the file, is not installed: {_INSTALL}.") from None
    rng = np.random.default_rng(0)
    x: Array = predictor.x_scaling.undo(rng.uniform(-2, 2, (predictor.shape.widths[0], _COMPARED)))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {X: x.T})
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ChainruleError(f"onnxruntime cannot predict with this network: {reason}.") from None
    wanted = predictor.outputs(x).T
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(all="ignore"):
        apart = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
    return float(np.where(same, 0.0, apart).max())

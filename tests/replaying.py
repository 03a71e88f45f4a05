"""What tests of replays share: runs whose steps are explained, and what their pages hold."""

import base64
import json
import math
from dataclasses import dataclass

import numpy as np

import chainrule
from chainrule.replay.explanation import Explanation, explain
from chainrule.replay.replays import Replay

SHORT = ["training.epochs=2", "tracking=none"]
PLANE = ["network.hidden=[]", "training.batch_size=null", "training.epochs=100", "training.measure_every=10",
         "tracking=none"]  # fmt: skip
SOFTMAX = ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[2]"]
DIGITS = ["target=digits", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[32]", "activation=relu",
          "training.batch_size=32", "training.epochs=1"]  # fmt: skip
DIVERGED = ["optimizer.lr=10", "activation=relu", "training.epochs=3"]
CASES = {
    "the article's": [],
    "as printed": ["rule=as_printed"],
    "softmax": SOFTMAX,
    "a stranger's activation": ["activation=cubed", "optimizer.lr=0.0001"],
    "digits": DIGITS,
    "a mini-batch": ["training.batch_size=16"],
    "adam": ["optimizer=adam", "training.batch_size=16"],
    "diverged": DIVERGED,
    "float32, clipped, with dropout and a norm": [
        "training.dtype=float32", "transforms=[clip]", "transforms.clip.limit=0.1", "network.dropout=0.4",
        "norm=layer_norm", "training.batch_size=8",
    ],
    "batch norm": ["norm=batch_norm", "training.batch_size=8"],
    "pieces": ["activation=maxout", "training.batch_size=8"],
    "feedback alignment": ["rule=feedback_alignment", "network.hidden=[3,3]"],
    "forward gradient": ["rule=forward_gradient"],
    "weights of classes": ["target=xor", "output=sigmoid", "loss=binary_cross_entropy", "data.class_weights=[1,3]"],
    "two outputs for one": ["loss=gaussian_nll", "training.batch_size=4"],
    "no hidden layer": ["network.hidden=[]"],
}  # fmt: skip


def declare_cubed() -> None:
    """Declare an activation, as a stranger's program does."""

    @chainrule.plugin
    @dataclass(frozen=True)
    class Cubed(chainrule.Activation):
        """``a = z^3 / 3``, which nobody uses; ``g' = z^2``."""

        def forward(self, z: np.ndarray) -> np.ndarray:
            return z**3 / 3

        def slope(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
            return z**2


def explained(words: list[str], *numbers: int, sample: int = 0) -> Explanation:
    """Return some steps of a run, explained."""
    return explain(Replay(chainrule.settings(*SHORT, *words)), numbers or (1,), sample)


MAZUR = {  # "A Step by Step Backpropagation Example", 17 March 2015: names of ours to the digits that are printed there
    "z_1^(1)": "0.3775", "a_1^(1)": "0.593269992", "a_2^(1)": "0.596884378", "z_1^(2)": "1.105905967",
    "a_1^(2)": "0.75136507", "a_2^(2)": "0.772928465", "L": "0.298371109", "delta_1^(2)": "0.138498562",
    "dL/dw_11^(2)": "0.082167041", "dL/dw_11^(1)": "0.000438568",
    "w_11^(2)": "0.35891648", "w_12^(2)": "0.408666186", "w_21^(2)": "0.511301270", "w_22^(2)": "0.561370121",
    "w_11^(1)": "0.149780716", "w_12^(1)": "0.19956143", "w_21^(1)": "0.24975114", "w_22^(1)": "0.29950229",
}  # fmt: skip


def declare_mazur() -> list[str]:
    """Declare the published example, whose biases stay as they are; return what to type to train it."""
    weights = {1: [[0.15, 0.20], [0.25, 0.30]], 2: [[0.40, 0.45], [0.50, 0.55]]}

    @chainrule.plugin
    @dataclass(frozen=True)
    class Published(chainrule.Initializer):
        """The published weights and biases."""

        def weights(self, rng: np.random.Generator, fan_in: int, fan_out: int, *, layer: int) -> np.ndarray:
            return np.array(weights[layer])

        def biases(self, rng: np.random.Generator, fan_in: int, fan_out: int, *, layer: int) -> np.ndarray:
            return np.full(fan_out, {1: 0.35, 2: 0.60}[layer])

    @chainrule.plugin
    @dataclass(frozen=True)
    class OneSample(chainrule.Target):
        """The published sample."""

        inputs, outputs, samples = 2, 2, 1

        def data(self, rng: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
            return np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])

    @chainrule.plugin
    @dataclass(frozen=True)
    class WeightsOnly(chainrule.Transform):
        """Leaves biases as they are."""

        def gradient(self, grad: np.ndarray, theta: np.ndarray, state: dict, step: int, *, shape: chainrule.Shape):
            kept = np.zeros_like(grad)
            for block, own in zip(shape.blocks(kept)[1:], shape.blocks(grad)[1:], strict=True):
                block[:, :, 1:] = own[:, :, 1:]
            return kept

    parts = ["target=one_sample", "initializer=published", "transforms=[weights_only]", "optimizer.lr=0.5"]
    return [*parts, "network.hidden=[2]", "output=sigmoid", "data.validation=0", "training.tolerance=0"]


def unpacked(page):
    """The data of a page, as ``chainrule.replay.page.data`` has put them there."""
    _, _, rest = page.partition('<script type="application/json" id="data">')
    return json.loads(rest.partition("</script>")[0])


def arrays(spec, content):
    """The arrays of a page by name and layer, of which ``spec`` has the shapes and ``content`` the bytes in base64."""
    numbers, start, found = np.frombuffer(base64.b64decode(content), "<f8"), 0, {}
    for name, layer, shape in spec:
        size = math.prod(shape)
        found[name, layer] = numbers[start : start + size].reshape(shape)
        start += size
    return found

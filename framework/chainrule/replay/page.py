"""Steps of a run as one page that needs nothing else: a slider, the network, the paths of the chain rule, the loss.

What the page shows lies in it as data: arrays as their bytes, little-endian float64 in base64, which are those of the
run to the last bit, and equations as they are printed in a terminal.
"""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.errors import counted
from chainrule.files.atomic import write_atomically
from chainrule.records.settings import DType
from chainrule.replay import formulas
from chainrule.replay.equations import activation_of, is_prose, norm_of, sections
from chainrule.replay.explanation import ExplainedStep, Explanation, explain
from chainrule.replay.replays import Replay
from chainrule.reports import explained
from chainrule.reports.fragment import settings_in_words

_LIMIT = 1_900_000  # bytes of a page, which stays below two megabytes
_STEPS, _FEWEST = 100, 4  # of a page, as far as its size lets them be
_SAMPLES = 6  # of a step
_UNITS, _LARGE, _FEW_UNITS = 64, 4000, 32  # units of a layer that are shown; fewer of a network of more parameters
_POINTS = 400  # of a curve
_BYTES = 11  # that a number takes in base64, about
_WORDS = 160  # that an equation takes, about


def write_page(replay: Replay, number: int, sample: int, path: Path) -> Explanation:
    """Train a run again and write a page about its steps.

    Args:
        replay: the run.
        number: the step at which the page opens, from 1.
        sample: the sample of it, from 0.
        path: the file, which is replaced.

    Returns:
        The steps that are on the page.

    Raises:
        ConfigurationError: the run cannot be trained again.
        OSError: the page cannot be written.
    """
    explanation = explain(replay, chosen(replay, number), sample)
    page, explanation = fitting(explanation, number)
    write_atomically(path, page.encode())
    return explanation


def chosen(replay: Replay, number: int) -> list[int]:
    """Return the steps of a page: dense at the beginning, where most happens, with the last and the one asked for."""
    shape = replay.shape
    size = min(shape.size, _LARGE)
    bytes_ = 4 * size * _BYTES + 7 * sum(shape.rows) * _BYTES * _SAMPLES
    if shape.size <= _LARGE // 60:
        bytes_ += (2 * shape.size + 4 * sum(shape.rows)) * _WORDS
    most = min(_STEPS, max(_FEWEST, _LIMIT // bytes_))
    spaced = np.geomspace(1, replay.steps, most).round().astype(int).tolist()
    return sorted({1, 2, number, replay.steps, *spaced} & set(range(1, replay.steps + 1)))


def fitting(explanation: Explanation, number: int) -> tuple[str, Explanation]:
    """Return a page of at most two megabytes, and what is on it: as many of the steps as it has room for."""
    while True:
        page = html(explanation, number)
        steps = explanation.steps
        if len(page.encode()) <= _LIMIT or len(steps) == 1:
            return page, explanation
        kept = [of for place, of in enumerate(steps) if place % 2 == 0 or of.step.number == number]
        if len(kept) == len(steps):
            kept = [of for of in steps if of.step.number == number]
        explanation = Explanation(explanation.replay, explanation.ended, kept)


def html(explanation: Explanation, number: int) -> str:
    """Return the page about the steps of an explanation, which opens at the step with this number."""
    replay, first = explanation.replay, explanation.steps[0]
    answer = f"{len(explanation.steps)} of {counted(replay.steps, 'step')}; {explanation.verdict}."
    facts = settings_in_words(first.settings)
    return explained.page(first.settings.title, answer, facts, data(explanation, number))


def data(explanation: Explanation, number: int) -> dict[str, Any]:
    """Return all that the page shows, as plain data."""
    first, replay = explanation.steps[0], explanation.replay
    units, words = _shown_units(explanation), Words()
    steps = [_step(of, units, words) for of in explanation.steps]
    layers = range(1, first.shape.layers + 1)
    return {
        "perEpoch": replay.per_epoch,
        "steps": replay.steps,
        "epochs": replay.epochs,
        "asked": next(place for place, of in enumerate(explanation.steps) if of.step.number == number),
        "widths": list(first.shape.widths),
        "units": units,
        "complete": all(len(shown) == rows for shown, rows in zip(units, _rows(first), strict=True)),
        "inputs": list(first.schema.inputs) if first.schema.is_named else [],
        "classes": list(first.schema.classes),
        "layers": [_layer(first, layer) for layer in layers],
        "loss": {"name": first.settings.loss.name, "formula": formulas.of_loss(first.settings.loss)},
        "paired": first.is_paired,
        "rule": _rule(first),
        "mixes": first.mixes,
        "optimizer": {
            "name": first.settings.optimizer.name,
            "formula": formulas.of_optimizer(first.settings.optimizer),
        },
        "parameters": _spec(parameter_fields(first, units)),
        "sample": _spec(sample_fields(first, units)),
        "curves": _curves(explanation.ended.result.curves),
        "prose": is_prose(first),
        "words": words.known,
        "shown": steps,
    }


class Words:
    """Texts, each of which is on the page once.

    Attributes:
        known: the texts; elsewhere their places stand for them.
    """

    def __init__(self) -> None:
        self.known: list[str] = []
        self._places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Return the place of a text."""
        if text not in self._places:
            self._places[text] = len(self.known)
            self.known.append(text)
        return self._places[text]


def parameter_fields(of: ExplainedStep, units: Sequence[Sequence[int]]) -> Iterator[tuple[str, int, Array]]:
    """Yield the arrays of the parameters of a step that are shown: name, layer, and ``(rows, 1 + units before)``.

    Column 0 has the biases.
    """
    step = of.step
    flats = {"before": step.before[0], "after": step.after[0], "grad": step.grad[0], "difference": of.differences}
    if _has_exact(of):
        flats["exact"] = of.exact.grad
    for name, array in step.optimizer_after.items():
        if array.shape == step.after.shape and array.dtype.kind == "f" and of.shape.size <= _LARGE:
            flats[f"state {name}"] = array[0]
    for layer in range(1, of.shape.layers + 1):
        columns = [0, *(unit + 1 for unit in units[layer - 1] if unit < of.shape.widths[layer - 1])]
        for name, parameters in flats.items():
            block = of.shape.blocks(parameters[None])[layer][0]
            yield name, layer, block[np.ix_(units[layer], columns)]


def sample_fields(of: ExplainedStep, units: Sequence[Sequence[int]]) -> Iterator[tuple[str, int, Array]]:
    """Yield the arrays of the sample that are shown: name, layer, and ``(units,)``."""
    yield "x", 0, of.x[units[0]]
    yield "y", 0, of.y
    for layer in range(1, of.shape.layers + 1):
        rows, jacobian = units[layer], of.jacobians[layer]
        own = [row for row in rows if row < of.shape.widths[layer]]
        slope = np.diag(jacobian) if of.is_elementwise(layer) else np.full(of.shape.rows[layer], np.nan)
        yield "z", layer, of.of_sample(of.step.z, layer)[rows]
        yield "a", layer, of.of_sample(of.step.a, layer)[own]
        yield "delta", layer, of.of_sample(of.step.delta, layer)[rows]
        if _has_exact(of):
            yield "exact", layer, of.exact.delta[layer][rows, of.sample]
        yield "difference", layer, of.delta_differences[layer][rows]
        yield "error", layer, of.exact.error[layer][own, of.sample]
        yield "slope", layer, slope[rows]


def _has_exact(of: ExplainedStep) -> bool:
    """Say whether the chain rule in float64 says anything else than the run."""
    return bool(of.replaces) or of.settings.training.dtype is not DType.FLOAT64


def _step(of: ExplainedStep, units: Sequence[Sequence[int]], words: Words) -> dict[str, Any]:
    samples = sorted({of.sample, *range(min(of.samples, _SAMPLES))})
    each = [of.at(sample) for sample in samples]
    rate = of.step.rate
    return {
        "number": of.step.number,
        "epoch": of.step.epoch,
        "loss": _number(of.exact.loss),
        "after": _number(of.after),
        "rate": None if rate is None else _number(float(rate[0])),
        "samples": of.samples,
        "asked": samples.index(of.sample),
        "verdict": words(of.verdict),
        "parameters": _bytes(array for _, _, array in parameter_fields(of, units)),
        "each": [
            {
                "sample": one.sample,
                "arrays": _bytes(array for _, _, array in sample_fields(one, units)),
                **({"sections": _sections(one, words)} if is_prose(one) else {}),
            }
            for one in each
        ],
    }


def _sections(of: ExplainedStep, words: Words) -> list[Any]:
    """Return the equations of a sample: of each section title, remark, and rows of symbol, sides, mark, note, arrow."""
    return [
        [
            words(section.title),
            words(section.remark),
            [
                [words(one.symbol), list(map(words, one.right)), one.mark, words(one.note), int(one.arrow)]
                for one in section.equations
            ],
        ]
        for section in sections(of)
    ]


def _layer(of: ExplainedStep, layer: int) -> dict[str, Any]:
    activation, norm = activation_of(of, layer), norm_of(of, layer)
    return {
        "activation": activation.name,
        "formula": formulas.of_activation(activation),
        "norm": norm.name if norm else "",
        "elementwise": of.is_elementwise(layer) and not of.mixes,
        "pieces": of.shape.rows[layer] // of.shape.widths[layer],
    }


def _rule(of: ExplainedStep) -> dict[str, Any]:
    rule = of.settings.rule
    return {"name": rule.name, "replaces": bool(of.replaces), "summary": formulas.summary(rule)}


def _rows(of: ExplainedStep) -> list[int]:
    return [of.shape.widths[0], *of.shape.rows[1:]]


def _shown_units(explanation: Explanation) -> list[list[int]]:
    """Return which units of each layer are shown, inputs included: all, or those that the gradient moves most."""
    first = explanation.steps[0]
    most = _UNITS if first.shape.size <= _LARGE else _FEW_UNITS
    found = []
    grads = [np.nan_to_num(np.abs(of.step.grad[0].astype(float))) for of in explanation.steps]
    total = np.minimum(np.sum(grads, axis=0), np.finfo(float).max / 1e6)
    blocks = first.shape.blocks(total[None])
    for layer, rows in enumerate(_rows(first)):
        of_unit = blocks[layer][0].sum(axis=1) if layer else blocks[1][0][:, 1:].sum(axis=0)
        few = np.sort(np.argsort(-of_unit, kind="stable")[:most]).tolist() if rows > most else list(range(rows))
        found.append(few)
    return found


def _spec(fields: Iterator[tuple[str, int, Array]]) -> list[Any]:
    return [[name, layer, list(array.shape)] for name, layer, array in fields]


def _bytes(arrays: Iterator[Array]) -> str:
    content = b"".join(np.ascontiguousarray(array, "<f8").tobytes() for array in arrays)
    return base64.b64encode(content).decode()


def _curves(curves: Curves) -> dict[str, Any]:
    names: Mapping[str, str] = {"train/loss": "training", "validation/loss": "validation"}
    return {
        word: [[epoch, _number(value)] for epoch, value in curves.thinned(name, _POINTS)]
        for name, word in names.items()
        if name in curves.values
    }


def _number(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return value if math.isfinite(value) else None

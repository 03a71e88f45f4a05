"""``predictions.png``: what the network predicts, against what is true."""

from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.errors import agreeing, counted
from chainrule.records.result import Result
from chainrule.reports.axes import GUIDE, PARTS, SMALL, say
from chainrule_pictures import canvas

_MAX_PANELS = 4
_MAX_POINTS = 2000  # of each part; more would only cover each other
_FAR = 10  # times the size of the true values; predictions beyond are only counted
_BESIDE = 60  # characters of names that fit beside one another
_MAX_COUNTED = 20  # most classes whose numbers fit into the cells


def draw(result: Result) -> Any:
    """Return the figure."""
    return _scatter(result) if result.settings.target.resolved_task == "regression" else _confusion(result)


def _scatter(result: Result) -> Any:
    """Draw predicted against true values, a panel for each of the first outputs."""
    figure = canvas.figure(result)
    outputs = result.samples.outputs
    panels = min(outputs, _MAX_PANELS)
    grid = figure.subplots(-(-panels // 2), min(panels, 2), squeeze=False)
    points = {}
    for part, *_ in PARTS:
        x, y = (values[:, :_MAX_POINTS] for values in canvas.samples(result, part))  # already in random order
        points[part] = result.predict(x), y
    for output, axes in enumerate(grid.flat):
        if output >= panels:
            axes.set_axis_off()
            continue
        lost = _panel(axes, {part: (y_pred[output], y_true[output]) for part, (y_pred, y_true) in points.items()})
        said = [f"{canvas.output_name(result, output)}{output + 1} of {outputs}"] if outputs > 1 else []
        said += [f"{counted(lost, 'prediction')} {agreeing(lost, 'is', 'are')} far off or not finite"] if lost else []
        axes.set_title("; ".join(said), fontsize=SMALL, color=GUIDE)
        if panels <= 2:
            axes.set_box_aspect(1)
    canvas.legend(figure, *grid.flat[0].get_legend_handles_labels(), columns=4)
    about = ", with noise" if result.settings.data.noise else ""
    if result.samples.train.shape[1] > _MAX_POINTS:
        about += f" (of {_MAX_POINTS} samples)"
    for axes in grid[-1]:
        axes.set_xlabel(f"true value{about}")
    for axes in grid[:, 0]:
        axes.set_ylabel("predicted value")
    return figure


def _panel(axes: Any, points: dict[str, tuple[Array, Array]]) -> int:
    """Draw the samples of one output on axes of the same range, and return how many were left out."""
    truth = np.concatenate([y_true for _, y_true in points.values()])
    scale = max(np.ptp(truth), np.abs(truth).max()) or 1.0
    seen, lost = [truth], 0
    for part, label, colour, marker in PARTS:
        y_pred, y_true = points[part]
        if y_true.size:
            near = np.abs(y_pred - truth.mean()) <= _FAR * scale  # False for NaN
            lost += int(np.count_nonzero(~near))
            size = 5 if y_true.size <= 300 else 3
            style = {"marker": marker, "markersize": size, "markeredgewidth": 0, "alpha": 0.6, "linestyle": ""}
            axes.plot(y_true[near], y_pred[near], color=colour, label=label, zorder=3, **style)
            seen.append(y_pred[near])
    if lost == sum(y_true.size for _, y_true in points.values()):
        are_finite = any(np.isfinite(y_pred).any() for y_pred, _ in points.values())
        say(axes, "all predictions are far off" if are_finite else "no prediction is finite")
    values = np.concatenate(seen)
    low, high = _widened(values.min(), values.max())
    axes.plot([low, high], [low, high], color=GUIDE, linewidth=1, label="predicted = true")
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.locator_params(nbins=6)
    axes.grid(color="0.9", linewidth=0.8)
    return lost


def _confusion(result: Result) -> Any:
    """Draw the confusion matrix: the number of samples for each true and each predicted class.

    It is that of validation, or of training where there is none, and beside it that of the test if there is one.
    """
    figure = canvas.figure(result)
    shown = ["validation" if result.samples.validation.shape[1] else "train"]
    shown += ["test"] if result.samples.test.shape[1] else []
    row = figure.subplots(1, len(shown), squeeze=False)[0]
    for part, axes in zip(shown, row, strict=True):
        image = _matrix(axes, result, part, len(shown))
    canvas.colour_bar(figure, image, row, share=1 if len(shown) == 1 else 0.6, label="share of the true class")
    return figure


def _matrix(axes: Any, result: Result, part: str, beside: int) -> Any:
    """Draw the confusion matrix of a part, one of so many beside one another; return the image."""
    label = next(label for name, label, *_ in PARTS if name == part)
    counts, samples, schema = result.confusion(part), result.samples.parts[part].shape[1], result.samples.schema
    classes = len(counts)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if classes <= _MAX_COUNTED:
        for row, column in np.ndindex(classes, classes):
            colour = "white" if shares[row, column] > 0.5 else "black" if counts[row, column] else "0.6"
            size = (11 if classes <= 10 else 7) if beside == 1 else (9 if classes <= 5 else 6 if classes <= 10 else 4.5)
            style = {"ha": "center", "va": "center", "color": colour, "fontsize": size}
            axes.text(column, row, str(counts[row, column]), **style).set_in_layout(False)
        names = [canvas.name(name) for name in schema.classes]
        axes.set_xticks(range(classes), names, rotation=90 if sum(map(len, names)) > _BESIDE / beside else 0)
        axes.set_yticks(range(classes), names)
    lost = samples - counts.sum()
    about = f"; {counted(lost, 'prediction')} {agreeing(lost, 'is', 'are')} not finite" if lost else ""
    axes.set_title(
        f"{label}: {np.trace(counts)} of {counted(samples, 'sample')} correct{about}", fontsize=SMALL, color=GUIDE
    )
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return image


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.04 * (high - low) or 0.5 * max(1.0, abs(low))
    return low - margin, high + margin

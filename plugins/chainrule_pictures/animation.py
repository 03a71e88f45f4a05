"""``animation.gif``: what the network predicts while it learns, for targets with one or two inputs.

The same pictures lie beside it as ``animation-EPOCH.png``, so that a tracker can show them step by step.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.components.contracts import Array
from chainrule.records.predictor import Predictor
from chainrule.records.result import Result
from chainrule.reports.axes import SMALL, number
from chainrule_pictures import canvas, curve, passes, surface

_FRAMES, _DIGITS = 16, 8  # most frames; digits of an epoch in the name of a file
_SIZE = 5.4, 3.6, 80  # of a frame: 432 x 288 pixels
_MILLISECONDS, _LAST = 150, 1500  # that a frame is seen, and the last one
_COLOURS = 40  # of the palette, which all frames share, so that what does not change is stored once


def epochs_of(result: Result) -> Array:
    """Return the places in the trajectory that are shown: closer to one another where training begins."""
    assert result.trajectory is not None
    last = len(result.trajectory.epochs) - 1
    return np.unique(np.r_[0, np.geomspace(1, max(1, last), _FRAMES - 1).round().astype(int)])[: last + 1]


def write(result: Result, folder: Path) -> list[Path]:
    """Write the frames and the animation into a folder, and return their paths; none where there is nothing to show."""
    if result.trajectory is None or result.samples.inputs > 2:
        return []
    show = _surfaces(result) if result.samples.inputs == 2 else _curves(result)
    frames = {epoch: show(then, title) for epoch, then, title in moments(result)}
    paths = []
    images = list(frames.values())
    both = Image.new("RGB", (images[0].width, 2 * images[0].height))
    both.paste(images[0], (0, 0))
    both.paste(images[-1], (0, images[0].height))
    palette = both.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    for epoch, image in zip(frames, flat, strict=True):
        paths.append(folder / f"animation-{epoch:0{_DIGITS}}.png")
        image.save(paths[-1], "PNG")
    durations = [_MILLISECONDS] * (len(flat) - 1) + [_LAST]
    paths.append(folder / "animation.gif")
    flat[0].save(paths[-1], "GIF", save_all=True, append_images=flat[1:], duration=durations, loop=0, optimize=True)
    return paths


def moments(result: Result) -> Iterator[tuple[int, Predictor, str]]:
    """Yield the epochs that are shown, what predicts as the network did then, and a title."""
    path = result.trajectory
    assert path is not None
    places = epochs_of(result)
    for place, loss in zip(places, passes.losses(result, path.theta[places]), strict=True):
        then = replace(result.predictor, theta=path.theta[place], states=path.states[place])
        epoch = int(path.epochs[place])
        yield epoch, then, f"epoch {epoch}: training loss {number(loss)}"


def _curves(result: Result) -> Callable[[Predictor, str], Image.Image]:
    """Return what draws the line of one input."""
    x = curve.grid(result)

    def show(predictor: Predictor, title: str) -> Image.Image:
        figure = canvas.empty(*_SIZE)
        axes = figure.subplots()
        curve.panel(axes, result, x, predictor.outputs(x))
        truth = np.concatenate([canvas.samples(result, part)[1] for part in result.samples.parts], axis=1)
        room = 0.25 * float(np.ptp(truth)) or 1.0
        axes.set_ylim(float(truth.min()) - room, float(truth.max()) + room)
        axes.set_title(title, fontsize=SMALL)
        axes.legend(fontsize=SMALL, loc="upper left")
        return canvas.image_of(figure)

    return show


def _surfaces(result: Result) -> Callable[[Predictor, str], Image.Image]:
    """Return what draws the surface over two inputs."""
    plan = surface.Plan.of(result)

    def show(predictor: Predictor, title: str) -> Image.Image:
        figure = canvas.empty(*_SIZE)
        surface.panels(figure, result, plan, predictor.outputs(plan.points), title, ends=True)
        return canvas.image_of(figure)

    return show

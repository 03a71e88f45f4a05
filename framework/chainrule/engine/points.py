"""Machine code for the points of curves: it measures small networks, with the bits of NumPy."""

import functools
from collections.abc import Callable

import numpy as np

from chainrule.compiled.kernel import Bound, Kernel
from chainrule.components.contracts import Array
from chainrule.engine.backprop import Backprop
from chainrule.engine.compiling import SMALL, same_bits
from chainrule.engine.network import Pass
from chainrule.engine.parts import Part, Parts
from chainrule.engine.recorded import GRADIENT, LOSS, PREDICTED, record_point, recorded_once, sentence

_COMPARED = 4  # points that are compared with NumPy's
_WORTH = 1_000_000  # samples, of all points and runs, from which on a compilation pays


def pays_for_points(samples: int, parameters: int) -> bool:
    """Say whether machine code, where it does the steps of a stack, is to measure it, too; nothing depends on that.

    Args:
        samples: how many are measured, of all points and runs.
        parameters: of the network; BLAS and NumPy measure large ones as fast.
    """
    return samples >= _WORTH and parameters <= SMALL


class CompiledPoint:
    """Measures some samples of a stack by machine code where its formulas can be recorded, else by NumPy.

    What does so is in no record: it changes nothing, and takes little time.

    Args:
        parts: what is read; ``theta`` are the parameters that are measured.
        part: the samples.
        forward: receives the predictions in ``a[-1]``, and nothing else.
        backprop: receives the gradient; None to measure the loss alone.
        plain: measures by NumPy, and returns the losses, ``(runs,)``.

    Attributes:
        reason: why NumPy measures, a sentence; "" while machine code does.
    """

    def __init__(
        self, parts: Parts, part: Part, forward: Pass, backprop: Backprop | None, plain: Callable[[], Array]
    ) -> None:
        self._parts, self._part, self._forward, self._plain = parts, part, forward, plain
        runs, dtype = len(parts.theta), parts.theta.dtype
        self._filled = {
            LOSS: np.empty(runs, dtype),
            PREDICTED: np.empty((runs, forward.shape.widths[-1], part.samples), dtype),
        }
        self._gradient = {GRADIENT: backprop.grad} if backprop else {}
        self._filled |= {place: np.empty_like(array) for place, array in self._gradient.items()}
        self._kernel: Kernel | None = None
        self._bound: Bound | None = None
        self._read: list[Array] = []  # the arrays to which it is bound
        self._compared = 0
        self.reason = ""

    def __call__(self) -> Array:
        """Measure, and return the losses, ``(runs,)``."""
        try:
            bound = None if self.reason else self._as_now()
        except Exception as error:  # whatever a formula does with an array that has no numbers
            self.reason, bound = sentence(error, "point"), None
        if bound is None:
            return self._plain()
        bound(1, 1)
        if self._compared < _COMPARED:
            self._compared += 1
            mine = {place: array.copy() for place, array in self._filled.items()}
            losses = self._plain()
            theirs = {LOSS: losses, PREDICTED: self._forward.a[-1], **self._gradient}
            if not all(same_bits(array, theirs[place]) for place, array in mine.items()):
                self.reason = "Machine code measured other numbers than NumPy."
            return losses
        np.copyto(self._forward.a[-1], self._filled[PREDICTED])
        for place, array in self._gradient.items():
            np.copyto(array, self._filled[place])
        return self._filled[LOSS].copy()

    def _as_now(self) -> Bound:
        """Return the kernel, bound to the arrays that components keep now.

        Raises:
            Untraceable: there is none, as other errors say that formulas raise.
        """
        now = self._parts.replaceable()
        if self._bound and all(one is other for one, other in zip(now, self._read, strict=True)):
            return self._bound
        parts, part, what = self._parts, self._part, "gradient" if self._gradient else "loss"
        make = functools.partial(record_point, parts, part, has_gradient=bool(self._gradient))
        recorded = recorded_once(parts, part, what, make)
        arrays = parts.arrays() | self._filled
        self._kernel = self._kernel or Kernel(recorded.tape, len(parts.theta), False, recorded.sources)
        given = {number: arrays[place] for number, place in recorded.places.items()} | recorded.tape.captured
        self._bound, self._read = self._kernel.bound(given, {recorded.x: part.x, recorded.y: part.y}), now
        return self._bound

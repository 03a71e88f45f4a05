"""Formulas that are recorded, compiled and called, beside NumPy."""

from fractions import Fraction

import numpy as np

from chainrule.compiled.kernel import Kernel
from chainrule.compiled.step import StepNumber
from chainrule.compiled.tape import Role, Tape
from chainrule.compiled.tracing import Traced, recorded


def compiled(function, *arrays, step=1, single=False):
    """Return what a function gives by machine code, of arrays ``(runs, ...)`` and perhaps the step.

    Args:
        function: of the arrays, and of ``step`` if it is given; it returns an array.
        arrays: of float, what it is given.
        step: the number of the step.
        single: whether runs are to lie beside each other.
    """
    tape, runs = Tape(), len(arrays[0])
    buffers = [tape.buffer(array.shape[1:], array.dtype, Role.STATE) for array in arrays]
    tape.is_setup = False
    with recorded(tape):
        values = [Traced(tape, runs, buffer.whole) for buffer in buffers]
        result = function(*values, StepNumber(tape, step)) if "step" in names(function) else function(*values)
        out = Traced(tape, runs, tape.buffer(result.shape[1:], result.dtype, Role.STATE).whole)
        out[...] = result
    given = {buffer.number: np.ascontiguousarray(array).copy() for buffer, array in zip(buffers, arrays, strict=True)}
    given[out.view.buffer.number] = made = np.zeros(result.shape, result.dtype)
    Kernel(tape, runs, single).bound(given, {})(step, 1)
    return made


def names(function):
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def same(one, other):
    """Whether all bits are the same, except that NaN is NaN."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype == bool:
        return bool((one == other).all())
    unlike = np.ascontiguousarray(one).view(f"u{one.itemsize}") != np.ascontiguousarray(other).view(f"u{one.itemsize}")
    return not (unlike & ~(np.isnan(one) & np.isnan(other))).any()


def exactly(x, y, total=0.0):
    """``x y + total``, rounded once."""
    return float(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(total)))

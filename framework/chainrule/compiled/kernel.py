"""A compiled step or point, bound to the arrays of a stack."""

import ctypes
import functools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.compiled import machine_code
from chainrule.compiled.generate import NotInLanesError, Source, generate
from chainrule.compiled.loops import inner_loop
from chainrule.compiled.tape import Role, Tape

_LANES = (8, 32)  # runs of a block: the first that holds all, or the last; a single run has one lane


@dataclass(frozen=True)
class Batches:
    """The samples of batches of one size, as arrays that a kernel reads.

    Attributes:
        array: the numbers of all samples, ``(samples, features)``; without an order those of the only batch, with an
            axis of the runs in front.
        order: which samples are taken one after the other, ``(runs, epochs, samples)``.
    """

    array: Any
    order: Any = None

    @functools.cached_property
    def in_one_piece(self) -> Any:
        """The same numbers, those of each run one after the other."""
        return np.ascontiguousarray(self.array)


class Kernel:
    """Machine code that does the steps of a tape.

    Args:
        tape: what a step does.
        runs: how many runs there are.
        single: whether a step has one sample, so that runs, rather than samples, lie beside each other.
        sources: what was generated from the tape before, by the number of lanes; it is added to.
    """

    def __init__(self, tape: Tape, runs: int, single: bool, sources: dict[int, Source] | None = None) -> None:
        self._tape, self._runs = tape, runs
        self._sources = {} if sources is None else sources
        self._source = self._generated(runs, single)
        self._code = FUNCTION(machine_code.address(self._source.text))
        self._kept: list[Any] = []
        space = np.empty(self._source.workspace + 64, np.uint8)
        start = space.ctypes.data
        self._workspace = start + -start % 64
        self._kept.append(space)

    @property
    def source(self) -> Source:
        """The function that was compiled."""
        return self._source

    def _generated(self, runs: int, single: bool) -> Source:
        if single and runs > 1:
            with suppress(NotInLanesError):
                return self._made(next((lanes for lanes in _LANES if runs <= lanes), _LANES[-1]))
        return self._made(1)

    def _made(self, lanes: int) -> Source:
        if lanes not in self._sources:
            self._sources[lanes] = generate(self._tape, lanes)
        return self._sources[lanes]

    def bound(self, arrays: Mapping[int, Any], batches: Mapping[int, Batches]) -> "Bound":
        """Return the kernel with its arrays, by the numbers of their buffers; those of states are written to."""
        table: list[int] = []
        kept: list[Any] = [self._kept]
        for buffer in self._source.arrays:
            if buffer.role in (Role.DATA, Role.CHOSEN):
                given = batches[buffer.number]
                table += _table(given)
                kept.append(given)
            else:
                array = arrays[buffer.number]
                if array.shape != (self._runs, *buffer.dims) or array.dtype != buffer.dtype:
                    raise AssertionError(f"an array of shape {array.shape} for a buffer {buffer.dims}")
                if not array.flags.c_contiguous:
                    raise AssertionError("an array of a kernel is contiguous")
                table += [array.ctypes.data, buffer.size]
                kept.append(array)
        for name in self._source.loops:
            ufunc, types = self._tape.loops[name]
            found = inner_loop(ufunc, types)
            assert found is not None
            table += found
        if self._source.workspace:
            table.append(self._workspace)
        return Bound(self._code, np.array(table, np.uint64), self._runs, kept)


def _table(given: Batches) -> list[int]:
    """Return what a kernel is told of samples: where they are, and how far it is from those of a run to the next."""
    if given.order is None:
        return [given.in_one_piece.ctypes.data, given.array[0].size]
    if not (given.array.flags.c_contiguous and given.order.flags.c_contiguous):
        raise AssertionError("samples that are chosen are contiguous, and so are their numbers")
    return [given.array.ctypes.data, given.order.ctypes.data, given.order[0].size]


FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 4)


class Bound:
    """A kernel with its arrays.

    Args:
        code: the function.
        table: its arguments.
        runs: how many runs there are.
        kept: what must stay in memory.
    """

    def __init__(self, code: Any, table: Any, runs: int, kept: Any) -> None:
        self._code, self._table, self._runs, self._kept = code, table, runs, kept
        self._address = table.ctypes.data

    def __call__(self, first: int, steps: int, sample: int = 0) -> None:
        """Do so many steps, the first of which has this number and begins with this sample of the orders."""
        self._code(self._address, self._runs, first, steps, sample)

"""The inner loops of NumPy's and SciPy's ufuncs, as addresses that machine code can call.

A ufunc has a C function for each combination of types. It is called with the addresses of its arrays, how many numbers
there are, and the distances between them. The same function gives the same bits, whoever calls it. Address and argument
are fields of the public beginning of ``PyUFuncObject`` (NumPy's C API, ``numpy/ufuncobject.h``).
"""

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np


class _UFunc(ctypes.Structure):
    _fields_ = (
        ("refcount", ctypes.c_ssize_t),
        ("type", ctypes.c_void_p),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_char)),
    )


@functools.cache
def inner_loop(ufunc: np.ufunc, types: str) -> tuple[int, int] | None:
    """Return the address of the inner loop for these types, such as ``dd``, and that of its argument (or 0).

    None if the ufunc has no such loop, or one that needs Python.
    """
    if f"{types[: ufunc.nin]}->{types[ufunc.nin :]}" not in ufunc.types:
        return None
    beginning = _UFunc.from_address(id(ufunc))
    if (beginning.nin, beginning.nout, beginning.ntypes) != (ufunc.nin, ufunc.nout, ufunc.ntypes):
        return None  # another layout than the one that is documented
    wanted = [np.dtype(character).num for character in types]
    for k in range(beginning.ntypes):
        found = [beginning.types[k * beginning.nargs + j][0] for j in range(beginning.nargs)]
        if found == wanted and beginning.functions[k]:
            return beginning.functions[k], beginning.data[k] or 0
    return None


def named(ufunc: np.ufunc, dtypes: Sequence[Any]) -> str:
    """Return a name for a ufunc and its types, which is the same in every process."""
    return f"{ufunc.__name__}:{''.join(np.dtype(dtype).char for dtype in dtypes)}"

"""The inner loops of ufuncs are found in their structure, and give what the ufunc gives."""

import ctypes

import numpy as np
import pytest
from scipy import special

from chainrule.compiled.loops import inner_loop, named

FUNCTION = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)


def called(found, arrays):
    """Call an inner loop on arrays of one length, the last of which it fills."""
    addresses = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
    count = ctypes.c_int64(len(arrays[0]))
    distances = (ctypes.c_int64 * len(arrays))(*(array.itemsize for array in arrays))
    FUNCTION(found[0])(ctypes.addressof(addresses), ctypes.addressof(count), ctypes.addressof(distances), found[1])
    return arrays[-1]


@pytest.mark.parametrize("ufunc", [np.exp, np.tanh, np.log1p, np.expm1, np.sin, np.sinh, special.erf, special.ndtr])
@pytest.mark.parametrize("char", ["d", "f"])
@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_an_inner_loop_has_the_bits_of_its_ufunc(ufunc, char, count):
    x = np.random.default_rng(count).uniform(0.01, 3, count).astype(char)
    found = inner_loop(ufunc, char * 2)
    assert found is not None
    assert called(found, [x, np.empty_like(x)]).tobytes() == ufunc(x).tobytes()


def test_two_inputs():
    x, y = np.random.default_rng(0).normal(size=(2, 9))
    assert called(inner_loop(np.logaddexp, "ddd"), [x, y, np.empty(9)]).tobytes() == np.logaddexp(x, y).tobytes()


def test_types_that_a_ufunc_has_no_loop_for():
    assert inner_loop(np.exp, "?d") is None
    assert inner_loop(np.exp, "ll") is None


def test_names_are_those_of_function_and_types():
    assert named(np.exp, ["d", "d"]) == "exp:dd"

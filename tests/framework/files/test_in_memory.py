"""Data frames that are read as if they were files."""

import gc
import pickle

import numpy as np
import pandas as pd
import pytest

from chainrule.files import in_memory
from chainrule.files.in_memory import Frame


def frame(**columns):
    return Frame.of(pd.DataFrame(columns))


def test_equal_data_have_one_digest_whatever_their_index_is():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
    assert Frame.of(table) == Frame.of(table.set_index(pd.Index([7, 3])))
    assert Frame.of(table).path == f"memory:{Frame.of(table).digest[:12]}"


@pytest.mark.parametrize(
    "other",
    [
        {"a": [1.0, 2.5], "b": ["x", "y"]},
        {"A": [1.0, 2.0], "b": ["x", "y"]},
        {"a": [1.0, 2.0], "b": ["x", "z"]},
        {"b": ["x", "y"], "a": [1.0, 2.0]},
        {"a": [1, 2], "b": ["x", "y"]},
        {"a": [1.0, 2.0], "b": ["x1", " y"]},
        {"a": [1.0], "b": ["x"]},
    ],
)
def test_other_data_have_another(other):
    assert frame(a=[1.0, 2.0], b=["x", "y"]) != frame(**other)


def test_what_becomes_of_the_original_does_not_matter():
    values = np.array([1.0, 2.0])
    table = pd.DataFrame({"a": values})
    held = Frame.of(table)
    table.loc[0, "a"] = 5.0
    values[1] = 6.0
    assert held == Frame.of(held.frame)


def test_a_frame_is_found_for_as_long_as_somebody_holds_it():
    held = frame(a=[3.0])
    with in_memory.giving(held):
        assert in_memory.given() is in_memory.find(held.path) is held
        assert in_memory.keep(frame(a=[3.0])) is held, "an equal one is not kept beside it"
    assert in_memory.given() is None
    assert in_memory.find(held.path) is held
    path = held.path
    del held
    gc.collect()
    assert in_memory.find(path) is None


class Owner:
    """Somebody who reads a frame."""


@pytest.mark.slow
def test_a_frame_stays_with_its_owners():
    held, owners = frame(a=[4.0]), [Owner(), Owner()]
    path = in_memory.keep(held).path
    for owner in owners:
        in_memory.hold(path, owner)
    del held
    while owners:
        gc.collect()
        assert in_memory.find(path) is not None
        del owner
        owner = owners.pop()
    del owner
    gc.collect()
    assert in_memory.find(path) is None
    in_memory.hold(path, Owner())


def test_nothing_is_given_where_there_are_no_data():
    with in_memory.giving(None):
        assert in_memory.given() is None


def test_a_frame_travels():
    held = frame(a=[1.0, np.nan], b=["x", None])
    there = pickle.loads(pickle.dumps(held))
    assert there == held == Frame.of(there.frame)

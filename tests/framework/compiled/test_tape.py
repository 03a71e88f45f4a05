"""Views are those of NumPy: the same indices, slices, transpositions and shapes show the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.compiled.tape import Kind, Number, OfStep, Role, Statement, Tape


def shown(view, numbers):
    """What a view shows of a flat array."""
    item = numbers.itemsize
    return np.lib.stride_tricks.as_strided(
        numbers[view.offset :], view.dims, [stride * item for stride in view.strides], writeable=False
    ).copy()


def whole(dims):
    tape = Tape()
    return tape.buffer(dims, float).whole, np.arange(float(np.prod(dims)))


PARTS = st.one_of(
    st.integers(0, 1),
    st.none(),
    st.sampled_from(
        [slice(None), slice(1, None), slice(None, 2), slice(None, None, -1), slice(2, None, -2), slice(1, 1)]
    ),
)


@given(st.lists(PARTS, max_size=5))
def test_indices_and_slices(parts):
    view, numbers = whole((2, 3, 4))
    named = sum(part is not None for part in parts)
    if named > 3:
        return
    index = (*parts, *[slice(None)] * (3 - named))
    expected = numbers.reshape(2, 3, 4)[index]
    found = view[index]
    assert found.dims == expected.shape
    if expected.size:
        assert np.array_equal(shown(found, np.concatenate([numbers, np.zeros(8)])), expected)


def test_an_index_that_is_not_there():
    with pytest.raises(IndexError, match="out of bounds for an axis of 2"):
        whole((2, 3))[0][(2, slice(None))]


def test_transpositions_and_shapes():
    view, numbers = whole((2, 3, 4))
    array = numbers.reshape(2, 3, 4)
    assert np.array_equal(shown(view.transposed([2, 0, 1]), numbers), array.transpose(2, 0, 1))
    assert np.array_equal(shown(view.reshaped((6, 4)), numbers), array.reshape(6, 4))
    turned = view.transposed([1, 0, 2])
    assert turned.reshaped((6, 4)) is None  # as NumPy, which copies
    assert np.array_equal(shown(turned.reshaped((3, 1, 2, 4)), numbers), array.transpose(1, 0, 2)[:, None])
    with pytest.raises(ValueError, match="cannot reshape"):
        view.reshaped((5, 5))


def test_a_broadcast_view_repeats_numbers():
    view, numbers = whole((3, 1))
    assert np.array_equal(shown(view.broadcast((2, 3, 4)), numbers), np.broadcast_to(numbers.reshape(3, 1), (2, 3, 4)))
    for dims in ((4,), (2, 1), (4, 4)):
        with pytest.raises(ValueError, match="cannot broadcast"):
            view.broadcast(dims)


def test_numbers_that_follow_from_the_step():
    step = OfStep("step")
    cases = {
        OfStep("+", (step, 2)): 9, OfStep("-", (1, step)): -6, OfStep("*", (step, step)): 49,
        OfStep("//", (step, 3)): 2, OfStep("%", (step, 5)): 2, OfStep("/", (1, step)): 1 / 7,
    }  # fmt: skip
    for expression, expected in cases.items():
        assert expression.at(7) == expected
        assert expression.is_whole is isinstance(expected, int)


def test_what_no_step_changes_is_done_once():
    tape = Tape()
    rate, theta = tape.buffer((1,), float, Role.FIELD).whole, tape.buffer((1,), float, Role.STATE).whole
    tape.is_setup = False
    factor, move = tape.buffer((1,), float).whole, tape.buffer((1,), float).whole
    tape.add(Statement(Kind.EACH, "subtract", factor, (Number(1.0), rate)))
    tape.add(Statement(Kind.EACH, "multiply", move, (factor, theta)))
    tape.add(Statement(Kind.EACH, "subtract", theta, (theta, move)))
    once, always = tape.hoisted()
    assert [statement.out for statement in once] == [factor]
    assert [statement.out for statement in always] == [move, theta]
    assert tape.written() == {theta.buffer.number}


def test_guards_say_of_which_steps_a_tape_is():
    tape = Tape()
    tape.guards = [(OfStep("%", (OfStep("step"), 3)), "==", 0, False), (OfStep("step"), "<=", 4, True)]
    assert [tape.holds(step) for step in range(1, 7)] == [True, True, False, True, False, False]
    assert tape.holds(np.arange(1, 7)).tolist() == [True, True, False, True, False, False]

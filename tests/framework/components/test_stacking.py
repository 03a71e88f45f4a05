"""How runs share one component."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.components.contracts import Optimizer, Target
from chainrule.components.stacking import has_rate, stack, structure, sum_units, take
from chainrule.engine.network import columns


@dataclass(frozen=True)
class Glide(Optimizer):
    """Two plain floats, and fields of other types."""

    lr: float = 0.1
    drag: float = 0.0
    clip: float | None = None
    order: int = 1
    knots: tuple[float, ...] = (1.0, 2.0)

    def update(self, theta, grad, state, step):
        theta -= self.lr * grad


@given(
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from([2, 3, 5, 24, 64]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_sums_over_units_have_the_same_bits_in_a_stack_and_alone(units, n, runs, dtype, seed):
    many, one = columns(runs, units, n, dtype), columns(1, units, n, dtype)
    many[:] = np.random.default_rng(seed).normal(size=many.shape)
    one[:] = many[:1]
    assert sum_units(many)[0].tobytes() == sum_units(one)[0].tobytes()
    np.testing.assert_allclose(sum_units(many), many.sum(axis=1), rtol=1e-4, atol=1e-5)


def test_sums_over_units_keep_the_axis_on_request():
    values = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_array_equal(sum_units(values), [[6, 9], [24, 27]])
    np.testing.assert_array_equal(sum_units(values, keepdims=True), [[[6, 9]], [[24, 27]]])
    np.testing.assert_array_equal(sum_units(values[..., :1]), [[6], [24]])
    np.testing.assert_array_equal(sum_units(values[..., :1], keepdims=True), [[[6]], [[24]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_plain_floats_of_a_stack_are_arrays_and_its_other_fields_are_shared(dtype):
    stacked = stack([Glide(lr=rate, drag=drag) for rate, drag in ((0.1, 1), (0.2, 2), (0.4, 3))], dtype)
    assert type(stacked) is Glide
    assert (stacked.lr.dtype, stacked.drag.dtype) == (dtype, dtype)
    np.testing.assert_array_equal(stacked.lr, np.array([[0.1], [0.2], [0.4]], dtype))
    np.testing.assert_array_equal(stacked.drag, [[1], [2], [3]])
    assert (stacked.clip, stacked.order, stacked.knots) == (None, 1, (1.0, 2.0))


def test_runs_are_taken_from_a_stack_in_any_order_and_the_stack_stays_as_it_is():
    whole = stack([Glide(lr=float(rate)) for rate in range(4)], np.float64)
    taken = take(whole, np.array([3, 1]))
    assert taken.lr.tolist() == [[3.0], [1.0]]
    assert taken.order == 1
    taken.lr[0] = 9
    assert whole.lr.tolist() == [[0.0], [1.0], [2.0], [3.0]]


def test_runs_may_differ_in_plain_floats_only():
    first = Glide()
    assert structure(first) == structure(replace(first, lr=5.0, drag=2.0))
    for change in ({"clip": 1.0}, {"order": 2}, {"knots": (1.0, 3.0)}):
        assert structure(first) != structure(replace(first, **change)), change

    @dataclass(frozen=True)
    class Other(Glide):
        """The same fields."""

    assert structure(first) != structure(Other())


@dataclass(frozen=True)
class Answer(Target):
    """What each run draws by itself."""

    inputs = outputs = 1


def test_what_each_run_uses_once_is_not_stacked():
    with pytest.raises(TypeError, match="components such as answer are used once per run and do not stack"):
        stack([Answer(), Answer()], np.float64)


@pytest.mark.parametrize(
    ("name", "has"), [("lr", True), ("drag", True), ("clip", False), ("order", False), ("pace", False), (None, False)]
)
def test_a_rate_is_a_plain_float_that_the_optimizer_names(name, has):
    @dataclass(frozen=True)
    class Named(Glide):
        rate: ClassVar[str | None] = name

    assert has_rate(Named()) is has

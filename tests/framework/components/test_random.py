"""What a run draws does not depend on who draws beside it."""

import numpy as np
import pytest

from chainrule.components.random import Random


def generators(*runs):
    return [np.random.default_rng([1, run]) for run in runs]


DRAWS = {
    "normal": lambda rng: rng.normal(3, 2),
    "uniform": lambda rng: rng.uniform(5),
    "bernoulli": lambda rng: rng.bernoulli(0.3, 4, 2),
    "integers": lambda rng: rng.integers(2, 9, 6),
    "one number": lambda rng: rng.normal(),
    "nothing": lambda rng: rng.uniform(0, 3),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_run_draws_in_a_stack_what_it_draws_alone(draw, dtype):
    together = Random(generators(0, 1, 2), dtype)
    first, second = draw(together), draw(together)
    for run in range(3):
        alone = Random(generators(run), dtype)
        assert draw(alone).tobytes() == first[[run]].tobytes()
        assert draw(alone).tobytes() == second[[run]].tobytes()
    assert len(first) == 3
    assert first.dtype in (dtype, bool, np.int64)


def test_while_others_draw_a_run_may_draw_nothing():
    together = Random(generators(0, 1, 2), float)
    with together.only(np.array([[True], [False], [True]])):
        first = together.normal(4)
    with together.only(None):
        second = together.normal(4)
    assert not first[1].any()
    for run, drawn in ((0, [first, second]), (1, [second]), (2, [first, second])):
        alone = Random(generators(run), float)
        for numbers in drawn:
            assert alone.normal(4).tobytes() == numbers[[run]].tobytes()


def test_numbers_are_those_of_numpy_and_lie_where_they_should():
    rng, reference = Random(generators(0), float), generators(0)[0]
    assert rng.normal(3).tobytes() == reference.standard_normal(3).tobytes()
    assert rng.uniform(3).tobytes() == reference.random(3).tobytes()
    drawn = Random(generators(*range(2)), float).integers(-1, 2, 500)
    assert set(drawn.ravel().tolist()) == {-1, 0, 1}


def test_probabilities_may_differ_from_run_to_run():
    drawn = Random(generators(0, 1, 2), float).bernoulli(np.array([0.0, 0.5, 1.0]).reshape(3, 1, 1), 40, 50)
    assert (drawn.shape, drawn.dtype) == ((3, 40, 50), bool)
    share = drawn.mean(axis=(1, 2))
    assert (share[0], share[2]) == (0, 1)
    assert share[1] == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 2000))

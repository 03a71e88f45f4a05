"""Work of which the multiply-adds are counted by hand."""

from dataclasses import replace

import pytest

from chainrule.engine.choice import Engine
from chainrule.engine.network import Shape
from chainrule.replay.work import BACKWARD_CALLS, SHARE, STEP_CALLS, Work

WORK = Work(Shape((3, 4, 2)), 10, 5, 100, 20, Engine.NUMPY)


def test_a_step_has_those_of_eq_1_6_and_5():
    assert WORK.forward == 4 * (1 + 3) + 2 * (1 + 4)
    assert WORK.step == 2 * 4 * (1 + 3) + 3 * 2 * (1 + 4)  # the first layer passes no error on
    assert WORK.training == 10 * (5 * STEP_CALLS + 62 * 100)
    assert WORK.backward == BACKWARD_CALLS + 62 * 100
    assert WORK.between == STEP_CALLS + 26 * 120


def test_steps_of_machine_code_have_fewer_calls():
    assert replace(WORK, engine=Engine.COMPILED).training < WORK.training / 3
    assert replace(WORK, engine=Engine.AUTO).training == WORK.training  # 50 steps are too few to compile


@pytest.mark.parametrize("epochs", [1, 200, 5000, 10**6])
def test_points_have_their_share_of_training_or_are_as_few_as_may_be(epochs):
    work = replace(WORK, epochs=epochs)
    number = work.backward_points(40)
    assert 2 <= number <= 40
    assert number == 2 or number * work.backward <= SHARE * work.training
    assert number == 40 or (number + 1) * work.backward > SHARE * work.training


def test_the_hessian_is_whole_where_it_is_small_or_fits():
    large = replace(WORK, shape=Shape((20, 8, 2)), samples=5000)
    assert WORK.curvature == (True, 100)
    assert large.curvature == (False, 256)
    assert replace(large, epochs=10**6).curvature == (True, 5000)
    wide = replace(large, shape=Shape((20, 80, 2)), epochs=200)
    is_whole, samples = wide.curvature
    assert not is_whole
    assert 256 <= samples < 5000
    assert 2 * wide.products(samples) <= 1.01 * SHARE * wide.training or samples == 256

"""Skill against scores that are known."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.replay.replays import Replay
from chainrule.replay.skill import require_goal, skill

PLANE = ["network.hidden=[]", "training.batch_size=null", "training.epochs=300", "training.measure_every=100"]


def trained(*words):
    return Replay(chainrule.settings("tracking=none", *words)).train().result


def test_the_skill_of_the_best_constant_is_0_and_of_the_truth_1():
    assert skill(trained(*PLANE, "optimizer.lr=0.5")) == pytest.approx(1, abs=1e-4)
    classes = ["target=breast_cancer", "network.hidden=[2]", "training.epochs=1", "optimizer.lr=1e-9"]
    constant = trained(*classes)
    _, y = constant.samples.raw(constant.samples.validation)
    largest = max(y.mean(), 1 - y.mean())
    assert skill(constant) == pytest.approx((constant.metrics["validation/accuracy"] - largest) / (1 - largest))
    assert skill(trained("optimizer.lr=1e6", "activation=relu", "training.epochs=2")) == -np.inf


@pytest.mark.parametrize("goal", [0.0, 1.5, float("nan")])
def test_a_goal_that_nobody_or_everybody_has_is_refused(goal):
    with pytest.raises(ConfigurationError, match="The goal must be above 0 and at most 1"):
        require_goal(goal)

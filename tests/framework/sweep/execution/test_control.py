"""What couples the runs of a stack, or keeps them from being stacked, is told once."""

import dataclasses

import numpy as np
import pytest

import distributions
from chainrule.components.contracts import Optimizer
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule.sweep.execution.control import compare_alone
from chainrule.testing import training
from sweeping import PLACE, SHORT, command

PLUGIN = """
from dataclasses import dataclass
from typing import Annotated
import numpy as np
from annotated_types import Gt, doc
from chainrule import Activation, Optimizer, hookimpl

@dataclass(frozen=True)
class Coupled(Optimizer):
    "Normalizes the gradients of all runs together."
    lr: Annotated[float, Gt(0), doc("rate")] = 0.01
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad / np.linalg.norm(grad).astype(grad.dtype)

@dataclass(frozen=True)
class Branched(Activation):
    "Decides by a field."
    slope_above: Annotated[float, Gt(0), doc("slope")] = 1.0
    kinks = (0.0,)
    def forward(self, z):
        return np.maximum(z, 0) * (self.slope_above if self.slope_above > 0.5 else 0.5)
    def slope(self, z, a):
        return (z > 0) * np.maximum(self.slope_above, 0.5)

@hookimpl
def chainrule_optimizers():
    return [Coupled]

@hookimpl
def chainrule_activations():
    return [Branched]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    distributions.install(folder, "chainrule-coupled", PLUGIN, entry_point="coupled")
    return folder


def test_a_sweep_says_once_that_something_couples_its_runs(site):
    told = command("-m", "optimizer=coupled", "seed=range(6)", "network.hidden=[2],[3]", *SHORT, PLACE, path=site)
    text = told.stdout + told.stderr
    assert text.count("has other losses than in its stack") == 1
    assert "in one of " in text
    assert "coupled" in text


def test_a_sweep_says_once_why_its_runs_are_not_stacked(site):
    told = command("-m", "activation=branched", "activation.slope_above=1,2", "seed=range(3)", "network.hidden=[2],[3]",
                   *SHORT, PLACE, path=site)  # fmt: skip
    text = told.stdout + told.stderr
    assert text.count("Runs are trained one by one") == 1
    assert "forward (" in text
    assert "choose with np.where" in text


@dataclasses.dataclass(frozen=True)
class Late(Optimizer):
    """Couples runs after some steps."""

    lr: float = 0.01
    after: int = 0

    def update(self, theta, grad, state, step):
        theta -= self.lr * (grad if step <= self.after else grad - 0.5 * grad.mean(axis=0))


@pytest.mark.parametrize(("after", "is_found"), [(0, True), (30, True), (10**6, False)])
def test_it_compares_the_losses_of_some_steps(after, is_found):
    base = training.settings(optimizer=Late(after=after), epochs=40, batch_size=8)
    results = train_stack([prepare(dataclasses.replace(base, seed=seed)) for seed in range(3)])
    assert bool(list(compare_alone(results[-1]))) == is_found


def test_a_pruned_run_is_compared_as_far_as_it_went():
    base = training.settings(epochs=40, batch_size=8)

    def prune(epoch, active, watched):
        return np.full(len(active), epoch >= 2)

    results = train_stack([prepare(dataclasses.replace(base, seed=seed)) for seed in range(3)], prune=prune)
    assert not list(compare_alone(results[-1]))

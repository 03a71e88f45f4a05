"""Runs for tests of training, runs that leave a stack, and all that is left of a run."""

import numpy as np

from chainrule.config.compose import compose_settings
from chainrule.runs.prepare import prepare

# Of these the validation loss falls and then rises.
RISING = ["data.samples=24", "data.validation=0.5", "data.noise=3", "network.hidden=[12]", "activation=tanh",
          "optimizer=adam", "optimizer.lr=0.05", "training.epochs=40", "training.measure_every=1"]  # fmt: skip
LEAVING = {1: 2, 2: 3}  # runs, and after which epoch


def prepared(*overrides):
    return prepare(compose_settings(overrides))


def left_at(epochs):
    """Let runs leave after so many epochs."""
    return lambda epoch, active, losses: np.array([epochs.get(int(run)) == epoch for run in active])


def everything(result):
    """What must be the same, wherever a run was trained."""
    curves = [result.curves.epochs.tobytes(), *(values.tobytes() for values in result.curves.values.values())]
    states = [array.tobytes() for arrays in result.states.values() for array in arrays.values()]
    return [result.theta.tobytes(), *states, *curves, result.reason, result.epochs, result.evaluations]

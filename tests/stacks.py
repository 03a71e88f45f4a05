"""Runs that leave a stack, and all that is left of a run."""

import numpy as np

LEAVING = {1: 2, 2: 3}  # runs, and after which epoch


def left_at(epochs):
    """Let runs leave after so many epochs."""
    return lambda epoch, active, losses: np.array([epochs.get(int(run)) == epoch for run in active])


def everything(result):
    """What must be the same, wherever a run was trained."""
    curves = [values.tobytes() for values in result.curves.values.values()]
    return [result.theta.tobytes(), *curves, result.reason, result.epochs, result.evaluations]

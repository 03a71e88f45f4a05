"""Trajectories: few points, evenly spread, of the bits that training has, whoever else is in the stack."""

import numpy as np
import pytest

import chainrule
from chainrule.engine.trajectory import Snapshots
from chainrule.runs.execute import train_stack

SMALL = ("data.samples=20", "training.epochs=30")


def trained(*overrides, others=(), snapshots=100):
    runs = [
        chainrule.prepare(chainrule.settings(*SMALL, "training.measure_every=1", *one)) for one in (overrides, *others)
    ]
    return train_stack(runs, snapshots=snapshots)[0]


def test_a_trajectory_has_the_parameters_of_shorter_trainings():
    """A run of 7 epochs ends where the run of 30 epochs was after 7."""
    result = trained()
    assert result.trajectory.epochs.tolist() == list(range(31))
    for epochs in (0, 7, 30):
        shorter = trained(f"training.epochs={epochs}")
        np.testing.assert_array_equal(result.trajectory.theta[epochs], shorter.theta)


def test_it_changes_no_bit_and_is_there_only_if_asked_for():
    with_it, without = trained(), trained(snapshots=0)
    assert without.trajectory is None
    np.testing.assert_array_equal(with_it.theta, without.theta)
    np.testing.assert_array_equal(with_it.curves.values["train/loss"], without.curves.values["train/loss"])


def test_that_of_a_run_in_a_stack_is_that_of_the_run_alone():
    """Also while others leave: the second one diverges, and the third one has converged at once."""
    others = [("optimizer.lr=1e9", "seed=1"), ("training.tolerance=1e9", "seed=2")]
    alone, stacked = trained(snapshots=5), trained(others=others, snapshots=5)
    np.testing.assert_array_equal(alone.trajectory.epochs, stacked.trajectory.epochs)
    np.testing.assert_array_equal(alone.trajectory.theta, stacked.trajectory.theta)
    left = train_stack(
        [chainrule.prepare(chainrule.settings(*SMALL, "training.measure_every=1", *one)) for one in ((), *others)],
        snapshots=5,
    )[1]
    assert left.trajectory.epochs[-1] == left.epochs < 30


@pytest.mark.parametrize("limit", [2, 3, 10])
@pytest.mark.parametrize("measured", [1, 2, 3, 11, 12, 100])
def test_points_are_few_and_evenly_spread(limit, measured):
    kept, runs = Snapshots(limit, 3, 8), np.arange(1)
    for epoch in range(measured):
        kept.measured(epoch, runs, np.full((1, 3), float(epoch)), {})
    found = kept.trajectory(0, measured - 1, np.full(3, measured - 1.0), {})
    epochs = found.epochs
    assert (epochs[0], epochs[-1]) == (0, measured - 1)
    assert len(epochs) <= limit + 1
    assert len(set(np.diff(epochs)[:-1])) <= 1
    np.testing.assert_array_equal(found.theta[:, 0], epochs)


def test_of_many_parameters_fewer_points_are_kept():
    kept, runs = Snapshots(100, 4_000_000, 8), np.arange(1)
    for epoch in range(100):
        kept.measured(epoch, runs, np.zeros((1, 3)), {})
    assert len(kept.trajectory(0, 99, np.zeros(3), {}).epochs) <= 3


def test_it_has_what_activations_keep():
    result = trained("norm=batch_norm", "training.batch_size=8")
    first, *_, last = result.trajectory.states
    assert first.keys() == result.states.keys()
    for place, arrays in result.states.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(last[place][name], array)
    assert any((first[place]["mean"] != last[place]["mean"]).any() for place in first)

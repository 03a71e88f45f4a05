"""Every reason for stopping, and the parameters that a run ends with."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare, run_structure
from stacks import RISING, everything, prepared


def test_converged_means_that_the_training_loss_reached_the_tolerance():
    result = chainrule.run("training.tolerance=0.5", "training.measure_every=1")
    losses = result.curves.values["train/loss"]
    assert result.reason == "converged"
    assert losses[-1] <= 0.5 < losses[-2]
    assert result.epochs == result.curves.epochs[-1] < 200


def test_plateau_means_that_no_epoch_of_patience_was_better():
    result = chainrule.run("optimizer.lr=0", "training.patience=7")
    assert (result.reason, result.epochs) == ("plateau", 7)


def test_a_diverging_run_ends_with_a_status():
    result = chainrule.run("optimizer.lr=1e30", "activation=relu", "training.epochs=50")
    assert result.reason == "diverged"
    assert result.epochs < 50


def test_a_plateau_is_one_of_the_validation_loss():
    """Noise is learned by heart: the training loss still falls when the validation loss has risen for long."""
    learned = ["target=sine", "data.noise=1", "data.samples=24", "network.hidden=[40]", "optimizer=adam"]
    result = chainrule.run(*learned, "optimizer.lr=0.02", "training.epochs=3000", "training.patience=50")
    training, validation = (result.curves.values[f"{part}/loss"] for part in ("train", "validation"))
    best = validation.argmin()
    assert result.reason == "plateau"
    assert result.curves.epochs[-1] - result.curves.epochs[best] >= 50
    assert training[best:].min() < training[best]


@pytest.mark.parametrize("batch_size", ["null", "5"])
def test_the_best_epoch_has_the_parameters_of_a_run_that_stops_there(batch_size):
    common = [*RISING, f"training.batch_size={batch_size}"]
    best, last = (train_stack([prepared(*common, f"training.restore_best={is_}")])[0] for is_ in ("true", "false"))
    losses = best.curves.values["validation/loss"]
    epoch = int(losses.argmin())
    assert 0 < epoch < 40
    assert best.best_epoch == best.metrics["best_epoch"] == epoch
    (stopped,) = train_stack([prepared(*common, f"training.epochs={epoch}")])
    assert best.theta.tobytes() == stopped.theta.tobytes()
    scores = {name: value for name, value in stopped.metrics.items() if "/" in name}
    assert {name: best.metrics[name] for name in scores} == scores
    assert everything(best)[1:] == everything(last)[1:], "it trains on, and its curves go on"
    assert best.theta.tobytes() != last.theta.tobytes()
    assert last.best_epoch is None, "it ends with the parameters of its last epoch"
    smallest = {"best_loss": losses.min(), "best_epoch": epoch}
    assert smallest.items() <= last.metrics.items(), "but says how small the loss was, and when"
    assert smallest.items() <= best.metrics.items()


def test_without_validation_the_best_epoch_is_that_of_the_training_loss():
    uneven = ["data.validation=0", "optimizer.lr=0.3", "training.epochs=39", "training.restore_best=true"]
    (result,) = train_stack([prepared(*RISING, *uneven)])
    losses = result.curves.values["train/loss"]
    assert result.best_epoch == result.metrics["best_epoch"] == int(losses.argmin()) < 39
    assert result.metrics["train/loss"] == result.metrics["best_loss"] == losses.min()


def test_the_best_of_two_equal_epochs_is_the_first_as_in_keras():
    (result,) = train_stack([prepared(*RISING, "optimizer.lr=0", "training.restore_best=true")])
    assert result.best_epoch == 0


def test_a_run_that_diverges_keeps_its_best_parameters():
    common = ["optimizer.lr=1e30", "activation=relu", "training.epochs=50", "training.measure_every=1"]
    best, last = (train_stack([prepared(*common, f"training.restore_best={is_}")])[0] for is_ in ("true", "false"))
    assert best.reason == last.reason == "diverged"
    assert np.isfinite(best.theta).all()
    assert not np.isfinite(last.theta).all()
    assert np.isfinite(best.metrics["validation/loss"])


def test_runs_with_and_without_the_best_epoch_are_one_stack_with_the_bytes_of_single_runs():
    base = compose_settings(RISING)
    runs = [
        dataclasses.replace(
            base,
            seed=seed,
            training=dataclasses.replace(base.training, restore_best=seed % 2 == 0, patience=1 + 3 * seed),
        )
        for seed in range(6)
    ]
    assert len({run_structure(prepare(run)) for run in runs}) == 1
    together = train_stack([prepare(run) for run in runs])
    assert len({result.epochs for result in together}) > 2
    for run, result in zip(runs, together, strict=True):
        (alone,) = train_stack([prepare(run)])
        assert everything(result) == everything(alone)
        assert result.metrics == alone.metrics

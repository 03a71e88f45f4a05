"""The samples of an epoch."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from chainrule.components.contracts import Sampling
from chainrule.config.compose import compose_settings
from chainrule.engine.epoch import Epoch
from chainrule.errors import ConfigurationError, PluginError
from chainrule.runs.execute import _stack, train_stack
from chainrule.runs.prepare import prepare


@dataclass(frozen=True)
class Chosen(Sampling):
    """Returns what it is told to."""

    how: str = "twice"

    def epoch(self, rng, x, y, epoch, epochs):
        numbers = np.arange(len(x))
        return {
            "twice": lambda: numbers // 2,
            "in turns": lambda: numbers[::-1] if epoch % 2 else (100 + x, 100 + y),
            "written": lambda: np.copyto(x, 0),
            "too few": lambda: numbers[1:],
            "too far": lambda: numbers + 1,
            "negative": lambda: numbers - 1,
            "floats": lambda: numbers / 1,
            "none": lambda: None,
            "wide": lambda: (np.hstack([x, x]), y),
            "one": lambda: (x,),
        }[self.how]()


@dataclass(frozen=True)
class Noted(Sampling):
    """Notes what it is given."""

    calls: ClassVar[list[tuple[object, ...]]] = []

    def epoch(self, rng, x, y, epoch, epochs, *, target):
        self.calls.append((x, y, epoch, epochs, target))
        return np.arange(len(x))


def epoch_of(how, runs=1, batch_size=6):
    base = compose_settings(["data.samples=20", "data.validation=0", "training.batch_size=6"])
    found = [prepare(replace(base, seed=seed, sampling=Chosen(how))) for seed in range(runs)]
    return Epoch(_stack(found), batch_size), [run.samples.train for run in found]


def outputs(epoch):
    """Outputs in the order of the steps, ``(runs, samples)``."""
    return np.concatenate([y[:, 0] for part in epoch.parts for _, y in part], axis=1)


def test_an_epoch_takes_every_sample_once_in_an_order_of_its_own():
    run = prepare(compose_settings(["data.samples=20", "data.validation=0", "training.batch_size=6"]))
    epoch = Epoch(_stack([run]), 6)
    orders = []
    for number in range(2):
        epoch.draw(number)
        epoch.fill(0)
        orders.append(np.concatenate([y.ravel() for part in epoch.parts for _, y in part]))
    assert not np.array_equal(*orders)
    for order in orders:
        assert np.array_equal(np.sort(order), np.sort(run.samples.train[-1]))
    assert run.shuffle.bit_generator.seed_seq.spawn_key == (3,)  # data, start and rule have 0, 1 and 2


def test_numbers_choose_samples_and_may_repeat_them():
    epoch, train = epoch_of("twice", runs=3)
    epoch.draw(0)
    epoch.fill(0)
    for own, chosen in zip(train, outputs(epoch), strict=True):
        assert np.array_equal(chosen, np.repeat(own[-1, :10], 2))


def test_own_samples_are_those_of_one_epoch_and_stay_under_their_ones():
    epoch, train = epoch_of("in turns", runs=2)
    for number in range(4):
        epoch.draw(number)
        epoch.fill(0)
        expected = [own[-1, ::-1] if number % 2 else 100 + own[-1] for own in train]
        assert np.array_equal(outputs(epoch), expected)
        assert all((x[:, 0] == 1).all() for part in epoch.parts for x, _ in part)


@pytest.mark.parametrize("how", ["twice", "in turns"])
def test_epochs_that_are_drawn_together_are_those_drawn_one_by_one(how):
    (together, _), (alone, _) = epoch_of(how, runs=2), epoch_of(how, runs=2)
    assert together.ahead > 4
    together.draw(0, 4)
    for number in (3, 1, 0, 2):
        together.fill(number)
        alone.draw(number)
        alone.fill(0)
        assert np.array_equal(outputs(together), outputs(alone))
    together.draw(4, together.ahead)
    alone.draw(4)
    alone.fill(0)
    together.fill(0)
    assert np.array_equal(outputs(together), outputs(alone))


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("too few", "returned int64 (19,), not x and y nor 20 whole numbers."),
        ("too far", "returned the number 20; samples have numbers from 0 to 19."),
        ("negative", "returned the number -1; samples have numbers from 0 to 19."),
        ("floats", "returned float64 (20,), not x and y nor 20 whole numbers."),
        ("none", "returned NoneType, not x and y nor 20 whole numbers."),
        ("wide", "returned arrays of shape (20, 4) and (20, 1), not (20, 2) and (20, 1)."),
        ("one", "returned arrays of shape (20, 2), not (20, 2) and (20, 1)."),
    ],
)
def test_what_is_no_epoch_is_refused(how, sentence):
    epoch, _ = epoch_of(how)
    with pytest.raises(PluginError) as caught:
        epoch.draw(0)
    assert str(caught.value) == f"Chosen.epoch {sentence}"


WEIGHTED = ["target=two_moons", "output=sigmoid", "data.class_weights=[1,3]", "training.batch_size=7"]


def test_weights_go_with_their_samples():
    run = prepare(compose_settings([*WEIGHTED, "sampling=replacement", "data.samples=40"]))
    epoch = Epoch(_stack([run]), 7)
    epoch.draw(0)
    epoch.fill(0)
    rows = np.concatenate([np.vstack([x[0], y[0]]) for part in epoch.parts for x, y in part], axis=1)
    known = {tuple(sample) for sample in run.samples.train.T}
    assert all(tuple(sample) in known for sample in rows.T)
    assert len(set(rows[-1])) == 2


def test_samples_that_a_sampling_makes_have_no_weights():
    with pytest.raises(ConfigurationError) as caught:
        train_stack([prepare(compose_settings([*WEIGHTED, "sampling=mixup"]))])
    assert str(caught.value) == (
        "sampling=mixup makes samples of its own, which have no weights: choose a sampling that makes none, "
        "or do without weights of samples or classes."
    )


def test_samples_cannot_be_written():
    epoch, _ = epoch_of("written")
    with pytest.raises(ValueError, match="read-only"):
        epoch.draw(0)


@pytest.mark.parametrize("batch_size", ["null", "6", "100"])
def test_a_sampling_is_asked_once_an_epoch_with_the_training_set_and_the_target(batch_size):
    settings = compose_settings(
        ["data.samples=20", "training.epochs=3", "training.tolerance=0", f"training.batch_size={batch_size}"]
    )
    run = prepare(replace(settings, sampling=Noted()))
    Noted.calls.clear()
    train_stack([run])
    assert [(epoch, epochs) for _, _, epoch, epochs, _ in Noted.calls] == [(0, 3), (1, 3), (2, 3)]
    for x, y, _, _, target in Noted.calls:
        assert np.array_equal(x.T, run.samples.train[1:3])
        assert np.array_equal(y.T, run.samples.train[3:])
        assert target is settings.target

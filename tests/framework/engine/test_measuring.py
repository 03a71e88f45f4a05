"""How often a run is measured where nobody says it."""

import dataclasses
import itertools

import numpy as np
import pytest

from chainrule.config.compose import compose_settings
from chainrule.engine.curves import due_epochs
from chainrule.engine.measuring import default_interval, drawn_interval
from chainrule.engine.network import Shape
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare


def counted(widths, backward):
    """Multiply-adds of one sample, product by product as the article has them."""
    forward = sum((1 + before) * units for before, units in itertools.pairwise(widths))  # eq. 1
    errors = sum((1 + before) * units for before, units in itertools.pairwise(widths[1:]))  # eq. 5
    return forward + (forward + errors if backward else 0)  # eq. 6 has as many as eq. 1


@pytest.mark.parametrize("seed", range(60))
def test_points_have_a_tenth_of_the_multiply_adds_of_training_and_one_more_would_not_fit(seed):
    rng = np.random.default_rng(seed)
    widths = tuple(rng.integers(1, 300, rng.integers(2, 6)).tolist())
    epochs, training, validation = (int(rng.integers(1, most)) for most in (3000, 5000, 2000))
    known, norms = (bool(rng.integers(2)) for _ in range(2))
    of_training = 0 if known else counted(widths, backward=norms)
    point = training * of_training + validation * counted(widths, backward=False)
    budget = epochs * training * counted(widths, backward=True) / 10
    every = default_interval(Shape(widths), epochs, training, validation, known=known, norms=norms)
    due = due_epochs(epochs, every)
    assert due[0] == 0
    assert due[-1] == epochs
    assert len(due) <= 320
    if len(due) > 2:
        assert len(due) * point <= budget
    if every > drawn_interval(epochs):
        assert len(due_epochs(epochs, every - 1)) * point > budget, "no interval is longer than it must be"


def test_the_multiply_adds_of_a_network_that_is_counted_by_hand():
    """785 x 128 + 129 x 64 + 65 x 10 = 109,386 forward, 227,678 in a step: a point costs 0.48 of an epoch."""
    shape = Shape((784, 128, 64, 10))
    assert default_interval(shape, 20, 1280, 0) == 7  # 2 / 0.48 are 4 points
    assert default_interval(shape, 20, 1280, 0, norms=True) == 20  # 2 points
    assert default_interval(shape, 200, 1280, 0) == 5  # 20 / 0.48 are 41 points
    assert default_interval(shape, 1, 1280, 0) == 1
    assert default_interval(shape, 100_000, 1280, 0) == drawn_interval(100_000) == 314
    assert default_interval(shape, 300, 1280, 0, known=True) == 1  # measuring costs nothing


def test_pieces_of_units_count():
    plain, pieces = Shape((3, 8, 1)), Shape((3, 8, 1), (), (0, 16, 1))
    epochs, training, validation = 400, 80, 20
    assert default_interval(plain, epochs, training, validation) != 1
    rows = {shape: (shape.rows[1] * 4, 9) for shape in (plain, pieces)}
    for shape, (first, second) in rows.items():
        forward, step = first + second, 2 * first + 3 * second
        points = epochs * step * training // (10 * forward * (training + validation))
        assert default_interval(shape, epochs, training, validation) == -(-epochs // (points - 1))


def trained(*overrides):
    words = ["data.samples=60", "training.epochs=60", "network.hidden=[5]", *overrides]
    return train_stack([prepare(compose_settings(words))])[0]


def names(result):
    return sorted(name for name in result.curves.values if name.startswith("gradient_norm"))


NORMS = ["gradient_norm/layer_1", "gradient_norm/layer_2"]


@pytest.mark.parametrize(
    ("overrides", "every", "norms"),
    [
        (["training.batch_size=8"], 7, []),
        (["training.batch_size=8", "training.gradient_norms=true"], 15, NORMS),
        (["training.batch_size=8", "training.measure_every=7"], 7, NORMS),
        (["training.batch_size=8", "training.measure_every=7", "training.gradient_norms=false"], 7, []),
        (["training.batch_size=null", "data.validation=0"], 1, NORMS),
        (["training.batch_size=null", "data.validation=0", "training.gradient_norms=false"], 1, []),
        (["training.batch_size=null", "sampling=replacement"], 7, []),
        (["training.batch_size=8", "training.patience=50"], 1, []),
        (["training.batch_size=8", "training.restore_best=true"], 1, []),
        (["training.batch_size=8", "schedule=reduce_on_plateau"], 1, []),
        (["training.batch_size=8", "schedule=cosine"], 7, []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_gradients_are_measured_where_they_cost_nothing_or_are_asked_for(overrides, every, norms):
    result = trained(*overrides)
    assert result.curves.epochs.tolist() == due_epochs(60, every)
    assert names(result) == norms


@pytest.mark.parametrize("batch_size", ["8", "null"])
@pytest.mark.parametrize("words", [["optimizer=adam"], ["optimizer=schedule_free"], ["norm=batch_norm"]], ids=" ".join)
def test_training_has_the_same_bits_however_often_and_whatever_is_measured(words, batch_size):
    common = [*words, f"training.batch_size={batch_size}", "training.tolerance=0"]
    usual = trained(*common)
    for further in (["training.measure_every=1"], ["training.gradient_norms=true"], ["training.gradient_norms=false"]):
        other = trained(*common, *further)
        assert other.theta.tobytes() == usual.theta.tobytes()
        shared = np.intersect1d(usual.curves.epochs, other.curves.epochs)
        for name in ("train/loss", "validation/loss"):
            one, two = (result.curves.values[name][np.isin(result.curves.epochs, shared)] for result in (usual, other))
            assert one.tobytes() == two.tobytes()


def test_a_stack_holds_runs_of_one_interval_only():
    """Otherwise a run would be measured at other epochs in a stack than alone."""
    from chainrule.runs.prepare import run_structure

    base = compose_settings(["training.epochs=40", "training.batch_size=8"])
    patient = dataclasses.replace(base, training=dataclasses.replace(base.training, patience=5))
    asking = dataclasses.replace(base, training=dataclasses.replace(base.training, gradient_norms=True))
    assert len({run_structure(prepare(one)) for one in (base, patient, asking)}) == 3

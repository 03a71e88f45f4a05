"""The schedules against PyTorch's, recorded in ``tests/reference``, against closed forms, and in stacks."""

import dataclasses
import json
import math
from itertools import pairwise
from pathlib import Path

import annotated_types as bounds_of
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.components.parameters import build, parameters
from chainrule.components.stacking import stack, take
from chainrule.config.compose import compose_settings
from chainrule.errors import ConfigurationError
from chainrule.notebook.tracing import gradient
from chainrule.runs.execute import train_stack
from chainrule.runs.prepare import prepare
from chainrule_schedules import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmRestarts,
    WarmupCosine,
    chainrule_schedules,
)
from chainrule_schedules.one_cycle import Annealing

SCHEDULES = {cls.name: cls for cls in chainrule_schedules()}
REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "schedules.json").read_text())
RECORDED = [pytest.param(run, id=f"{run['schedule']}-{run['settings']}") for run in REFERENCE["runs"]]
DTYPES = [np.float32, np.float64]

every_schedule = pytest.mark.parametrize("cls", SCHEDULES.values(), ids=SCHEDULES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def walk(schedule, lr, losses, epochs, state, first=0, every=1):
    """Return the rates of epochs ``first``, ``first + 1`` ..., told the loss before each ``every``-th of them."""
    rates = []
    for epoch, loss in enumerate(losses, first):
        if epoch % every == 0:
            schedule.measured(loss, epoch, state)
        rates.append(np.copy(schedule.rate(lr, epoch, epochs, state)))
    return np.array(rates)


def test_every_registered_schedule_is_recorded():
    assert {run["schedule"] for run in REFERENCE["runs"]} == set(SCHEDULES)


@pytest.mark.parametrize("stacked", [False, True], ids=["by hand", "stacked"])
@pytest.mark.parametrize("run", RECORDED)
def test_rates_are_pytorchs(run, stacked):
    schedule = build(SCHEDULES[run["schedule"]], run["settings"], "schedule")
    lr, losses = np.array(REFERENCE["lr"]), np.array([np.nan, *REFERENCE["losses"]])  # PyTorch sees none at first
    if stacked:
        schedule, lr, losses = stack([schedule], float), lr.reshape(1, 1), losses[:, None, None]
    rates = walk(schedule, lr, losses, REFERENCE["epochs"], schedule.init(lr))
    np.testing.assert_allclose(rates.ravel(), run["rates"], rtol=1e-12, atol=1e-16)


LACKING = {  # fields without a default in PyTorch, or with another one than a number
    Step: {"step_size"},
    WarmupCosine: {"warmup"},
    OneCycle: {"anneal_strategy"},
    WarmRestarts: {"T_0"},
}


@pytest.mark.parametrize("cls", [Step, Cosine, WarmupCosine, OneCycle, WarmRestarts, ReduceOnPlateau])
def test_defaults_are_pytorchs(cls):
    """Where it has any: StepLR has no step_size and ExponentialLR no gamma, and of a warm-up it counts the steps."""
    ours = {field.name: field.default for field in dataclasses.fields(cls) if field.name != "of"}
    theirs = REFERENCE["defaults"][cls.name]
    lacking = LACKING.get(cls, set())
    assert ours.keys() - theirs.keys() == lacking
    assert all(ours[name] == theirs[name] for name in ours.keys() - lacking)


def drawn(rng, parameter):
    """Draw a number within the bounds of a field; often one on its lower bound."""
    low, high = 0.0, 1.2
    for bound in parameter.bounds:
        match bound:
            case bounds_of.Gt(gt=low) | bounds_of.Ge(ge=low):
                pass
            case bounds_of.Lt(lt=high) | bounds_of.Le(le=high):
                pass
    on_bound = rng.random() < 0.3 and not any(isinstance(bound, bounds_of.Gt) for bound in parameter.bounds)
    return low if on_bound else rng.uniform(low + 1e-3, high - 1e-3)


def drawn_runs(rng, cls, runs):
    """Draw schedules that differ in their floats and agree in their whole numbers."""
    floats = {name: parameter for name, parameter in parameters(cls).items() if parameter.is_stackable}
    whole = {name: int(rng.integers(1, 5)) for name, parameter in parameters(cls).items() if parameter.type is int}
    return [cls(**whole, **{name: drawn(rng, parameter) for name, parameter in floats.items()}) for _ in range(runs)]


def same_bytes(one, other):
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


@every_dtype
@every_schedule
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), runs=st.integers(1, 33), epochs=st.integers(1, 24))
def test_run_in_a_stack_equals_the_run_alone(cls, dtype, seed, runs, epochs):
    """Byte for byte, though the runs differ in their numbers and half of them leave the stack."""
    rng = np.random.default_rng(seed)
    singles = drawn_runs(rng, cls, runs)
    lr = rng.uniform(0, 1, (runs, 1)).astype(dtype)
    losses = (rng.uniform(0, 1, (epochs + 1, runs, 1)) * 0.9 ** np.arange(epochs + 1)[:, None, None]).astype(dtype)
    half = (epochs + 1) // 2
    left = np.flatnonzero(rng.random(runs) < 0.5)

    together = stack(singles, dtype)
    state = together.init(lr)
    begun = walk(together, lr, losses[:half], epochs, state)
    fewer, fewer_state = take(together, left), {name: array[left] for name, array in state.items()}
    rates = np.concatenate([begun, walk(together, lr, losses[half:], epochs, state, half)])
    fewer_rates = walk(fewer, lr[left], losses[half:, left], epochs, fewer_state, half)
    assert rates.dtype == dtype
    assert rates.shape == (epochs + 1, runs, 1)
    for run in range(runs):
        alone = stack([singles[run]], dtype)
        alone_state = alone.init(lr[[run]])
        alone_rates = walk(alone, lr[[run]], losses[:, [run]], epochs, alone_state)
        assert same_bytes(alone_rates[:, 0], np.ascontiguousarray(rates[:, run]))
        assert all(same_bytes(array[0], state[name][run]) for name, array in alone_state.items())
        for row in np.flatnonzero(left == run):
            assert same_bytes(alone_rates[half:, 0], np.ascontiguousarray(fewer_rates[:, row]))


@every_dtype
@every_schedule
def test_leaves_rates_losses_and_settings_alone_and_has_a_row_of_state_a_run(cls, dtype):
    schedule = stack([cls()] * 3, dtype)
    lr, losses = np.full((3, 1), 0.5, dtype), np.ones((9, 3, 1), dtype)
    lr.setflags(write=False)
    losses.setflags(write=False)
    state = schedule.init(lr)
    arrays = dict(state)
    rates = walk(schedule, lr, losses, 8, state)
    assert rates.dtype == dtype
    assert rates.shape == losses.shape
    assert state.keys() == arrays.keys()
    assert all(state[name] is array and len(array) == 3 for name, array in arrays.items())


@every_schedule
def test_keeps_float32_by_hand(cls):
    schedule, lr = cls(), np.full(4, 0.5, np.float32)
    rates = walk(schedule, lr, np.ones((9, 4), np.float32), 8, schedule.init(lr))
    assert rates.dtype == np.float32


@every_schedule
def test_scales_with_the_rate_and_begins_with_it(cls):
    schedule = {WarmupCosine: WarmupCosine(warmup=0.0), OneCycle: OneCycle(div_factor=1.0)}.get(cls) or cls()
    one, two = (walk(schedule, lr, np.ones(31), 30, schedule.init(lr)) for lr in (0.25, 0.5))
    assert one[0] == 0.25
    np.testing.assert_allclose(2 * one, two, rtol=1e-15)


def test_closed_forms():
    assert [Constant().rate(0.3, e, 9, {}) for e in (0, 4, 9)] == [0.3, 0.3, 0.3]
    assert [Step(2, 0.5).rate(1.0, e, 9, {}) for e in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert [Exponential(0.5).rate(1.0, e, 9, {}) for e in range(4)] == [1, 0.5, 0.25, 0.125]
    cosine = [Cosine(eta_min=0.2).rate(1.0, e, 6, {}) for e in (0, 2, 3, 4, 6)]
    np.testing.assert_allclose(cosine, [1, 0.8, 0.6, 0.4, 0.2], rtol=1e-14)
    cycle = OneCycle(pct_start=0.5, div_factor=5.0, final_div_factor=2.0, anneal_strategy=Annealing.LINEAR)
    rates = [cycle.rate(1.0, e, 10, {}) for e in (0, 2, 4, 5, 9, 10)]
    np.testing.assert_allclose(rates, [0.2, 0.6, 1, 0.82, 0.1, 0.1], rtol=1e-14)
    restarts = [WarmRestarts(T_0=2, T_mult=2).rate(1.0, e, 10, {}) for e in range(8)]
    half = math.sqrt(0.5)
    np.testing.assert_allclose(
        restarts, [1, 0.5, 1, (1 + half) / 2, 0.5, (1 - half) / 2, 1, (1 + np.cos(np.pi / 8)) / 2]
    )
    warmup = WarmupCosine(warmup=0.4, start_factor=0.2)
    rates = [warmup.rate(1.0, e, 10, {}) for e in (0, 1, 2, 3, 4, 6, 7, 8, 10)]
    np.testing.assert_allclose(rates, [0.2, 0.4, 0.6, 0.8, 1, 0.75, 0.5, 0.25, 0], rtol=1e-14, atol=1e-16)


@every_dtype
@pytest.mark.parametrize("epochs", [1, 3, 100])
def test_a_warm_up_whose_share_rounds_to_1_ends_at_eta_min(dtype, epochs):
    """The fall takes less than an epoch, and none that a float32 can tell."""
    schedule, lr = stack([WarmupCosine(0.99999999, 0.2, 0.125)] * 2, dtype), np.full((2, 1), 0.5, dtype)
    rates = walk(schedule, lr, np.ones((epochs + 1, 2, 1), dtype), epochs, {})
    assert rates[-1].tolist() == [[0.125], [0.125]]
    np.testing.assert_allclose(rates[:-1, 0, 0], np.linspace(0.1, 0.5, epochs + 1)[:-1], rtol=1e-6)


fractions = st.floats(0, 0.99)


@given(lr=st.floats(1e-6, 10), part=fractions, epochs=st.integers(1, 500))
def test_a_cosine_falls_from_lr_to_eta_min(lr, part, epochs):
    rates = [Cosine(eta_min=part * lr).rate(lr, epoch, epochs, {}) for epoch in range(epochs + 1)]
    assert rates[0] == pytest.approx(lr, rel=1e-12)
    assert rates[-1] == pytest.approx(part * lr, rel=1e-12, abs=1e-15)
    assert all(before >= after for before, after in pairwise(rates))


@given(lr=st.floats(1e-6, 10), warmup=fractions, start=fractions, epochs=st.integers(1, 500))
def test_a_warm_up_rises_to_lr_and_then_is_a_cosine(lr, warmup, start, epochs):
    schedule = WarmupCosine(warmup, start)
    rates = [float(schedule.rate(lr, epoch, epochs, {})) for epoch in range(epochs + 1)]
    top = int(np.argmax(rates))
    assert top - 1 <= warmup * epochs <= top + 1
    assert all(0 <= rate <= lr * (1 + 1e-12) for rate in rates)
    assert all(before <= after for before, after in pairwise(rates[: top + 1]))
    assert all(before >= after for before, after in pairwise(rates[top:]))
    if warmup == 0:
        np.testing.assert_allclose(rates, [Cosine().rate(lr, e, epochs, {}) for e in range(epochs + 1)], rtol=1e-9)
    elif warmup * epochs >= 1:
        assert rates[0] == pytest.approx(start * lr)


plateaus = st.builds(
    ReduceOnPlateau,
    factor=fractions, patience=st.integers(0, 6), threshold=fractions, cooldown=st.integers(0, 6),
    min_lr=st.floats(0, 0.5), eps=st.sampled_from([0.0, 1e-8, 0.1]),
)  # fmt: skip


@given(plateaus, st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(1, 4))
def test_a_rate_on_plateaus_never_rises_nor_falls_below_the_smallest(schedule, losses, every):
    rates = walk(schedule, 1.0, losses, len(losses), schedule.init(1.0), every=every)
    assert rates[0] == 1
    assert all(before >= after for before, after in pairwise(rates))
    assert rates[-1] >= schedule.min_lr


@pytest.mark.parametrize("every", [1, 2, 5, 7])
def test_patience_counts_epochs_however_often_losses_are_measured(every):
    """Nothing improves after the first point: reduced at the first one more than 10 epochs later, and so on."""
    schedule = ReduceOnPlateau(patience=10, cooldown=4, factor=0.5)
    rates = walk(schedule, 1.0, np.ones(80), 80, schedule.init(1.0), every=every)
    points = np.arange(every, 80, every)
    counted, expected = points[0], []
    for point in points:
        if point - counted > 10:
            expected.append(point)
            counted = point + 4
    assert (np.flatnonzero(np.diff(rates)) + 1).tolist() == expected


def test_the_loss_before_training_does_not_count():
    schedule = ReduceOnPlateau(patience=2)
    rates = walk(schedule, 1.0, [0.0, 3.0, 2.0, 1.0, 0.5], 4, schedule.init(1.0))
    assert set(rates) == {1.0}


def test_a_loss_that_is_no_number_is_not_better():
    schedule = ReduceOnPlateau(patience=0, factor=0.5)
    rates = walk(schedule, 1.0, [1.0, 1.0, np.nan, 0.5], 3, schedule.init(1.0))
    assert rates.tolist() == [1.0, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("cls", "field", "value", "wanted"),
    [
        (Step, "step_size", 0, "a whole number >= 1"),
        (Exponential, "gamma", 0.0, "a number > 0"),
        (Cosine, "eta_min", -0.1, "a number >= 0"),
        (WarmupCosine, "warmup", 1.0, "a number >= 0 and < 1"),
        (ReduceOnPlateau, "factor", 1.0, "a number >= 0 and < 1"),
        (ReduceOnPlateau, "patience", -1, "a whole number >= 0"),
    ],
)
def test_refuses_what_makes_no_sense(cls, field, value, wanted):
    with pytest.raises(ConfigurationError) as refused:
        build(cls, {field: value}, "schedule")
    assert str(refused.value) == f"schedule.{field} must be {wanted}, not {value}."


@every_schedule
def test_every_field_is_described(cls):
    assert all(parameter.description for parameter in parameters(cls).values())


def test_another_field_is_scheduled_and_has_a_curve():
    """Three steps in a full batch, each with another momentum, and the same by hand."""
    words = ["optimizer=momentum", "optimizer.lr=0.1", "optimizer.momentum=0.8", "training.batch_size=null"]
    words += ["schedule=exponential", "schedule.gamma=0.5", "schedule.of=momentum", "training.epochs=3"]
    words.append("training.measure_every=1")
    run = prepare(compose_settings(words))
    (result,) = train_stack([run])
    assert result.curves.values["momentum"].tolist() == [0.8, 0.4, 0.2, 0.1]
    assert "learning_rate" not in result.curves.values
    theta = run.theta[None].copy()
    state = run.settings.optimizer.init(theta)
    for step, momentum in enumerate([0.8, 0.4, 0.2], 1):
        optimizer = dataclasses.replace(run.settings.optimizer, momentum=momentum)
        optimizer.update(theta, gradient(run, theta), state, step)
    np.testing.assert_allclose(result.theta, theta[0], rtol=1e-12)


def test_the_learning_rate_by_its_name_is_the_learning_rate():
    usual, named = (
        train_stack([prepare(compose_settings(["schedule=cosine", "training.epochs=4", *words]))])[0]
        for words in ([], ["schedule.of=lr"])
    )
    assert named.theta.tobytes() == usual.theta.tobytes()
    assert named.curves.values.keys() == usual.curves.values.keys()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["schedule.of=momentun"], "schedule.of=momentun is no float field of optimizer=momentum (did you mean"),
        (["schedule.of=momentun"], "; a schedule can change lr, momentum, dampening, weight_decay."),
        (["optimizer=adam", "schedule.of=amsgrad"], "schedule.of=amsgrad is no float field of optimizer=adam; a"),
    ],
)
def test_a_field_that_there_is_not_is_named(words, sentence):
    with pytest.raises(ConfigurationError) as caught:
        prepare(compose_settings(["optimizer=momentum", "schedule=cosine", *words]))
    assert sentence in str(caught.value)

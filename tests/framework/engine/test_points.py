"""What machine code measures at a point is what NumPy measures, bit for bit, or NumPy measures."""

import dataclasses
import random
from dataclasses import dataclass

import numpy as np
import pytest

import random_runs
from chainrule.components.contracts import Activation, Loss
from chainrule.config.compose import compose_settings
from chainrule.engine import points
from chainrule.engine.choice import Engine
from chainrule.engine.machine import machine_of
from chainrule.engine.points import pays_for_points
from chainrule.runs.execute import _stack
from chainrule.runs.prepare import prepare

SMALL = ["data.samples=24", "network.hidden=[3]", "training.tolerance=0"]
EPOCHS = 7  # after each of which is measured: more than are compared


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """Let machine code measure every stack whose steps it does."""
    monkeypatch.setattr(points, "_WORTH", 0)
    monkeypatch.setattr(points, "SMALL", 10**9)


def stack_of(overrides, count, engine, **changed):
    base = dataclasses.replace(compose_settings([*overrides, f"training.epochs={EPOCHS}"]), **changed)
    runs = [prepare(dataclasses.replace(base, seed=base.seed + number)) for number in range(count)]
    return dataclasses.replace(_stack(runs), engine=engine)


def measured(machine, epochs=EPOCHS):
    """Train, and return the bits of everything that is known after each epoch; NaN is NaN, whatever its payload."""
    found = []
    with np.errstate(all="ignore"):
        for epoch in range(epochs + 1):
            values = machine.measure()
            known = [] if machine._measured is None else [machine._measured]
            arrays = [*values.values(), *machine.scores().values(), *known]
            arrays += [array for row in range(len(machine.theta)) for array in machine.outputs(row).values()]
            found.append([np.where(np.isnan(array), np.nan, array).tobytes() for array in arrays])
            machine.set_rate(epoch, values["train/loss"])
            machine.train(epoch, epoch + 1)
    return found


def reasons(overrides, count=2, **changed):
    """Measure by NumPy and by machine code, whose numbers are the same; return why NumPy did the latter."""
    plain, mine = (machine_of(stack_of(overrides, count, each, **changed)) for each in (Engine.NUMPY, Engine.COMPILED))
    assert measured(mine) == measured(plain)
    assert not plain.compiled
    return [point.reason for point in mine._points.values()]


@pytest.mark.parametrize("count", [1, 3, 33])
@pytest.mark.parametrize(
    "overrides",
    [
        ["training.batch_size=null"],
        ["training.batch_size=null", "data.validation=0", "optimizer=adam"],
        ["training.batch_size=1", "training.gradient_norms=true"],
        ["network.hidden=[5,4]", "activation=tanh", "norm=layer_norm", "output=tanh"],
        ["network.hidden=[4]", "norm=batch_norm", "training.batch_size=8"],
        ["target=wine", "loss=categorical_cross_entropy", "output=softmax"],
        ["target=wine", "network.hidden=[70]", "loss=categorical_cross_entropy", "output=softmax"],
        ["target=xor", "data.balance_classes=true", "loss=binary_cross_entropy", "output=sigmoid"],
        ["loss=gaussian_nll", "training.dtype=float32"],
        ["optimizer=schedule_free", "transforms=[ema]"],
        ["optimizer.lr=30", "activation=relu"],
    ],
    ids=lambda overrides: ",".join(overrides),
)
def test_points_by_machine_code_are_those_of_numpy(overrides, count):
    assert set(reasons([*SMALL, *overrides], count)) == {""}


@pytest.mark.parametrize("block", range(3))
def test_points_of_random_runs(block, tables, extent):
    for number in range(extent(few=2, ci=4, all=40)):
        seed = 3 * number + block
        rng = random.Random(seed)
        found = reasons([*random_runs.configuration(rng), "training.measure_every=1"], rng.choice([1, 2, 5]))
        assert not [reason for reason in found if "fails with" in reason or "other numbers" in reason], found


@pytest.mark.parametrize("rule", ["kolen_pollack", "weight_mirror"])
def test_rules_that_learn_from_the_last_passes_find_what_these_have_left(rule):
    assert set(reasons([*SMALL, f"rule={rule}", "training.batch_size=null"])) == {""}


@dataclass(frozen=True)
class Looking(Loss, name="looking"):
    """Its value looks at numbers; its gradient, which is all that a step needs, does not."""

    def value(self, y_predicted, y_true):
        error = np.square(y_predicted - y_true).sum(axis=1)
        return error if error[0, 0] >= 0 else -error

    def gradient(self, y_predicted, y_true):
        return 2 * (y_predicted - y_true)


def test_a_loss_whose_value_cannot_be_recorded_is_measured_by_numpy_while_machine_code_trains():
    overrides = [*SMALL, "training.batch_size=4"]
    found = reasons(overrides, loss=Looking())
    assert len(found) == 2, found
    assert all("A point cannot be recorded" in reason and "return error if error[0, 0]" in reason for reason in found)
    machine = machine_of(stack_of(overrides, 2, Engine.COMPILED, loss=Looking()))
    measured(machine)
    assert machine.engine is Engine.COMPILED


CALLS = []


@dataclass(frozen=True)
class Counting(Loss, name="counting"):
    """Its value depends on how often it was asked for."""

    def value(self, y_predicted, y_true):
        CALLS.append(1)
        return np.square(y_predicted - y_true).sum(axis=1) * float(len(CALLS))

    def gradient(self, y_predicted, y_true):
        return 2 * (y_predicted - y_true)


def test_a_loss_that_depends_on_more_than_its_arguments_is_found_by_the_comparison():
    CALLS.clear()
    machine = machine_of(stack_of([*SMALL, "data.validation=0"], 2, Engine.COMPILED, loss=Counting()))
    losses = np.array([machine.measure()["train/loss"] for _ in range(EPOCHS)])
    assert machine._points["train"].reason == "Machine code measured other numbers than NumPy."
    ratios = losses[1:] / losses[:-1]  # of NumPy's own numbers of calls, which recording has made one more
    assert np.allclose(ratios, [[(n + 1) / n] * 2 for n in range(2, EPOCHS + 1)])


@dataclass(frozen=True)
class Renewing(Activation, name="renewing"):
    """Keeps a new array in each step."""

    def init(self, units):
        return {"seen": np.zeros(units)}

    def forward(self, z, state, training=False, out=None):
        if training:
            state["seen"] = state["seen"] + np.abs(z).mean(axis=-1, keepdims=True)
        return np.multiply(z, 1 + 0 * state["seen"] + state["seen"] / 100, out=out)

    def backward(self, grad_a, z, a, state, out=None):
        return np.multiply(grad_a, 1 + state["seen"] / 100, out=out)


def test_a_state_that_is_another_array_after_each_step_is_read_as_it_is_now():
    assert set(reasons([*SMALL, "training.batch_size=4"], activation=Renewing())) == {""}


@dataclass(frozen=True)
class Impure(Activation, name="impure"):
    """Counts how often it was asked, in an array of its own or in a new one, also where it is only measured."""

    anew: bool = False

    def init(self, units):
        return {"asked": np.zeros(units)}

    def forward(self, z, state, out=None):
        if self.anew:
            state["asked"] = state["asked"] + 1
        else:
            state["asked"] += 1
        return np.multiply(z, 1 + state["asked"] / 100, out=out)

    def backward(self, grad_a, z, a, state, out=None):
        return np.multiply(grad_a, 1 + state["asked"] / 100, out=out)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("batch", ["4", "null"])
def test_what_changes_when_it_is_measured_is_measured_by_numpy(anew, batch):
    found = reasons([*SMALL, f"training.batch_size={batch}"], activation=Impure(anew))
    assert all("changes what it keeps, though it does not train" in reason for reason in found), found


def test_machine_code_measures_where_many_samples_of_a_small_network_are(monkeypatch):
    monkeypatch.undo()
    assert pays_for_points(2_000_000, 15)
    assert not pays_for_points(10_000, 15)
    assert not pays_for_points(2_000_000, 100_000)
    assert not machine_of(stack_of(SMALL, 1, Engine.COMPILED))._points

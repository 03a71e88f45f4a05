"""Steps by machine code leave what NumPy's leave, bit for bit, or NumPy does them and a sentence says why."""

import dataclasses
import importlib
import random
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from annotated_types import doc

import chainrule
import random_runs
from chainrule.components.contracts import Activation, Optimizer, Sampling
from chainrule.config.compose import compose_settings
from chainrule.engine.choice import Engine
from chainrule.engine.compiling import pays
from chainrule.engine.machine import why_plain
from chainrule.engine.reason import Reason
from chainrule.engine.trainer import train
from chainrule.registry.loaded import installed
from chainrule.runs.execute import _stack, train_on
from chainrule.runs.prepare import prepare
from chainrule.testing.subjects import Subject
from sizes import first, one_in
from stacks import LEAVING, everything, left_at

SMALL = ["data.samples=24", "network.hidden=[3]", "training.epochs=3", "training.tolerance=0"]
GUIDE = Path(__file__).parents[3] / "plugins" / "README.md"
# Why a built-in component is trained by NumPy.
_ROWS = re.findall(r"^\| `(\w+)=(\w+)` \| (.+) \|$", GUIDE.read_text(), re.MULTILINE)
FALLBACKS = {name: why for _, name, why in _ROWS}


def stack_of(overrides, count, engine, **changed):
    """Runs that differ in seed and, where the optimizer has one, in their rate."""
    base = dataclasses.replace(compose_settings(overrides), **changed)
    settings = []
    for number in range(count):
        optimizer = base.optimizer
        if hasattr(optimizer, "lr"):
            optimizer = dataclasses.replace(optimizer, lr=optimizer.lr * (1 - number / 8))
        settings.append(dataclasses.replace(base, seed=base.seed + number, optimizer=optimizer))
    return dataclasses.replace(_stack([prepare(one) for one in settings]), engine=engine)


def both(overrides, count=2, **changed):
    """Train by NumPy and by machine code; return why NumPy did the steps of the latter."""
    with np.errstate(all="ignore"):
        plain = train(stack_of(overrides, count, Engine.NUMPY, **changed))
        mine = train(stack_of(overrides, count, Engine.COMPILED, **changed))
    assert [everything(one) for one in mine] == [everything(one) for one in plain]
    states = [[array.tobytes() for own in one.states.values() for array in own.values()] for one in (mine[0], plain[0])]
    assert states[0] == states[1]
    reason = mine[0].fallback
    assert (mine[0].engine is Engine.COMPILED) == (reason == "")
    return reason


def explained(name, reason):
    """Check that a component is recorded, or falls back for the reason that is known."""
    assert (name in FALLBACKS) == bool(reason), reason
    assert FALLBACKS.get(name, "") in reason


COMPONENTS = [
    ("transforms" if kind == "transform" else kind, name)
    for kind in ("activation", "optimizer", "rule", "transform", "loss", "schedule")
    for name in installed().names(kind)
]


def fitting(group, name):
    """The configuration of a small run with a component that fits it."""
    found = [f"{group}=[{name}]" if group == "transforms" else f"{group}={name}"]
    if group == "loss":
        cls = installed().find("loss", name)
        if cls.one_hot or cls.min_outputs > 1:
            return [*found, "output=softmax", "target=wine"]
        if cls.target_range != (-np.inf, np.inf):
            return [*found, f"output={cls.paired_output or 'identity'}", "target=xor"]
    if group == "activation":
        return [*found, "network.hidden=[4]", f"training.batch_size={installed().find(group, name).min_samples}"]
    if group == "rule" and name != "as_printed":
        return [*found, "network.hidden=[3,2]"]
    if name == "as_printed":
        return [*found, "network.hidden=[2,2]", "target=xor"]
    if name == "levenberg_marquardt":
        return [*found, "activation=tanh"]
    return found


@pytest.mark.parametrize(("group", "name"), one_in(3, COMPONENTS, ci=len(COMPONENTS)))  # in CI by the next test
def test_every_built_in_component_is_recorded_or_has_a_reason(group, name):
    explained(name, why_plain(stack_of([*SMALL, *fitting(group, name)], 1, Engine.NUMPY)))


@pytest.mark.parametrize(("group", "name"), first((), COMPONENTS, ci=2))
def test_every_built_in_component_has_the_bits_of_numpy(group, name):
    explained(name, both([*SMALL, *fitting(group, name)], 1))


@pytest.mark.parametrize("batch", ["1", "3", "8", "17", "null"])
@pytest.mark.parametrize("count", [1, 3])
def test_batches_of_every_size(batch, count):
    assert both([*SMALL, f"training.batch_size={batch}", "optimizer=adam"], count) == ""


@pytest.mark.parametrize("count", [2, 31, 33])
def test_stacks_of_any_size(count):
    assert both([*SMALL, "network.hidden=[2,2]"], count) == ""


def test_single_precision():
    assert both([*SMALL, "training.dtype=float32", "optimizer=adam", "activation=tanh"]) == ""


def test_runs_that_diverge():
    assert both([*SMALL, "optimizer.lr=30", "activation=relu", "training.epochs=6"], 3) == ""


def test_samples_with_weights():
    assert both([*SMALL, "target=xor", "data.balance_classes=true"]) == ""


def test_dropout_is_left_to_numpy():
    assert "it draws random numbers (layers.py, line " in both([*SMALL, "network.dropout=0.5"], 1)


@pytest.mark.parametrize("batch", ["1", "6"])
def test_a_run_in_a_stack_is_the_run_alone_while_others_leave(batch):
    overrides = [*SMALL, "training.epochs=5", f"training.batch_size={batch}", "optimizer=momentum"]
    stack = stack_of(overrides, 4, Engine.COMPILED)
    together = train(stack_of(overrides, 4, Engine.COMPILED), prune=left_at(LEAVING))
    for number in range(4):
        one = stack.take(np.array([number]))
        epochs = LEAVING.get(number)
        alone = train(one, prune=None if epochs is None else left_at({0: epochs}))
        assert everything(together[number]) == everything(alone[0])
        assert alone[0].engine is together[number].engine is Engine.COMPILED


def test_training_in_parts_is_training_at_once():
    def run(epochs):
        return prepare(
            compose_settings([*SMALL, "optimizer=adam", "training.engine=compiled", f"training.epochs={epochs}"])
        )

    whole, _ = train_on(run(5))
    first = run(5)
    part, checkpoint = train_on(dataclasses.replace(first, settings=run(2).settings))
    rest, _ = train_on(first, (checkpoint, part.curves))
    assert rest.engine is Engine.COMPILED
    assert rest.theta.tobytes() == whole.theta.tobytes()


def random_stack(seed, engine, *overrides):
    rng = random.Random(seed)
    usual, count = [*random_runs.configuration(rng), "training.epochs=6"], rng.choice([1, 2, 3, 5])
    base = compose_settings([*usual, *overrides])
    runs = [prepare(dataclasses.replace(base, seed=base.seed + number)) for number in range(count)]
    return dataclasses.replace(_stack(runs), engine=engine)


def same_as_numpy(seed, *overrides):
    plain, mine = (train(random_stack(seed, engine, *overrides)) for engine in (Engine.NUMPY, Engine.COMPILED))
    assert [everything(one) for one in mine] == [everything(one) for one in plain]
    assert not mine[0].fallback.startswith("Machine code gave other numbers"), mine[0].fallback
    assert "fails with" not in mine[0].fallback, mine[0].fallback


@pytest.mark.parametrize("seed", range(4))
def test_random_runs(seed, tables):
    same_as_numpy(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_many_random_runs(block, tables, extent):
    for number in range(extent(few=1, ci=2, all=24)):
        same_as_numpy(4 + 4 * number + block)


# Components of strangers, with random values of their parameters, at rates of which many diverge.

THIRDPARTY = Path(__file__).parents[2] / "thirdparty"
STRANGERS = {
    "activation": ["chainrule_menagerie.activation Squareplus", "chainrule_yesterday.activation PenalizedTanh"],
    "loss": ["chainrule_menagerie.loss Cauchy", "chainrule_yesterday.loss Pinball"],
    "optimizer": ["chainrule_menagerie.optimizer AdaBelief", "chainrule_yesterday.optimizer SignDescent"],
    "rule": ["chainrule_yesterday.rule ClippedError"],
    "schedule": ["chainrule_yesterday.schedule SearchThenConverge"],
}


def stranger(group, rng):
    """A component of a distribution that strangers publish, with some of its variants as the kit makes them."""
    module, name = rng.choice(STRANGERS[group]).split()
    return rng.choice(Subject(getattr(importlib.import_module(module), name)).variants)


def strange_stack(seed, engine):
    rng = random.Random(seed)
    overrides = [
        f"network.hidden=[{','.join(str(rng.choice([1, 2, 3, 5, 9])) for _ in range(rng.choice([1, 2, 2, 3])))}]",
        f"data.samples={rng.randint(5, 40)}",
        f"training.batch_size={rng.choice(['1', '1', '4', '7', '16', 'null'])}",
        f"training.dtype={rng.choice(['float64', 'float64', 'float32'])}",
        f"training.epochs={rng.choice([8, 20])}",
        "training.tolerance=0",
        f"optimizer={rng.choice(['gradient_descent', 'momentum', 'adam'])}",
    ]
    rate = rng.choice([1e-3, 0.03, 1.0, 1e3, 1e9])
    chosen = [group for group in STRANGERS if rng.random() < 0.6] or ["optimizer"]
    base = dataclasses.replace(compose_settings(overrides), **{group: stranger(group, rng) for group in chosen})
    runs = []
    for number in range(rng.choice([1, 1, 2, 9])):
        optimizer = dataclasses.replace(base.optimizer, lr=rate * (1 + number))
        runs.append(prepare(dataclasses.replace(base, seed=seed + number, optimizer=optimizer)))
    return dataclasses.replace(_stack(runs), engine=engine)


def strangers_are_as_with_numpy(seed):
    plain, mine = (train(strange_stack(seed, engine)) for engine in (Engine.NUMPY, Engine.COMPILED))
    assert [everything(one) for one in mine] == [everything(one) for one in plain]
    assert mine[0].fallback == ""
    return any(one.reason is Reason.DIVERGED for one in mine)


@pytest.fixture
def strangers(monkeypatch):
    for folder in ("menagerie", "yesterday"):
        monkeypatch.syspath_prepend(THIRDPARTY / folder / "src")


def test_components_of_strangers(strangers):
    diverged = [strangers_are_as_with_numpy(seed) for seed in range(4)]
    assert True in diverged
    assert False in diverged


@pytest.mark.parametrize("seed", one_in(60, [(seed,) for seed in range(4, 60)], ci=8))
def test_components_of_strangers_with_many_structures(seed, strangers):
    strangers_are_as_with_numpy(seed)


@pytest.mark.parametrize("seed", [0])
def test_random_runs_that_diverge(seed, tables):
    same_as_numpy(seed, "optimizer.lr=1e3")


@pytest.mark.parametrize("batch", ["1", "5"])
@pytest.mark.parametrize("sampling", ["fixed", "replacement", "stream", "label_noise", "curriculum", "mixup"])
def test_samplings(sampling, batch):
    target = ["target=two_moons"] if sampling in ("mixup", "label_noise") else []
    assert both([*SMALL, *target, f"sampling={sampling}", f"training.batch_size={batch}"], 3) == ""


@dataclass(frozen=True)
class SortedAtFirst(Sampling):
    """In order for some epochs, and then at random."""

    def epoch(self, rng, x, y, epoch, epochs):
        return np.arange(len(x)) if epoch < 2 else rng.permutation(len(x))


@dataclass(frozen=True)
class EveryOther(Sampling):
    """At random, but for epochs with an even number, which begin with the largest outputs."""

    def epoch(self, rng, x, y, epoch, epochs):
        order = rng.permutation(x.shape[0])
        return order if epoch in (1, 3, 5) else order[np.argsort(-y[order, 0])]


@dataclass(frozen=True)
class SortedIfPositive(Sampling):
    """At random for runs whose first input is negative, else in order."""

    def epoch(self, rng, x, y, epoch, epochs):
        return rng.permutation(len(x)) if x[0, 0] < 0 else np.arange(len(x))


@dataclass(frozen=True)
class SortedWhereThereAreLabels(Sampling):
    """At random, unless outputs can be sorted: what it asks may fail, or be answered by another class."""

    asks: str = "the class"

    def epoch(self, rng, x, y, epoch, epochs):
        if self.asks == "the class":
            return np.argsort(y[:, 0]) if isinstance(y, np.ndarray) and len(y) else rng.permutation(len(x))
        order = rng.permutation(len(x))
        with suppress(TypeError, IndexError):
            order = order[np.argsort(y[order, 0], kind="stable")]
        return order


OFTEN_RANDOM = [
    SortedAtFirst(),
    EveryOther(),
    SortedIfPositive(),
    SortedWhereThereAreLabels(),
    SortedWhereThereAreLabels("for an exception"),
]


@pytest.mark.parametrize("sampling", OFTEN_RANDOM)
def test_orders_that_are_random_for_some_runs_and_epochs_only(sampling):
    assert both([*SMALL, "training.epochs=5"], 4, sampling=sampling) == ""


def test_epochs_that_are_drawn_together_are_those_drawn_one_by_one():
    stack = stack_of([*SMALL, "training.epochs=40", "data.samples=8", "training.measure_every=20"], 2, Engine.COMPILED)
    at_once = train(stack)
    stack = stack_of([*SMALL, "training.epochs=40", "data.samples=8", "training.measure_every=20"], 2, Engine.COMPILED)
    moments = []
    parted = train(stack, moment=moments.append)
    assert len(moments) > 2
    assert [everything(one) for one in parted] == [everything(one) for one in at_once]


# Components that trace wrongly: what they compute depends on something else than their arguments.

CALLS = [0]


@dataclass(frozen=True)
class Counting(Optimizer):
    """Steps that shrink with the number of calls, which is no argument."""

    lr: Annotated[float, doc("rate")] = 0.1

    def update(self, theta, grad, state, step):
        CALLS[0] += 1
        theta -= self.lr / CALLS[0] * grad


@dataclass(frozen=True)
class Remembering(Activation):
    """A slope that a global array has, which changes."""

    def forward(self, z):
        SCALE[:] = SCALE + 0.25
        return SCALE * z

    def slope(self, z, a):
        return np.ones_like(z) * SCALE


SCALE = np.ones((1, 1, 1))


@dataclass(frozen=True)
class Looking(Activation):
    """A formula that looks at values: another one for runs whose numbers are all small."""

    def forward(self, z):
        return np.tanh(z) if np.abs(z).max() < 3 else z

    def slope(self, z, a):
        return np.ones_like(z)


@dataclass(frozen=True)
class CountingRarely(Counting):
    """The same in every 20th step, and a constant rate in the others."""

    def update(self, theta, grad, state, step):
        if step % 20 == 0:
            super().update(theta, grad, state, step)
        else:
            theta -= self.lr * grad


def test_what_a_component_does_rarely_is_compared_too():
    CALLS[0] = 0
    mine = train(stack_of(SMALL, 1, Engine.COMPILED, optimizer=CountingRarely()))
    assert mine[0].engine is Engine.NUMPY
    assert mine[0].fallback.startswith("Machine code gave other numbers than NumPy in step 20 or soon after")


@dataclass(frozen=True)
class Anchored(Optimizer):
    """Pulled to what it takes for the parameters of some steps ago, but is the array that changes."""

    lr: Annotated[float, doc("rate")] = 0.1
    where: str = "theta"

    def init(self, theta):
        return {"anchor": theta.copy(), "other": theta.copy()}

    def update(self, theta, grad, state, step):
        if step % 20 == 0:
            state["anchor"] = {"theta": theta, "grad": grad[:, ::-1], "other": state["other"]}[self.where]
        state["other"] *= 0.9
        theta -= self.lr * (grad + 0.1 * (theta - state["anchor"]))


@pytest.mark.parametrize("where", ["theta", "grad", "other"])
def test_a_component_that_keeps_an_array_which_changes_is_left_to_numpy(where):
    assert "keeps an array that is changed elsewhere" in both(SMALL, 2, optimizer=Anchored(where=where))


@pytest.mark.parametrize("changed", [{"optimizer": Counting()}, {"activation": Remembering()}])
def test_a_component_that_depends_on_more_than_its_arguments_is_found_by_the_comparison(changed):
    CALLS[0], SCALE[:] = 0, 1
    mine = train(stack_of(SMALL, 1, Engine.COMPILED, **changed))
    assert mine[0].engine is Engine.NUMPY
    assert mine[0].fallback.startswith("Machine code gave other numbers than NumPy in step 1 or soon after")


def test_a_component_that_looks_at_values_is_told_with_its_line():
    reason = both(SMALL, 1, activation=Looking())
    assert "it looks at a number that only training gives" in reason or "adds up over several axes" in reason
    assert "test_compiling.py, line " in reason
    assert "return np.tanh(z) if np.abs(z).max() < 3 else z" in reason


def test_machine_code_pays_for_many_steps():
    assert [pays(engine, 100, 15) for engine in Engine] == [False, False, True]
    assert [pays(engine, 1000, 15) for engine in Engine] == [True, False, True]
    assert [pays(engine, 1000, 500) for engine in Engine] == [False, False, True]
    assert [pays(engine, 200 * 205, 500) for engine in Engine] == [True, False, True]


def test_records_say_what_has_trained():
    run = chainrule.run(*SMALL, "training.engine=compiled", "tracking=none", directory="mine")
    assert run.record.manifest["engine"] == {"name": "compiled"}
    other = chainrule.run(*SMALL, "training.engine=numpy", "tracking=none", directory="plain")
    assert other.record.manifest["engine"] == {"name": "numpy"}
    assert other.record.manifest.identity == run.record.manifest.identity
    assert other.theta.tobytes() == run.theta.tobytes()
    drops = chainrule.run(*SMALL, "network.dropout=0.5", "training.engine=compiled", "tracking=none", directory="drops")
    assert drops.record.manifest["engine"]["name"] == "numpy"
    assert "draws random numbers" in drops.record.manifest["engine"]["fallback"]

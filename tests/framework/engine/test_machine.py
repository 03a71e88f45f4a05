"""What rules may ask for, and that they learn in training only: once a step, whatever is measured or evaluated."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest

import chainrule
from chainrule.components.arguments import asked
from chainrule.components.contracts import Optimizer, Rule
from chainrule.components.random import Random
from chainrule.config.compose import compose_settings
from chainrule.engine.machine import Machine
from chainrule.engine.network import product
from chainrule.errors import PluginError
from chainrule.records.manifest import MANIFEST
from chainrule.registry.loaded import installed
from chainrule.runs.execute import _stack, train_stack
from chainrule.runs.prepare import prepare
from sizes import one_in
from sweeping import command, contents

RULES = [(name, installed().find("rule", name)) for name in installed().names("rule")]
METHODS = ("error", "gradient", "gradients", "adapt")


def unusual(cls):
    """Whether a rule learns, draws, or asks for anything but a buffer."""
    asks = {name for method in METHODS for name in asked(cls, method)} - {"out"}
    return bool(asks) or cls.adapt is not Rule.adapt or cls.gradients is not Rule.gradients


UNUSUAL = [name for name, cls in RULES if unusual(cls)]
every_unusual = pytest.mark.parametrize("rule", UNUSUAL)
LEAVING = {1: 2, 2: 3}  # runs, and after which epoch
SEEN = []


def settings_of(rule, *overrides, count=4, optimizer=None):
    """Settings that differ in seed, rate, and a float field of the rule."""
    rule = chainrule.component("rule", rule) if isinstance(rule, str) else rule
    base = compose_settings(
        ["training.epochs=4", "data.samples=40", "network.hidden=[4,3,5]", "activation=tanh", *overrides]
    )
    base = base if optimizer is None else dataclasses.replace(base, optimizer=optimizer)
    for seed in range(count):
        factor = 1 - seed / 8
        floats = {
            field.name: getattr(rule, field.name) * factor
            for field in dataclasses.fields(rule)
            if isinstance(getattr(rule, field.name), float)
        }
        yield dataclasses.replace(
            base,
            seed=seed,
            rule=dataclasses.replace(rule, **floats),
            optimizer=dataclasses.replace(base.optimizer, lr=base.optimizer.lr * factor),
        )


def runs(*arguments, **options):
    return [prepare(one) for one in settings_of(*arguments, **options)]


def left_at(epochs):
    """Let runs leave after so many epochs."""
    return lambda epoch, active, losses: np.array([epochs.get(int(run)) == epoch for run in active])


def everything(result):
    curves = [values.tobytes() for values in result.curves.values.values()]
    return [result.theta.tobytes(), *curves, result.reason, result.epochs, result.evaluations]


def test_some_rules_are_tried_here():
    assert len(UNUSUAL) >= 7
    assert "exact" not in UNUSUAL


@pytest.mark.parametrize("batch_size", one_in(3, ["13", "null", "1"]))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_unusual
def test_a_run_in_a_stack_that_others_leave_has_the_bytes_of_the_run_alone(rule, dtype, batch_size):
    overrides = f"training.batch_size={batch_size}", f"training.dtype={dtype}"
    together = train_stack(runs(rule, *overrides), prune=left_at(LEAVING))
    for number, alone in enumerate(runs(rule, *overrides)):
        (result,) = train_stack([alone], prune=left_at({0: LEAVING.get(number)}))
        assert everything(result) == everything(together[number])


@every_unusual
def test_another_process_trains_to_the_same_bytes(rule):
    (there,) = joblib.Parallel(n_jobs=2)([joblib.delayed(train_stack)(runs(rule, count=2))])
    here = train_stack(runs(rule, count=2))
    assert [everything(result) for result in there] == [everything(result) for result in here]


def test_a_resumed_sweep_has_the_bytes_of_an_uninterrupted_one():
    arguments = ["-m", f"rule={','.join(UNUSUAL)}", "seed=0,1", "training.epochs=3", "training.batch_size=16"]
    command(*arguments, "tracking=none", "hydra.sweep.dir=sweep", "hydra.launcher.workers=1")
    found = contents("sweep")
    for number in range(0, 2 * len(UNUSUAL), 2):  # one of the two of each stack
        (Path("sweep") / str(number) / MANIFEST).unlink()
    command("resume", "sweep")
    assert contents("sweep") == found


@pytest.mark.parametrize("batch_size", ["null", "13"])
@every_unusual
def test_how_often_is_measured_changes_nothing(rule, batch_size):
    """Neither random numbers nor what the rule has learned."""
    one, other = (
        train_stack(runs(rule, f"training.batch_size={batch_size}", f"training.measure_every={every}"))
        for every in (1, 4)
    )
    for often, seldom in zip(one, other, strict=True):
        assert often.theta.tobytes() == seldom.theta.tobytes()


@every_unusual
def test_a_training_leaves_the_prepared_run_as_it_was(rule):
    prepared = runs(rule, count=2)
    before = [{name: array.copy() for name, array in run.rule_state.items()} for run in prepared]
    train_stack(prepared)
    for run, state in zip(prepared, before, strict=True):
        assert all(run.rule_state[name].tobytes() == array.tobytes() for name, array in state.items())


@dataclass(frozen=True)
class Counts(Rule):
    """It counts its steps in its state, and keeps what it is given."""

    def init(self, rng, widths):
        return {"count": np.zeros(1)}

    def error(self, layer, weights, deltas, state):
        SEEN.append(("error", float(state["count"][0, 0])))
        return product(weights[layer + 1].mT, deltas[layer + 1])

    def adapt(self, weights, deltas, inputs, state, step, *, network, lr, rng):
        assert lr.shape == (1, 1, 1)
        assert lr.item() > 0
        assert network.inputs is inputs
        assert network.weights is weights
        assert isinstance(rng, Random)
        state["count"] += 1
        SEEN.append(("adapt", step, [array.copy() for array in (*weights[1:], *deltas[1:], *inputs[1:])]))


@dataclass(frozen=True)
class Twice(Optimizer):
    """It evaluates again, elsewhere."""

    lr: float = 0.01

    def update(self, theta, grad, state, step, *, problem):
        theta += 1
        problem.gradient()
        theta -= 1
        problem.loss()
        theta -= self.lr * problem.gradient()


@pytest.mark.parametrize("optimizer", [None, Twice()], ids=["usual", "evaluates"])
@pytest.mark.parametrize(("batch_size", "batches"), [("null", 1), ("13", 3)])
def test_a_rule_adapts_once_a_step(batch_size, batches, optimizer):
    SEEN.clear()
    overrides = f"training.batch_size={batch_size}", "training.measure_every=1", "training.epochs=3"
    train_stack(runs(Counts(), *overrides, count=1, optimizer=optimizer))
    steps = [entry[1] for entry in SEEN if entry[0] == "adapt"]
    assert steps == list(range(1, 3 * batches + 1))
    counts = [entry[1] for entry in SEEN if entry[0] == "error"]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == len(steps)


@pytest.mark.parametrize("batch_size", ["null", "40", "13"])
def test_what_adapts_is_given_the_step_s_own_pass(batch_size):
    """The weights have not moved yet, and deltas and inputs are those of their gradient."""
    SEEN.clear()
    overrides = f"training.batch_size={batch_size}", "training.epochs=2", "data.validation=0"
    (run,) = runs(Counts(), *overrides, count=1, optimizer=chainrule.component("optimizer", "gradient_descent"))
    (result,) = train_stack([run])
    theta = run.theta
    for entry in SEEN:
        if entry[0] == "adapt":
            _, _, arrays = entry
            weights, deltas, inputs = arrays[:4], arrays[4:8], arrays[8:]
            for W, own in zip(weights, run.shape.weights(theta[None])[1:], strict=True):
                np.testing.assert_allclose(W, own, rtol=1e-12, atol=1e-14)
            samples = deltas[0].shape[-1]
            blocks = [d[0] @ i[0].T / samples for d, i in zip(deltas, inputs, strict=True)]
            theta = theta - run.settings.optimizer.lr * np.concatenate([block.ravel() for block in blocks])
    np.testing.assert_allclose(result.theta, theta, rtol=1e-10)


@dataclass(frozen=True)
class Looks(Rule):
    """It computes the exact gradients from all that it may ask for, and compares."""

    def error(self, layer, weights, deltas, state, out=None, *, y_true, inputs, z):
        a = np.tanh(z[layer])
        np.testing.assert_array_equal(a, inputs[layer + 1][:, 1:])
        assert all((array[:, 0] == 1).all() for array in inputs[1:])
        np.testing.assert_allclose(deltas[-1], z[-1] - y_true, rtol=1e-12, atol=1e-13)
        first = weights[1] @ inputs[1][:, 1:]
        assert np.ptp(z[1] - first, axis=-1).max() < 1e-12, "only the bias is missing"
        return product(weights[layer + 1].mT, deltas[layer + 1], out)

    def init(self, rng, widths):
        return {"half": np.full((1, 1), 0.5)}

    def gradient(self, layer, delta, inputs, *, state):
        return product(delta, inputs.mT) * (2 * state["half"])


@dataclass(frozen=True)
class Reads(Rule):
    """It computes the exact gradients from the network."""

    def gradients(self, network, deltas, y_true, state):
        last = len(network.weights) - 1
        delta = network.output_delta(network.z[last])
        np.testing.assert_allclose(delta, deltas[last], rtol=1e-12, atol=1e-14)
        moved = network.z[last] + 1e-3
        expected = network.activations[last].forward(moved) - y_true
        np.testing.assert_allclose(network.output_delta(moved), expected, rtol=1e-12, atol=1e-13)
        blocks = []
        for layer in range(last, 0, -1):
            a = network.activations[layer].forward(network.z[layer])
            np.testing.assert_array_equal(a, network.a[layer])
            z = network.weights[layer] @ network.inputs[layer][:, 1:] + network.biases[layer]
            np.testing.assert_allclose(z, network.z[layer], rtol=1e-11, atol=1e-12)
            blocks.append(product(delta, network.inputs[layer].mT))
            if layer > 1:
                below = network.z[layer - 1], network.a[layer - 1]
                delta = network.activations[layer - 1].backward(product(network.weights[layer].mT, delta), *below)
        for name in ("z", "a", "inputs", "weights", "biases"):
            assert getattr(network, name)[0].size == 0
            assert len(getattr(network, name)) == last + 1
        return blocks[::-1]


@pytest.mark.parametrize("rule", [Looks(), Reads()], ids=lambda rule: rule.name)
@pytest.mark.parametrize("batch_size", ["null", "1", "13"])
def test_what_a_rule_may_ask_for_is_that_of_the_batch(rule, batch_size):
    overrides = [f"training.batch_size={batch_size}", "training.epochs=2"]
    found, exact = (train_stack(runs(each, *overrides, count=2)) for each in (rule, "exact"))
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one.theta, other.theta, rtol=1e-9, atol=1e-12)
        for name, values in one.curves.values.items():
            np.testing.assert_allclose(values, other.curves.values[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "choice",
    [
        ["output=sigmoid", "loss=binary_cross_entropy", "target=two_moons"],
        ["output=softmax", "loss=categorical_cross_entropy", "target=wine"],
    ],
)
def test_the_delta_of_a_stable_pair_is_that_of_the_output(choice):
    overrides = [*choice, "training.batch_size=13", "training.epochs=1"]
    found, exact = (train_stack(runs(each, *overrides, count=2)) for each in (Reads(), "exact"))
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_allclose(one.theta, other.theta, rtol=1e-9, atol=1e-12)


@dataclass(frozen=True)
class Draws(Reads):
    """Exact gradients, with noise in training."""

    def gradients(self, network, deltas, y_true, state, *, rng):
        SEEN.append(rng)
        blocks = super().gradients(network, deltas, y_true, state)
        if rng is None:
            return blocks
        return [block + 1e-3 * rng.normal(*block.shape[1:]) for block in blocks]


@pytest.mark.parametrize(("batch_size", "batches"), [("null", 1), ("13", 3)])
def test_random_gradients_are_drawn_in_training_and_not_measured(batch_size, batches):
    SEEN.clear()
    overrides = [f"training.batch_size={batch_size}", "training.epochs=3", "training.measure_every=1"]
    (result,) = train_stack(runs(Draws(), *overrides, count=1))
    assert sum(rng is None for rng in SEEN) == 4  # points of the curves
    assert sum(isinstance(rng, Random) for rng in SEEN) == 3 * batches == result.evaluations[0]


@dataclass(frozen=True)
class Searches(Optimizer):
    """It asks for gradients as long as a run has not had enough: as often as its rate says."""

    lr: float = 0.01

    def update(self, theta, grad, state, step, *, problem):
        wanted = self.lr * 0 + np.round(self.lr * 400)
        for turn in range(1, 9):
            more = turn <= wanted
            if not more.any():
                break
            problem.gradient(more)
        theta -= self.lr * grad


@pytest.mark.parametrize("batch_size", ["null", "13"])
def test_a_run_that_needs_no_more_random_gradients_draws_none(batch_size):
    overrides = [f"training.batch_size={batch_size}"]
    together = train_stack(runs(Draws(), *overrides, optimizer=Searches()))
    assert len({result.evaluations[0] / result.epochs for result in together}) > 1
    for number, alone in enumerate(runs(Draws(), *overrides, optimizer=Searches())):
        assert everything(train_stack([alone])[0]) == everything(together[number])


def test_gradients_of_another_number_or_shape_are_refused():
    @dataclass(frozen=True)
    class TooFew(Reads):
        def gradients(self, network, deltas, y_true, state):
            return super().gradients(network, deltas, y_true, state)[1:]

    @dataclass(frozen=True)
    class Transposed(Reads):
        def gradients(self, network, deltas, y_true, state):
            return [block.mT for block in super().gradients(network, deltas, y_true, state)]

    with pytest.raises(PluginError, match=r"TooFew.gradients returned 3 arrays for 4 layers\."):
        train_stack(runs(TooFew(), count=1))
    with pytest.raises(PluginError, match=r"Transposed.gradients returned an array of shape \(1, 3, 4\), not "):
        train_stack(runs(Transposed(), count=1))


@dataclass(frozen=True)
class Pure(Optimizer):
    """Returns the new parameters, as other libraries do, and leaves the old ones as they were."""

    lr: float = 0.1

    def update(self, theta, grad, state, step):
        return theta - self.lr * grad


@dataclass(frozen=True)
class PureRule(Counts):
    """Returns its new state."""

    def adapt(self, weights, deltas, inputs, state, step):
        return {"count": state["count"] + 1}


@pytest.mark.parametrize("batch_size", ["4", "null"])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("further", [[], ["transforms=clip"], ["rule=feedback_alignment"], ["schedule=cosine"]])
def test_what_an_optimizer_returns_is_refused(engine, batch_size, further):
    base = chainrule.settings(*further, f"training.batch_size={batch_size}", f"training.engine={engine}")
    with pytest.raises(PluginError, match=r"^Pure.update returns something, which nobody reads; change theta in place"):
        train_stack([prepare(dataclasses.replace(base, optimizer=Pure()))])


def test_what_a_rule_returns_when_it_adapts_is_refused():
    with pytest.raises(PluginError, match=r"^PureRule.adapt returns something, .* change the arrays of state in place"):
        train_stack(runs(PureRule(), count=1))


def test_a_rule_that_asks_for_nothing_is_planned_once_for_all_batches():
    """So it costs nothing that others may ask: no call in between, and the same plan for each batch."""
    machine = Machine(_stack(runs("exact", "training.batch_size=1", count=1)), None)
    plans = {id(batch.hidden_layers) for part in machine._parts for _, _, batch in part}
    assert len(plans) == 1
    assert {update.__func__ for part in machine._parts for update, _, _ in part} == {type(machine._optimizer).update}

"""What lies before the activation of hidden layers, and what it keeps while it is trained."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import Optimizer
from chainrule.components.random import Random
from chainrule.components.stacking import stack
from chainrule.engine.backprop import Backprop, Truth, mean_loss
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Pass, Shape
from sizes import one_in
from stacks import everything

SHORT = ["network.hidden=[4,3]", "activation=tanh", "data.samples=26", "training.epochs=5", "training.measure_every=1",
         "training.batch_size=8"]  # fmt: skip


@dataclass(frozen=True)
class Halving(Optimizer):
    """Halves a run's step until its loss falls: runs need different numbers of evaluations."""

    def update(self, theta, grad, state, step, *, problem):
        start, direction, size = theta.copy(), grad.copy(), np.ones((len(theta), 1))
        before, search = problem.loss(), np.full((len(theta), 1), True)
        for _ in range(5):
            np.copyto(theta, start - size * direction, where=search)
            search = search & ~(problem.loss(search) < before)
            if not search.any():
                break
            size = np.where(search, size / 2, size)
        theta -= 0.01 * grad


def passed(theta, norm, training, dropout=None):
    parts = {name: chainrule.component("activation", name) for name in ("tanh", "identity", norm)}
    shape = Shape.of((2, 4, 3, 1), parts["tanh"], parts["identity"], parts[norm])
    own = {name: stack([one], float) for name, one in parts.items()}
    loss, rule = (stack([chainrule.component(kind, name)], float) for kind, name in
                  (("loss", "half_squared_error"), ("rule", "exact")))  # fmt: skip
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1, 3, 9)), rng.normal(size=(1, 1, 9))
    x[:, 0] = 1
    if theta is None:
        return shape
    random = Random([np.random.default_rng(3)], float) if training else None
    forward = Pass(shape, theta[None], own["tanh"], own["identity"], 9, random, norm=own[norm], dropout=dropout)
    backprop = Backprop(forward, loss, rule, {}, np.empty((1, shape.size)))
    return backprop, backprop.batch(x, y)


@pytest.mark.parametrize("dropout", [None, 0.3])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", ["layer_norm", "batch_norm", "snake", "softmax"])
def test_the_gradient_of_every_parameter_equals_central_differences_of_the_whole_loss(norm, training, dropout):
    rates = None if dropout is None else np.array([dropout])
    theta = 0.5 + np.random.default_rng(0).normal(size=passed(None, norm, training).size)
    backprop, batch = passed(theta, norm, training, rates)
    actual = backprop(batch)[0].copy()

    def loss(point):
        one, same = passed(point, norm, training, rates)
        one.forward.forward(same.first)
        return float(mean_loss(one.forward, one.loss, Truth(same.truth.y, None))[0])

    expected = central_differences(loss, theta)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("optimizer", one_in(3, [(None,), (Halving(),), (chainrule.component("optimizer", "sam"),)]))
@pytest.mark.parametrize(
    "norm", one_in(3, ["layer_norm", "batch_norm", "[identity,batch_norm]", "[layer_norm,batch_norm]"], ci=2)
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [8, "null"])
def test_a_run_has_the_same_bytes_in_a_stack_that_others_leave_and_alone(batch_size, dtype, norm, optimizer):
    base = chainrule.settings(*SHORT, f"norm={norm}", f"training.dtype={dtype}", f"training.batch_size={batch_size}")
    if optimizer:
        base = dataclasses.replace(base, optimizer=optimizer)
    leaving = {1: 1, 2: 3}
    together = chainrule.train(
        [dataclasses.replace(base, seed=seed) for seed in range(5)],
        stop=lambda epoch, runs, _: np.array([leaving.get(r) == epoch for r in runs], bool),
    )
    for number in (0, 3, 4):
        (alone,) = chainrule.train([dataclasses.replace(base, seed=number)])
        assert together[number].theta.tobytes() == alone.theta.tobytes()
        for name, values in alone.named_states.items():
            assert together[number].named_states[name].tobytes() == values.tobytes(), name
        for name, values in alone.curves.values.items():
            assert together[number].curves.values[name].tobytes() == values.tobytes(), name


def test_batch_norm_measures_and_predicts_with_running_averages(tmp_path):
    overrides = [*SHORT, "norm=batch_norm", "data.validation=0", "tracking=none"]
    result = chainrule.run(*overrides, directory=tmp_path)
    x, y = result.samples.raw(result.samples.train)
    saved = chainrule.load(tmp_path).record.weights()
    a, kept = x, result.named_states
    for layer, (W, b) in enumerate(zip(result.weights, result.biases, strict=True), 1):
        a = W @ a + b[:, None]
        if layer < 3:
            mean, variance, gain, shift = (
                saved[f"norm.{layer}.{name}"] for name in ("mean", "variance", "gain", "shift")
            )
            np.testing.assert_array_equal(mean, kept[f"norm.{layer}.mean"])
            assert not np.array_equal(mean, np.zeros(len(mean)))
            n = (a - mean[:, None]) / np.sqrt(variance[:, None] + 1e-5)
            a = np.tanh(gain[:, None] * n + shift[:, None])
    np.testing.assert_allclose(result.predict(x), a, rtol=1e-10)
    assert np.square(a - y).mean() / 2 == pytest.approx(result.curves.values["train/loss"][-1])
    np.testing.assert_allclose(result.predict(x[:, 0]), a[:, 0], rtol=1e-10)


def test_statistics_change_in_training_only():
    (still,) = chainrule.train([[*SHORT, "norm=batch_norm", "training.epochs=0"]])
    np.testing.assert_array_equal(still.named_states["norm.1.variance"], np.ones(4))


def test_identity_is_left_out():
    plain, named = chainrule.train([SHORT, [*SHORT, "norm=identity"]])
    assert plain.theta.tobytes() == named.theta.tobytes()
    assert not plain.trained
    listed, whole = chainrule.train([[*SHORT, "norm=[layer_norm,layer_norm]"], [*SHORT, "norm=layer_norm"]])
    assert listed.theta.tobytes() == whole.theta.tobytes()


def test_a_record_of_before_has_no_norm(tmp_path):
    chainrule.run(*SHORT, "tracking=none", directory=tmp_path)
    record = chainrule.load(tmp_path).record
    del record.manifest.configuration["norm"]
    assert chainrule.settings_of(record).norm.is_identity


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["norm=batch_norm"], "norm=batch_norm needs at least 2 samples in a step, but training.batch_size is 1."),
        (
            ["norm=layer_norm", "network.hidden=[1]"],
            "norm=layer_norm needs at least 2 units in a layer, but network.hidden[0]",
        ),
        (["norm=[layer_norm]", "norm.gian=1"], "norm.gian is not a key of the configuration (did you mean 'gain'?)"),
        (["norm=[layer_norm,identity,identity]"], "norm=[layer_norm,identity,identity] has 3 activations, but "),
    ],
)
def test_what_does_not_fit_gets_one_sentence(overrides, sentence):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        chainrule.prepare(chainrule.settings(*overrides))
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    "more",
    [
        ["transforms=[ema,clip_layer]", "sampling=mixup", "training.restore_best=true"],
        ["transforms=[noise,l2]", "optimizer=lbfgs", "optimizer.lr=0.5"],
        ["rule=predictive_coding", "optimizer=adam", "training.batch_size=null"],
        ["rule=forward_gradient", "optimizer=sam", "training.dtype=float32"],
        ["rule=difference_target_propagation", "sampling=replacement", "training.restore_best=true"],
        ["rule=direct_random_targets", "optimizer=shampoo"],
    ],
)
def test_a_run_with_all_of_it_has_the_bytes_in_a_stack_that_it_has_alone(more):
    overrides = ["activation=[prelu,swish]", "norm=batch_norm", "network.dropout=0.2", "data.test=0.1", *more]
    base = chainrule.settings(*SHORT, *overrides)
    leaving = {1: 1, 2: 3}

    def run(seed):
        return dataclasses.replace(base, seed=seed)

    together = chainrule.train(
        map(run, range(4)), stop=lambda epoch, runs, _: np.array([leaving.get(r) == epoch for r in runs], bool)
    )
    for number in (0, 3):
        (alone,) = chainrule.train([run(number)])
        assert everything(together[number]) == everything(alone)
        assert together[number].evaluations == alone.evaluations
        assert together[number].test_loss == alone.test_loss


def test_the_best_epoch_has_its_running_averages():
    overrides = [*SHORT, "norm=batch_norm", "optimizer.lr=0.5", "training.epochs=12"]
    for seed in range(20):
        (best,) = chainrule.train([[*overrides, "training.restore_best=true", f"seed={seed}"]])
        if 0 < best.best_epoch < 12:
            break
    (last,) = chainrule.train([[*overrides, f"training.epochs={best.best_epoch}", f"seed={seed}"]])
    assert best.theta.tobytes() == last.theta.tobytes()
    assert [a.tobytes() for a in best.named_states.values()] == [a.tobytes() for a in last.named_states.values()]
    x, y = best.samples.raw(best.samples.validation)
    assert np.square(best.predict(x) - y).mean() / 2 == pytest.approx(best.metrics["validation/loss"])


def test_derivatives_of_predictions_have_those_of_trained_fields():
    run = chainrule.prepare(chainrule.settings(*SHORT, "activation=[prelu,snake]", "norm=layer_norm", "output=swish"))
    theta = run.theta + 0.1 * np.random.default_rng(0).normal(size=run.theta.shape)
    chosen = run.settings
    hidden, output, norm, loss, rule = (
        stack([each], float) for each in (chosen.activation, chosen.output, chosen.norm, chosen.loss, chosen.rule)
    )
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1, 3, 5)), rng.normal(size=(1, 1, 5))
    x[:, 0] = 1

    def passed(point):
        forward = Pass(run.shape, point[None], hidden, output, 5, norm=norm)
        backprop = Backprop(forward, loss, rule, {}, np.empty((1, run.shape.size)))
        batch = backprop.batch(x, y)
        backprop(batch)
        return backprop, batch

    backprop, batch = passed(theta)
    gradient = backprop.grad.copy()
    jacobian = backprop.jacobian(batch, 0)[0]
    assert backprop.grad.tobytes() == gradient.tobytes(), "the gradient is left alone"
    for sample in range(5):
        expected = central_differences(lambda point, s=sample: float(passed(point)[0].forward.a[-1][0, 0, s]), theta)
        np.testing.assert_allclose(jacobian[sample], expected, rtol=1e-6, atol=1e-8)


def test_derivatives_of_samples_that_are_mixed_are_refused():
    with pytest.raises(chainrule.ConfigurationError, match=r"but norm=batch_norm mixes samples: choose another"):
        chainrule.train([[*SHORT, "norm=batch_norm", "optimizer=levenberg_marquardt"]])


@pytest.mark.parametrize("norm", ["identity", "layer_norm", "batch_norm"])
def test_a_rule_s_gradients_are_exact_where_they_should_be(norm):
    """Fixed predictions that settle at once are the exact deltas, and trained fields follow from them."""
    words = [*SHORT, "activation=[prelu,snake]", f"norm={norm}"]
    run = chainrule.prepare(chainrule.settings(*words))
    rule = chainrule.component("rule", "predictive_coding", rate=1.0, steps=4, fixed=True)
    theta = run.theta + 0.1 * np.random.default_rng(0).normal(size=run.theta.shape)
    np.testing.assert_allclose(
        chainrule.gradient(run, theta, rule), chainrule.gradient(run, theta), rtol=1e-9, atol=1e-12
    )

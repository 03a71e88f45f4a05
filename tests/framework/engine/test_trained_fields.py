"""Fields of activations that are learned: in the gradient, in the flat vector, in stacks."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.network import Shape, TrainedField
from chainrule.registry.loaded import installed

SHORT = ["network.hidden=[3,2]", "data.samples=20", "training.epochs=4", "training.measure_every=1"]
LEARNED = [
    name
    for name in installed().names("activation")
    if (cls := installed().find("activation", name)).trained + cls.trained_per_unit
    and cls.min_units == cls.min_samples == 1  # the others are checked in test_layers.py
]


def mean_loss(run, theta):
    """The mean training loss, by the prediction of a result rather than by the pass that is differentiated."""
    settings = dataclasses.replace(run.settings, training=dataclasses.replace(run.settings.training, epochs=0))
    (result,) = chainrule.train([dataclasses.replace(run, settings=settings, theta=theta)])
    return result.metrics["train/loss"]


@pytest.mark.parametrize("place", ["activation", "output"])
@pytest.mark.parametrize("activation", LEARNED)
def test_the_gradient_of_every_parameter_equals_central_differences_of_the_whole_loss(activation, place):
    run = chainrule.prepare(chainrule.settings(*SHORT, f"{place}={activation}"))
    rng = np.random.default_rng(0)
    theta = run.theta + 0.3 * rng.normal(size=run.theta.shape)
    expected = central_differences(lambda point: mean_loss(run, point), theta)
    assert run.shape.trained
    assert np.abs(expected[-1]) > 1e-6
    np.testing.assert_allclose(chainrule.gradient(run, theta), expected, rtol=1e-6, atol=1e-8)


def test_trained_fields_lie_behind_all_weights_and_start_where_they_are_configured():
    run = chainrule.prepare(
        chainrule.settings(*SHORT, "activation=prelu", "activation.negative_slope=0.1", "output=swish")
    )
    fields = (
        TrainedField(1, "activation", "negative_slope", 3),
        TrainedField(2, "activation", "negative_slope", 2),
        TrainedField(3, "output", "beta", 1),
    )
    assert run.shape == Shape((2, 3, 2, 1), fields)
    weights_and_biases = Shape((2, 3, 2, 1)).size
    assert run.shape.size == weights_and_biases + 6 == len(run.theta)
    np.testing.assert_array_equal(run.theta[weights_and_biases:], [0.1] * 5 + [1.0])
    flat = np.arange(2.0 * run.shape.size).reshape(2, -1)
    assert run.shape.fields(flat).shape == (2, 6)
    views = run.shape.named_fields(flat)
    assert list(views) == ["activation.1.negative_slope", "activation.2.negative_slope", "output.beta"]
    views["activation.1.negative_slope"][1, 2] = -7
    assert flat[1, weights_and_biases + 2] == -7, "fields are views"
    assert [block.shape for block in run.shape.blocks(flat)] == [b.shape for b in Shape((2, 3, 2, 1)).blocks(flat)]


@pytest.mark.parametrize("optimizer", installed().names("optimizer"))
def test_every_optimizer_trains_them(optimizer):
    settings = chainrule.settings(*SHORT, "activation=swish", f"optimizer={optimizer}")
    if hasattr(settings.optimizer, "weight_decay"):  # which moves everything
        decayless = dataclasses.replace(settings.optimizer, weight_decay=0.0)
        settings = dataclasses.replace(settings, optimizer=decayless)
    run = chainrule.prepare(settings)
    (result,) = chainrule.train([run])
    assert set(result.trained) == {"activation.1.beta", "activation.2.beta"}
    for name, value in result.trained.items():
        assert value != 1.0, name


@pytest.mark.parametrize("activation", LEARNED)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [1, 7, "null"])
def test_a_run_has_the_same_bytes_in_a_stack_that_others_leave_and_alone(activation, dtype, batch_size):
    def prepared():
        names = [*SHORT, f"activation={activation}", f"output={activation}", f"training.batch_size={batch_size}"]
        base = chainrule.settings(*names, f"training.dtype={dtype}", "optimizer=adam")
        return [chainrule.prepare(dataclasses.replace(base, seed=seed)) for seed in range(5)]

    leaving = {1: 1, 2: 3}
    together = chainrule.train(
        prepared(), stop=lambda epoch, runs, _: np.array([leaving.get(r) == epoch for r in runs])
    )
    for number in (0, 3, 4):
        (alone,) = chainrule.train([prepared()[number]])
        assert together[number].theta.tobytes() == alone.theta.tobytes()
        assert together[number].curves.values["train/loss"].tobytes() == alone.curves.values["train/loss"].tobytes()


def test_a_recorded_run_has_them(tmp_path):
    result = chainrule.run(*SHORT, "activation=prelu", "output=swish", "tracking=none", directory=tmp_path)
    weights = chainrule.load(tmp_path).record.weights()
    assert list(weights)[6:9] == ["activation.1.negative_slope", "activation.2.negative_slope", "output.beta"]
    np.testing.assert_array_equal(weights["activation.2.negative_slope"], result.theta[-3:-1])
    assert chainrule.load(tmp_path).record.manifest.network.parameters == len(result.theta)


def test_one_step_has_their_gradients():
    weights, biases = [np.array([[1.0, -2.0]])], [np.array([0.5])]
    x, y = np.array([[1.0, 3.0], [2.0, 0.0]]), np.array([[0.0, 0.0]])
    trace = chainrule.trace_step(weights, biases, x, y, output="prelu")
    # z is -2.5 and 3.5; with the slope 0.25 a is -0.625 and 3.5, and dL/da is a.
    np.testing.assert_allclose(trace.field_gradients["output.negative_slope"], [-0.625 * -2.5 / 2])

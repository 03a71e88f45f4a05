"""Parts that do not fit are refused before anything is trained or written."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule.components.contracts import Initializer
from chainrule.config.compose import compose_settings
from chainrule.runs.prepare import prepare
from chainrule_transforms import EMA, Clip

GIVEN = []


def refused(*overrides):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        prepare(compose_settings(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["output=softmax"], "output=softmax needs at least 2 outputs, but target=linear has 1 output."),
        (
            ["activation=softmax", "network.hidden=[3,1]"],
            "activation=softmax needs at least 2 units in a layer, but network.hidden[1] is 1.",
        ),
        (
            ["loss=categorical_cross_entropy"],
            "loss=categorical_cross_entropy needs at least 2 outputs, but target=linear has 1 output.",
        ),
        (
            ["loss=binary_cross_entropy"],
            "loss=binary_cross_entropy needs predictions in [0, 1], but output=identity gives values in [-inf, inf]; "
            "output=sigmoid fits.",
        ),
        (
            ["rule=as_printed", "network.hidden=[3]"],
            "rule=as_printed is defined for the 2-2-2-1 network only, but this one is 2-3-1.",
        ),
        (
            ["optimizer=rprop", "transforms=[clip,decoupled_decay]"],
            "transforms=[decoupled_decay] needs a learning rate, but optimizer=rprop has none.",
        ),
        (
            ["optimizer=rprop", "schedule=cosine"],
            "optimizer=rprop has no learning rate that schedule=cosine could change.",
        ),
        (["data.samples=2", "data.validation=0.99"], "data.validation=0.99 of 2 samples leaves none to train on; "),
    ],
)
def test_parts_that_do_not_fit(overrides, sentence):
    assert refused(*overrides).startswith(sentence)


def test_a_log_loss_on_values_outside_its_range():
    message = refused("loss=binary_cross_entropy", "output=sigmoid")
    assert message.startswith(
        "loss=binary_cross_entropy needs true values in [0, 1], but target=linear has values from 5."
    )


def test_a_target_that_the_output_cannot_reach_is_noted_before_training():
    (note,) = prepare(compose_settings(["output=sigmoid"])).notes
    assert note.startswith("target=linear has values from 5.")
    assert "which output=sigmoid cannot reach: its values lie in [0, 1]" in note
    assert prepare(compose_settings(["output=relu"])).notes == ()


def test_no_hidden_layer_is_legal():
    assert chainrule.run("network.hidden=[]", "training.epochs=2").shape.widths == (2, 1)


def test_streams_are_independent_of_one_another():
    """The start does not depend on how many samples there are, nor the data on the network."""
    first, other = prepare(compose_settings([])), prepare(compose_settings(["data.samples=9", "optimizer=adam"]))
    assert first.theta.tobytes() == other.theta.tobytes()
    wide = prepare(compose_settings(["network.hidden=[5]"]))
    assert wide.samples.train.tobytes() == first.samples.train.tobytes()


def test_a_transform_is_in_a_list_once():
    settings = dataclasses.replace(compose_settings([]), transforms=(Clip(), EMA(), Clip(limit=3.0)))
    with pytest.raises(chainrule.ConfigurationError, match=r"transforms=\[clip,ema,clip\] has clip twice; once is "):
        prepare(settings)


@dataclass(frozen=True)
class Watching(Initializer):
    """It writes down what it is given."""

    def weights(self, rng, fan_in, fan_out, *, layer, inputs):
        GIVEN.append((layer, inputs.copy()))
        return rng.normal(size=(fan_out, fan_in))

    def biases(self, rng, fan_in, fan_out, *, layer):
        assert layer == GIVEN[-1][0]
        return rng.normal(size=fan_out)


def test_an_initializer_sees_what_reaches_its_layer():
    GIVEN.clear()
    settings = compose_settings(["network.hidden=[4,3]", "activation=tanh", "data.samples=30", "data.validation=0.5"])
    run = prepare(dataclasses.replace(settings, initializer=Watching()))
    weights, biases = run.shape.split(run.theta)
    expected = run.samples.train[1:3]
    assert [layer for layer, _ in GIVEN] == [1, 2, 3]
    for (_, inputs), W, b in zip(GIVEN, weights, biases, strict=True):
        np.testing.assert_allclose(inputs, expected, rtol=1e-12)
        expected = np.tanh(W @ expected + b[:, None])


def test_who_does_not_ask_draws_what_it_drew_before():
    """The default start: layer by layer the weights and then the biases, from the second stream of the seed."""
    run = prepare(compose_settings(["seed=3"]))
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(5)[1])
    drawn = [rng.normal(size=size) for size in ((2, 2), 2, (2, 2), 2, (1, 2), 1)]
    np.testing.assert_array_equal(run.theta, run.shape.flatten(drawn[::2], drawn[1::2]))

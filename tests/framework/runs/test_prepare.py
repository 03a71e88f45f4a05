"""Parts that do not fit are refused before anything is trained or written."""

import pytest

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.runs.prepare import prepare


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
            ["optimizer=rprop", "rule=kolen_pollack"],
            "optimizer=rprop has no learning rate that rule=kolen_pollack could learn with.",
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

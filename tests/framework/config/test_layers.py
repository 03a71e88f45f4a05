"""An activation for each hidden layer, from what is typed to the record."""

import numpy as np
import pytest

import chainrule
from chainrule.config.compose import compose_settings
from chainrule.config.layers import joined
from chainrule.records.settings import flat
from sweeping import PLACE, SHORT, command


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("activation=[tanh,relu]", "activation=tanh+relu"),
        ("activation=[tanh, relu,tanh]", "activation=tanh+relu+tanh"),
        ("activation=[tanh,relu],[relu,relu],elu", "activation=tanh+relu,relu+relu,elu"),
        ("activation=choice([tanh,relu],[relu,relu])", "activation=choice(tanh+relu,relu+relu)"),
        ("activation=[tanh]", "activation=tanh"),
        ("activation=tanh", "activation=tanh"),
        ("activation=[]", "activation=[]"),
        ("network.hidden=[3,4]", "network.hidden=[3,4]"),
        ("activation.1.beta=[3]", "activation.1.beta=[3]"),
    ],
)
def test_a_list_of_activations_is_one_option(typed, read):
    assert joined(typed) == read
    assert joined(read) == read


def test_each_hidden_layer_has_its_own_with_parameters_of_its_own():
    settings = compose_settings(["activation=[elu,relu,elu]", "activation.3.alpha=0.5", "network.hidden=[4,3,2]"])
    assert [type(each).name for each in settings.activation] == ["elu", "relu", "elu"]
    assert (settings.activation[0].alpha, settings.activation[2].alpha) == (1.0, 0.5)
    assert settings.title.startswith("linear, 4-3-2 elu+relu+elu, gradient_descent, activation.3.alpha=0.5")
    shown = {key: value for key, value in flat(settings.to_config()).items() if key.startswith("activation")}
    assert shown == {
        "activation.1": "elu", "activation.1.alpha": 1.0, "activation.2": "relu",
        "activation.3": "elu", "activation.3.alpha": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["activation=[tanh,relu]", "network.hidden=[4,3,2]"],
            "activation=[tanh,relu] has 2 activations, but network.hidden=[4,3,2] has 3 layers: give each hidden layer "
            "one, or all of them one without brackets.",
        ),
        (["activation=[tanh,rleu]"], "activation=rleu is unknown (did you mean 'relu'?); choose one of "),
        (
            ["activation=[elu,tanh]", "activation.1.alhpa=2"],
            "activation.1.alhpa is not a key of the configuration (did ",
        ),
        (["activation=[elu,tanh]", "activation.1.alpha=x"], "activation.1.alpha must be a number, not 'x'."),
        (["activation=[elu,tanh]", "activation.alpha=2"], "activation.alpha is not a key of the configuration; "),
        (
            ["activation=[softmax,tanh]", "network.hidden=[1,3]"],
            "activation=softmax needs at least 2 units in a layer, ",
        ),
    ],
)
def test_what_does_not_fit_gets_one_sentence(overrides, sentence):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        chainrule.prepare(compose_settings(overrides))
    assert str(caught.value).startswith(sentence)


def test_each_layer_uses_its_own():
    result = chainrule.run("activation=[tanh,relu]", "training.epochs=3", "network.hidden=[3,2]")
    (W1, W2, W3), (b1, b2, b3) = result.weights, result.biases
    x, _ = result.samples.raw(result.samples.train)
    a1 = np.tanh(W1 @ x + b1[:, None])
    a2 = np.maximum(W2 @ a1 + b2[:, None], 0)
    np.testing.assert_allclose(result.predict(x), W3 @ a2 + b3[:, None], rtol=1e-12)


def test_a_list_of_equal_ones_is_the_activation_of_all_layers():
    one, listed = (chainrule.run(f"activation={text}", "training.epochs=3") for text in ("tanh", "[tanh,tanh]"))
    assert one.theta.tobytes() == listed.theta.tobytes()


def test_a_sweep_is_resumed_and_read_with_them():
    varied = ["activation=[tanh,swish],[swish,tanh],swish", "seed=0,1"]
    command("-m", *SHORT, PLACE, *varied)
    swept = chainrule.load("sweep")
    assert [member.settings["activation"] for member in swept.record.members().values()][::2] == [
        "tanh+swish", "swish+tanh", "swish",
    ]  # fmt: skip
    record = chainrule.load("sweep/0").record
    assert list(record.manifest.configuration["activation"]) == ["1", "2"]
    again = chainrule.settings_of(record)
    assert [each.name for each in again.activation] == ["tanh", "swish"]
    (alone,) = chainrule.train([again])
    assert alone.theta.tobytes() == chainrule.run("activation=[tanh,swish]", *SHORT[:2]).theta.tobytes()
    np.testing.assert_array_equal(record.weights()["activation.2.beta"], alone.trained["activation.2.beta"])
    before = {path: path.stat().st_mtime_ns for path in record.directory.parent.rglob("weights.npz")}
    (record.directory / "manifest.json").unlink()
    command("resume", "sweep")
    assert chainrule.load("sweep/0").record.manifest.identity == record.manifest.identity
    changed = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
    assert changed == [record.directory / "weights.npz"]
    command("-m", *SHORT, "activation=[swish,tanh]", "activation.1.beta=0.5,2", "hydra.sweep.dir=other")
    assert chainrule.settings_of(chainrule.load("other/1")).activation[0].beta == 2.0

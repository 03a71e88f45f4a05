"""Any step of any run, in numbers: those of the run itself, and whether its derivatives are right."""

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax

import chainrule
import replaying
from chainrule.errors import ConfigurationError
from chainrule.replay.explanation import explain, number_of, require_sample
from chainrule.replay.replays import Replay
from replaying import CASES, DIVERGED, MAZUR, explained
from sizes import one_in

INEXACT = {"as printed", "feedback alignment", "forward gradient"}


@pytest.mark.parametrize("name", one_in(3, CASES))
def test_the_numbers_are_those_of_the_run(name, afresh):
    replaying.declare_cubed()
    (of,) = explained(CASES[name], 2).steps
    step = of.step
    tolerance = 1e-4 if step.z[1].dtype == np.float32 else 1e-9
    for layer in range(1, of.shape.layers + 1):
        own = np.isfinite(of.exact.z[layer])
        np.testing.assert_allclose(step.z[layer][0][own], of.exact.z[layer][own], rtol=tolerance, atol=tolerance)
        inputs = of.inputs(layer).astype(float)
        with np.errstate(all="ignore"):
            z = of.weights(step.before[0], layer).astype(float) @ inputs + of.biases(step.before[0], layer)
        np.testing.assert_allclose(of.of_sample(step.z, layer), z, rtol=tolerance, atol=tolerance)
    assert bool(of.replaces) == (name in INEXACT)
    if name == "diverged":
        return
    assert of.right.all()
    assert "all agree" in of.verdict
    for layer in range(1, of.shape.layers + 1):
        assert of.delta_right(layer).all()
    if name not in INEXACT:
        assert of.used_right.all()
        assert of.exact.loss == pytest.approx(_loss(of), rel=1e-5)


def _loss(of):
    """The mean loss of the step, of probabilities by SciPy's functions of ``z``."""
    loss = chainrule.component("loss", of.settings.loss.name)
    y, z = of.step.y.astype(float), of.step.z[-1].astype(float)
    if of.settings.output.name == "softmax":
        values = -(y * log_softmax(z, axis=1)).sum(axis=1)[0]
    elif of.settings.output.name == "sigmoid":
        values = -(y * log_expit(z) + (1 - y) * log_expit(-z)).sum(axis=1)[0]
    else:
        values = loss.value(of.step.a[-1].astype(float), y)[0]
    return float((values if of.step.weights is None else values * of.step.weights[0]).mean())


def test_a_rule_that_is_not_exact_is_found_where_it_is_not():
    (of,) = explained(["rule=as_printed"], 3).steps
    names = [f"{letter}{layer}" for layer in (1, 2) for letter in "bW"]
    wrong = {
        name: ~part(of.used_right, layer).ravel()
        for name, (part, layer) in zip(
            names, [(of.biases, 1), (of.weights, 1), (of.biases, 2), (of.weights, 2)], strict=True
        )
    }
    assert wrong["b2"].tolist() == [False, False]
    assert wrong["W2"].tolist() == [False, True, True, False], "w_12 and w_21, as the article prints them"
    assert wrong["b1"].tolist() == [True, True]
    assert of.used_right[of.shape.slices()[3]].all()
    assert not of.delta_used_right(1).any()
    assert of.delta_used_right(2).all()


def test_a_published_example_comes_out_digit_for_digit(afresh):
    words = ["tracking=none", "training.epochs=10000", *replaying.declare_mazur()]
    explanation = explain(Replay(chainrule.settings(*words)), (1, 10000))
    first, last = explanation.steps
    found = _named(first)
    for name, digits in MAZUR.items():
        assert f"{found[name]:.{len(digits) - 2}f}" == digits, name
    assert f"{last.exact.loss:.10f}" == "0.0000351085", "after as many rounds as are told there"


def _named(of):
    """The numbers of a step by the names that they have in equations."""
    step, found = of.step, {"L": of.exact.loss}
    for layer in range(1, of.shape.layers + 1):
        for kind, arrays in (("z", step.z), ("a", step.a), ("delta", step.delta)):
            found |= {f"{kind}_{unit + 1}^({layer})": value for unit, value in enumerate(of.of_sample(arrays, layer))}
        for kind, flat in (("w", step.after), ("dL/dw", step.grad)):
            weights = of.weights(flat[0], layer)
            found |= {f"{kind}_{i + 1}{j + 1}^({layer})": weights[i, j] for i, j in np.ndindex(weights.shape)}
    return found


def test_the_step_of_a_run_that_diverges():
    run = chainrule.run(*replaying.SHORT, *DIVERGED)
    replay = Replay.of_result(run)
    assert run.reason == "diverged"
    explanation = explain(replay, (2, replay.steps))
    assert explanation.ended.difference is None
    early, late = explanation.steps
    assert early.right.all()
    assert late.verdict == "The loss is not finite here, so no derivative can be checked."


def test_other_samples_of_a_step():
    (of,) = explained(["training.batch_size=4"], 2).steps
    for sample in range(4):
        other = of.at(sample)
        np.testing.assert_array_equal(other.x, of.step.x[0, :, sample])
        for layer in range(1, 4):
            np.testing.assert_allclose(other.delta_differences[layer], of.step.delta[layer][0, :, sample], rtol=1e-5)


def test_which_steps_there_are():
    replay = Replay(chainrule.settings("training.epochs=3", "training.batch_size=64"))
    assert (replay.per_epoch, replay.steps) == (4, 12)
    assert [number_of(replay), number_of(replay, 5), number_of(replay, -1), number_of(replay, None, 2)] == [1, 5, 12, 9]
    for words, told in (((13,), "took 12 steps, 4 an epoch"), ((0,), "choose one from 1 to 12"), ((None, 3), "0 to 2")):
        with pytest.raises(ConfigurationError, match=told):
            number_of(replay, *words)
    require_sample(replay, 4, 13)
    with pytest.raises(ConfigurationError, match="step 4 has 13; choose one from 1 to 13"):
        require_sample(replay, 4, 14)
    with pytest.raises(ConfigurationError, match="before its first step"):
        number_of(Replay(chainrule.settings("training.epochs=0")))

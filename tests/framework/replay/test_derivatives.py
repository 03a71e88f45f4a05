"""The derivatives of a step: exact ones and central differences agree, whatever the network has."""

import numpy as np
import pytest

import chainrule
from chainrule.engine.gradcheck import central_differences
from chainrule.engine.onlooker import Onlooker
from chainrule.replay.derivatives import StepLoss, agrees, spread
from chainrule.replay.replays import Replay

CLASSES = ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[5,4]"]
SICK = ["training.epochs=2", "optimizer.lr=10", "activation=relu", "training.batch_size=8"]
CASES = {
    "the article's": [],
    "softmax": [*CLASSES, "training.batch_size=16"],
    "batch norm and dropout": [*CLASSES, "training.batch_size=16", "norm=batch_norm", "network.dropout=0.3"],
    "pieces in float32": ["activation=maxout", "training.dtype=float32", "training.batch_size=8"],
    "a trained field": ["activation=prelu", "training.batch_size=8"],
    "weights of classes": ["target=xor", "output=sigmoid", "loss=binary_cross_entropy", "data.class_weights=[1,3]",
                           "training.batch_size=16"],
    "two outputs for one": ["loss=gaussian_nll", "training.batch_size=8"],
    "large numbers": SICK,
}  # fmt: skip


class Keeping(Onlooker):
    def __init__(self, *numbers):
        self.numbers, self.steps = numbers, []

    def wants(self, step):
        return step in self.numbers

    def stepped(self, step):
        self.steps.append(step)


def seen(words, *numbers):
    """A run, and some of its steps."""
    settings, keeping = chainrule.settings("training.epochs=1", *words), Keeping(*numbers)
    ended = Replay(settings).train(keeping)
    return ended.result, keeping.steps


@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_exact_derivatives_agree_with_central_differences(words):
    run, steps = seen(words, 1, 5)
    for step in steps:
        loss = StepLoss(run.settings, run.shape, step)
        exact, chosen = loss.exact(), loss.checked
        assert len(chosen) == run.shape.size
        assert agrees(exact.grad[chosen], loss.differences(chosen), exact.loss).all()
        for layer in range(1, run.shape.layers + 1):
            for sample in {0, loss.samples - 1}:
                assert agrees(exact.delta[layer][:, sample], loss.delta_differences(layer, sample), exact.loss).all()
        tolerance = 1e-4 if step.grad.dtype == np.float32 else 1e-10
        np.testing.assert_allclose(step.grad[0], exact.grad, rtol=tolerance, atol=tolerance * np.abs(exact.grad).max())


@pytest.mark.parametrize("name", ["the article's", "softmax", "pieces in float32", "a trained field"])
def test_the_jacobian_of_a_layer_leads_from_its_error_to_its_delta(name):
    run, (step,) = seen(CASES[name], 2)
    loss = StepLoss(run.settings, run.shape, step)
    exact, jacobians = loss.exact(), loss.jacobians(0)
    for layer in range(1, run.shape.layers + 1):
        np.testing.assert_allclose(
            jacobians[layer].T @ exact.error[layer][:, 0], exact.delta[layer][:, 0], rtol=1e-9, atol=1e-12
        )


def test_differences_are_those_of_a_plain_loop():
    run, (step,) = seen(["training.batch_size=8"], 3)
    loss = StepLoss(run.settings, run.shape, step)
    alone = central_differences(lambda theta: float(loss.at(theta[None])[0]), loss.theta)
    np.testing.assert_allclose(loss.differences(range(15)), alone, rtol=1e-9, atol=1e-9)


def test_a_wrong_derivative_does_not_agree_and_nothing_agrees_with_what_is_not_finite():
    difference = np.array([1.0, 2.0, np.nan, 0.0, 1.0])
    value = np.array([1.0, 2.001, 1.0, 1e-12, np.inf])
    assert agrees(value, difference, 1.0).tolist() == [True, False, False, True, False]


def test_of_many_parameters_some_are_checked():
    assert spread(10, 20).tolist() == list(range(10))
    assert spread(10_000, 3).tolist() == [0, 4999, 9999]
    run, (step,) = seen(["network.hidden=[300,200]", "training.batch_size=64"], 1)
    loss = StepLoss(run.settings, run.shape, step)
    assert len(loss.checked) < 2000 < run.shape.size
    few = loss.checked[::100]
    assert agrees(loss.exact().grad[few], loss.differences(few), loss.exact().loss).all()
    assert agrees(loss.exact().delta[1][:, 5], loss.delta_differences(1, 5), loss.exact().loss).all()

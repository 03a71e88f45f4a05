"""Normalization against published formulas; derivatives against differences are in engine/test_layers.py."""

import numpy as np
import pytest

import chainrule
from chainrule_activations import BatchNorm, LayerNorm


def test_units_of_a_sample_have_mean_0_and_variance_1():
    """Ba, Kiros and Hinton 2016, eq. 3, with gain 1 and shift 0."""
    z = np.random.default_rng(0).normal(3, 5, size=(2, 6, 7))
    a = LayerNorm(eps=1e-12).forward(z)
    np.testing.assert_allclose(a.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(a.var(axis=1), 1, rtol=1e-10)
    np.testing.assert_allclose(LayerNorm(eps=1e-12).forward(7 * z - 3), a, rtol=1e-9)
    three = LayerNorm(gain=2.0, shift=1.0, eps=1e-12).forward(np.array([[[1.0], [2.0], [3.0]]]))
    np.testing.assert_allclose(three.ravel(), 1 + 2 * np.array([-1.5, 0, 1.5]) / np.sqrt(1.5), rtol=1e-10)


def test_samples_of_a_step_have_mean_0_and_variance_1():
    """Ioffe and Szegedy 2015, algorithm 1."""
    z = np.random.default_rng(0).normal(3, 5, size=(1, 4, 9))
    state = {name: array[None, :, None] for name, array in BatchNorm().init(4).items()}
    a = BatchNorm(eps=1e-12).forward(z, training=True, state=state)
    np.testing.assert_allclose(a.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(a.var(axis=2), 1, rtol=1e-10)


def test_running_averages_are_those_of_pytorch():
    """They forget as 0.9^k; the variance is the unbiased one; what is measured uses them and leaves them alone."""
    norm, z = BatchNorm(), np.random.default_rng(0).normal(3, 5, size=(1, 4, 9))
    state = {name: array[None, :, None] for name, array in norm.init(4).items()}
    for _ in range(5):
        norm.forward(z, training=True, state=state)
    left = 0.9**5
    mean, variance = (1 - left) * z.mean(axis=2), left + (1 - left) * z.var(axis=2, ddof=1)
    np.testing.assert_allclose(state["mean"][..., 0], mean, rtol=1e-12)
    np.testing.assert_allclose(state["variance"][..., 0], variance, rtol=1e-12)
    a = norm.forward(z, training=False, state=state)
    np.testing.assert_allclose(a, (z - mean[..., None]) / np.sqrt(variance[..., None] + 1e-5), rtol=1e-12)
    np.testing.assert_allclose(state["mean"][..., 0], mean, rtol=1e-12)


@pytest.mark.parametrize("norm", ["layer_norm", "batch_norm"])
def test_large_inputs_are_learned_with_it(norm):
    """Sigmoids are flat far out; normalized they are not."""
    common = ["target=sine", "network.hidden=[16,16]", "data.samples=200", "training.batch_size=20", "optimizer=adam",
              "optimizer.lr=0.01", "training.epochs=40", "initializer.std=30"]  # fmt: skip
    plain, normed = chainrule.train([common, [*common, f"norm={norm}"]])
    assert normed.metrics["validation/loss"] < 0.5 * plain.metrics["validation/loss"]

"""The algorithm on the article's page is right, and the engine computes what it does."""

import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import chainrule

TEXT = (Path(__file__).parents[2] / "docs" / "article.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
WIDTHS = st.integers(1, 6)
HIDDEN = st.lists(WIDTHS, max_size=3)


def definitions():
    """What the code of the page defines; the example below the definitions is left out, since it takes a second."""
    names = {}
    exec(CODE[: CODE.index("rng = ")], names)
    return SimpleNamespace(**names)


PAGE = definitions()
ACTIVATIONS = {"sigmoid": PAGE.SIGMOID, "identity": PAGE.IDENTITY}


def agree(actual, wanted):
    """Demand equal arrays, one a layer, to 1e-12 of each number, and where terms cancel to 1e-15 of the largest."""
    largest = max(np.abs(layer).max() for layer in wanted)
    for one, other in zip(actual, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15 * largest)


def trace(weights, biases, x, y, activations):
    """The same as :func:`chainrule.trace_step`, by the code of the page."""
    z, a = PAGE.forward(weights, biases, x, activations)
    delta = PAGE.backward(weights, z, a, y, activations)
    dW, db = PAGE.gradients(a, delta)
    return SimpleNamespace(
        loss=PAGE.loss(y, a[-1]),
        z=z[1:],
        a=a[1:],
        delta=[delta[layer] for layer in sorted(delta)],
        weight_gradients=dW,
        bias_gradients=db,
    )


def test_every_equation_is_cited():
    cited = re.findall(r"# .*?(eq\. \d|update)", CODE)
    assert sorted(set(cited)) == ["eq. 1", "eq. 2", "eq. 3", "eq. 4", "eq. 5", "eq. 6", "update"]


def test_the_example_prints_what_its_comment_says(capsys):
    exec(CODE, {})
    comment = re.search(r"# \[([\d.]+)\], for .* = ([\d.]+)", CODE)
    printed = float(capsys.readouterr().out.strip("[]\n"))
    assert f"{printed:.3f}" == comment[1]
    assert printed == pytest.approx(float(comment[2]), abs=0.05)


def test_every_digit_of_a_published_example():
    """Matt Mazur, A step by step backpropagation example, 2015, which leaves the biases as they are."""
    weights = [np.array([[0.15, 0.20], [0.25, 0.30]]), np.array([[0.40, 0.45], [0.50, 0.55]])]
    biases = [np.array([0.35, 0.35]), np.array([0.60, 0.60])]
    x, y, activations = np.array([0.05, 0.10]), np.array([0.01, 0.99]), [PAGE.SIGMOID, PAGE.SIGMOID]
    _, a = PAGE.forward(weights, biases, x, activations)
    (first, second), _ = PAGE.step(weights, biases, x, y, 0.5, activations)
    published = [
        (a[-1][0], "0.75136507"),
        (a[-1][1], "0.772928465"),
        (PAGE.loss(y, a[-1]), "0.298371109"),
        *zip(first.ravel(), ["0.149780716", "0.19956143", "0.24975114", "0.29950229"], strict=True),
        *zip(second.ravel(), ["0.35891648", "0.408666186", "0.511301270", "0.561370121"], strict=True),
    ]
    for value, digits in published:
        assert f"{value:.{len(digits) - 2}f}" == digits


@settings(deadline=None)
@given(
    widths=st.lists(WIDTHS, min_size=2, max_size=5),
    hidden=st.sampled_from(list(ACTIVATIONS)),
    output=st.sampled_from(list(ACTIVATIONS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_engine_takes_the_same_step(widths, hidden, output, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(units, before)) for before, units in pairwise(widths)]
    biases = [rng.normal(size=units) for units in widths[1:]]
    x, y = rng.normal(size=widths[0]), rng.normal(size=widths[-1])
    ours = trace(weights, biases, x, y, [ACTIVATIONS[hidden]] * (len(weights) - 1) + [ACTIVATIONS[output]])
    engine = chainrule.trace_step(weights, biases, x, y, hidden=hidden, output=output)
    agree([engine.loss], [ours.loss])
    for name in ("z", "a", "delta", "weight_gradients", "bias_gradients"):
        agree(getattr(engine, name), getattr(ours, name))


@settings(max_examples=10, deadline=None, phases=[Phase.reuse, Phase.generate])  # to shrink would take minutes
@given(
    target=st.sampled_from(["linear", "linear target.coefficients=[0.5,-1.0,2.0]", "sine", "friedman1", "wine"]),
    hidden=HIDDEN,
    rate=st.sampled_from([0.002, 0.005, 0.02]),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_the_engine_trains_to_the_same_weights(target, hidden, rate, epochs, seed):
    """Sample by sample, in the order that the fourth of the generators gives which follow from the seed."""
    overrides = [*f"target={target} activation=sigmoid output=identity optimizer.lr={rate} seed={seed}".split()]
    overrides += [f"network.hidden={hidden}".replace(" ", ""), "data.samples=20", "training.tolerance=0"]
    start, trained = (chainrule.run(*overrides, f"training.epochs={number}") for number in (0, epochs))
    weights, biases = start.weights, start.biases
    inputs = weights[0].shape[1]
    x, y = start.samples.train[1 : 1 + inputs].T, start.samples.train[1 + inputs :].T
    activations = [PAGE.SIGMOID] * len(hidden) + [PAGE.IDENTITY]
    order = np.random.default_rng(np.random.SeedSequence(seed).spawn(4)[3])
    for _ in range(epochs):
        for sample in order.permutation(len(x)):
            weights, biases = PAGE.step(weights, biases, x[sample], y[sample], rate, activations)
    agree(trained.weights, weights)
    agree(trained.biases, biases)
    predicted = [PAGE.forward(weights, biases, point, activations)[1][-1] for point in x]
    mean = np.mean([PAGE.loss(*pair) for pair in zip(y, predicted, strict=True)])
    agree([trained.curves.values["train/loss"][-1]], [mean])

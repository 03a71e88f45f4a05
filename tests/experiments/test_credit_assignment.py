"""Rules without the weights' transpose learn, come to point downhill, and fall behind with depth."""

import re

import numpy as np
import pytest

import chainrule
from studies import load, small, table


@pytest.fixture(scope="module")
def study():
    return load("credit_assignment", "alignment")


def middle(cell):
    return float(cell.split()[0])


@pytest.mark.rare  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("credit_assignment", "alignment")
    angles = table(printed, "degrees from the gradient, 3 hidden layers")
    for rule in ("feedback_alignment", "direct_feedback_alignment"):
        for layer in (1, 2, 3):
            row = angles[f"{rule}, layer {layer}"]
            assert middle(row["after 0 epochs"]) == pytest.approx(90, abs=8), "random matrices know nothing"
            assert min(middle(cell) for name, cell in row.items() if re.match(r"after (8|16|32) ", name)) < 78
    assert middle(angles["sign_symmetric, layer 3"]["after 0 epochs"]) < 50
    reached = table(printed, "validation accuracy in %, median (quartiles)")
    assert all(middle(row["1 hidden"]) > 93 for row in reached.values())
    assert middle(reached["feedback_alignment"]["3 hidden"]) < middle(reached["exact"]["3 hidden"])


@pytest.mark.rare  # a comparison, as that of activations
def test_the_small_comparison():
    printed, _ = small("credit_assignment", "compared")
    standing = table(printed, "contender")
    assert standing["exact"]["worse than"] == "0"
    assert standing["direct_feedback_alignment"]["better than"] == "0"
    assert all(float(row["two_moons"].removesuffix(" %")) > 80 for row in table(printed, "median score").values())


def test_what_a_rule_follows_is_its_formula(study):
    """Softmax and tanh written out, with the matrices that the rule drew."""
    for rule in study.RULES:
        run = chainrule.prepare(study.settings(rule, 2, 0.1))
        x, y = np.split(run.samples.train[1:], [64])
        (W1, W2, W3), (b1, b2, b3) = run.shape.split(run.theta)
        a1 = np.tanh(W1 @ x + b1[:, None])
        a2 = np.tanh(W2 @ a1 + b2[:, None])
        z3 = W3 @ a2 + b3[:, None]
        d3 = np.exp(z3 - z3.max(axis=0)) / np.exp(z3 - z3.max(axis=0)).sum(axis=0) - y
        back = {
            "exact": (W2.T, W3.T),
            "feedback_alignment": (run.rule_state.get("B1"), run.rule_state.get("B2")),
            "sign_symmetric": (np.sign(W2).T, np.sign(W3).T),
        }
        if rule == "direct_feedback_alignment":
            d2 = run.rule_state["B2"] @ d3 * (1 - a2**2)
            d1 = run.rule_state["B1"] @ d3 * (1 - a1**2)
        else:
            d2 = back[rule][1] @ d3 * (1 - a2**2)
            d1 = back[rule][0] @ d2 * (1 - a1**2)
        for found, delta, a in zip(study.gradient(run, run.theta, rule), (d1, d2, d3), (x, a1, a2), strict=True):
            wanted = np.append((delta @ a.T).ravel(), delta.sum(axis=1)) / x.shape[1]
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_the_exact_rule_is_at_no_angle_from_the_gradient(study):
    run = chainrule.prepare(study.settings("exact", 3, 0.1))
    np.testing.assert_allclose(study.angles(run, run.theta), 0, atol=1e-5)

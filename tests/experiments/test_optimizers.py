"""Optimizers compared: adaptive steps and momentum get further in the same number of epochs."""

import pytest

from studies import small, table


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("optimizers", "compared")
    standing = table(printed, "contender")
    assert next(iter(standing)) == "adam"
    assert int(standing["adam"]["better than"]) >= 3
    assert standing["adam"]["worse than"] == "0"
    assert standing["adadelta"]["better than"] == "0"
    losses = table(printed, "median loss, 95 % interval")
    names = ("adam", "momentum", "gradient_descent")
    first, second, plain = (float(losses[name]["sine"].replace("*", "").split()[0]) for name in names)
    assert first < plain / 5
    assert second < plain / 2, "both are better than plain gradient descent, though 45 pairs at once do not show it"

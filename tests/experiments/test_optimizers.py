"""Optimizers compared: adaptive steps and momentum get further in the same number of epochs."""

import pytest

from studies import small, table


@pytest.mark.rare  # a whole study, though a small one; in CI another one is compared
def test_the_small_version():
    printed, _ = small("optimizers", "compared")
    standing = table(printed, "contender")
    won = {name: int(row["% of runs won"]) for name, row in standing.items()}
    assert won["adadelta"] < 40 < 60 < won["adam"]
    losses = table(printed, "median loss, 95 % interval")
    names = ("adam", "momentum", "gradient_descent")
    first, second, plain = (float(losses[name]["sine"].replace("*", "").split()[0]) for name in names)
    assert first < plain / 5
    assert second < plain / 2, "both are better than plain gradient descent, though 45 pairs at once do not show it"

"""Ways of assigning credit compared with backpropagation."""

import pytest

from studies import small, table


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("learning_rules", "compared")
    standing = table(printed, "contender")
    assert len(standing) == 9
    assert standing["exact"]["worse than"] == "0"
    assert standing["direct_random_targets"]["better than"] == "0"
    assert all(float(row["two_moons"].removesuffix(" %")) > 60 for row in table(printed, "median score").values())

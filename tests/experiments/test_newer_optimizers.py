"""Newer optimizers compared with adam, at equal steps and at equal gradient evaluations."""

import pytest

from studies import small, table


@pytest.mark.rare  # a whole study, though a small one; in CI another one is compared
def test_the_small_version():
    printed, _ = small("newer_optimizers", "compared")
    standing = table(printed, "contender")
    assert standing.keys() == {"adam", "lion", "muon", "sam", "schedule_free", "prodigy", "lbfgs"}
    assert standing["adam"]["worse than"] == "0"
    equal = table(printed, "at equal gradient evaluations")
    assert int(equal["sam"]["behind"]) >= int(standing["sam"]["worse than"]), "with half of its steps"
    assert int(equal["adam"]["behind"]) == 0

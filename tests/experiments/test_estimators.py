"""The study of estimators counts what it says."""

import pytest

import forking
from studies import load

study = load("estimators", "estimators")


def test_models_differ_by_their_seeds_only():
    for is_regression in (True, False):
        for model in study.models(is_regression).values():
            one, other = study.seeded(model, 0).get_params(), study.seeded(model, 1).get_params()
            different = {name for name in one if repr(one[name]) != repr(other[name]) and "random_state" in name}
            assert different
            assert all(name.endswith("random_state") for name in different)


def test_a_row_has_means_wins_and_seconds():
    cells = {
        "chainrule": study.Cell([0.5, 0.75, 1.0], 3.0),
        "MLP": study.Cell([0.5, 0.5, 0.5], 6.0),
        "MLP, scaled": study.Cell([1.0, 1.0, 1.0], 0.3),
    }
    assert study.row("iris", cells) == "| iris | 0.750 | 0.500 | 1.000 | 2 / 0 | 0 / 2 | 1.00 | 2.00 | 0.10 |"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_a_small_version_runs(name):
    done = forking.python(study.__file__, "--folds=2", "--repetitions=1", f"--only={name}")
    assert done.returncode == 0, done.stderr
    header, _, row = done.stdout.splitlines()
    assert len(header.split("|")) == len(row.split("|"))
    assert row.startswith(f"| {name} | ")

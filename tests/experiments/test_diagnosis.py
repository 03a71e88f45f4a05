"""Sick runs are sick in the way that the study says, and healthy ones are not."""

import pytest

from chainrule.analysis.shares import Share
from chainrule.replay.changes import CHANGES
from chainrule.replay.skill import GOAL
from studies import EXPERIMENTS, load, small, table

CERTAIN = ("a rate beyond 2 / lambda_max", "a rate of 1e-8", "weights that are all 0", "a sigmoid before other values")


@pytest.fixture(scope="module")
def study():
    return load("diagnosis", "sick")


@pytest.fixture(scope="module")
def found(study):
    """One held-out run of each of these kinds, sick and healthy, on the first of its targets."""
    cases = [case for case in study.cases(study.HELD_OUT[:1], ["linear"]) if case.kind.name in CERTAIN]
    return study.looked_at(cases)


def test_there_are_at_least_15_kinds_whose_causes_have_names_and_cures(study):
    assert len({kind.name for kind in study.KINDS}) == len(study.KINDS) >= 15
    cures = {each.name: each.cures for each in study.instruments(study.installed())}
    for kind in study.KINDS:
        assert {*kind.causes, *kind.effects} <= cures.keys()
        assert set(kind.targets) <= set(study.TARGETS)
        assert all(set(cures[name]) <= CHANGES.keys() for name in kind.causes)


def test_seeds_and_targets_that_are_published_were_not_looked_at(study):
    assert not set(study.TUNING) & set(study.HELD_OUT)
    assert set(study.TARGETS) - set(study.SEEN)


def test_the_cause_is_stated_of_a_sick_run_and_nothing_of_a_healthy_one(study, found):
    assert len(found) == 2 * len(CERTAIN)
    for case, one in found:
        assert (one.skill < GOAL) == case.is_sick
        assert bool(study.stated(one) & set(case.kind.causes)) == case.is_sick
        assert study.stated(one) <= case.right
    counts = study.counted(found)
    for name in ("identical_units", "output_range"):
        assert counts[name] == study.Counts(names=[True], right=[True], recalled=[True], first=[True])
    assert counts["update_size"].recalled == [True]
    assert counts["plateau"].names == [False] * len(counts["plateau"].names), "it is the cause of no kind"


def test_what_follows_from_a_sickness_is_not_generous(study):
    """A kind has few effects, and none is a cause of it; what has no cause in the study is right by effects alone."""
    for kind in study.KINDS:
        assert len(kind.effects) <= 5
        assert not set(kind.effects) & set(kind.causes)
    assert not any("too_few_epochs" in kind.effects for kind in study.KINDS), "a run that is stuck needs no epoch more"


def test_the_readme_has_the_thresholds_and_where_they_are_from(study, capsys):
    study.sources()
    readme = table((EXPERIMENTS / "diagnosis" / "README.md").read_text(), "thresholds of")
    assert readme == table(capsys.readouterr().out, "thresholds of")
    assert len(readme) >= 15


def test_the_readme_has_these_rows(study):
    """A row says of how many runs the cause is stated: of all, where it is certain."""
    readme = (EXPERIMENTS / "diagnosis" / "README.md").read_text()
    kinds = table(readme, "kind")
    for name in CERTAIN:
        kind = next(kind for kind in study.KINDS if kind.name == name)
        runs = len(study.HELD_OUT) * len(kind.targets)
        assert kinds[name]["cause stated"] == str(Share(runs, runs))


@pytest.mark.rare  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("diagnosis", "sick")
    kinds = table(printed, "kind")
    assert {kinds[name]["cause stated"].split(" [")[0] for name in CERTAIN} == {"2 of 2"}

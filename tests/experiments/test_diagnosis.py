"""Sick runs are sick in the way that the study says, and healthy ones are not."""

import pytest

from chainrule.replay.changes import CHANGES
from chainrule.replay.skill import GOAL, skill
from studies import load, small, table

CERTAIN = ("rate beyond 2 / lambda_max", "rate 1e-8", "zeros", "a sigmoid before values from 5 to 15", "ten epochs")


@pytest.fixture(scope="module")
def study():
    return load("diagnosis", "sick")


def test_there_are_at_least_15_kinds_whose_causes_and_cures_have_names(study):
    assert len({kind.name for kind in study.KINDS}) == len(study.KINDS) >= 15
    names = {each.name for each in study.instruments(study.installed())}
    for kind in study.KINDS:
        assert {*kind.causes, *kind.effects} <= names
        assert set(kind.cures) <= CHANGES.keys()


@pytest.mark.parametrize("name", CERTAIN)
def test_the_cause_is_stated_of_a_sick_run_and_of_no_healthy_one(study, name):
    kind = next(kind for kind in study.KINDS if kind.name == name)
    (sick,), (healthy,) = study.trained(kind.sick, 1), study.trained(kind.healthy, 1)
    assert skill(sick.result) < GOAL <= skill(healthy.result)
    stated = [{finding.instrument for finding in one.findings} & set(kind.causes) for one in (sick, healthy)]
    assert stated[0]
    assert not stated[1]
    counts = study.confusion({kind.name: ([sick], [healthy])})
    assert counts[kind.causes[0]] == [1, 0, 0]


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    printed, _ = small("diagnosis", "sick")
    kinds = table(printed, "kind")
    assert {kinds[name]["cause stated"].split(" [")[0] for name in CERTAIN} == {"2 of 2"}

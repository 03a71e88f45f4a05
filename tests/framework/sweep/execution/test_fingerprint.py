"""What must not change between two parts of a sweep."""

import pytest

from chainrule.registry.loaded import installed
from chainrule.sweep.execution.fingerprint import differences, state
from chainrule.sweep.execution.plan import Plan
from jobs import job

OLD = {
    "configurations": [{"seed": 0, "optimizer": {"name": "adam", "lr": 0.5}}, {"seed": 0}],
    "data": {"target=wine seed=0": 64 * "a"},
    "code": {"numpy": "2.0", "plugin lynx:lynx": f"1.0 {64 * 'b'}"},
}


def changed(part, **entries):
    return {**OLD, part: {**OLD[part], **entries}}


@pytest.mark.parametrize(
    ("new", "phrases"),
    [
        (OLD, []),
        (changed("code", numpy="2.1"), ["numpy: was 2.0, is 2.1"]),
        (
            changed("code", **{"plugin lynx:lynx": f"1.0 {64 * 'c'}"}),
            ["plugin lynx:lynx: was 1.0 bbbbbbbbbbbb, is 1.0 cccccccccccc"],
        ),
        (changed("code", python="3.12"), ["python: was not there, is 3.12"]),
        ({**OLD, "code": {"numpy": "2.0"}}, ["plugin lynx:lynx: was 1.0 bbbbbbbbbbbb, is not there"]),
        (
            changed("data", **{"target=wine seed=0": 64 * "c"}),
            ["the data of target=wine seed=0: was aaaaaaaaaaaa, is cccccccccccc"],
        ),
        (
            {**OLD, "configurations": [{"seed": 1, "optimizer": {"name": "sgd", "lr": 0.5}}, {"seed": 1}]},
            ["seed: was 0, is 1", "optimizer: was adam, is sgd"],
        ),
        ({**OLD, "configurations": OLD["configurations"][:1]}, ["choices of groups: there were 2, there are 1"]),
    ],
)
def test_what_is_different_is_told_in_one_phrase_each_and_once(new, phrases):
    assert differences(OLD, new) == phrases


def test_a_record_that_holds_nothing_of_it_differs_in_everything():
    assert differences({}, {"configurations": [], "data": {"d": "1"}, "code": {"numpy": "2"}}) == [
        "the data of d: was not there, is 1",
        "numpy: was not there, is 2",
    ]


def test_the_state_has_each_choice_of_groups_once_and_not_which_plugins_are_preferred():
    first = job(0, plugins={"prefer": [], "block": []})
    jobs = [first, job(1, base=first.base), job(2, activation={"name": "relu"})]
    plan = Plan(jobs, installed())
    found = state(jobs, plan, installed())
    assert [one["activation"]["name"] for one in found["configurations"]] == ["tanh", "relu"]
    assert not any("plugins" in one for one in found["configurations"])
    assert found["data"] == plan.data
    kinds = {name.rpartition(":")[2] for name in found["code"] if name.startswith("plugin ")}
    assert kinds == {
        "activations",
        "losses",
        "optimizers",
        "samplings",
        "schedules",
        "targets",
        "initializers",
        "rules",
        "untracked",
    }
    assert differences(found, found) == []

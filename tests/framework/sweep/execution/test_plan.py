"""From jobs to stacks: every job is checked before the first is trained."""

import re

import pytest

from chainrule.errors import ConfigurationError
from chainrule.registry.loaded import installed
from chainrule.sweep.execution import plan as module
from chainrule.sweep.execution.plan import Plan
from jobs import job


def plan_of(*jobs):
    return Plan(jobs, installed())


def seeds(count, first=0, **changes):
    return [job(number, f"seed={number}", seed=number, **changes) for number in range(first, first + count)]


def numbers(units):
    return [[own.number for own in unit.jobs] for unit in units]


def test_the_first_wrong_job_is_named_and_the_others_are_counted():
    good, wrong = job(0, "seed=0"), job(1, "seed=-1", seed=-1)
    sentence = "seed must be a whole number >= 0, not -1. That is wrong with job 1 (seed=-1)."
    for others, more in enumerate(("", " 1 other job is wrong as well.", " 2 other jobs are wrong as well.")):
        further = [job(2 + n, f"optimizer=n{n}", optimizer={"name": f"n{n}"}) for n in range(others)]
        with pytest.raises(ConfigurationError) as caught:
            plan_of(good, wrong, *further)
        assert str(caught.value) == f"{sentence}{more} Nothing was trained."


def test_parts_that_do_not_fit_are_found_by_drawing_the_data_once(monkeypatch):
    drawn, whole = [], module.prepare

    def counted(settings):
        drawn.append(settings.seed)
        return whole(settings)

    monkeypatch.setattr(module, "prepare", counted)
    found = plan_of(*seeds(5), *seeds(2, 5, optimizer={"name": "adam", "lr": 9.0}), *seeds(1, 7, data={"samples": 40}))
    assert drawn == [0, 7], "runs that differ in seed and plain floats share their profile"
    (name, digest), (other, _) = found.data.items()
    assert name.startswith("target=sine ")
    assert "data.samples=null data.validation=0.25 data.noise=0.0" in name
    assert name.endswith("seed=0")
    assert "data.samples=40 data.validation=0.25 data.noise=0.0" in other
    assert other.endswith("seed=7")
    assert re.fullmatch("[0-9a-f]{64}", digest)
    with pytest.raises(ConfigurationError, match="output=softmax needs at least 2 outputs"):
        plan_of(job(0, output={"name": "softmax"}))


def test_what_the_jobs_use_is_known():
    found = plan_of(
        *seeds(2), job(2, activation={"name": "relu"}, tracking={"name": "mlflow", "uri": "sqlite:///a.db"})
    )
    assert {name for kind, name in found.used if kind == "activation"} == {"tanh", "identity", "relu"}
    assert {name for kind, name in found.used if kind == "tracker"} == {"none", "mlflow"}
    assert ("optimizer", "adam") in found.used
    assert [tracker.name for tracker in found.trackers] == ["none", "mlflow"]


def test_a_note_is_told_once():
    linear = {"target": {"name": "linear"}, "output": {"name": "sigmoid"}}
    (note,) = plan_of(*seeds(3, **linear)).notes
    assert "which output=sigmoid cannot reach" in note
    assert plan_of(*seeds(3)).notes == ()


def test_runs_of_one_structure_are_stacked_whatever_lies_between_them():
    jobs = [job(n, seed=n, activation={"name": ("tanh", "relu")[n % 2]}) for n in range(8)]
    units = plan_of(*jobs).units(workers=1, largest=None)
    assert numbers(units) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert [unit.title for unit in units] == [
        "sine, 3 tanh, adam, data.validation=0.25, optimizer.lr=0.25, seed 0",
        "sine, 3 relu, adam, data.validation=0.25, optimizer.lr=0.25, seed 1",
    ]


@pytest.mark.parametrize(
    ("workers", "largest", "expected"),
    [
        (1, None, [20, 20]),  # two for each worker
        (2, None, [16, 16, 8]),  # but not so small that calls cost more than numbers
        (9, None, [16, 16, 8]),
        (1, 15, [15, 15, 10]),
        (1, 1, [1] * 40),
        (1, 1000, [20, 20]),
    ],
)
def test_stacks_keep_all_workers_busy_and_are_not_larger_than_wanted(workers, largest, expected):
    units = plan_of(*seeds(40)).units(workers, largest)
    assert [len(unit.jobs) for unit in units] == expected
    assert [number for part in numbers(units) for number in part] == list(range(40))


def sizes(plan):
    return [len(unit.jobs) for unit in plan.units(1, None)]


def test_the_steps_of_a_stack_fill_the_cache_and_not_more(monkeypatch):
    """A run has 10 parameters in six arrays, and 192 samples of a one, an input and an output in its batch.

    Of each there are four arrays of 1 + 3 + 1 units.
    """
    plan = plan_of(*seeds(40, training={"batch_size": None}))
    size = 8 * (6 * 10 + 192 * (3 + 4 * 5))
    monkeypatch.setattr(module, "CACHE", 19 * size)
    assert sizes(plan) == [19, 19, 2]
    monkeypatch.setattr(module, "CACHE", 20 * size - 1)
    assert sizes(plan) == [19, 19, 2]
    monkeypatch.setattr(module, "CACHE", 0)
    assert sizes(plan) == [1] * 40
    monkeypatch.setattr(module, "CACHE", 10**9)
    monkeypatch.setattr(module, "MOST", 17)
    assert sizes(plan) == [17, 17, 6]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [64, 64, 64, 64, 44]),
        ({"training": {"epochs": 5}}, [150, 150]),  # 960 steps, for which nothing is compiled
        ({"training": {"epochs": 5, "engine": "compiled"}}, [64, 64, 64, 64, 44]),
        ({"training": {"engine": "numpy"}}, [150, 150]),
        ({"network": {"dropout": 0.5}}, [150, 150]),  # random numbers cannot be recorded
    ],
)
def test_stacks_for_machine_code_have_64_runs_at_most(changes, expected):
    training = {"batch_size": 1, "epochs": 50} | changes.get("training", {})
    assert sizes(plan_of(*seeds(300, **changes | {"training": training}))) == expected


def test_parameters_count_and_samples_that_no_step_reads_do_not():
    assert sizes(plan_of(*seeds(40, network={"hidden": [256, 256]}))) == [1] * 40
    assert sizes(plan_of(*seeds(40, network={"hidden": [64, 64]}, training={"batch_size": 1}))) == [19, 19, 2]
    assert sizes(plan_of(*seeds(40, data={"samples": 20_000}, training={"batch_size": 1}))) == [20, 20]
    assert sizes(plan_of(*seeds(40, data={"samples": 20_000}, training={"batch_size": None}))) == [1] * 40


def test_all_arrays_of_a_stack_fit_into_memory(monkeypatch):
    """A run has 256 samples in three copies, each of a one, an input and an output."""
    plan = plan_of(*seeds(40, training={"batch_size": 1}))
    monkeypatch.setattr(module, "MEMORY", 18 * 8 * (6 * 10 + 256 * (3 * 3 + 4 * 5)))
    assert sizes(plan) == [18, 18, 4]


def test_only_what_is_left_is_trained():
    plan = plan_of(*seeds(6))
    assert numbers(plan.units(1, 2, lambda own: own.number not in (0, 3))) == [[1, 2], [4, 5]]
    assert plan.units(1, 2, lambda own: False) == []


def test_what_had_a_checkpoint_as_one_stack_is_one_again_if_all_of_it_is_left():
    plan = plan_of(*seeds(8))
    left = {1, 2, 3, 4, 5, 6}
    units = plan.units(1, 2, lambda own: own.number in left, together=[{2, 4, 5}, {0, 1}, {6, 99}])
    assert numbers(units) == [[1, 3], [2, 4, 5], [6]]


def test_with_a_pruner_a_stack_is_trained_as_a_whole_or_not_at_all():
    plan, pruner = plan_of(*seeds(6)), object()
    units = plan.units(1, 2, lambda own: own.number == 3, pruner=pruner)
    assert numbers(units) == [[2, 3]]
    assert units[0].pruner is pruner


@pytest.mark.parametrize(("largest", "expected"), [(7, [6, 6, 6, 6]), (2, [3] * 8), (None, [15, 9])])
def test_the_jobs_of_a_trial_are_in_one_stack(largest, expected):
    """A trial has three; the largest stack that was asked for holds two of them, or not even one, or five of them."""
    units = plan_of(*seeds(24)).units(1, largest, jobs_per_trial=3)
    assert [len(unit.jobs) for unit in units] == expected


def test_a_longer_training_is_expected_to_take_longer():
    def seconds(count, **changes):
        (unit,) = plan_of(*seeds(count, **changes)).units(1, None)
        return unit.seconds

    one, two, three = (seconds(count) for count in (1, 2, 3))
    assert 0 < three - two == pytest.approx(two - one), "each run adds as much"
    assert one < seconds(1, training={"epochs": 200}) < seconds(1, training={"epochs": 200}, network={"hidden": [99]})


def test_jobs_that_run_alone_are_checked_and_are_in_no_stack():
    alone = "hydra.job.chdir is set"
    plan = plan_of(job(0), job(1, alone=alone, activation={"name": "relu"}))
    assert numbers(plan.units(1, None)) == [[0]]
    assert ("activation", "relu") in plan.used
    with pytest.raises(ConfigurationError, match="seed must be a whole number"):
        plan_of(job(0, alone=alone, seed=-1))
    with pytest.raises(ConfigurationError, match=r"target\.path=no\.csv does not exist"):
        plan_of(job(0, alone=alone, target={"name": "table", "path": "no.csv"}))


def test_of_a_job_that_asks_hydra_for_a_value_only_the_tracker_is_checked():
    asks = {"seed": "${hydra:job.num}"}
    alone = "its configuration asks for ${hydra:...}"
    plan = plan_of(job(0, alone=alone, **asks))
    assert (plan.units(1, None), plan.used) == ([], set())
    assert [tracker.name for tracker in plan.trackers] == ["none"]
    later = plan_of(job(0, alone=alone, **asks, tracking={"name": "${hydra:job.name}"}))
    assert later.trackers == []
    with pytest.raises(ConfigurationError, match="tracking=nnoe is unknown"):
        plan_of(job(0, alone=alone, **asks, tracking={"name": "nnoe"}))


def test_no_jobs_are_a_plan_too():
    plan = plan_of()
    assert (plan.units(1, None), plan.notes, plan.data) == ([], (), {})

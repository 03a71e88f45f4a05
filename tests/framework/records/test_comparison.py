"""The plan of a comparison: the numbers of its jobs."""

import dataclasses
import json

from chainrule.records.comparison import Comparison, ComparisonEntry, Round

PLAN = Comparison("activation", ("tanh", "relu", "mine"), ("sine", "wine"), {"optimizer.lr": "0.1,0.2"}, 2, 3, 4, 5)


def test_the_jobs_are_numbered_without_a_gap():
    tuning = [n for cell in PLAN.cells for r in range(5) for point in range(2) for n in PLAN.tuning(*cell, r, point)]
    tuned = [n for cell in PLAN.cells for r in range(5) for n in PLAN.tuned(*cell, r)]
    assert tuning + tuned == list(range(PLAN.runs))
    assert (PLAN.tuning_runs, PLAN.runs) == (180, 300)


def test_each_job_has_the_contender_whose_place_it_is():
    for plan in (PLAN, dataclasses.replace(PLAN, points=1, space={}, tunings=1)):
        for t, c in plan.cells:
            for r in range(plan.tunings):
                tried = [n for p in range(plan.points) if plan.tuning_runs for n in plan.tuning(t, c, r, p)]
                assert {plan.contender(n) for n in [*tried, *plan.tuned(t, c, r)]} == {plan.contenders[c]}


RACE = dataclasses.replace(PLAN, until_decided=True, tunings=2, rounds=(Round((0, 1, 2), 2), Round((0, 2), 3)))


def test_the_jobs_of_a_race_are_numbered_round_by_round():
    assert (RACE.most_tunings, [RACE.taken(contender) for contender in range(3)]) == (7, [7, 4, 7])
    seen, ends = [], []
    for place, each in enumerate(RACE.every_round):
        cells = [(*cell, r) for cell in RACE.cells_of(each) for r in RACE.tunings_of(place)]
        tuning = [(n, c) for t, c, r in cells for point in range(2) for n in RACE.tuning(t, c, r, point)]
        tuned = [(n, c) for t, c, r in cells for n in RACE.tuned(t, c, r)]
        assert {RACE.is_tuning(n) for n, _ in tuning} == {True}
        assert {RACE.is_tuning(n) for n, _ in tuned} == {False}
        assert all(RACE.contender(n) == RACE.contenders[c] for n, c in tuning + tuned)
        seen += [n for n, _ in tuning + tuned]
        ends.append(len(seen))
    assert seen == list(range(RACE.runs))
    for last in (ends[0], ends[1] - 1, ends[1], ends[2] - 1, ends[2]):
        rounds = sum(last >= end for end in ends)
        assert RACE.ended(set(range(last))) == dataclasses.replace(RACE, rounds=RACE.rounds[: rounds - 1])
    assert RACE.ended(set(range(1, RACE.runs))) is None


def test_a_race_is_what_was_written():
    assert Comparison.of(ComparisonEntry.checked(json.loads(json.dumps(RACE.to_entry())))) == RACE
    assert "Each was tuned 4 to 7 times on each target, until it was decided which is better: each" in RACE.sentence


def test_where_there_is_one_point_nothing_is_tuned():
    comparison = dataclasses.replace(PLAN, points=1, space={}, tunings=1)
    assert (comparison.tuning_runs, comparison.runs, comparison.medians(0, 0, 0, float)) == (0, 24, [])
    assert "nothing was tuned" in comparison.sentence


def test_the_median_over_seeds_judges_a_point():
    losses = {n: float("inf") if n in (36, 37) else float(n) for n in range(PLAN.tuning_runs)}
    assert PLAN.medians(0, 1, 1, losses.__getitem__) == [float("inf"), 40.0]


def test_what_an_earlier_version_wrote_was_tuned_once():
    entry = {key: value for key, value in PLAN.to_entry().items() if key != "tunings"}
    assert Comparison.of(ComparisonEntry.checked(entry)).tunings == 1
    assert Comparison.of(ComparisonEntry.checked(PLAN.to_entry())) == PLAN


def test_the_plan_in_words():
    assert PLAN.sentence == (
        "Each was tuned 5 times on each target: each time other points, the same for all, 2 of "
        "optimizer.lr=0.1,0.2, with 3 seeds each. The best point of each tuning was then run with 4 seeds that no "
        "tuning had seen."
    )
    once = dataclasses.replace(PLAN, tunings=1, tuning_seeds=1)
    assert "was tuned once on each target: the same points for all, 2 of" in once.sentence
    assert "with 1 seed each. The best point was then run with 4 seeds" in once.sentence

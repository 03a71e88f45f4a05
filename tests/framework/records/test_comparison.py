"""The plan of a comparison: the numbers of its jobs."""

import dataclasses

from chainrule.records.comparison import Comparison, ComparisonEntry

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

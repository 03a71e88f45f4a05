"""The plan of a comparison: the numbers of its jobs."""

import dataclasses

from chainrule.records.comparison import Comparison

PLAN = Comparison("activation", ("tanh", "relu", "mine"), ("sine", "wine"), {"optimizer.lr": "0.1,0.2"}, 2, 3, 4)


def test_the_jobs_are_numbered_without_a_gap():
    tuning = [n for t, c in PLAN.cells for point in range(2) for n in PLAN.tuning(t, c, point)]
    tuned = [n for t, c in PLAN.cells for n in PLAN.tuned(t, c)]
    assert tuning + tuned == list(range(PLAN.runs))
    assert (PLAN.tuning_runs, PLAN.runs) == (36, 60)


def test_where_there_is_one_point_nothing_is_tuned():
    comparison = dataclasses.replace(PLAN, points=1, space={})
    assert (comparison.tuning_runs, comparison.runs, comparison.medians(0, 0, float)) == (0, 24, [])
    assert "nothing was tuned" in comparison.sentence


def test_the_median_over_seeds_judges_a_point():
    losses = {n: float("inf") if n in (6, 7) else float(n) for n in range(PLAN.tuning_runs)}
    assert PLAN.medians(0, 1, losses.__getitem__) == [float("inf"), 10.0]

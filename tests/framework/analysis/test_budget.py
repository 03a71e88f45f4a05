"""What less would change: enumerations, SciPy, and simulations of tunings with the points that comparisons draw."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from chainrule.analysis.budget import (
    Step,
    amounts,
    budgets,
    choices,
    halvings,
    joint_choices,
    median_over_tunings,
    sentences,
    stopped,
)
from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.paired import Estimate, Pair, fewest_blocks, pairs
from chainrule.sweep.jobs.axes import Axis, Interval
from chainrule.sweep.jobs.space import spread
from sizes import one_in

POINTS = 16


def drawn(count, tunings, keys, seed):
    """Points as a comparison draws them, in the unit cube: ``(tunings, points, keys)``."""
    axes = [Axis(key, "interval(0,1)", (), True, Interval(0.0, 1.0, False, False)) for key in "abc"[:keys]]
    points = [spread(axes, count, f"{seed} {tuning}") for tuning in range(tunings)]
    return np.array([[[float(text.partition("=")[2]) for text in each.values()] for each in own] for own in points])


def losses(rng, x, best, luck=0.5, noise=0.5):
    """Losses ``(tunings, points, 2 seeds)`` of one that diverges far from its best point; tunings have luck."""
    away = np.abs(x - best).sum(axis=-1)
    exponent = 3 * away + luck * rng.standard_normal((len(x), 1))
    found = np.exp(exponent[..., None] + noise * rng.standard_normal((*away.shape, 2)))
    return np.where(away[..., None] > 0.6 * x.shape[-1], np.inf, found)


def pair(better, worse, separated=True, equivalent=False):
    interval = (0.48, 0.52) if equivalent else (0.6, 0.8) if separated else (0.4, 0.8)
    return Pair(0.7, interval, 0.01, (0.7,), better, worse)


def step(amount, ahead):
    return Step(amount, Estimate(0.5, {1: (0.6, 0.8), -1: (0.2, 0.4), 0: (0.4, 0.6)}[ahead], 0.5, (0.5,)))


def test_budgets_are_halved():
    assert halvings(16) == (1, 2, 4, 8, 16)
    assert halvings(7) == (1, 3, 7)
    assert halvings(1) == (1,)


@pytest.mark.parametrize(
    ("groups", "count"), [([0] * 6, k) for k in range(1, 7)] + [([0, 1, 0, 1, 2, 2], 3), ([0, 1, 0, 1, 1, 0], 4)]
)
def test_choices_are_those_of_all_ways_to_pick_points(groups, count):
    """Every way is tried one by one; of equal losses the first counts, and infinite ones are equal."""
    first = np.array([[3.0, 1.0, 2.0, 1.0, math.inf, math.inf], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    second = np.array([[1.0, 2.0, math.inf, 0.5, 2.0, 2.0], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]])
    groups_of_both = np.array([groups, groups])
    found, alone = joint_choices(first, second, groups_of_both, count), choices(first, groups_of_both, count)
    number = max(groups) + 1
    ways = [
        picked
        for picked in itertools.combinations(range(6), count)
        if set(Counter(groups[place] for place in picked).values()) == {count // number}
        and len({groups[place] for place in picked}) == number
    ]
    for tuning in range(2):
        expected = np.zeros((6, 6))
        for picked in ways:
            i, j = (min(picked, key=lambda place: (each[tuning][place], place)) for each in (first, second))
            expected[i, j] += 1 / len(ways)
        assert found[tuning] == pytest.approx(expected)
        assert alone[tuning] == pytest.approx(expected.sum(axis=1))


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_fewer_points_of_one_number_are_as_those_of_a_smaller_tuning(count):
    """The place of the kept point has the distribution that it has in tunings which draw so few."""
    wide, narrow = drawn(POINTS, 1000, 1, "wide")[..., 0], drawn(count, 4000, 1, "narrow")[..., 0]
    away = np.abs(wide - 0.3)
    groups = wide.argsort().argsort() * count // POINTS
    kept = choices(away, groups, count)
    of_smaller = np.abs(narrow - 0.3).min(axis=1)
    for quantile in (0.1, 0.5, 0.9):
        edge = np.quantile(of_smaller, quantile)
        shares = (kept * (away <= edge)).sum(axis=1)
        error = math.hypot(shares.std() / math.sqrt(1000), math.sqrt(quantile * (1 - quantile) / 4000))
        assert abs(shares.mean() - quantile) < 4 * error + 1e-3


@pytest.mark.parametrize("times", [[1, 1, 1], [3, 1, 2], [1, 2, 1], [1, 0, 3]])
def test_the_median_of_known_distributions(times):
    """As NumPy's of values that are repeated so often; the interval of equal tunings is the sign test's at the most."""
    values = np.array([2.0, 7.0, 4.0])
    weights = np.array(times) / sum(times)
    median, interval = median_over_tunings(np.tile(values, (6, 1)), np.tile(weights, (6, 1)))
    assert median == np.median(np.repeat(values, times))
    assert interval[0] <= median <= interval[1]
    assert median_over_tunings(np.tile(values, (5, 1)), np.tile(weights, (5, 1)))[1] is None


def test_the_interval_of_a_median_of_single_runs_is_at_least_that_of_the_sign_test():
    values = np.random.default_rng(0).permutation(20.0 + np.arange(20))[:, None]
    _, (low, high) = median_over_tunings(values, np.ones((20, 1)))
    below = stats.binom.ppf(0.025, 20, 0.5)
    assert (low, high) == pytest.approx((20 + below - 1, 20 + 19 - below + 1), abs=1)


BESTS = 0.35, 0.65  # of two that are mirrored, so that they are equally good with every budget


def compared(rng, seed, keys, bests, targets=2, tunings=6, **options):
    """Fewer points of two contenders on several targets; the first is called the better one."""
    x = drawn(POINTS, targets * tunings, keys, seed)
    both = [losses(rng, x, best, **options).reshape(targets, tunings, POINTS, 2) for best in bests]
    order = x[..., 0].argsort().argsort().reshape(targets, tunings, POINTS) if keys == 1 else None
    return budgets(np.stack(both, axis=1), [pair(0, 1)], order)


def alarms(tries, keys, **options):
    rng = np.random.default_rng(keys)
    found = [compared(rng, number, keys, BESTS, **options) for number in range(tries)]
    return sum(any(step.ahead for step in each.steps[0]) for each in found)


@pytest.mark.parametrize("keys", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_nothing_is_told_of_equal_contenders_at_any_budget(keys):
    assert alarms(30, keys) <= stats.binom.ppf(0.999, 30, SIGNIFICANCE)


@pytest.mark.slow  # many comparisons
@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("options", [{}, {"luck": 2.0}, {"luck": 0.0, "noise": 0.1}])
def test_nothing_is_told_of_equal_contenders_in_120_comparisons(keys, options, extent):
    """In 30 of them in CI."""
    tries = extent(few=30, ci=30, all=120)
    assert alarms(tries, keys, **options) <= 0.05 * tries + 2 * math.sqrt(0.05 * 0.95 * tries)


def truth(keys, bests, tries=4000):
    """Medians ``(2, budgets)``, and the probability that the first wins, ``(budgets,)``, of tunings with few points."""
    rng, medians, wins = np.random.default_rng(99), [], []
    for count in halvings(POINTS):
        x = drawn(count, tries, 1, "truth") if keys == 1 else drawn(POINTS, tries, keys, "truth")[:, :count]
        found = [losses(rng, x, best) for best in bests]
        ends = [each[np.arange(tries), each[..., 0].argmin(axis=1), 1] for each in found]
        medians.append([np.median(each) for each in ends])
        wins.append(((ends[0] < ends[1]) + 0.5 * (ends[0] == ends[1])).mean())
    return np.transpose(medians), wins


def covered(tries, keys):
    """How many intervals cover: of the probabilities all at once, and of each median, ``(2, budgets)``."""
    bests, rng = (0.3, 0.75), np.random.default_rng(keys)
    medians, wins = truth(keys, bests)
    together, single = 0, np.zeros(medians.shape, int)
    for number in range(tries):
        found = compared(rng, number, keys, bests)
        ends = [step.estimate.interval for step in found.steps[0]]
        together += all(low <= share <= high for share, (low, high) in zip(wins, ends, strict=False))
        bands = np.array([[own.intervals for own in row] for row in found.reached])
        single += ((bands[..., 0] <= medians) & (medians <= bands[..., 1])).sum(axis=0)
    return together, single


@pytest.mark.parametrize("keys", one_in(2, [(1,), (2,)]))
def test_intervals_cover_what_fewer_points_reach(keys):
    """Of one number what smaller tunings reach; of two what tunings reach that are stopped. At least 93 %."""
    together, single = covered(20, keys)
    assert together >= stats.binom.ppf(0.001, 20, 0.93)
    assert single.min() >= stats.binom.ppf(0.001 / single.size, 40, 0.93)


@pytest.mark.parametrize("keys", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.rare)])
def test_intervals_cover_in_200_comparisons(keys, extent):
    """In 60 of them in CI."""
    tries = extent(few=60, ci=60, all=200)
    together, single = covered(tries, keys)
    assert together >= 0.95 * tries - 2 * math.sqrt(0.05 * 0.95 * tries)
    assert single.min() >= 0.93 * 2 * tries - 2 * math.sqrt(0.07 * 0.93 * 2 * tries)


def test_a_wide_optimum_is_ahead_with_few_points_and_a_deep_one_with_many():
    x = drawn(POINTS, 24, 1, 0)
    noise = 0.01 * np.random.default_rng(0).random((2, 24, POINTS, 2))
    deep, wide = np.where(np.abs(x - 0.5) < 0.07, 0.0, 2.0) + noise[0], np.ones((24, POINTS, 2)) + noise[1]
    found = np.stack([deep.reshape(2, 12, POINTS, 2), wide.reshape(2, 12, POINTS, 2)], axis=1)
    result = budgets(found, [pair(0, 1)], x[..., 0].argsort().argsort().reshape(2, 12, POINTS))
    assert [step.ahead for step in result.steps[0]] == [-1, -1, 0, 1]
    assert [own.medians[0] > own.medians[-1] + 1 for own in result.reached[0]] == [True, False]
    assert sentences(("deep", "wide"), [pair(0, 1)], result.steps, POINTS, "points", (12, "tunings"), 0) == [
        "Fewer points reverse the order: with 1 or 2 points wide is ahead of deep; with 4 points the data do not "
        "separate deep from wide; with 8 or 16 points deep is ahead of wide."
    ]


def test_a_point_is_not_judged_by_the_runs_that_chose_it():
    """All points are equally good: with more of them the smallest loss is smaller, but not what is reached."""
    found = np.random.default_rng(1).standard_normal((1, 2, 400, POINTS, 2))
    medians = np.array([own.medians for own in budgets(found, [pair(0, 1)], None).reached[0]])
    assert np.abs(medians).max() < 4 * 1.25 / math.sqrt(400)
    assert np.median(found[0, 0, ..., 0].min(axis=1)) < -1.5


def test_more_than_two_seeds_judge_in_turn():
    """The only tuning chooses the first point if the third seed judges, and else the second."""
    own = np.array([[0.0, 0.0, 5.0], [9.0, 1.0, 1.0]])
    found = np.broadcast_to(own, (1, 2, 2, 2, 3))
    whole = budgets(found, [pair(0, 1)], None).reached[0][0].medians[-1]
    judged = [own[np.median(np.delete(own, seed, axis=1), axis=1).argmin(), seed] for seed in range(3)]
    assert whole == np.median(judged)


def test_what_was_reached_before_the_end_is_compared_as_the_end_is():
    found = np.random.default_rng(2).standard_normal((2, 3, 2, 8, 4))
    (steps,) = stopped(found, [pair(1, 0)], [25, 50])
    for own, then in zip(steps, found, strict=True):
        (expected,) = pairs(then)
        share = expected.probability if expected.better == 1 else 1 - expected.probability
        assert own.estimate.probability == pytest.approx(share)
    assert [own.amount for own in steps] == [25, 50]


NAMES = ("adam", "nesterov", "rprop", "lynx")


@pytest.mark.parametrize(
    ("result", "ahead", "said"),
    [
        (pair(0, 1), (1, 1), "With 1 or 4 points it is as with 8: adam is ahead of nesterov."),
        (pair(0, 1, False), (0, 0), "With 1 or 4 points it is as with 8: the data do not separate adam from nesterov."),
        (pair(0, 1, equivalent=True), (0, 0), "With 1 or 4 points it is as with 8: adam and nesterov are equivalent."),
        (
            pair(0, 1),
            (-1, 1),
            "Fewer points reverse the order: with 1 point nesterov is ahead of adam; with 4 or 8 points adam is ahead "
            "of nesterov.",
        ),
        (
            pair(0, 1),
            (0, 0),
            "With 1 or 4 points the data do not separate adam from nesterov; with 8 points adam is ahead of nesterov.",
        ),
        (
            pair(0, 1, False),
            (-1, 0),
            "With 1 point nesterov is ahead of adam; with 4 or 8 points the data do not separate adam from nesterov.",
        ),
    ],
)
def test_the_sentence_about_two(result, ahead, said):
    steps = [step(amount, each) for amount, each in zip((1, 4), ahead, strict=True)]
    assert sentences(NAMES[:2], [result], [steps], 8, "points", (12, "tunings"), 0) == [said]


def test_of_many_contenders_only_what_changes_for_the_best_is_told():
    results = [pair(i, j) for i, j in itertools.combinations(range(4), 2)]
    ahead = [-1, 1, 1, -1, 1, 1]
    steps = [[step(25, each)] for each in ahead]
    arguments = (100, "epochs", (12, "tunings"), 0)
    assert sentences(NAMES, results, steps, *arguments) == [
        "Fewer epochs reverse the order: with 25 epochs nesterov is ahead of adam; with 100 epochs adam is ahead of "
        "nesterov."
    ]
    assert sentences(NAMES, results, [[step(25, 1)]] * 6, *arguments) == [
        "With 25 epochs it is as with 100 between adam and each of the others."
    ]
    assert len(sentences(NAMES[:3], results[:2] + results[3:4], steps[:3], *arguments)) == 3


def test_too_few_tunings_are_told():
    steps = [[step(1, 0), step(2, 0), step(4, 0)]]
    fewest = fewest_blocks(2, 1, 3)
    assert fewest > fewest_blocks(2, 1)
    assert sentences(NAMES[:2], [pair(0, 1)], steps, 8, "points", (fewest - 1, "tunings"), 0) == [
        f"{fewest - 1} tunings cannot tell what 1, 2 or 4 points would change: take {fewest} or more."
    ]
    assert len(sentences(NAMES[:2], [pair(0, 1)], steps, 8, "points", (fewest, "tunings"), 0)) == 1
    assert sentences(NAMES[:2], [pair(0, 1)], [[]], 1, "epochs", (9, "tunings"), 0) == []


def test_amounts_have_their_unit():
    assert amounts([1], "points") == "1 point"
    assert amounts([1, 2], "points") == "1 or 2 points"
    assert amounts([5, 10, 20], "epochs") == "5, 10 or 20 epochs"

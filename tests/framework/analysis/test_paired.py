"""The statistics of comparisons: simulations, closed forms, and SciPy's Student test."""

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.paired import block_values, estimate, fewest_blocks, pairs, profile
from simulation import CASES, KINDS, losses


def alarms(drawn):
    return sum(any(pair.is_separated for pair in pairs(each)) for each in drawn)


def rarely(count, tries):
    """Whether something that happens in 5 % of cases may well happen so often."""
    return count <= stats.binom.ppf(0.999, tries, SIGNIFICANCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("targets", "methods"), CASES)
def test_equal_methods_are_rarely_declared_different(kind, targets, methods):
    """Any pair of them, although the luck of tuning is as large as the differences between seeds."""
    rng, tries = np.random.default_rng([targets, methods]), 200 if methods == 2 else 60
    assert rarely(alarms(losses(rng, tries, targets, methods, kind=kind)), tries)


@pytest.mark.slow  # many of them, on 20 settings
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("targets", "methods"), CASES)
def test_the_level_is_kept_in_4000_comparisons(kind, targets, methods, extent):
    """In 400 of them in CI."""
    rng, tries = np.random.default_rng([targets, methods, 1]), extent(few=400, ci=400, all=4000)
    expected, spread = 0.05 * tries, math.sqrt(0.05 * 0.95 * tries)
    assert alarms(losses(rng, tries, targets, methods, kind=kind)) <= expected + 2 * spread


OTHERS = {
    "wider": lambda z, luck: 4 * z + luck,
    "other luck": lambda z, luck: z + 5 * luck,
    "skewed": lambda z, luck: np.exp(1.5 * z) + luck,
}


@pytest.mark.parametrize("shape", OTHERS)
@pytest.mark.parametrize("targets", [1, 7])
def test_methods_that_win_equally_often_but_differ_otherwise_are_rarely_separated(shape, targets):
    def drawn(count, blocks=6, seeds=4):
        luck, z = (
            rng.standard_normal((2, count, targets, blocks, 1)),
            rng.standard_normal((2, count, targets, blocks, seeds)),
        )
        return luck[0] + z[0], OTHERS[shape](z[1], luck[1])

    rng, tries = np.random.default_rng(targets), 1000
    x, y = drawn(1, 200_000, 1)
    y_shift = np.median(y - x)  # then x < y in half of all cases
    x, y = drawn(tries)
    values = block_values(x, y - y_shift)
    found = sum(not low <= 0.5 <= high for low, high in (estimate(each).interval for each in values))
    assert rarely(found, tries)


@pytest.mark.parametrize(("targets", "blocks", "seeds"), [(1, 6, 4), (1, 20, 1), (2, 12, 1), (7, 6, 4), (7, 20, 1)])
@pytest.mark.parametrize("shift", [0.0, 1.5, 3.0, 5.0, 8.0])
@pytest.mark.parametrize("luck", [0.0, 1.0])
def test_the_interval_covers_the_probability_of_winning(targets, blocks, seeds, shift, luck):
    """With 93 % at least where it promises 95, beyond chance, also where one nearly always wins."""
    rng = np.random.default_rng([targets, blocks, seeds])
    drawn = losses(rng, 400, targets, 2, blocks, seeds, luck=luck)
    truth = stats.norm.cdf(shift / math.sqrt(2 + 2 * luck**2))
    values = block_values(drawn[:, :, 0], drawn[:, :, 1] + shift)
    covered = sum(low <= truth <= high for low, high in (estimate(each).interval for each in values))
    assert covered >= stats.binom.ppf(0.001, 400, 0.93)


@pytest.mark.rare  # 100,000 intervals, or four times as many by --faults all
def test_the_interval_covers_in_all_of_1296_cases(extent):
    """From few blocks to many, of one seed and of many, with little luck in tuning and much, near 1 and at 1/2."""
    rng, tries, counts = np.random.default_rng(11), extent(few=75, ci=75, all=300), []
    cases = itertools.product((1, 2, 3, 7), (4, 6, 10, 20), (1, 4, 20), (None, 1, 5))
    for (targets, blocks, seeds, alike), truth in itertools.product(
        cases, (0.5, 0.7, 0.8, 0.9, 0.94, 0.97, 0.985, 0.994, 0.999)
    ):
        shape = (tries, targets, blocks)
        of_block = rng.beta(truth * alike, (1 - truth) * alike, shape) if alike else np.full(shape, truth)
        found = [estimate(values).interval for values in rng.binomial(seeds, of_block) / seeds]
        counts.append(sum(low <= truth <= high for low, high in found))
    assert len(counts) == 1296
    assert min(counts) >= stats.binom.ppf(0.001 / 1296, tries, 0.93)
    assert np.mean(counts) >= 0.95 * tries


def test_targets_on_which_one_wins_and_the_other_loses_are_averaged():
    drawn = losses(np.random.default_rng(2), 400, 4, 2)
    shifts = np.array([-3.0, -1.0, 1.0, 4.0])
    truth, covered = stats.norm.cdf(shifts / 2).mean(), 0
    for each in drawn:
        found = estimate(block_values(each[:, 0], each[:, 1] + shifts[:, None, None]))
        covered += found.interval[0] <= truth <= found.interval[1]
    assert covered >= stats.binom.ppf(0.001, 400, 0.93)


def test_a_method_that_took_part_in_fewer_blocks_is_compared_in_those():
    (drawn,) = losses(np.random.default_rng(5), 1, 2, 3, blocks=8)
    drawn[:, 2, 5:] = np.nan
    first, second, third = pairs(drawn)
    for pair in (second, third):
        fewer = drawn[:, [pair.better, pair.worse], :5]
        assert pair.by_target == tuple(block_values(fewer[:, 0], fewer[:, 1]).mean(axis=1))
    assert first == next(
        pair for pair in pairs(np.where(np.isnan(drawn), 0.0, drawn)) if 2 not in (pair.better, pair.worse)
    )
    shares, used = profile(np.abs(drawn).reshape(2, 3, -1), np.array([1.0, 1e9]))
    assert used == [0, 1]
    assert shares[:, 1].tolist() == [1.0, 1.0, 1.0], "of the runs that there are"


def test_different_methods_are_separated():
    for drawn in losses(np.random.default_rng(3), 50, 3, 3, kind="heavy tails"):
        drawn[:, 2] *= math.exp(12)
        first, second, third = pairs(drawn)
        assert second.is_separated
        assert third.is_separated
        assert (second.better, second.worse, third.better, third.worse) == (0, 2, 1, 2)
        assert {first.better, first.worse} == {0, 1}


def test_what_is_a_little_better_with_every_seed_wins():
    drawn = losses(np.random.default_rng(4), 1, 2, 1)[0].repeat(2, axis=1)
    drawn[:, 1] += 1e-6
    (pair,) = pairs(drawn)
    assert (pair.better, pair.probability, pair.is_separated) == (0, 1.0, True)


def test_in_the_middle_it_is_nearly_student_s_interval():
    """On the scale of the logit, with half a block more: near 1/2 and with many blocks both differ little from it."""
    values = np.random.default_rng(5).beta(3, 3, (1, 60))
    found = estimate(values)
    expected = stats.ttest_1samp(values[0], 0.5)
    assert found.probability == values.mean()
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=0.005)
    assert found.p == pytest.approx(expected.pvalue, abs=0.02)


def test_with_two_targets_the_degrees_of_freedom_are_those_of_welch():
    """An average over two targets is a difference of two samples, one of them reflected."""
    first, second = np.random.default_rng(6).beta(3, 3, (2, 40)), np.random.default_rng(7).beta(30, 30, (2, 40))
    values = np.stack([first[0], second[0]])
    expected = stats.ttest_ind(values[0], 1 - values[1], equal_var=False)
    assert estimate(values).p == pytest.approx(expected.pvalue, abs=0.02)


@pytest.mark.parametrize("tests", [1, 15])
def test_interval_and_p_value_never_contradict_each_other(tests):
    rng, seen = np.random.default_rng(8), set()
    for drawn in losses(rng, 300, 2, 2):
        found = estimate(block_values(drawn[:, 0], drawn[:, 1] + rng.choice([0.0, 1.0, 2.0])), tests)
        assert (found.p <= SIGNIFICANCE) == (not found.interval[0] <= 0.5 <= found.interval[1])
        assert found.interval[0] <= found.probability <= found.interval[1]
        seen.add(found.p <= SIGNIFICANCE)
    assert seen == {True, False}


def test_several_pairs_are_covered_at_once():
    """Bonferroni: an interval at 95 % for three pairs has 98.33 % for each."""
    values = np.random.default_rng(9).beta(3, 3, (1, 60))
    one, three = estimate(values), estimate(values, 3)
    widths = [special.logit(found.interval[1]) - special.logit(found.interval[0]) for found in (one, three)]
    assert widths[1] / widths[0] == pytest.approx(stats.t.ppf(1 - 0.05 / 6, 59) / stats.t.ppf(0.975, 59), rel=0.01)
    assert three.p == pytest.approx(min(1, 3 * one.p))


def test_where_one_always_wins_the_interval_is_binomial():
    expected = stats.binomtest(10, 10).proportion_ci(0.95, method="exact")
    found = estimate(np.ones((1, 10)))
    assert found.interval == pytest.approx((expected.low, 1.0))
    assert found.p == pytest.approx(stats.binomtest(10, 10).pvalue)


def test_methods_that_are_all_alike_are_equivalent():
    for value in (1.0, math.inf):
        (pair,) = pairs(np.full((2, 2, 8, 3), value))
        assert (pair.probability, pair.interval, pair.p) == (0.5, (0.5, 0.5), 1.0)
        assert pair.is_equivalent
        assert not pair.is_separated


def test_only_the_order_counts():
    drawn = losses(np.random.default_rng(10), 1, 2, 3, kind="diverged")[0]
    scales = np.array([1.0, 1e6])[:, None, None, None]
    with np.errstate(divide="ignore"):
        assert pairs(drawn) == pairs(np.log(drawn)) == pairs(drawn * scales)


@pytest.mark.parametrize(("methods", "targets"), [(2, 1), (2, 7), (6, 1), (10, 7)])
def test_fewer_blocks_than_the_fewest_separate_nothing(methods, targets):
    fewest = fewest_blocks(methods, targets)

    def separated(blocks):
        drawn = np.zeros((targets, methods, blocks, 4)) + np.arange(methods)[:, None, None]
        return any(pair.is_separated for pair in pairs(drawn))

    assert separated(fewest)
    assert fewest == 2 or not separated(fewest - 1)


def test_profiles_by_hand():
    drawn = np.array([[[1.0, 2, 3], [4, 5, math.inf]], [[8, 8, 8], [4, 4, 16]]])
    shares, used = profile(drawn, np.array([1.0, 2.0, 1000.0]))
    assert used == [0, 1]  # the smallest medians are 2 and 4
    np.testing.assert_allclose(shares, [[2 / 6, 1, 1], [2 / 6, 3 / 6, 5 / 6]])


def test_profiles_leave_out_targets_on_which_factors_mean_nothing():
    fine = np.array([[[1.0, 1.0], [2.0, 2.0]]])
    for other in (-fine, 0 * fine, np.full_like(fine, math.inf)):
        shares, used = profile(np.concatenate([other, fine]), np.array([1.0]))
        assert used == [1]
        np.testing.assert_array_equal(shares, [[1.0], [0.0]])
    shares, used = profile(-fine, np.array([1.0]))
    assert (shares.shape, used) == ((2, 1), [])

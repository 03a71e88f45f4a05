"""The statistics of comparisons, on cases with known answers."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from chainrule.analysis import rank_tests
from chainrule.analysis.rank_tests import SIGNIFICANCE, exchange_test, holm, interval, pairs, profile, smallest_p

COMPARISONS = 200


def losses(rng, shape, kind, shared=0.0):
    """Losses of equal methods, ``(..., targets, methods, seeds)``; of one seed they have a part in common."""
    common = rng.standard_normal((*shape[:-2], 1, shape[-1]))
    z = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal(shape)
    match kind:
        case "heavy tails":
            return np.exp(3 * z)
        case "ties":
            return np.round(z)
        case "diverged":
            return np.where(z > 0.6, np.inf, np.exp(z))
    return z


@pytest.mark.parametrize("kind", ["continuous", "heavy tails", "ties", "diverged"])
@pytest.mark.parametrize("methods", [2, 4])
@pytest.mark.parametrize("targets", [1, 5])
@pytest.mark.parametrize("seeds", [10, 20])
def test_equal_methods_are_rarely_declared_different(kind, methods, targets, seeds):
    """Any pair of them: in 200 comparisons no more often than the level allows, beyond chance."""
    rng, alarms = np.random.default_rng([methods, targets, seeds]), 0
    for shared in (0.0, 0.7):
        for drawn in losses(rng, (COMPARISONS // 2, targets, methods, seeds), kind, shared):
            tests = [exchange_test(drawn[:, i], drawn[:, j])[0] for i, j in itertools.combinations(range(methods), 2)]
            alarms += min(holm(tests)) <= SIGNIFICANCE
    assert alarms <= stats.binom.ppf(0.999, COMPARISONS, SIGNIFICANCE)


def test_over_all_kinds_the_level_is_kept_and_nearly_used():
    rng, alarms = np.random.default_rng(1), 0
    for drawn in losses(rng, (2000, 2, 2, 12), "continuous"):
        alarms += exchange_test(drawn[:, 0], drawn[:, 1])[0] <= SIGNIFICANCE
    assert 0.03 * 2000 <= alarms <= stats.binom.ppf(0.999, 2000, SIGNIFICANCE)


def test_different_methods_are_separated():
    rng = np.random.default_rng(2)
    separated = 0
    for drawn in losses(rng, (100, 3, 3, 20), "heavy tails", shared=0.5):
        drawn[:, 2] *= 50
        first, second, third = pairs(drawn)
        separated += second.is_separated and third.is_separated
        assert (second.better, second.worse, third.better, third.worse) == (0, 2, 1, 2)
        assert {first.better, first.worse} == {0, 1}
    assert separated == 100


def test_what_is_the_same_with_every_seed_is_found_though_runs_differ_more_from_seed_to_seed():
    drawn = np.random.default_rng(3).standard_normal((2, 1, 12)) * [[[1.0], [1.0]]]
    drawn[:, 1] += 1e-3
    (pair,) = pairs(drawn)
    assert (pair.better, pair.same_seed) == (0, 1.0)
    assert pair.probability == pytest.approx(0.5)
    assert pair.is_separated


@pytest.mark.parametrize("kind", ["continuous", "ties", "diverged"])
def test_the_p_value_is_that_of_all_exchanges(kind):
    rng = np.random.default_rng(4)
    for targets, seeds in [(1, 7), (2, 4)]:
        x, y = losses(rng, (targets, 2, seeds), kind).swapaxes(0, 1)
        ranks = stats.rankdata(np.concatenate([x, y], axis=1), axis=1)
        steps = (ranks[:, :seeds] - ranks[:, seeds:]).ravel()
        sums = [np.dot(signs, steps) for signs in itertools.product((-1, 1), repeat=len(steps))]
        assert exchange_test(x, y)[0] == pytest.approx(np.mean(np.abs(sums) >= abs(steps.sum())))


def test_the_p_value_is_that_of_scipy():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal(8), rng.standard_normal(8) + 0.7
    ranks = stats.rankdata([x, y]).reshape(2, 8)
    expected = stats.permutation_test(
        tuple(ranks), lambda a, b, axis: np.sum(a - b, axis), permutation_type="samples", vectorized=True
    )
    p, sign = exchange_test(x[None], y[None])
    assert p == pytest.approx(expected.pvalue)
    assert sign == np.sign(ranks[0].sum() - ranks[1].sum())


def test_of_many_runs_the_normal_distribution_does(monkeypatch):
    x, y = np.random.default_rng(6).standard_normal((2, 4, 30))
    exact = exchange_test(x, y)[0]
    monkeypatch.setattr(rank_tests, "_EXACT", 10)
    assert exchange_test(x, y)[0] == pytest.approx(exact, abs=0.01)


def test_without_seeds_in_common_it_is_van_elteren_s_test():
    """The variance of his sum of ranks, given in his paper, is what that of the exchanges is on average."""
    rng, targets, seeds = np.random.default_rng(7), 3, 40
    expected = targets * seeds * seeds * (2 * seeds + 1) / 12
    found = []
    for x, y in rng.standard_normal((200, 2, targets, seeds)):
        ranks = stats.rankdata(np.concatenate([x, y], axis=1), axis=1)
        found.append((np.square(ranks[:, :seeds] - ranks[:, seeds:]) / 4).sum())
    assert np.mean(found) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_the_probability_of_improvement_has_its_closed_form(shift):
    """Of two normal distributions, ``shift`` apart: Phi(shift / sqrt 2)."""
    drawn = np.random.default_rng(8).standard_normal((200, 2, 20))
    drawn[:, 1] += shift
    (pair,) = pairs(drawn)
    share = pair.probability if pair.better == 0 else 1 - pair.probability
    assert share == pytest.approx(stats.norm.cdf(shift / math.sqrt(2)), abs=0.02)


@pytest.mark.parametrize("kind", ["continuous", "ties", "diverged"])
def test_the_probability_is_u_without_the_pairs_of_one_seed(kind):
    """Mann and Whitney's U counts those, too, which have more in common than two runs usually have."""
    drawn = losses(np.random.default_rng(9), (3, 2, 9), kind)
    (pair,) = pairs(drawn)
    for target in range(3):
        x, y = drawn[target, pair.better], drawn[target, pair.worse]
        u = stats.mannwhitneyu(y, x).statistic
        same = np.sum(x < y) + 0.5 * np.sum(x == y)
        assert pair.by_target[target] == pytest.approx((u - same) / (9 * 8))


@pytest.mark.parametrize(("targets", "seeds"), [(1, 10), (1, 20), (5, 10), (5, 20)])
@pytest.mark.parametrize("shift", [0.0, 1.2, 2.0])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_interval_covers_the_probability(targets, seeds, shift, shared):
    """With 93 % at least where it promises 95, beyond chance."""
    drawn = losses(np.random.default_rng([targets, seeds]), (400, targets, 2, seeds), "continuous", shared)
    drawn[..., 1, :] += shift
    truth, covered = stats.norm.cdf(shift / math.sqrt(2)), 0
    for x, y in drawn.swapaxes(1, 2):
        low, high = interval((x[:, :, None] < y[:, None, :]).astype(float))
        covered += low <= truth <= high
    assert covered >= stats.binom.ppf(0.001, 400, 0.93)


def test_that_all_runs_are_better_is_not_certainty():
    low, high = interval(np.ones((1, 10, 10)))
    assert 0.5 < low < 0.9
    assert 0.99 < high < 1


def test_runs_that_are_all_alike_say_nothing():
    for value in (1.0, math.inf):
        (pair,) = pairs(np.full((2, 2, 8), value))
        assert (pair.probability, pair.same_seed, pair.p, pair.is_separated) == (0.5, 0.5, 1.0, False)
        assert pair.interval[0] <= 0.5 <= pair.interval[1]


def test_only_the_order_counts():
    drawn = losses(np.random.default_rng(10), (2, 3, 8), "diverged")
    with np.errstate(divide="ignore"):
        assert pairs(drawn) == pairs(np.log(drawn)) == pairs(drawn * [[[1.0]], [[1e6]]])


def test_holm_s_own_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]


def test_the_smallest_p_is_that_of_runs_that_are_all_better():
    x = np.arange(6.0)[None]
    assert exchange_test(x, x + 10)[0] == pytest.approx(smallest_p(1, 6))


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

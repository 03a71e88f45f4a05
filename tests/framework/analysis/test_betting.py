"""Confidence sequences: what bets are expected to gain, how often an interval is ever wrong, how soon it decides."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from chainrule.analysis.betting import _log_wealth, estimate
from chainrule.analysis.confidence import SIGNIFICANCE
from chainrule.analysis.paired import block_values
from simulation import CASES, KINDS, losses

BLOCKS = 40


@pytest.mark.parametrize("means", [(0.5,), (0.3,), (0.2, 0.8), (0.05, 0.35), (0.9, 0.5, 0.1)])
def test_no_bet_against_the_truth_is_expected_to_gain(means):
    """Exactly, over all sequences of wins and losses in three rounds, however the targets differ."""
    expected = np.zeros(3)
    for wins in itertools.product((0.0, 1.0), repeat=3 * len(means)):
        values = np.array(wins).reshape(len(means), 3)
        chance = np.prod(np.where(values == 1, np.array(means)[:, None], 1 - np.array(means)[:, None]))
        expected += chance * np.exp(_log_wealth(values, np.array([np.mean(means)]))[:, 0])
    assert np.all(expected <= 1 + 1e-12)
    assert np.all(expected > 0.5), "nor to lose much"


def ever_refuted(values, probability, tests=1):
    wealth = _log_wealth(values, np.array([probability]))[..., 0]
    return wealth.max(axis=-1) >= math.log(tests / SIGNIFICANCE)


def alarms(drawn):
    """How many comparisons separate equal methods after any of their blocks."""
    two = list(itertools.combinations(range(drawn.shape[2]), 2))
    found = [ever_refuted(block_values(drawn[:, :, i], drawn[:, :, j]), 0.5, len(two)) for i, j in two]
    return np.any(found, axis=0).sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("targets", "methods"), CASES)
def test_equal_methods_are_rarely_separated_however_often_one_looks(kind, targets, methods):
    rng, tries = np.random.default_rng([targets, methods]), 200 if methods == 2 else 40
    drawn = losses(rng, tries, targets, methods, blocks=BLOCKS, kind=kind)
    assert alarms(drawn) <= stats.binom.ppf(0.999, tries, SIGNIFICANCE)


@pytest.mark.slow  # 80,000 comparisons, or an eighth of them in CI
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("targets", "methods"), CASES)
def test_the_level_is_kept_in_4000_races(kind, targets, methods, extent):
    rng, tries = np.random.default_rng([targets, methods, 1]), extent(few=500, ci=500, all=4000)
    found = sum(alarms(losses(rng, 100, targets, methods, blocks=BLOCKS, kind=kind)) for _ in range(tries // 100))
    assert found <= SIGNIFICANCE * tries


@pytest.mark.parametrize("targets", [1, 2, 7])
@pytest.mark.parametrize("truth", [0.02, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("seeds", [1, 4])
def test_the_interval_covers_at_all_times_at_once(targets, truth, seeds):
    """Where tunings are lucky, and targets differ as much as they can."""
    rng, tries = np.random.default_rng([targets, seeds]), 300
    reach = min(truth, 1 - truth)
    means = truth + np.linspace(-reach, reach, targets) if targets > 1 else np.array([truth])
    shape = [2 * np.clip(share, 1e-9, 1)[:, None, None] for share in (means, 1 - means)]
    of_block = rng.beta(*shape, (targets, tries, BLOCKS))
    values = rng.binomial(seeds, of_block).swapaxes(0, 1) / seeds
    assert ever_refuted(values, truth).sum() <= stats.binom.ppf(0.999, tries, SIGNIFICANCE)


def test_p_and_interval_say_the_same():
    rng = np.random.default_rng(0)
    for share in (0.3, 0.5, 0.62, 0.8):
        for _ in range(30):
            found = estimate(rng.binomial(4, share, (3, 8)) / 4, tests=3)
            assert (found.p <= SIGNIFICANCE) == (not found.interval[0] <= 0.5 <= found.interval[1])
            assert found.interval[0] <= found.interval[1]


def test_from_the_other_side_it_is_the_same():
    values = np.random.default_rng(1).binomial(4, 0.7, (3, 8)) / 4
    one, other = estimate(values), estimate(1 - values)
    assert other.interval == pytest.approx([1 - end for end in one.interval[::-1]])
    assert other.p == pytest.approx(one.p)
    assert other.by_target == pytest.approx([1 - share for share in one.by_target])


@pytest.mark.parametrize(("targets", "blocks"), [(1, 6), (2, 4), (7, 2)])
def test_what_always_wins_is_soon_better(targets, blocks):
    found = [estimate(np.ones((targets, count))) for count in range(1, blocks + 1)]
    assert [each.interval[0] > 0.5 for each in found] == [False] * (blocks - 1) + [True]
    assert {each.interval[1] for each in found} == {1.0}


def test_targets_that_differ_do_not_hide_the_answer():
    """One method always wins on four of seven targets, the other on three: only the average is tested."""
    values = np.repeat([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0], 12).reshape(7, 12)
    found = estimate(values)
    assert 0.5 < found.interval[0] < 4 / 7 < found.interval[1]


def test_equal_methods_are_equivalent_in_the_end():
    values = np.random.default_rng(2).binomial(4, 0.5, (7, 120)) / 4
    found = estimate(values)
    assert 0.45 <= found.interval[0] <= 0.5 <= found.interval[1] <= 0.55


def test_ties_are_equivalent():
    found = estimate(np.full((3, 60), 0.5))
    assert (found.probability, found.p) == (0.5, 1.0)
    assert 0.45 <= found.interval[0] <= 0.5 <= found.interval[1] <= 0.55

"""Groups and intervals, against scipy, closed cases and simulations."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chainrule.analysis.ranking import Group, compared_metric, groups, median_interval
from chainrule.records.outcome import Outcome

LOSS = "validation/loss"


def outcome(number, value, reason="epochs", **settings):
    metrics = {} if reason == "failed" else {LOSS: None if reason == "diverged" else value}
    return Outcome(number, str(number), settings, number, reason, metrics)


def one_group(values):
    return groups([outcome(number, value) for number, value in enumerate(values)], LOSS)[0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.randoms())
def test_median_quartiles_and_interval_agree_with_numpy_and_scipy(values, random):
    group = one_group(values)
    assert group.median == pytest.approx(np.median(values), rel=1e-12, abs=1e-12)
    assert group.quartiles == tuple(np.quantile(values, [0.25, 0.75], method="inverted_cdf"))
    interval = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    if len(values) < 6:
        assert group.interval is None
    else:
        assert group.interval == (interval.low, interval.high)
        assert group.interval[0] <= group.median <= group.interval[1]
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert one_group(shuffled).values == group.values


def test_of_equal_runs_one_counts():
    """A seed that was typed twice, or a point that was drawn twice, tells nothing more."""
    different = [outcome(i, 1.0 + i % 3, rate=0.1 * (1 + i // 3)) for i in range(6)]
    repeated = [dataclasses.replace(one, number=one.number + 6) for one in different]
    assert [g.values for g in groups([*repeated, *different], LOSS)] == [g.values for g in groups(different, LOSS)]


def test_runs_whose_seed_is_unknown_are_all_different():
    runs = [dataclasses.replace(outcome(number, 1.0 + number), seed=None) for number in range(3)]
    assert groups(runs, LOSS)[0].values == (1.0, 2.0, 3.0)
    mixed = [dataclasses.replace(one, seed=seed) for one, seed in zip(runs, (None, 1, 1), strict=True)]
    assert groups(mixed, LOSS)[0].values == (1.0, 2.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6) | st.none()), min_size=1, max_size=40))
def test_where_large_values_are_good_all_is_that_of_the_negative_values(runs):
    def found(sign, maximize):
        kept = [
            outcome(n, None if value is None else sign * value, "diverged" if value is None else "epochs", x=x)
            for n, (x, value) in enumerate(runs)
        ]
        ranked = groups(kept, LOSS, maximize)
        best_first = [sign * group.median for group in ranked]
        assert best_first == sorted(best_first, reverse=True)
        return sorted(
            (dataclasses.replace(group, best_of=1) for group in ranked), key=lambda group: group.settings["x"]
        )

    for up, down in zip(found(1, True), found(-1, False), strict=True):  # equally good ones may change places
        assert up.settings == down.settings
        assert up.values == tuple(-value for value in reversed(down.values))
        assert up.median == -down.median
        assert (up.interval is None) == (down.interval is None)
        if up.interval:
            assert up.interval == (-down.interval[1], -down.interval[0])


def test_the_interval_covers_the_median_at_least_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for count in (6, 9, 20, 33):
        samples = rng.lognormal(size=(2000, count))
        covered = [low <= 1 <= high for low, high in (one_group(sample).interval for sample in samples)]
        assert np.mean(covered) >= 0.94


def test_the_interval_is_that_of_the_binomial_distribution():
    for count in (*range(1, 70), 400, 2001):
        for tests in (1, 7, 1000):
            below = int((stats.binom.cdf(range(count), count, 0.5) <= 0.05 / tests / 2).sum())
            found = median_interval(range(count), tests)
            assert found == ((below - 1, count - below) if below else None)


def test_the_interval_of_the_best_covers_although_it_was_chosen():
    """Equal settings: the median of whichever was chosen is 1."""
    rng = np.random.default_rng(4)
    for settings, seeds in ((12, 9), (12, 20), (100, 20)):
        covered, alone = [], []
        for values in rng.lognormal(size=(1000, settings, seeds)):
            best = tuple(sorted(values[np.median(values, axis=1).argmin()]))
            for best_of, seen in ((settings, covered), (1, alone)):
                low, high = Group({}, (), best, best_of).interval
                seen.append(low <= 1 <= high)
        assert np.mean(covered) >= 0.95
        assert np.mean(alone) < 0.93  # which is why


def test_the_interval_of_any_time_covers_at_all_times_at_once():
    """How often it leaves the median out once or more, while 200 values come, many of them equal or infinite."""
    rng, times = np.random.default_rng(6), 200
    looks = [*range(5, 40), *range(40, 201, 8)]

    def missed(median, values, **keywords):
        found = (median_interval(sorted(values[:count]), **keywords) for count in looks)
        return any(not low <= median <= high for low, high in filter(None, found))

    lognormal = rng.lognormal(size=(times, 200)).tolist()
    equal = rng.integers(0, 3, (times, 200)).tolist()
    lost = np.where(rng.random((times, 200)) < 0.55, np.inf, rng.random((times, 200))).tolist()
    for median, samples in ((1, lognormal), (1, equal), (np.inf, lost)):
        assert sum(missed(median, values, any_time=True) for values in samples) <= stats.binom.ppf(0.999, times, 0.05)
    assert sum(missed(1, values) for values in lognormal) > 0.2 * times  # the interval for a single look


def test_the_interval_of_any_time_is_that_of_the_bet_by_hand():
    """Of n values k lie below: the mean of p^k (1 - p)^(n - k) 2^n over Jeffreys' prior exceeds 20 where it is out."""
    for count in (5, 9, 30):
        interval = median_interval(range(count), any_time=True)
        rejected = []
        for below in range((count + 1) // 2):
            wealth = stats.betabinom.pmf(below, count, 0.5, 0.5) / math.comb(count, below) * 2**count
            rejected.append(wealth >= 20)
        assert interval == ((sum(rejected) - 1, count - sum(rejected)) if any(rejected) else None)


def test_only_the_first_of_several_was_chosen():
    ranked = groups([outcome(i, 1.0 + i, rate=i // 2) for i in range(6)], LOSS)
    assert [group.best_of for group in ranked] == [3, 1, 1]


@pytest.mark.parametrize("best_of", [1, 2, 12, 100])
def test_it_says_how_many_runs_an_interval_needs(best_of):
    ranked = [Group({}, (), tuple(range(runs)), best_of) for runs in range(1, 20)]
    assert next(len(group.values) for group in ranked if group.interval) == ranked[0].enough


def test_runs_that_diverge_or_fail_are_the_worst():
    many = [outcome(i, 1.0 + i, rate=0.1) for i in range(4)]
    many += [outcome(4 + i, 0.001, rate=9.0) for i in range(1)]
    many += [outcome(5 + i, 0.0, reason, rate=9.0) for i, reason in enumerate(["diverged", "failed", "diverged"])]
    first, second = groups(many, LOSS)
    assert (first.settings, first.median) == ({"rate": 0.1}, 2.5)
    assert (second.median, second.quartiles) == (math.inf, (0.001, math.inf))
    assert [second.count(reason) for reason in ("diverged", "failed", "epochs")] == [2, 1, 1]
    assert second.interval is None


def test_little_to_compare_is_no_error():
    assert groups([], LOSS) == []
    (single,) = groups([outcome(0, 1.0)], LOSS)
    assert (single.median, single.quartiles, single.interval, single.title) == (1.0, (1.0, 1.0), None, "all runs")
    failed = [outcome(i, 0.0, "failed", rate=i % 2) for i in range(8)]
    assert [group.median for group in groups(failed, LOSS)] == [math.inf, math.inf]


def test_runs_are_compared_by_a_loss_that_all_have():
    both = Outcome(0, "0", {"data.validation": 0.2}, 0, "epochs", {"train/loss": 2.0, "validation/loss": 0.1})
    one = Outcome(1, "1", {"data.validation": 0.0}, 0, "epochs", {"train/loss": 1.0})
    failed = Outcome(2, "2", {}, 0, "failed", {}, "no")
    assert [compared_metric(found) for found in ([both, failed], [both, one], [one], [])] == [
        "validation/loss",
        "train/loss",
        "train/loss",
        "train/loss",
    ]

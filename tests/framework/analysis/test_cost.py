"""Contenders that have spent equally much: closed forms, pandas, SciPy and simulated measurements."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from chainrule.analysis.budget import stopped
from chainrule.analysis.cost import Costs, Even, even, sentences
from chainrule.analysis.paired import Estimate, Pair, pairs
from chainrule.records.comparison import Comparison
from chainrule.records.timing import CellEntry, Timing

PLAN = Comparison("optimizer", ("adam", "newton"), ("sine", "wine"), {}, 1, 1, 4)


def timing(seconds, updates=((7, 7), (5, 5)), epochs=((100, 100), (100, 100)), plan=PLAN, gradients=(1, 1)):
    """What was measured; ``seconds`` are ``(targets, contenders, rounds)``."""
    cells = [
        CellEntry(
            target=target,
            contender=contender,
            seconds=list(own),
            updates=updates[t][c],
            gradients=updates[t][c] * gradients[c],
            epochs=epochs[t][c],
        )
        for (t, target), (c, contender) in itertools.product(enumerate(plan.targets), enumerate(plan.contenders))
        for own in [seconds[t][c]]
    ]
    return Timing(runs=16, cells=cells, note="")


def costs(seconds, **more):
    return Costs.of(timing(seconds, **more), PLAN)


def test_costs_are_those_of_the_contenders_or_none():
    found = costs([[[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]]], updates=[[1, 2], [3, 4]], epochs=[[5, 6], [7, 8]])
    assert [each.tolist() for each in found.seconds] == [[[1, 2], [3, 4]], [[5], [6]]]
    assert (found.updates.tolist(), found.epochs.tolist()) == ([[1, 2], [3, 4]], [[5, 6], [7, 8]])
    assert Costs.of(None, PLAN) is None
    assert Costs.of(Timing(runs=16, cells=[], note="It was not measured."), PLAN) is None
    others = Comparison("optimizer", ("adam", "rprop"), ("sine", "wine"), {}, 1, 1, 4)
    assert Costs.of(timing([[[1.0]] * 2] * 2), others) is None


def test_what_disturbs_a_round_disturbs_no_ratio():
    """Four times as slow on one target, nine times on the other, whatever else the machine does."""
    busy = np.random.default_rng(0).uniform(1, 5, (2, 21))
    first, second = costs([[busy[0], 4 * busy[0]], [busy[1], 9 * busy[1]]]).speeds
    assert (first.ratio, first.spread) == (1, (1, 1))
    assert second.ratio == pytest.approx(stats.gmean([4, 9]))
    assert second.spread == pytest.approx((6, 6))
    assert second.seconds == pytest.approx((700 * 4 * np.median(busy[0]) + 500 * 9 * np.median(busy[1])) / 2)


def test_the_spread_is_that_of_the_ratios_over_rounds():
    ratios = np.random.default_rng(1).lognormal(1, 0.3, (2, 21))
    found = costs([[np.ones(21), ratios[0]], [np.ones(21), ratios[1]]]).speeds[1]
    expected = stats.gmean([pd.Series(each).quantile([0.1, 0.5, 0.9]) for each in ratios])
    assert [found.spread[0], found.ratio, found.spread[1]] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("factor", "noise", "told"), [(1.04, 0, False), (1.2, 0, True), (1.2, 0.8, False), (3, 0.1, True)]
)
def test_epochs_that_cannot_be_told_apart_take_equally_long(factor, noise, told):
    spread = np.linspace(1 - noise, 1 + noise, 21)
    found = costs([[np.ones(21), factor * spread]] * 2)
    assert found.times(0, 1) == pytest.approx([factor if told else 1] * 2)
    assert found.times(1, 0) == pytest.approx([1 / factor if told else 1] * 2)


def test_an_epoch_has_as_many_steps_as_batches():
    found = costs([[[1.0], [2.0]], [[1.0], [2.0]]], updates=[[8, 1], [4, 1]])
    assert found.times(0, 1).tolist() == [2 / 8, 2 / 4]
    assert found.evaluations(0, 1).tolist() == [1 / 8, 1 / 4]
    assert not found.evaluates_alike
    twice = costs([[[1.0], [2.0]]] * 2, gradients=(1, 2))
    assert twice.evaluations(0, 1).tolist() == [2, 2], "two gradients a step"
    assert not twice.evaluates_alike
    assert costs([[[1.0], [2.0]]] * 2).evaluates_alike
    assert costs([[[1.0], [2.0]]] * 2, updates=[[8, 4]] * 2, epochs=[[5, 10]] * 2).evaluates_alike


def test_the_spread_holds_the_median():
    """Of 21 rounds its ends are the third values from both sides."""
    missed = 2 * stats.binom.cdf(2, 21, 0.5)
    assert 1 / missed == pytest.approx(4500, rel=0.01)
    rounds = np.random.default_rng(6).permutation(21) + 100.0
    found = costs([[np.ones(21), rounds]] * 2).speeds[1]
    assert found.spread == pytest.approx((102, 118))


def test_epochs_that_were_reached_are_those_of_a_clock():
    """Both train epoch by epoch until the first has ended its last one; counted with exact fractions."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        most, prices = rng.integers(1, 60, 2).tolist(), [Fraction(int(each), 12) for each in rng.integers(1, 60, 2)]
        end = min(number * price for number, price in zip(most, prices, strict=True))
        clock = [sum(number * price <= end for number in range(1, 1000)) for price in prices]
        found = costs([[[1.0], [1.0]]] * 2, epochs=[most] * 2)
        reached = found.reached(0, 1, np.array([float(prices[1] / prices[0])] * 2))
        assert reached.tolist() == [clock] * 2
        assert reached[0].tolist() <= most


EPOCHS = np.arange(0, 101, 10)


def curves(rng, speed, level, blocks=8):
    """Losses that fall towards a level, ``(2 targets, blocks, 3 seeds, epochs)``."""
    noise = rng.lognormal(0, 0.1, (2, blocks, 3, 1))
    return (np.exp(-EPOCHS / 100 * speed) + level) * noise


def test_the_order_flips_at_equal_time():
    """Per epoch newton is the better one, but each of its epochs takes ten times as long."""
    rng = np.random.default_rng(3)
    losses = np.stack([curves(rng, 3, 0), curves(rng, 9, 0)], axis=1)
    (pair,) = pairs(losses[..., -1])
    assert (pair.better, pair.is_separated) == (1, True)
    found = costs([[np.ones(21), np.full(21, 10.0)]] * 2)
    reached = [found.reached(1, 0, found.times(1, 0))]
    assert reached[0].tolist() == [[10, 100]] * 2
    (own,) = even(losses, EPOCHS, [pair], reached)
    assert own.ahead == -1
    assert own.reached == ((10, 100), (10, 100))
    table = pd.DataFrame({"newton": losses[:, 1, ..., 1].ravel(), "adam": losses[:, 0, ..., -1].ravel()})
    assert own.estimate.probability == pytest.approx((table.newton < table.adam).mean())
    assert list(sentences(PLAN.contenders, [pair], [own], found.epochs, "time", 1).items()) == [
        (
            "At equal time, when newton has trained 10 % of its epochs, adam is ahead of newton (adam wins 100 % of "
            f"runs, 95 % interval {100 - 100 * own.estimate.interval[1]:.0f} to 100 %); after all epochs newton is "
            "better.",
            True,
        )
    ]


def test_the_loss_that_counts_was_measured_last_before():
    rng = np.random.default_rng(4)
    losses = np.stack([curves(rng, 3, 0), curves(rng, 4, 0)], axis=1)
    both = pairs(losses[..., -1])
    at_59 = even(losses, EPOCHS, both, [np.full((2, 2), 59)])
    assert at_59[0].estimate == stopped(losses[None, ..., 5], both, [50])[0][0].estimate
    assert even(losses, EPOCHS, both, [np.full((2, 2), 100)])[0].estimate.interval == both[0].interval


def test_a_method_is_not_told_apart_from_itself_by_its_time():
    """Losses fall with each epoch, so that a single one fewer would lose every run."""
    rng = np.random.default_rng(5)
    once = curves(rng, 3, 0)
    losses = np.stack([once, once], axis=1)
    both = pairs(losses[..., -1])
    for _ in range(300):
        seconds = rng.lognormal(0, 0.1, (2, 2, 21)) * rng.uniform(1, 1.03, (2, 2, 1))
        found = costs(seconds)
        (own,) = even(losses, EPOCHS, both, [found.reached(0, 1, found.times(0, 1))])
        assert own.estimate.probability == 0.5


def pair(better, worse, separated=True):
    return Pair(0.7, (0.6, 0.8) if separated else (0.4, 0.8), 0.01, (0.7,), better, worse)


def at(probability, interval, *reached):
    return Even(reached, Estimate(probability, interval, 0.5, (probability,)))


def test_sentences_say_how_far_the_slower_one_has_come():
    names, epochs = ("adam", "newton"), np.full((2, 2), 200)
    (same,) = sentences(names, [pair(0, 1)], [at(0.9, (0.7, 0.96), (200, 50), (200, 100))], epochs, "time", 0)
    assert same == (
        "At equal time, when newton has trained 25 to 50 % of its epochs, adam is ahead of newton (adam wins 90 % of "
        "runs, 95 % interval 70 to 96 %), as after all epochs."
    )
    (open_,) = sentences(names, [pair(0, 1)], [at(0.4, (0.2, 0.6), (100, 200), (200, 190))], epochs, "time", 0)
    assert open_ == (
        "At equal time, when adam has trained 50 to 100 % of its epochs and newton has trained 95 to 100 % of its "
        "epochs, the data do not separate newton from adam (newton wins 60 % of runs, 95 % interval 40 to 80 %); after "
        "all epochs adam is better."
    )
    (whole,) = sentences(names, [pair(0, 1)], [at(0.7, (0.6, 0.8), (200, 200), (200, 200))], epochs, "time", 0)
    assert whole == "At equal time adam and newton end all epochs, so that nothing changes."


def test_of_many_contenders_the_best_is_told_about_where_something_changes():
    names, epochs = ("a", "b", "c", "d"), np.full((1, 4), 100)
    found = [pair(first, second) for first, second in itertools.combinations(range(4), 2)]
    same, other = at(0.7, (0.6, 0.8), (100, 50)), at(0.5, (0.4, 0.6), (100, 50))
    assert sentences(names, found, [same] * 5 + [other], epochs, "time", 0) == {
        "At equal time it is as after all epochs between a and each of the others.": False
    }
    (told,) = sentences(names, found, [same, other, *[same] * 4], epochs, "time", 0)
    assert told.startswith("At equal time, when c has trained 50 % of its epochs, the data do not separate a from c (")

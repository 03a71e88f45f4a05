"""The words for what came of a comparison."""

import dataclasses
import math

import numpy as np
import pytest

from chainrule.analysis.comparison import ComparisonResult, Entry, Ratio, Standing, _order, _ratios, shortage_of
from chainrule.analysis.paired import Pair
from chainrule.records.comparison import Comparison

PLAN = Comparison("activation", ("tanh", "relu", "mine"), ("sine", "wine"), {"optimizer.lr": "0.1,0.2"}, 2, 3, 4, 5)


def pair(better, worse, separated=True, share=0.78):
    reach = 0.08 if separated else share - 0.4
    return Pair(share, (share - reach, share + 0.07), 0.0123 if separated else 0.4, (share, share), better, worse)


def results(*pairs, comparison=PLAN):
    return ComparisonResult(comparison, "validation/loss", (), pairs, ((),) * len(pairs), (), (), None)


@pytest.mark.parametrize(
    ("pairs", "answer"),
    [
        ([pair(0, 1), pair(0, 2), pair(2, 1)], "tanh is better than relu and mine."),
        ([pair(0, 1), pair(0, 2), pair(2, 1, False)], "tanh is better than relu and mine."),
        ([pair(0, 1, False), pair(0, 2, False), pair(2, 1, False)], "The data do not separate tanh, relu and mine."),
        (
            [pair(0, 1, False), pair(0, 2), pair(1, 2)],
            "Best are tanh and relu, which the data do not separate; mine is worse than at least one other.",
        ),
        (
            [pair(0, 1), pair(0, 2, False), pair(1, 2)],
            "Nothing is better than tanh, but the data do not separate it from mine.",
        ),
        ([pair(0, 1), pair(1, 2), pair(2, 0)], "Each contender is worse than another one: there is no best."),
    ],
)
def test_the_answer_in_a_sentence(pairs, answer):
    assert results(*pairs).answer == answer


def test_the_answer_about_two():
    two = dataclasses.replace(PLAN, contenders=("tanh", "mine"))
    assert results(pair(1, 0), comparison=two).answer == (
        "mine is better than tanh: it wins 78 % of runs with equal seeds (95 % interval 70 to 85 %, p = 0.012)."
    )
    assert results(pair(1, 0, False, 0.52), comparison=two).answer == (
        "The data do not separate mine from tanh: the first wins 52 % of runs with equal seeds "
        "(95 % interval 40 to 59 %, p = 0.4)."
    )
    alike = Pair(0.51, (0.48, 0.54), 0.6, (0.5, 0.52), 1, 0)
    assert results(alike, comparison=two).answer == (
        "mine and tanh are equivalent: the first wins 51 % of runs with equal seeds "
        "(95 % interval 48 to 54 %, p = 0.6)."
    )


def test_that_all_are_equivalent_is_said():
    alike = [Pair(0.51, (0.48, 0.54), 0.6, (0.5, 0.52), i, j) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert results(*alike).answer == "tanh, relu and mine are equivalent."


ALIKE = Pair(0.51, (0.48, 0.54), 0.6, (0.5, 0.52), 0, 1)


@pytest.mark.parametrize(
    ("pairs", "answer"),
    [
        (
            [ALIKE, pair(0, 2), pair(1, 2)],
            "Best are tanh and relu, which are equivalent; mine is worse than at least one other.",
        ),
        (
            [ALIKE, pair(0, 2, False), pair(2, 1)],
            "Best are tanh and mine, which the data do not separate; relu is worse than at least one other.",
        ),
        ([ALIKE, pair(0, 2), pair(2, 1)], "Nothing is better than tanh, but it is equivalent to relu."),
    ],
)
def test_that_some_are_equivalent_is_said(pairs, answer):
    assert results(*pairs).answer == answer


def test_what_is_undecided_at_the_end_of_a_race_is_said():
    race = dataclasses.replace(PLAN, until_decided=True)
    found = results(pair(0, 1), pair(0, 2), dataclasses.replace(pair(1, 2, False, 0.6)), comparison=race)
    assert found.undecided == (1, 2)
    assert [found.word(each) for each in found.pairs] == ["better", "better", "undecided"]
    assert results(*found.pairs).word(found.pairs[2]) == "not separated"
    assert found.verdict(found.pairs[0]).startswith(
        "tanh is better than relu: it wins 78 % of runs with equal seeds (95 % interval for all 3 pairs at any time 70"
    )
    assert found.verdict(found.pairs[2]).startswith("It is undecided which of relu and mine is better: the first wins")
    assert results(ALIKE, pair(0, 2), pair(1, 2), comparison=race).undecided == ()


def test_an_interval_of_several_pairs_says_so():
    assert "(95 % interval for all 2 pairs 70 to 85 %" in results(pair(0, 1), pair(0, 2)).verdict(pair(0, 1))


def test_both_sides_of_a_pair():
    found = results(pair(1, 0, share=0.75))
    for first, second, expected in [(1, 0, (0.75, 0.67, 0.82)), (0, 1, (0.25, 0.18, 0.33))]:
        _, share, ends = found.pair(first, second)
        assert (share, *ends) == pytest.approx(expected)


def test_standings_count_what_is_separated_and_begin_with_the_best():
    first, second, third = results(pair(1, 0, share=0.9), pair(1, 2, False, 0.6), pair(2, 0, share=0.8)).standings
    assert first == Standing("relu", ("tanh",), (), ("mine",), pytest.approx(0.75))
    assert second == Standing("mine", ("tanh",), (), ("relu",), pytest.approx(0.6))
    assert third == Standing("tanh", (), ("relu", "mine"), (), pytest.approx(0.15))


def test_how_much_larger_the_loss_of_the_other_is():
    """In each of six tunings the loss of the second is so many times as large; on the second target it is smaller."""
    times = np.array([[2.0, 2.2, 2.4, 2.6, 2.8, 3.0], [0.5, 0.5, 0.5, 0.5, 0.5, np.inf]])
    losses = np.stack([np.ones((2, 6, 3)), np.ones((2, 6, 3)) * times[:, :, None]], axis=1)
    first, second = _ratios(PLAN, losses, pair(0, 1))
    assert (first.target, first.ratio, first.interval) == ("sine", pytest.approx(2.5), (2.0, 3.0))
    assert (second.target, second.ratio, second.interval) == ("wine", 0.5, (0.5, math.inf))


def test_a_ratio_of_two_lost_tunings_is_one_and_of_negative_losses_there_is_none():
    losses = np.full((2, 2, 3, 2), np.inf)
    losses[1] = -1.0
    assert list(_ratios(PLAN, losses, pair(0, 1))) == [Ratio("sine", 1.0, None)]


def test_too_few_tunings_or_seeds_are_told():
    assert shortage_of(dataclasses.replace(PLAN, tunings=9)) == ""
    one = dataclasses.replace(PLAN, contenders=("tanh", "relu"), targets=("sine",), tunings=2)
    assert shortage_of(one) == (
        "2 tunings cannot separate 2 contenders on 1 target, whatever the losses are: take 6 tunings or more."
    )
    assert "take 6 seeds or more" in shortage_of(dataclasses.replace(one, tunings=1, seeds=3))
    assert "take 6 seeds or more" in shortage_of(dataclasses.replace(one, tunings=3, seeds=1, points=1, space={}))
    assert shortage_of(dataclasses.replace(one, until_decided=True)) == "", "more follow"


def entries(*points):
    """Each contender with its points on each target, two in each of two tunings."""
    return [
        Entry(target, name, (), (), tuple((point, 1.0) for point in own), None, None, None)
        for target in ("sine", "wine")
        for name, own in zip("abc", points, strict=False)
    ]


def test_points_have_an_order_where_one_number_is_tuned():
    rates = [{"optimizer.lr": rate} for rate in (0.3, 0.1, 0.2, 0.4)]
    assert _order(PLAN, entries(rates, rates), (2, 2)).tolist() == [[[1, 0], [0, 1]]] * 2
    own = [{"optimizer.lr": 0.5}] * 4
    assert _order(PLAN, entries(own, rates), (2, 2)).tolist() == [[[1, 0], [0, 1]]] * 2, "the first sets it itself"
    assert _order(PLAN, entries([{}] * 4, rates), (2, 2)).tolist() == [[[1, 0], [0, 1]]] * 2, "the first has no rate"
    names = [{"optimizer.lr": name} for name in ("x", "y", "x", "y")]
    assert _order(PLAN, entries(names, names), (2, 2)) is None
    several = dataclasses.replace(PLAN, space={**PLAN.space, "optimizer.beta": "0,1"})
    assert _order(several, entries(rates, rates), (2, 2)) is None

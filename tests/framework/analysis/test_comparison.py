"""The words for what came of a comparison."""

import dataclasses

import pytest

from chainrule.analysis.comparison import ComparisonResult, Standing, least_seeds
from chainrule.analysis.rank_tests import Pair
from chainrule.records.comparison import Comparison

PLAN = Comparison("activation", ("tanh", "relu", "mine"), ("sine", "wine"), {"optimizer.lr": "0.1,0.2"}, 2, 3, 4)


def pair(better, worse, separated=True, share=0.78):
    p = 0.0123 if separated else 0.4
    return Pair(better, worse, share, (share - 0.08, share + 0.07), 0.9, (share, share), p, p)


def results(*pairs, comparison=PLAN):
    return ComparisonResult(comparison, "validation/loss", (), pairs, (), ())


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
        "mine is better than tanh: in 78 % of pairs of runs (95 % interval 70 to 85 %, p = 0.012)."
    )
    assert results(pair(1, 0, False, 0.52), comparison=two).answer == (
        "The data do not separate mine from tanh: mine is better in 52 % of pairs of runs "
        "(95 % interval 44 to 59 %, p = 0.4)."
    )


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


def test_how_many_seeds_can_show_something_at_all():
    """Two runs of one seed can be exchanged, so n seeds give 2 ** n sums, of which two are as extreme as can be."""
    assert least_seeds(contenders=2, targets=1) == 6
    assert least_seeds(contenders=2, targets=3) == 2
    assert least_seeds(contenders=4, targets=1) == 8

"""From the axes of a sweep to the overrides of its jobs."""

import numpy as np
import pytest

from chainrule.errors import ConfigurationError
from chainrule.sweep.jobs import space
from chainrule.sweep.jobs.axes import read_axes


def axes(*texts):
    return read_axes(None, texts)


def test_the_last_key_varies_fastest_and_the_last_axis_of_a_key_counts():
    assert space.lists(axes("a=1", "b=1,2", "a=3,4")) == [
        ["a=3", "b=1"], ["a=3", "b=2"], ["a=4", "b=1"], ["a=4", "b=2"],
    ]  # fmt: skip
    assert space.lists([]) == [[]]


def test_paired_keys_go_together():
    found = space.lists(axes("a=1,2", "b=x,y", "c=5,6"), pairs=[["c", "a"]])
    assert found == [[f"a={a}", f"b={b}", f"c={c}"] for a, c in ((1, 5), (2, 6)) for b in "xy"]


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        (["a=interval(0,1)"], {}, "a=interval(0,1) is an interval: say how many values to draw"),
        (["a=1,2", "b=1,2,3"], {"pairs": [["a", "b"]]}, "but a has 2 and b has 3"),
        (["abc=1,2"], {"pairs": [["abd"]]}, "names abd, which has no values here (did you mean 'abc'?)"),
        (["a=1,2", "b=1,2"], {"pairs": [["a"], ["a", "b"]]}, "names a twice"),
        (["a=interval(0,1)"], {"pairs": [["a"]], "draws": 2}, "cannot pair a, which is an interval"),
        (["a=interval(1,1)"], {"draws": 2}, "a=interval(1,1) is empty"),
        (["a=tag(log,interval(0,1))"], {"draws": 2}, "needs positive numbers, because of its tag log"),
        (["a=1,2"], {"draws": 0}, "hydra.sweeper.random must be 1 or more, not 0"),
    ],
)
def test_what_spans_no_sweep_is_refused(texts, options, sentence):
    with pytest.raises(ConfigurationError) as caught:
        space.lists(axes(*texts), **options)
    assert sentence in str(caught.value)


def test_draws_are_crossed_with_folds_as_with_seeds():
    found = space.lists(axes("a=interval(0,1)", "data.fold=0,1,2", "seed=0,1"), draws=4)
    assert len({each[0] for each in found}) == 4
    assert [each[1:] for each in found] == [[f"data.fold={f}", f"seed={s}"] for f in range(3) for s in (0, 1)] * 4


def test_draws_are_different_points_each_with_every_seed():
    found = space.lists(axes("a=interval(0,1)", "b=x,y", "seed=0,1"), draws=5)
    points = [tuple(each[:2]) for each in found]
    assert [each[2] for each in found] == ["seed=0", "seed=1"] * 5
    assert points[::2] == points[1::2]
    assert len(set(points)) == 5
    assert len(space.lists(axes("b=x,y"), draws=5)) == 2, "there are no more"


def test_one_more_key_does_not_change_the_draws_of_the_others():
    few, many = (
        space.lists(axes("a=interval(0,1)", *more), draws=4, draw_seed=1) for more in ([], ["b=interval(0,1)"])
    )
    assert [each[0] for each in few] == [each[0] for each in many]
    assert few != space.lists(axes("a=interval(0,1)"), draws=4, draw_seed=2)


def test_points_are_spread_over_every_part_of_the_space():
    typed = axes("a=interval(0,8)", "b=tag(log,interval(1e-4,1))", "c=x,y", "d=tag(int,interval(1,4))")
    points = space.spread(typed, 8, 0)
    values = [[point[key].partition("=")[2] for point in points] for key in "abcd"]
    assert sorted(int(float(value)) for value in values[0]) == list(range(8))
    logarithms = np.log10(np.array(values[1], float))
    assert sorted(np.floor((logarithms + 4) * 2).astype(int)) == list(range(8))
    assert sorted(values[2]) == ["x"] * 4 + ["y"] * 4
    assert set(values[3]) <= set("1234")
    assert space.spread(typed[:2], 8, 0) == [{key: point[key] for key in "ab"} for point in points]
    assert space.spread(typed, 8, 1) != points

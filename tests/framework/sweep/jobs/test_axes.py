"""What was typed for a sweep, key by key."""

import pytest

from chainrule.errors import ConfigurationError
from chainrule.sweep.jobs.axes import Axis, Interval, read_axes


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("seed=3", Axis("seed", "3", ("3",))),
        ("a=${b.c}", Axis("a", "${b.c}", ("${b.c}",))),
        ("+a=[1,2]", Axis("+a", "[1,2]", ("[1,2]",))),
        ("b='x y',z", Axis("b", "'x y',z", ("'x y'", "z"), varies=True)),
        ("seed=range(3)", Axis("seed", "range(3)", ("0", "1", "2"), varies=True, numbers=(0, 1, 2))),
        ("a=range(1,2,0.5)", Axis("a", "range(1,2,0.5)", ("1.0", "1.5"), varies=True)),
        (
            "a=interval(0,2)",
            Axis("a", "interval(0,2)", (), varies=True, interval=Interval(0, 2, log=False, whole=False)),
        ),
        (
            "a=tag(log,interval(1,8))",
            Axis("a", "tag(log,interval(1,8))", (), varies=True, interval=Interval(1, 8, log=True, whole=False)),
        ),
        (
            "a=tag(int,interval(1,8))",
            Axis("a", "tag(int,interval(1,8))", (), varies=True, interval=Interval(1, 8, log=False, whole=True)),
        ),
    ],
)
def test_an_axis_has_the_values_that_were_typed(text, axis):
    (found,) = read_axes(None, [text])
    assert found == axis
    assert found.overrides == [f"{axis.key}={value}" for value in axis.values]
    assert str(found) == f"{axis.key}={axis.text}"


def test_an_unknown_tag_is_named():
    with pytest.raises(ConfigurationError, match=r"has the tag lgo, which is unknown \(did you mean 'log'\?\)"):
        read_axes(None, ["a=tag(lgo,interval(0,1))"])

"""What an override may be; tests/faults/test_input.py has more of what may not."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from chainrule.config.limits import MOST_RUNS, is_text, require_few, require_readable, require_runs, require_usable
from chainrule.errors import ConfigurationError


def parsed(*texts):
    return OverridesParser.create().parse_overrides(list(texts))


@pytest.mark.parametrize(
    "text",
    [
        "seed=3",
        "network.hidden=[" + "8," * 1900 + "8]",
        "seed=" + ",".join(map(str, range(5000))),
        "a=" + "[" * 19 + "]" * 19,
    ],
)
def test_what_can_be_read(text):
    require_readable(text)


@pytest.mark.parametrize(
    "text", ["seed=range(100000)", "seed=range(9,0,-1)", "x=interval(-1,1)", "activation=[tanh,relu]", "transforms=[]"]
)
def test_what_can_be_used(text):
    (override,) = parsed(text)
    require_usable(override)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("activation=tanh+", "activation=tanh+ lacks a name: write activation=tanh."),
        ("norm=+layer_norm+identity", "norm=+layer_norm+identity lacks a name: write norm=layer_norm+identity."),
        ("optimizer=", "optimizer= lacks a name: write optimizer=NAME."),
        ("transforms=[clip,l2,clip]", "transforms=[clip,l2,clip] has clip twice; once is enough."),
        ("transforms=[l2],[clip,clip]", "transforms=[clip,clip] has clip twice; once is enough."),
    ],
)
def test_a_name_is_there_and_of_a_list_once(text, sentence):
    (override,) = parsed(text)
    with pytest.raises(ConfigurationError) as caught:
        require_usable(override)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("text", "count"), [("range(0,1,1e-6)", "1,000,000"), ("range(0,-1e9,-1)", "1,000,000,000")])
def test_values_are_counted_before_they_are_listed(text, count):
    with pytest.raises(ConfigurationError, match=f"has {count} values, but a sweep has 100,000 at most: draw some"):
        require_usable(*parsed(f"x={text}"))


def test_runs_are_counted():
    require_runs(MOST_RUNS)
    require_few(parsed("seed=range(1000)", "x=1,2,3", "y=interval(0,1)", "z=5"))
    with pytest.raises(ConfigurationError, match=r"these are 3,000,000 runs, .* at most: do this\.$"):
        require_runs(3_000_000, "do this")
    with pytest.raises(ConfigurationError, match=r"these are 1\.0e\+30 runs"):
        require_runs(10**30)
    with pytest.raises(ConfigurationError, match="these are 300,000 runs"):
        require_few(parsed("seed=range(100000)", "x=1,2,3"))


def test_what_is_text():
    assert is_text("ä😀\n\t")
    assert not is_text("a\0")
    assert not is_text("\udcff")

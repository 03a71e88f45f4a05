"""Components and values of their parameters, as typed."""

import pytest

from chainrule.errors import ChainruleError
from chainrule.testing.words import from_yaml, parse_components


def test_values_belong_to_the_component_before_them():
    words = ["target=table", "target.path=a=b.csv", "target.rows=3", "rule=exact", "target=sine", "target=table"]
    assert list(parse_components(words)) == [
        ("target=table", {"path": "a=b.csv", "rows": 3}),
        ("rule=exact", {}),
        ("target=sine", {}),
        ("target=table", {}),
    ]
    assert list(parse_components([])) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1e-3", 0.001), ("true", True), ("null", None), ("[1,2]", [1, 2]), ("'1'", "1"), ("a b", "a b")],
)
def test_a_value_is_read_as_configuration_is(text, value):
    ((_, values),) = parse_components(["target=table", f"target.x={text}"])
    assert values == {"x": value}
    assert type(values["x"]) is type(value)
    assert from_yaml(f"x: {text}") == values


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["relu"], "relu"),
        (["activation="], "activation="),
        (["target.path=a.csv"], "target.path=a.csv"),
        (["target=table", "rule.x=1"], "rule.x=1"),
        (["target=table", "rule=exact", "target.path=a.csv"], "target.path=a.csv"),
        (["target=table", "target.path="], "target.path="),
    ],
)
def test_a_word_that_is_neither_is_named(words, wrong):
    with pytest.raises(ChainruleError) as caught:
        list(parse_components(words))
    assert str(caught.value) == (f"{wrong!r} is neither KIND=NAME nor KIND.PARAMETER=VALUE of the component before it.")

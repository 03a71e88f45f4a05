"""What is wrong with a component whatever its kind, each caught by the check that is meant for it."""

import dataclasses
import enum
import functools
import math
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Gt, Interval, Le, MultipleOf, doc

from chainrule.components.contracts import Activation, Component
from chainrule.components.parameters import parameters
from chainrule.engine.choice import Engine
from chainrule.errors import ConfigurationError, PluginError
from chainrule.registry.kinds import KINDS, Kind
from chainrule.testing import REQUIRED, Outcome, check, described, kit, traceable, training
from chainrule.testing.comparing import digits
from mutating import Gallery, failures, require

GALLERY = Gallery()


class Side(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


class Line(Activation):
    """Not a component by itself. All numbers, switches and choices decide its slope."""

    @property
    def _slope(self):
        slope = 1
        for name, parameter in parameters(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, enum.Enum):
                slope = slope + 0.25 * (value is Side.LEFT)
            elif parameter.type is not str and not parameter.many:
                slope = slope + (0 if value is None else value)
        return slope

    def forward(self, z):
        return z * self._slope

    def slope(self, z, a):
        return np.ones_like(z) * self._slope


@GALLERY.sound
class Everything(Line):
    """Parameters of every type."""

    a: Annotated[float, Interval(ge=0, lt=1), doc("a")] = 0.5
    b: Annotated[int, Gt(0), doc("b")] = 3
    c: Annotated[bool, doc("c")] = False
    d: Annotated[str, doc("d")] = "yes"
    e: Annotated[Side, doc("e")] = Side.LEFT
    f: Annotated[tuple[float, ...], Gt(0), doc("f")] = (1.0, 1e-7)
    g: Annotated[float | None, Le(3), doc("g")] = None


@GALLERY.flawed("documented")
@dataclasses.dataclass(frozen=True)
class WithoutDocstring(Line):
    pass


@GALLERY.flawed("documented")
class SilentParameter(Line):
    a: float = 1.0


@GALLERY.flawed("bounded", others=True)
class DefaultOutOfBounds(Line):
    a: Annotated[float, Gt(0), doc("a")] = 0.0


@GALLERY.flawed("bounded")
class DefaultOfAnotherType(Line):
    a: Annotated[float, doc("a")] = 1


@GALLERY.flawed("bounded", others=True)
class NothingWithinBounds(Line):
    a: Annotated[float, Gt(2), Le(1), doc("a")] = 1.5


@GALLERY.flawed("bounded")
class IgnoredBound(Line):
    a: Annotated[float, MultipleOf(2), doc("a")] = 3.0


@GALLERY.flawed("registered", kit.COMPLETE)
@dataclasses.dataclass(unsafe_hash=True)
class Thawed(Line):
    """Can be altered."""

    a: Annotated[float, doc("a")] = 1.0


@GALLERY.flawed("registered", kit.COMPLETE)
class CalledOtherwise(Line):
    def slope(self, z):
        return np.ones_like(z)


@GALLERY.flawed("registered", kit.COMPLETE)
class OfAnUnknownType(Line):
    a: Annotated[list[float], doc("a")] = dataclasses.field(default_factory=list)


@GALLERY.flawed("frozen")
class Caches(Line):
    a: Annotated[float, doc("a")] = 1.0

    @functools.cached_property
    def double(self):
        return 2 * self.a


@GALLERY.flawed("frozen", "pickled")
class KeepsMore(Line):
    a: Annotated[float, doc("a")] = 1.0

    def __post_init__(self):
        object.__setattr__(self, "function", functools.partial(lambda a: a, self.a))


@GALLERY.flawed("configured", "pickled", others=True)
class Unequal(Line):
    a: Annotated[float, doc("a")] = 1.0

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 0


@GALLERY.flawed("configured", others=True)
class Drifts(Line):
    a: Annotated[float, doc("a")] = 1.0

    def __post_init__(self):
        object.__setattr__(self, "a", self.a + 1)


@GALLERY.every
def test_flaws_are_found_and_sound_ones_pass(cls, checks, others):
    require(cls, checks, others)


def test_a_class_that_cannot_be_imported_is_found():
    @dataclasses.dataclass(frozen=True)
    class Hidden(Line):
        """Within a function."""

    assert failures(Hidden).keys() == {"pickled"}


def test_bounds_that_the_class_narrows_itself_are_not_drawn_from():
    @dataclasses.dataclass(frozen=True)
    class Fussy(Line):
        """Takes its default only."""

        a: Annotated[float, doc("a")] = 0.125

        def __post_init__(self):
            if self.a != 0.125:
                raise ConfigurationError("a must be 1/8.")

    assert "refuses all of 100 draws" in failures(Fussy)["stacking"]


def test_a_parameter_without_a_default_needs_an_example():
    found = failures(Needy)
    assert "Needy.a has no default" in found["gradient"]
    assert "chainrule_examples = activation=needy activation.a=VALUE" in found["gradient"]
    assert not failures(Needy, examples=[{"a": 1.0}, {"a": 2.0}])


@dataclasses.dataclass(frozen=True)
class Needy(Line):
    """Has no default."""

    a: Annotated[float, doc("a")]


def test_expected_failures():
    report = check(SilentParameter, expected={"documented": "written by somebody else"})
    (result,) = report.having(Outcome.EXPECTED)
    assert result.message.startswith("written by somebody else: SilentParameter does not say what a is")
    assert not report.failures
    failing = check(Everything, expected={"gradient": "it was wrong once"}).failures
    assert [f.check for f in failing] == ["gradient"]
    assert failing[0].message == "It passes, but is expected to fail (it was wrong once); remove the expectation."
    failing = check(Everything, expected={"slope_at_kinks": "none"}).failures
    assert failing[0].message == "It is expected to fail, but no kinks are declared."
    with pytest.raises(PluginError, match=r"give the reason why gradient is expected to fail"):
        check(Everything, expected={"gradient": " "})
    with pytest.raises(PluginError, match=r"there is no check gradeint \(did you mean 'gradient'\?\)"):
        check(Everything, expected={"gradeint": "x"})


def test_a_class_that_cannot_be_registered_is_told_so_once():
    report = check(Undecorated)
    registered, complete = report.results
    assert registered.message == "Undecorated must be a frozen dataclass: add @dataclass(frozen=True)."
    assert complete.message == "Nothing else of activation=undecorated was checked, because it cannot be registered."
    assert report.failures == (registered, complete)


class Undecorated(Line):
    """No dataclass of its own."""


def test_what_belongs_to_no_kind_is_refused():
    with pytest.raises(PluginError, match="is no component"):
        check(int)


def test_a_kind_without_checks_of_its_own_fails(monkeypatch):
    class Sampler(Component):
        pass

    @dataclasses.dataclass(frozen=True)
    class Bootstrap(Sampler):
        """Of a kind that the kit does not know."""

    monkeypatch.setitem(KINDS, "sampler", Kind("sampler", "samplers", Sampler, ("sampler",)))
    assert "There are no checks of the kind sampler" in failures(Bootstrap)[kit.COMPLETE]


def test_a_kind_that_loses_a_check_fails(monkeypatch):
    monkeypatch.setitem(kit._OWN, "activation", kit._OWN["activation"][2:])
    message = failures(Bare)[kit.COMPLETE]
    assert message.startswith("14 checks of activation=bare were run, but activation requires 15;")


@dataclasses.dataclass(frozen=True)
class Bare(Line):
    """Has neither kinks nor buffers."""

    def backward(self, grad_a, z, a):
        return grad_a.copy()


def test_every_kind_is_checked_and_every_check_says_what_it_demands():
    table = described()
    assert table.keys() == REQUIRED.keys()
    assert set(KINDS) <= table.keys()
    for kind, checks in table.items():
        assert len(checks) == len(kit.checks_of(kind)), "names are unique"
        assert all(sentence.endswith(".") for sentence in checks.values())


@pytest.mark.parametrize("kind", REQUIRED)
def test_what_is_required_is_what_always_applies(kind):
    always = [c for c in kit.checks_of(kind) if c.unless.__name__ == "<lambda>" and c is not traceable.CHECK]
    either_or = 1 if kind == "target" else 0  # a function, or a data set
    assert REQUIRED[kind] == len(always) + either_or


def test_a_report_is_plain_data():
    content = check(Everything).as_json()
    assert content["component"] == "activation=everything"
    assert [r["check"] for r in content["results"]] == [*described()["activation"], kit.COMPLETE]
    assert {r["outcome"] for r in content["results"]} == {"passed", "not_applicable"}


class MuteError(Exception):
    """As a plugin may raise it."""

    def __str__(self):
        raise RuntimeError


@dataclasses.dataclass(frozen=True)
class Silent(Line):
    """Raises what nobody can print."""

    def forward(self, z):
        raise MuteError


def test_an_error_that_cannot_say_anything_is_told_by_its_class():
    found = check(Silent).failures
    assert any(" raised MuteError (" in failure.message for failure in found)


@pytest.mark.parametrize(
    ("value", "other", "text"),
    [
        (8.612737271, 8.612737272, "8.612737271"),
        (0.1, 0.2, "0.1"),
        (1.0, math.nextafter(1, 2), "1"),
        (math.nan, 1.0, "nan"),
        (-0.0, 0.0, "-0"),
    ],
)
def test_numbers_are_told_with_as_many_digits_as_tell_them_apart(value, other, text):
    assert digits(value, other) == text


class Chancy(Line):
    """Draws as nobody can repeat."""

    def forward(self, z):
        return z + np.random.normal(size=z.shape)  # noqa: NPY002 - the flaw


class Squeezed(Line):
    """Loses an axis."""

    def forward(self, z):
        return np.squeeze(np.tanh(z))

    def slope(self, z, a):
        return 1 - np.tanh(z) ** 2


class InSingle(Line):
    """Has no more than seven digits."""

    def forward(self, z):
        return np.tanh(z.astype(np.float32)).astype(z.dtype)

    def slope(self, z, a):
        return 1 - a * a


PLACES = {}


class ById(Line):
    """Knows arrays by their name."""

    def forward(self, z):
        return PLACES.setdefault((type(self), id(z)), (z, z.copy()))[1].copy()


class Branched(Line):
    """Decides for all runs at once."""

    steep: Annotated[float, Gt(0), doc("slope")] = 1.0

    def forward(self, z):
        return z * (self.steep if self.steep > 0.5 else 0.5)

    def slope(self, z, a):
        return np.ones_like(z) * np.maximum(self.steep, 0.5)


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        (Chancy, "Chancy.forward draws from a global generator"),
        (Squeezed, "Squeezed.forward loses an axis of length 1"),
        (InSingle, "InSingle.forward computes in float32 inside"),
        (
            ById,
            "ById.forward gives something else when the same arrays hold other values, as if it cached results by id",
        ),
        (Branched, "Branched.forward decides for all runs at once"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_shows_in_many_checks_is_named_as_their_cause(flaw, cause):
    found = failures(dataclasses.dataclass(frozen=True)(flaw))
    told = set(found.values())
    assert len(found) > 1
    assert [sentence for sentence in told if sentence.startswith(cause)]
    assert len(told) == 1, told


def test_the_kit_trains_by_numpy_whatever_is_configured(tmp_path, monkeypatch):
    """Machine code calls a formula once: a fault that shows in a later call would stay hidden."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("defaults: [chainrule, _self_]\ntraining: {engine: compiled}\n")
    monkeypatch.chdir(tmp_path)
    assert training.settings().training.engine is Engine.NUMPY

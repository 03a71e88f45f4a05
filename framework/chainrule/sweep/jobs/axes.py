"""What was typed for a sweep, parsed once: each key with its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep

from chainrule.config.compose import require_parsed
from chainrule.config.layers import joined
from chainrule.errors import ConfigurationError, nearest

_TAGS = {"log", "int"}  # of intervals


@dataclass(frozen=True)
class Interval:
    """A range of numbers.

    Attributes:
        low, high: its ends.
        log: whether numbers are spread evenly in their logarithm.
        whole: whether numbers are whole.
    """

    low: float
    high: float
    log: bool
    whole: bool


@dataclass(frozen=True)
class Axis:
    """One key and its values.

    Attributes:
        key: as typed, with ``+`` before a key that is added.
        text: the values as typed, such as ``0.1,0.01`` or ``interval(0,1)``.
        values: each value as text; empty for an interval.
        varies: whether several values were typed, or an interval.
        interval: None where the values can be listed.
        numbers: those of a range of whole numbers; empty otherwise.
    """

    key: str
    text: str
    values: tuple[str, ...]
    varies: bool = False
    interval: Interval | None = None
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.key}={self.text}"

    @property
    def overrides(self) -> list[str]:
        """An override for each value."""
        return [f"{self.key}={value}" for value in self.values]


def read_axes(loader: ConfigLoader, texts: Sequence[str]) -> list[Axis]:
    """Parse overrides as typed, such as ``["optimizer=adam,rprop", "seed=range(5)"]``.

    Raises:
        ConfigurationError: a text is not an override, an interval has an unknown tag, or a key has too many values or
            such as it cannot have.
    """
    require_parsed(texts, sweep=True)  # because a configuration may add some that were not typed
    parser = OverridesParser.create(loader)
    return [_axis(override) for override in parser.parse_overrides([joined(text) for text in texts])]


def _axis(override: Override) -> Axis:
    key, value = override.get_key_element(), override.value()
    if not override.is_sweep_override():
        typed = override.get_value_string()
        text = typed if "${" in typed else override.get_value_element_as_str()  # which would escape its braces
        return Axis(key, text, (text,))
    text = override.get_value_string()
    if override.is_interval_sweep():
        return Axis(key, text, (), varies=True, interval=_interval(f"{key}={text}", value))
    values: tuple[str, ...] = tuple(override.sweep_string_iterator())
    numbers: tuple[int, ...] = ()
    if isinstance(value, RangeSweep) and all(isinstance(v, int) for v in (value.start, value.stop, value.step)):
        numbers = tuple(int(number) for number in value.range())
    return Axis(key, text, values, varies=True, numbers=numbers)


def _interval(text: str, value: Any) -> Interval:
    for tag in sorted(value.tags - _TAGS):
        raise ConfigurationError(f"{text} has the tag {tag}, which is unknown{nearest(tag, _TAGS)}; choose log or int.")
    return Interval(float(value.start or 0), float(value.end or 0), "log" in value.tags, "int" in value.tags)

"""Numbers that a study states, computed again from runs.

``numbers.json`` beside the README of a study lists some of its numbers: the text that states each one, the runs that it
follows from, and how::

    [{"stated": "| sigmoid | 40 % [33, 47] | 90 % [84, 93] |", "number": "90 %",
      "runs": ["experiment=article", "optimizer.lr=0.05"], "seeds": 200,
      "share": ["validation/r2", ">=", 0.999]}]

Instead of ``share`` there may be ``median``, with the name of a metric, whose median over seeds is stated with the
digits of ``number``; ``best`` likewise gives the largest.
"""

import json
import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.config.compose import compose_settings
from chainrule.engine.reason import Reason
from chainrule.errors import RecordError
from chainrule.records.result import Result
from chainrule.replay.replays import Replay, together

NUMBERS = "numbers.json"
_README = "README.md"
_COMPARED = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Number:
    """A number that a study states.

    Attributes:
        text: the text that states it.
        stated: the number in it.
        found: what it comes to now.
        is_told: whether the README of the study has this text.
    """

    text: str
    stated: str
    found: str
    is_told: bool

    @property
    def holds(self) -> bool:
        """Whether the README has the text, and the number comes to what it says."""
        return self.is_told and self.found == self.stated

    def __str__(self) -> str:
        told = "" if self.is_told else f"; {_README} does not have the text {self.text!r}"
        same = "the same" if self.found == self.stated else self.found
        return f"stated {self.stated}, trained again {same}{told}"


def numbers_of(directory: Path) -> list[Number]:
    """Train the runs again that the numbers of a study follow from.

    Raises:
        RecordError: the list of numbers is damaged.
        ConfigurationError: the runs that it names cannot be trained.
    """
    path = directory / NUMBERS
    try:
        entries = json.loads(path.read_text("utf-8"))
        readme = (directory / _README).read_text("utf-8")
        return [_number(entry, readme) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} cannot be read: {type(error).__name__}: {error}.") from None


def _number(entry: Mapping[str, Any], readme: str) -> Number:
    settings = compose_settings(entry["runs"])
    seeds = range(settings.seed, settings.seed + int(entry.get("seeds", 1)))
    ended = together([Replay(replace(settings, seed=seed)) for seed in seeds])
    found = _found(entry, [each.result for each in ended])
    return Number(entry["stated"], entry["number"], found, entry["stated"] in readme)


def _found(entry: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Return the number in the form in which it is stated."""
    stated = str(entry["number"])
    digits, _, unit = stated.partition(" ")
    places = len(digits.partition(".")[2])
    if "share" in entry:
        metric, comparison, bound = entry["share"]
        holds = _COMPARED[comparison]
        count = sum(each.reason is not Reason.DIVERGED and holds(each.metrics[metric], bound) for each in results)
        return f"{100 * count / len(results):.{places}f} %"
    which, reduce = ("best", max) if "best" in entry else ("median", statistics.median)
    value = reduce(each.metrics[entry[which]] for each in results)
    return f"{100 * value if unit == '%' else value:.{places}f}{f' {unit}' if unit else ''}"

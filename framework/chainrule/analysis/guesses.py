"""What runs of unknown origin do not say and their names and values suggest: metric, direction, seeds, settings.

Each guess is made only where little else can be meant, and whoever shows results has to show the guesses, too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ConfigurationError, nearest

_OBJECTIVES = ("validation/loss", "train/loss")  # by which runs of chainrule are compared
_MACHINE = "system/"  # begins the names of what MLflow measures of the machine
_LARGE = {"accuracy", "acc", "auc", "auroc", "auprc", "f1", "r2", "precision", "recall", "iou", "dice", "bleu", "ndcg"}
_SMALL = {"loss", "error", "err", "mse", "rmse", "mae", "mape", "nll", "perplexity", "regret", "wer", "cer", "logloss"}
_SEED = re.compile(r"(?!(?:n|num)_)(?:[a-z0-9]+_)*seed|random_?(?:state|seed)|rng")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_EXACT = 2**53  # whole numbers beyond are not exact as floats
# Words in names, and looks of values, of what identifies a run and does nothing else.
_IDENTITY = {"id", "uuid", "guid", "pid", "port", "timestamp", "datetime", "date", "host", "hostname", "url", "uri"} | {
    "path", "dir", "directory", "folder", "file", "filename", "workdir", "outdir", "logdir", "trial", "run", "job"
}  # fmt: skip
_LOCATION = re.compile(
    r"(?:[a-z][a-z0-9]*:/)?\.{0,2}/.*|~.*|[A-Za-z]:\\.*|[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_FEWEST = 3  # runs in which a parameter has always another value, before it may identify them


@dataclass(frozen=True)
class Roles:
    """What the parameters of runs are.

    Attributes:
        settings: those that make a setting.
        constants: those that have one value in all runs, with it.
        apart: those that vary but make no setting, with the reason.
    """

    settings: tuple[str, ...]
    constants: Mapping[str, Any]
    apart: Mapping[str, str]


def guessed_metric(names: Iterable[str]) -> str:
    """Return the name of the metric that runs are compared by: chainrule's own losses first, else the only one.

    Raises:
        ConfigurationError: there are several, or none.
    """
    found = sorted(name for name in set(names) if not name.startswith(_MACHINE))
    for name in _OBJECTIVES:
        if name in found:
            return name
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError("The runs have no metrics, so there is nothing to rank them by.")
    raise ConfigurationError(
        f"The runs have several metrics: choose one by --metric NAME (metric=), of {_listed(found)}."
    )


def known_metric(name: str, names: Iterable[str]) -> str:
    """Return the name of a metric that was chosen.

    Raises:
        ConfigurationError: no run has it.
    """
    found = sorted(set(names))
    if name not in found:
        raise ConfigurationError(f"No run has a metric {name!r}{nearest(name, found)}; they have {_listed(found)}.")
    return name


def guessed_direction(metric: str) -> bool:
    """Return whether large values of a metric are good, judged by the words of its name.

    Raises:
        ConfigurationError: the name does not tell.
    """
    words = _words(metric)
    small, large = bool(words & _SMALL), bool(words & _LARGE)
    if "neg" in words:  # scikit-learn's scores such as neg_mean_squared_error
        small, large = large, small
    if small == large:
        raise ConfigurationError(
            f"The name of the metric {metric!r} does not say whether large values of it are good: "
            "add --maximize or --minimize (maximize=True or False)."
        )
    return large


def guessed_seeds(parameters: Iterable[str]) -> tuple[str, ...]:
    """Return the parameters that are called like seeds, e.g. ``seed``, ``data.seed`` or ``clf__random_state``."""
    last = {name: re.split(r"[./:]|__", name)[-1].lower().replace("-", "_") for name in parameters}
    return tuple(name for name, word in last.items() if _SEED.fullmatch(word))


def number(text: str) -> int | float | str:
    """Return the number that a text spells, equal texts of one number alike (``1`` and ``1.0``); else the text."""
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def roles(values: Mapping[str, Sequence[Any]], seeds: Sequence[Any]) -> Roles:
    """Say which parameters make a setting: those that vary, unless they identify a run or follow from its seed.

    Args:
        values: of each parameter but the seed, one a run; None where a run does not have it.
        seeds: one a run; None where it is unknown.
    """
    constants = {name: own[0] for name, own in values.items() if len(set(own)) == 1 and own[0] is not None}
    varied = [name for name in values if name not in constants]
    apart = {name: "it follows from the seed" for name in varied if _follows(values[name], seeds)}
    rest = [name for name in varied if name not in apart]
    unique = [name for name in rest if _is_unique(values[name])]
    texts = [name for name in unique if not any(isinstance(value, int | float) for value in values[name])]
    repeated = _is_repeated([values[name] for name in rest if name not in texts], seeds)
    for name in unique:
        if (name in texts and repeated) or _words(name) & _IDENTITY or _is_location(values[name]):
            apart[name] = "it differs from run to run"
    return Roles(tuple(name for name in rest if name not in apart), constants, apart)


def _follows(own: Sequence[Any], seeds: Sequence[Any]) -> bool:
    """Return whether a parameter has one value for each seed, and another one for another, in runs that share seeds."""
    known = [pair for pair in zip(seeds, own, strict=True) if None not in pair]
    pairs, different = set(known), len({seed for seed, _ in known})
    is_shared = len(own) / 2 <= len(known) > different > 1
    return is_shared and len(pairs) == different == len({value for _, value in known})


def _is_unique(own: Sequence[Any]) -> bool:
    known = [value for value in own if value is not None]
    return len(set(known)) == len(known) >= max(_FEWEST, len(own) / 2)


def _is_repeated(settings: Sequence[Sequence[Any]], seeds: Sequence[Any]) -> bool:
    """Return whether some runs differ in nothing but their seed."""
    first: dict[tuple[Any, ...], Any] = {}
    rows = list(zip(*settings, strict=True)) if settings else [()] * len(seeds)
    return any(seed is not None and first.setdefault(row, seed) != seed for row, seed in zip(rows, seeds, strict=True))


def _is_location(own: Sequence[Any]) -> bool:
    return all(_LOCATION.fullmatch(str(value)) for value in own if value is not None)


def _words(name: str) -> set[str]:
    """Return the words of a name: ``val_accuracy``, ``valAccuracy`` and ``val/accuracy`` have the same two."""
    return set(re.findall(r"[a-z]+[0-9]*", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (" ..." if len(names) > 30 else "")

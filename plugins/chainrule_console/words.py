"""Numbers, times and reasons as a person reads them."""

import math
import statistics
from collections.abc import Iterable, Sequence

from chainrule.engine.reason import Reason
from chainrule.errors import counted
from chainrule.records.manifest import RunManifest


def number(value: float | None) -> str:
    """Return a number with five significant digits, or ``not finite``."""
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.5g}"


def median(losses: Iterable[float]) -> float:
    """Return the median; NaN counts as infinite."""
    return statistics.median(math.inf if math.isnan(loss) else loss for loss in losses)


def duration(seconds: float) -> str:
    """Return a duration, rounded for reading."""
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def clock_face(seconds: float) -> str:
    """Return a time as ``0:07`` or ``1:02:03``."""
    minutes, seconds = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def title(titles: Sequence[str]) -> str:
    """Return one line for all runs of a stack: what their titles have in common."""
    if len(titles) == 1:
        return titles[0]
    parts = zip(*(line.split(", ") for line in titles), strict=False)
    common = ", ".join(same[0] for same in parts if len(set(same)) == 1)
    return counted(len(titles), "run") + (f" ({common})" if common else "")


def reason(manifest: RunManifest) -> str:
    """Return why a run stopped, and when, from the manifest of its record."""
    if manifest.reason == Reason.EPOCHS:
        return f"{manifest.reason.words}: {manifest.epochs}"
    when = f"after epoch {manifest.epochs}" if manifest.epochs else "before training"
    words = f"{manifest.reason.words}, {when}"
    if manifest.reason == Reason.DIVERGED and manifest.epochs and "lr" in manifest.configuration["optimizer"]:
        words += "; try a smaller optimizer.lr"
    return words


def printable(text: str, encoding: str | None) -> str:
    """Return ``text`` with an escape for each character that ``encoding`` lacks."""
    encoding = encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)

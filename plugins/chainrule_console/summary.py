"""What became of a run, as lines of text."""

from collections.abc import Sequence

from chainrule.records.manifest import RunManifest
from chainrule.records.result import objective
from chainrule.records.run import Record
from chainrule_console.words import duration, number, reason

_SCORES = {"r2": "R2", "accuracy": "accuracy"}
_PARTS = {"train": "training", "validation": "validation", "test": "test"}


def lines(record: Record) -> list[str]:
    """Return a paragraph about one record."""
    manifest = record.manifest
    rows = {"loss": _values(record, "loss"), "best loss": _best(record)}
    rows |= {label: _values(record, score) for score, label in _SCORES.items()}
    rows |= {
        "stopped": reason(manifest),
        "engine": _engine(manifest),
        "time": duration(manifest.seconds),
        "record": str(record.directory),
    }
    return [manifest.title, *labelled([*rows.items(), *record.links.items()])]


def _values(record: Record, quantity: str) -> str:
    metrics = record.manifest.metrics
    return ", ".join(
        f"{number(metrics[f'{part}/{quantity}'])} ({label})"
        for part, label in _PARTS.items()
        if f"{part}/{quantity}" in metrics
    )


def _best(record: Record) -> str:
    """Return the smallest loss on the way and its epoch, if the run ended elsewhere; or which epoch it ends with."""
    manifest = record.manifest
    epoch, best = (manifest.metrics.get(name) for name in ("best_epoch", "best_loss"))
    if epoch is None or epoch == manifest.epochs:
        return ""
    if manifest.configuration["training"].get("restore_best"):
        return f"restored, after epoch {epoch:.0f} of {manifest.epochs}"
    part, _ = objective(manifest.metrics)[0].split("/")
    return f"{number(best)} ({_PARTS[part]}), after epoch {epoch:.0f}"


def _engine(manifest: RunManifest) -> str:
    """Return why NumPy has trained, if machine code was asked for or has given other numbers."""
    engine = manifest.get("engine", {})
    fallback = str(engine.get("fallback", ""))
    told = manifest.configuration["training"].get("engine") == "compiled" or fallback.startswith("Machine code")
    return f"NumPy instead of machine code. {fallback}" if told and fallback else ""


def labelled(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return ``label  value`` lines with the values below each other."""
    rows = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in rows), default=0)
    return [f"  {label:<{width}}  {value}" for label, value in rows]

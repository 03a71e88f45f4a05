"""What became of the runs, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chainrule_console.words import count, duration, number, reason

if TYPE_CHECKING:
    from chainrule.records import Record

_SCORES = {"r2": "R2", "accuracy": "accuracy"}
_PARTS = {"train": "training", "validation": "validation"}
_STOPS = {"epochs": "all epochs"}


def lines(records: Sequence[Record]) -> list[str]:
    """Return a paragraph about one record, or a table of several."""
    if not records:
        return []
    return _paragraph(records[0]) if len(records) == 1 else _table(records)


def _paragraph(record: Record) -> list[str]:
    manifest = record.manifest
    rows = {"loss": _values(record, "loss")}
    rows |= {label: _values(record, score) for score, label in _SCORES.items()}
    rows |= {"stopped": reason(manifest), "time": duration(manifest["seconds"]), "record": str(record.directory)}
    return [manifest["title"], *_labelled([*rows.items(), *record.links.items()])]


def _values(record: Record, quantity: str) -> str:
    metrics = record.manifest["metrics"]
    return ", ".join(
        f"{number(metrics[f'{part}/{quantity}'])} ({label})"
        for part, label in _PARTS.items()
        if f"{part}/{quantity}" in metrics
    )


def _labelled(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return ``label  value`` lines with the values below each other."""
    rows = [(label, value) for label, value in rows if value]
    width = max((len(label) for label, _ in rows), default=0)
    return [f"  {label:<{width}}  {value}" for label, value in rows]


def _table(records: Sequence[Record]) -> list[str]:
    """Return one line a run, in order, and what holds for all."""
    manifests = [record.manifest for record in records]
    scores = [score for score in _SCORES if any(f"train/{score}" in manifest["metrics"] for manifest in manifests)]
    columns = [["run", *(record.directory.name for record in records)]]
    for quantity in ("loss", *scores):
        for part, label in _PARTS.items():
            key = f"{part}/{quantity}"
            if any(key in manifest["metrics"] for manifest in manifests):
                cells = [number(m["metrics"][key]) if key in m["metrics"] else "-" for m in manifests]
                columns.append([f"{label} {_SCORES.get(quantity, quantity)}", *cells])
    columns.append(["epochs", *(str(manifest["epochs"]) for manifest in manifests)])
    stops = [_STOPS.get(manifest["reason"], manifest["reason"]) for manifest in manifests]
    numbers = [_aligned(column, str.rjust) for column in columns]
    rows = zip(*numbers, _aligned(["stopped", *stops], str.ljust), ["settings", *_told_apart(records)], strict=True)
    shared = dict(records[0].links)
    for record in records:
        shared = {label: link for label, link in shared.items() if record.links.get(label) == link}
    parents = {record.directory.parent for record in records}
    facts = [("stopped", ", ".join(f"{stop}: {amount}" for stop, amount in Counter(stops).most_common()))]
    facts += [("records", str(parents.pop()))] if len(parents) == 1 else []
    return [
        count(len(records), "run"),
        *("  " + "  ".join(row).rstrip() for row in rows),
        *_labelled([*facts, *shared.items()]),
    ]


def _aligned(column: Sequence[str], side: Callable[[str, int], str]) -> list[str]:
    width = max(map(len, column))
    return [side(cell, width) for cell in column]


def _told_apart(records: Sequence[Record]) -> list[str]:
    """Return what was typed for each run and not for all; titles where that says nothing."""
    typed = [record.manifest["overrides"] for record in records]
    everywhere = set(typed[0]).intersection(*typed)
    settings = [" ".join(override for override in overrides if override not in everywhere) for overrides in typed]
    return settings if all(settings) else [record.manifest["title"] for record in records]

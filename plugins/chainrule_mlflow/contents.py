"""What MLflow is told about a record, as plain data within MLflow's limits."""

import functools
import hashlib
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.components.contracts import Array
from chainrule.engine.curves import Curves
from chainrule.engine.reason import Reason
from chainrule.errors import counted, listed
from chainrule.records.manifest import DataEntry, RunManifest
from chainrule.records.run import Record
from chainrule.records.settings import flat
from chainrule_mlflow.store import KIND

Point = tuple[str, float, int, int]  # name, value, time in milliseconds since 1970, step

KEY = "chainrule.key"
LIVE = "chainrule.live"  # tag of a run that is shown while it is trained: some of its points are there
PHASE = "chainrule.phase"  # of a run of a comparison
JOB = "chainrule.job"  # number of the run in its sweep: one run beneath that of the sweep has it
PLACE = "chainrule.record"
PARENT = "mlflow.parentRunId"
OWN = (KEY, JOB, PLACE, PARENT)  # tags that say whose a run is
POINTS = 320  # of a curve: the user interface draws no more
NAME, VALUE, TAG, _DIGEST = 250, 6000, 8000, 36  # longest texts
_LINE = 44  # characters of a command: what a page of 800 pixels shows between MLflow's own columns
_GAP = "&emsp;"  # behind a cell of a table
_COLUMNS = 500  # of a dataset that are listed
# Only complete records are sent, so no run has crashed, and FAILED can mean that a run diverged. Tables mark it red,
# and the filter `status = "FINISHED"` leaves it out: its last finite loss is not a result.
_STATUSES = {Reason.DIVERGED: "FAILED", Reason.PRUNED: "KILLED"}


@dataclass(frozen=True)
class Run:
    """All that MLflow is told about a run, except its files.

    Attributes:
        name: what tables show.
        start, end: milliseconds since 1970; ``end`` is None for a sweep that is running.
        status: ``FINISHED``, ``FAILED`` (diverged), ``KILLED`` (pruned) or ``RUNNING``.
        tags: name to value; the user and the key of the run are among them.
        params: name to value.
        points: of all metrics, each once; a value is NaN where a run diverged, and else finite.
        dataset: fields of an MLflow dataset, none for a sweep; name and digest identify it.
        dataset_tags: say what the run used the dataset for.
    """

    name: str
    start: int
    end: int | None
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[Point]
    dataset: Mapping[str, str]
    dataset_tags: Mapping[str, str]


def describe(record: Record, parent_run_id: str | None = None, limit: int = POINTS) -> Run:
    """Return what MLflow is told about a record; it is the same each time.

    Args:
        record: a complete record.
        parent_run_id: the run in MLflow that this one is shown beneath, or None.
        limit: the most points of one curve, at least 4.

    Raises:
        RecordError: its curves are missing or damaged.
    """
    manifest = record.manifest
    return Run(
        name=title(record),
        start=milliseconds(manifest, 0.0),
        end=milliseconds(manifest, 1.0),
        status=_STATUSES.get(manifest.reason, "FINISHED"),
        tags=tags(record) | _shows_images(manifest) | ({PARENT: parent_run_id} if parent_run_id else {}),
        params=params(manifest),
        points=points(record, limit),
        dataset=dataset(manifest),
        dataset_tags={"mlflow.data.context": "training"},
    )


def key(manifest: RunManifest) -> str:
    """Return the key of a run; the same run trained again has another key."""
    return hashlib.sha256(f"{manifest.identity} {manifest.started}".encode()).hexdigest()


def title(record: Record) -> str:
    """Return the name of a run: what sets it apart in its sweep, else its title."""
    settings = record.member.settings if record.member else {}
    apart = ", ".join(f"{key}={value}" for key, value in settings.items())
    return cut(apart or record.manifest.title, NAME)


def milliseconds(manifest: RunManifest, fraction: float) -> int:
    """Return the milliseconds since 1970 when a fraction of the training was done."""
    return int(_times(manifest, fraction))


def params(manifest: RunManifest) -> dict[str, str]:
    """Return the settings, written as overrides are, except for the tracker."""
    config = {key: value for key, value in manifest.configuration.items() if key != "tracking"}
    return {
        legal(key): cut(value if isinstance(value, str) else json.dumps(value), VALUE)
        for key, value in flat(config).items()
    }


def points(record: Record, limit: int = POINTS) -> list[Point]:
    """Return the points of each curve, then single values.

    A loss has at most ``limit`` points. If ``limit`` is below ``POINTS``, other curves have a fifth of that, because
    they would fill most of the database of a large sweep. The record has all points.

    Values that are not finite are left out, because MLflow alters them. A loss or a score that is not finite at the end
    is NaN there, so that pages sort the run behind all others. Losses have a logarithm each, because pages show two
    digits.
    """
    manifest, curves = record.manifest, record.curves()
    found = []
    fractions = curves.epochs / max(manifest.epochs, 1)
    times = dict(zip(curves.epochs.tolist(), _times(manifest, fractions).tolist(), strict=True))
    limits = {True: limit, False: limit if limit >= POINTS else max(4, limit // 5)}
    for name, values in curves.values.items():
        finite = np.isfinite(values)
        chosen = Curves(curves.epochs[finite], {name: values[finite]}).thinned(name, limits[name.endswith("loss")])
        shown = legal(name)
        found += [(shown, value, times[epoch], epoch) for epoch, value in chosen]
    single = {"epochs": manifest.epochs, "seconds": manifest.seconds, **manifest.metrics}
    losses = {name: value for name, value in manifest.metrics.items() if name.endswith("loss")}
    single |= {logarithm(name): math.log10(value) for name, value in losses.items() if value}
    end = milliseconds(manifest, 1.0)
    lost = [name for name, value in manifest.metrics.items() if value is None and name in {*losses, *curves.values}]
    lost += [logarithm(name) for name in lost if name in losses]
    found += [(legal(name), math.nan, end, manifest.epochs) for name in lost]
    # Final losses are the last points of their curves. At step 0, single values are drawn as bars that compare runs.
    found += [
        (legal(name), float(value), end, 0)
        for name, value in single.items()
        if value is not None and name not in curves.values
    ]
    return list(dict.fromkeys(found))  # ``legal`` may have made two names equal


def logarithm(name: str) -> str:
    """Return what the decimal logarithm of a loss is called, by which pages sort and draw.

    The part comes first, because a page has a section for each beginning of a name.
    """
    part, slash, quantity = name.rpartition("/")
    return f"{part}{slash}log10_{quantity}"


def tags(record: Record) -> dict[str, str]:
    """Return the tags of a run, among them those that MLflow shows in places of their own."""
    manifest = record.manifest
    found = {
        KEY: key(manifest),
        "mlflow.note.content": note(manifest),
        PLACE: str(record.directory),
        **({JOB: str(record.member.number)} if record.member else {KIND: "run"}),
        **({PHASE: record.member.phase} if record.member and record.member.phase else {}),
        "chainrule.identity": manifest.identity,
        "chainrule.reason": manifest.reason.value,
        **{f"chainrule.plugin.{name}": text for name, text in plugins(manifest).items()},
        **origin(manifest.environment),
    }
    return {legal(name): cut(value, TAG) for name, value in found.items()}


def _shows_images(manifest: RunManifest) -> dict[str, str]:
    """Return the tag that lets MLflow show its image grid, for a run with pictures."""
    return {"mlflow.loggedImages": "true"} if any(name.startswith("pictures/") for name in manifest.files) else {}


def plugins(manifest: RunManifest) -> dict[str, str]:
    """Return the distributions that a run depends on: version, or the beginning of a file's digest, which has none.

    The manifest among the files of the run has the digests of all.
    """
    named = {name.partition(":")[0]: plugin for name, plugin in manifest.plugins.items()}
    return {name: plugin.version or f"SHA-256 {plugin.sha256[:12]}" for name, plugin in named.items()}


def origin(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that say who made a run, and with which software."""
    rest = dict(environment)
    commit, dirty, _ = rest.pop("git_commit", "").partition("-dirty")
    found = {
        "mlflow.user": rest.pop("user"),
        "mlflow.source.name": "chainrule",
        "mlflow.source.type": "LOCAL",
        "chainrule.version": rest.pop("chainrule"),
        **{f"chainrule.environment.{name}": version for name, version in rest.items()},
    }
    if commit:
        found |= {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(dirty)).lower()}
    return found


def typed(arguments: Sequence[str]) -> str:
    """Return a command in Markdown, in lines that no page cuts off; a shell takes them as one."""
    lines = ["chainrule"]
    for word in map(shlex.quote, arguments):
        if len(lines[-1]) + len(word) < _LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    block = " \\\n".join(lines)
    return f"```\n{block}\n```"


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown, of which the first row is the head; MLflow leaves no gaps by itself."""
    head, *others = ([f"{cell}{_GAP}" for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *others]
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in lines]) + "\n\n&nbsp;"


def note(manifest: RunManifest) -> str:
    """Return the description of a run in Markdown."""
    network, data = manifest.network, manifest.data
    values = [(name, "not finite" if v is None else f"{v:.6g}") for name, v in manifest.metrics.items()]
    paragraphs = [
        f"**{manifest.title}**",
        f"{'-'.join(map(str, network.widths))} units, {counted(network.parameters, 'parameter')}; {_counts(data)} "
        "samples.",
        f"Stopped after {counted(manifest.epochs, 'epoch')}; {manifest.reason.words}.",
        *manifest.notes,
        table([("metric", "at the end"), *values]),
        f"To repeat it:\n\n{typed(manifest.overrides)}",
    ]
    return "\n\n".join(paragraphs)


def _counts(data: DataEntry) -> str:
    """Return how many samples each part has, in words."""
    return listed(f"{data[part]} {part}" for part in ("training", "validation", "test") if data.get(part))


def dataset(manifest: RunManifest) -> dict[str, str]:
    """Return the fields of the dataset: its source is its file, or says how to draw it again."""
    data, configuration = manifest.data, manifest.configuration
    how = {"seed": configuration["seed"], "target": configuration["target"], "data": configuration["data"]}
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat(how).items()}
    source = {"mlflow.source.name": "chainrule", "mlflow.source.type": "LOCAL", "digest": data.digest, **written}
    profile = {name: value for name, value in data.items() if name not in ("target", "digest")}
    path = configuration["target"].get("path")
    is_file = isinstance(path, str)
    return {
        "name": Path(path).name if is_file else data.target,
        "digest": data.digest[:_DIGEST],
        "source_type": "local" if is_file else "code",
        "source": json.dumps({"uri": path} if is_file else {"tags": source}),
        "schema": json.dumps({"mlflow_colspec": _columns(data)}),
        "profile": json.dumps({"num_rows": data.training + data.validation + data.get("test", 0), **profile}),
    }


def _columns(data: DataEntry) -> list[dict[str, Any]]:
    """Return the columns of a dataset as MLflow describes them: inputs, then what is learned."""
    named = data.get("input_names") or [f"x{number}" for number in range(1, data.inputs + 1)]
    if data.task == "regression":
        learned = data.get("output_names") or [f"y{number}" for number in range(1, data.outputs + 1)]
        kinds = dict.fromkeys(learned, "double")
    else:
        kinds = {"class": "string"}
    columns = {str(name): "double" for name in named[:_COLUMNS]} | kinds
    return [{"name": name, "type": kind, "required": True} for name, kind in columns.items()]


def _times(manifest: RunManifest, fractions: ArrayLike) -> Array:
    """Return the milliseconds since 1970 when fractions of the training were done."""
    began = datetime.fromisoformat(manifest.started).timestamp()
    times: Array = np.rint(1000 * (began + np.asarray(fractions) * manifest.stack.seconds)).astype(int)
    return times


@functools.lru_cache(maxsize=4096)  # runs of a sweep have the same names
def legal(name: str) -> str:
    """Return a name with the characters and the length that every store accepts."""
    return re.sub(r"[^\w./ -]", "_", name)[:NAME]


def cut(text: str, limit: int) -> str:
    """Return text within a limit of characters; dots say where it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."

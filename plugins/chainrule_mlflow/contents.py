"""What of a record goes to MLflow, as plain data within MLflow's limits."""

import json
import re
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.history import Curves
from chainrule.settings import flat

if TYPE_CHECKING:
    from chainrule.records import Record

POINTS = 320  # of a curve: the user interface draws no more
_NAME, _VALUE, _TAG, _DIGEST = 250, 6000, 8000, 36  # longest texts
_REASONS = {
    "epochs": "as many as were asked for",
    "converged": "the training loss reached the tolerance",
    "plateau": "the loss had not improved for too long",
    "diverged": "the loss or a gradient became infinite or NaN",
}
_IN_TITLE = ("target", "network.hidden", "activation", "optimizer", "seed", "tracking")


def title(manifest: Mapping[str, Any]) -> str:
    """Return the name of a run: what was typed and its title does not show, then the title."""
    typed = [override for override in manifest["overrides"] if override.lstrip("+~").partition("=")[0] not in _IN_TITLE]
    typed = [override for override in typed if not override.lstrip("+~").startswith("tracking.")]
    return _cut(", ".join([*typed, manifest["title"]]), _NAME)


def milliseconds(manifest: Mapping[str, Any], fraction: float) -> int:
    """Return the time since 1970 when a fraction of the training was done; the same whenever it is asked."""
    seconds: float = datetime.fromisoformat(manifest["started"]).timestamp() + fraction * manifest["seconds"]
    return round(1000 * seconds)


def params(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings, written as overrides are; where a run is tracked is no setting of the run."""
    config = {key: value for key, value in manifest["configuration"].items() if key != "tracking"}
    return {
        _legal(key): _cut(value if isinstance(value, str) else json.dumps(value), _VALUE)
        for key, value in flat(config).items()
    }


def points(record: "Record") -> list[tuple[str, float, int, int]]:
    """Return name, value, time and step of each point: curves over epochs, then single values.

    Values that are not finite are left out, because MLflow alters them.
    """
    manifest, curves = record.manifest, record.curves()
    found = []
    for name, values in curves.values.items():
        finite = np.isfinite(values)
        measured = Curves(curves.epochs[finite], {name: values[finite]})
        for epoch, value in measured.thinned(name, POINTS):
            fraction = epoch / max(manifest["epochs"], 1)
            found.append((_legal(name), value, milliseconds(manifest, fraction), epoch))
    single = {"epochs": manifest["epochs"], "seconds": manifest["seconds"], **manifest["metrics"]}
    end = milliseconds(manifest, 1.0)
    # Final losses are the last points of their curves. At step 0, single values are drawn as bars that compare runs.
    found += [
        (_legal(name), float(value), end, 0)
        for name, value in single.items()
        if value is not None and name not in curves.values
    ]
    return found


def tags(record: "Record") -> dict[str, str]:
    """Return what else to know about a run, with the tags that MLflow shows in places of its own."""
    manifest = record.manifest
    environment = dict(manifest["environment"])
    commit, dirty, _ = environment.pop("git_commit", "").partition("-dirty")
    found = {
        "mlflow.user": environment.pop("user"),
        "mlflow.source.name": "chainrule",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": note(manifest),
        "chainrule.record": str(record.directory),
        "chainrule.identity": manifest["identity"],
        "chainrule.reason": manifest["reason"],
        "chainrule.version": environment.pop("chainrule"),
        **{f"chainrule.environment.{name}": version for name, version in environment.items()},
        **{f"chainrule.plugin.{name}": version for name, version in manifest["plugins"].items()},
    }
    if commit:
        found |= {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(dirty)).lower()}
    return {_legal(name): _cut(value, _TAG) for name, value in found.items()}


def note(manifest: Mapping[str, Any]) -> str:
    """Return the description of a run in Markdown."""
    network, data = manifest["network"], manifest["data"]
    command = shlex.join(["chainrule", *manifest["overrides"]])
    rows = [f"| {name} | {'not finite' if v is None else f'{v:.6g}'} |" for name, v in manifest["metrics"].items()]
    paragraphs = [
        f"**{manifest['title']}**",
        f"{'-'.join(map(str, network['widths']))} units, {network['parameters']} parameters; "
        f"{data['training']} training and {data['validation']} validation samples.",
        f"Stopped after {manifest['epochs']} epochs: {_REASONS.get(manifest['reason'], manifest['reason'])}.",
        *manifest["notes"],
        "\n".join(["| metric | at the end |", "| --- | ---: |", *rows]),
        f"To repeat it:\n\n```\n{command}\n```",
    ]
    return "\n\n".join(paragraphs)


def dataset(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of the dataset: its source says how to draw it again."""
    data, configuration = manifest["data"], manifest["configuration"]
    how = {"seed": configuration["seed"], "target": configuration["target"], "data": configuration["data"]}
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat(how).items()}
    source = {"mlflow.source.name": "chainrule", "mlflow.source.type": "LOCAL", "digest": data["digest"], **written}
    profile = {name: value for name, value in data.items() if name not in ("target", "digest")}
    return {
        "name": data["target"],
        "digest": data["digest"][:_DIGEST],
        "source_type": "code",
        "source": json.dumps({"tags": source}),
        "profile": json.dumps({"num_rows": data["training"] + data["validation"], **profile}),
    }


def _legal(name: str) -> str:
    """Return a name with the characters and the length that every store accepts."""
    return re.sub(r"[^\w./ -]", "_", name)[:_NAME]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."

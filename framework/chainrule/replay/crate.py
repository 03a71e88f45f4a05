"""What a package says of itself in RO-Crate 1.1, as JSON-LD: files, software, and each run as an action.

Runs follow the profile Process Run Crate: an action has the software as ``instrument``, what it read as ``object``, and
its record as ``result``. See https://www.researchobject.org/ro-crate/specification/1.1 and
https://www.researchobject.org/workflow-run-crate/profiles/process_run_crate.
"""

import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chainrule.errors import agreeing, counted
from chainrule.records.environment import environment
from chainrule.records.manifest import CONFIGURATION
from chainrule.records.run import Record
from chainrule.replay.package import CRATE, EXPORT, RECORDS

_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_FORMATS = {  # that Python's own table has not, or not everywhere
    "npz": "application/vnd.numpy.npz",
    "yaml": "application/yaml",
    "md": "text/markdown",
    "log": "text/plain",
    "py": "text/x-python",
}

Entity = dict[str, Any]


def crate(
    title: str,
    directory: Path,
    records: Sequence[Record],
    digests: Mapping[str, str],
    sizes: Mapping[str, int],
    plugins: Mapping[str, Mapping[str, Any]],
    licence: str,
) -> Entity:
    """Return the metadata of a package.

    Args:
        title: what was exported, in one line.
        directory: what was exported; the records lie below.
        records: the runs.
        digests: SHA-256 of each file, by its path in the package.
        sizes: bytes of each file.
        plugins: as in ``export.json``.
        licence: under which it may be used; empty if that is not said.
    """
    actions = [_action(record, directory) for record in records]
    people = {_person(record): record.manifest.environment.get("user", "unknown") for record in records}
    software = [_software(key, entry) for key, entry in plugins.items()]
    files = [_file(name, digests.get(name), sizes[name]) for name in sorted({*digests, EXPORT})]
    ended = max(action["endTime"] for action in actions)
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"{counted(len(records), 'recorded run')} of chainrule with what is needed to train "
        f"{agreeing(len(records), 'it', 'them')} again to the same bits: settings, data, sources and versions of "
        "plugins, versions of everything installed.",
        "datePublished": datetime.now(UTC).date().isoformat(),
        "dateModified": ended,
        "license": {"@id": "#licence"},
        "author": _one_or_many([{"@id": person} for person in people]),
        "conformsTo": {"@id": _PROFILE},
        "hasPart": [{"@id": file["@id"]} for file in files],
        "mentions": _one_or_many([{"@id": action["@id"]} for action in actions]),
    }
    return {
        "@context": [f"{_CRATE}/context", {"sha256": "https://schema.org/sha256"}],
        "@graph": [
            {
                "@id": CRATE,
                "@type": "CreativeWork",
                "conformsTo": {"@id": _CRATE},
                "about": {"@id": "./"},
            },
            root,
            {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
            {
                "@id": "#licence",
                "@type": "CreativeWork",
                "name": licence or "not stated",
                "description": "of this package",
            },
            *({"@id": person, "@type": "Person", "name": name} for person, name in people.items()),
            _chainrule(),
            *software,
            *files,
            *actions,
        ],
    }


def _one_or_many(entities: Sequence[Entity]) -> Entity | Sequence[Entity]:
    """Return a list of one as its entity, which is how RO-Crate wants it."""
    return entities[0] if len(entities) == 1 else entities


def _person(record: Record) -> str:
    """Return the identifier of who trained a run."""
    return f"#person-{record.manifest.environment.get('user', 'unknown')}".replace(" ", "%20")


def _chainrule() -> Entity:
    known = environment()
    return {
        "@id": "#chainrule",
        "@type": "SoftwareApplication",
        "name": "chainrule",
        "softwareVersion": known["chainrule"],
        "softwareRequirements": f"Python {known['python']}, NumPy {known['numpy']}",
        "operatingSystem": known["platform"],
        "processorRequirements": f"{known['processor']}; {known['blas']}",
    }


def _software(key: str, entry: Mapping[str, Any]) -> Entity:
    return {
        "@id": f"#plugin-{key}".replace(" ", "%20"),
        "@type": "SoftwareApplication",
        "name": key,
        "softwareVersion": entry["version"] or entry["recorded"],
        "isBasedOn": entry["source"],
    }


def _file(name: str, digest: str | None, size: int) -> Entity:
    found: Entity = {"@id": name.replace(" ", "%20"), "@type": "File", "name": name, "contentSize": str(size)}
    ending = name.rpartition(".")[2]
    found["encodingFormat"] = _FORMATS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if digest:
        found["sha256"] = digest
    return found


def _action(record: Record, directory: Path) -> Entity:
    """Return a run: what it was trained with, and the record that it left."""
    manifest = record.manifest
    folder = Path(RECORDS, record.directory.relative_to(directory)).as_posix()
    started = datetime.fromisoformat(manifest.started)
    read = f"{folder}/{CONFIGURATION}"
    results = [f"{folder}/{name}" for name in manifest.files if name != CONFIGURATION]
    return {
        "@id": f"#run-{folder}".replace(" ", "%20"),
        "@type": "CreateAction",
        "name": manifest.title,
        "description": (
            f"{manifest.reason.words} after {counted(manifest.epochs, 'epoch')}; data SHA-256 {manifest.data.digest}"
        ),
        "instrument": {"@id": "#chainrule"},
        "object": {"@id": read.replace(" ", "%20")},
        "result": [{"@id": name.replace(" ", "%20")} for name in [*results, f"{folder}/manifest.json"]],
        "agent": {"@id": _person(record)},
        "startTime": started.isoformat(timespec="seconds"),
        "endTime": (started + timedelta(seconds=manifest.seconds)).isoformat(timespec="seconds"),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }

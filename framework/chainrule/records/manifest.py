"""What ``manifest.json`` holds, what readers of it rely on, and the identity of a run."""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self

from chainrule.engine.reason import Reason
from chainrule.files import paths
from chainrule.files.reading import is_plain
from chainrule.records.entries import Entries
from chainrule.records.settings import LISTS

FORMAT = 3
UNSEALED = (2,)  # formats of earlier versions, whose manifests have no checksum
MANIFEST = "manifest.json"
FAILURE = "failure.json"
CONFIGURATION, CURVES, WEIGHTS = "configuration.yaml", "curves.npz", "weights.npz"
_START = "directory", "identity", "weights"


class NetworkEntry(Entries):
    """Widths of the layers, inputs and outputs included, and how many parameters there are."""

    widths: list[int]
    parameters: int


class DataEntry(Entries):
    """What the run was trained on: sizes (also ``test``, if there is such a part), and the SHA-256 of the raw data.

    Where they have names, ``input_names`` and ``output_names`` list those of inputs, and of classes or values;
    ``class_names`` those of two classes of a single output. Of a table, ``features`` are the columns that become
    inputs, unless each is one of numbers, and ``label_names`` those of the true values, unless these are the outputs.
    Where missing values are filled in, ``incomplete`` lists the columns that lacked some.
    """

    target: str
    task: str
    inputs: int
    outputs: int
    training: int
    validation: int
    digest: str


class PluginEntry(Entries):
    """A plugin that the run used; the SHA-256 is that of its source."""

    version: str
    sha256: str


def is_declared(plugin: str, version: str) -> bool:
    """Say whether a plugin ``distribution:entry point`` is a class that a program has declared."""
    return not version and not plugin.partition(":")[0].endswith(".py")


def needed(plugin: str, version: str, then: str) -> str:
    """Say what a plugin is that is not here, and what to do.

    Args:
        plugin: ``distribution:entry point``, as records name it.
        version: of the distribution; empty for a class that a program has declared, and for a file.
        then: what to do in Python, where a class can be declared.
    """
    distribution, _, entry_point = plugin.partition(":")
    if is_declared(plugin, version):
        return f"the class {entry_point} of {distribution}, which is not declared here: {then} in Python"
    if version:
        return f"a plugin of {distribution} {version}, which is not installed: install it"
    return f"the plugin {distribution}, which is not in {paths.started()} or is switched off: put it back"


class FileEntry(Entries):
    """A file of the record."""

    sha256: str
    bytes: int


class StackEntry(Entries):
    """The stack that a run was trained in: how many runs (None in records of before), and seconds of them all."""

    runs: int | None
    seconds: float


class RunManifest(Entries):
    """What ``manifest.json`` holds.

    Attributes:
        title: the run in one line.
        identity: SHA-256 of settings, data and plugins.
        overrides: the overrides as typed.
        configuration: the nested configuration, with the tracker.
        network, data, plugins, files: see their classes; by ``distribution:entry point`` and by file name.
        beside: files that Hydra has left beside the record, which says whether they are unchanged.
        reason: why it stopped.
        epochs: how many epochs it trained.
        metrics: final losses and scores, None for a value that is not finite.
        notes: the notes shown before training.
        started: ISO 8601 with zone.
        seconds: training time; of a stack the run's share, by the epochs that it trained (in records of before, the
            time of the whole stack).
        stack: see its class.
        environment: user, git commit, versions of libraries.

    The entry ``engine`` has the ``name`` of what has done the steps, ``numpy`` or ``compiled``, and where machine code
    was to do them and has not, the ``fallback``: why.

    A run that began with the parameters of another has an entry ``start``: directory, identity and SHA-256 of the
    weights of that run.
    """

    title: str
    identity: str
    overrides: list[str]
    configuration: dict[str, Any]
    network: NetworkEntry
    reason: Reason
    epochs: int
    metrics: dict[str, float | None]
    notes: list[str]
    started: str
    seconds: float
    data: DataEntry
    environment: dict[str, Any]
    plugins: dict[str, PluginEntry]
    files: dict[str, FileEntry]
    beside: dict[str, FileEntry]
    stack: StackEntry

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Self:
        """Return the data with its entries checked; earlier versions covered no files beside, and named no stack."""
        later = {"beside": {}, "stack": {"runs": None, "seconds": data.get("seconds")}}
        found = super().checked({**later, **data})
        for name, is_right in _SOUND.items():  # in this order, as later ones rely on earlier ones
            if not is_right(found):
                raise ValueError(name)
        return found


# What readers of a manifest rely on, by the entry that would be wrong.
_SOUND: dict[str, Callable[[RunManifest], bool]] = {
    "configuration": lambda found: (
        type(found.configuration.get("seed")) is int
        and isinstance(found.configuration.get("training"), dict)
        and isinstance(found.configuration.get("tracking"), dict)
        and isinstance(found.configuration["tracking"].get("name"), str)
    ),
    "network": lambda found: len(found.network.widths) > 1 and min(found.network.widths) > 0 and _fits(found),
    "epochs": lambda found: found.epochs >= 0,
    "metrics": lambda found: "train/loss" in found.metrics,
    "started": lambda found: _is_time(found.started),
    "seconds": lambda found: 0 <= found.seconds < math.inf and 0 <= found.stack.seconds < math.inf,
    "environment": lambda found: all(isinstance(found.environment.get(name), str) for name in ("user", "chainrule")),
    "data": lambda found: (
        type(found.data.get("test", 0)) is int
        and found.data.inputs == found.network.widths[0]
        and 0 < found.data.outputs <= found.network.widths[-1]
    ),
    "start": lambda found: (
        "start" not in found
        or (isinstance(found["start"], dict) and set(map(type, map(found["start"].get, _START))) == {str})
    ),
    "files": lambda found: all(map(is_plain, found.files)) and {CURVES, WEIGHTS} <= found.files.keys(),
    "beside": lambda found: all(map(is_plain, found.beside)),
}


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _fits(manifest: RunManifest) -> bool:
    """Say whether the file of weights can hold those of the network: otherwise they would be made to read them."""
    widths, file = manifest.network.widths, manifest.files.get(WEIGHTS)
    return file is not None and 4 * sum(a * b for a, b in itertools.pairwise(widths)) <= file.bytes


def identity_of(
    configuration: Mapping[str, Any],
    data: Mapping[str, Any],
    plugins: Mapping[str, Mapping[str, Any]],
    start: Mapping[str, Any],
) -> str:
    """Return the SHA-256 of what decides a run.

    Args:
        configuration: its settings; the tracker among them does not count.
        data: what was drawn.
        plugins: those that it used.
        start: the run that it began with, if it did.
    """
    settings = {key: value for key, value in configuration.items() if key != "tracking"}
    # The order of a list of components counts, and that of the keys of a JSON object does not.
    ordered = {k: list(v.items()) if k in LISTS and isinstance(v, dict) else v for k, v in settings.items()}
    if isinstance(training := ordered.get("training"), dict):  # what does the steps decides no number of a run
        ordered["training"] = {name: value for name, value in training.items() if name != "engine"}
    identity: dict[str, Any] = {"configuration": ordered, "data": data, "plugins": plugins}
    if start:
        identity["start"] = start["weights"]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

"""Records that tests change: as a stranger would write them, or as earlier versions did."""

import json
from pathlib import Path

from chainrule.records.entries import sealed
from chainrule.records.manifest import MANIFEST, identity_of

DRAWN = ("target", "task", "inputs", "outputs", "training", "validation", "digest", "test")


def identified(manifest):
    """The manifest with the identity of its settings, data and plugins."""
    data = {key: value for key, value in manifest["data"].items() if key in DRAWN}
    own = identity_of(manifest["configuration"], data, manifest["plugins"], manifest.get("start", {}))
    return {**manifest, "identity": own}


def rewritten(directory, **changes):
    """Change entries of the manifest in a directory, with a checksum and an identity that fit."""
    path = Path(directory) / MANIFEST
    manifest = {**json.loads(path.read_bytes()), **changes}
    path.write_bytes(sealed(identified(manifest)))


def resealed(path, **changes):
    """Change entries of any file with a checksum."""
    path = Path(path)
    path.write_bytes(sealed({**json.loads(path.read_bytes()), **changes}))


def unsealed(path, format_, **changes):
    """Write a file as earlier versions did: without a checksum."""
    path = Path(path)
    content = {**json.loads(path.read_bytes()), "format": format_, **changes}
    for name in ("checksum", "beside", "stack"):
        content.pop(name, None)
    path.write_text(json.dumps(content))

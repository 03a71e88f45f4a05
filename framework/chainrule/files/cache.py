"""What takes a while to make, kept on disk in the user's cache for all processes of this machine.

A file is written whole or not at all, and begins with the digest of its key and of what follows, so that neither a
damaged one is used, nor one in the place of another.
"""

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

VARIABLE = "CHAINRULE_CACHE"  # another folder; an empty one: no cache on disk


def folder(what: str) -> Path | None:
    """Return the folder of what is kept, such as ``compiled``; None for no cache."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Path(given).expanduser() / what if given else None
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "chainrule" / what


def read(what: str, key: str) -> bytes | None:
    """Return what was written under a key; None if it is not there, or damaged."""
    own = folder(what)
    if own is None:
        return None
    try:
        content = (own / key).read_bytes()
    except OSError:
        return None
    digest, kept = content[:32], content[32:]
    return kept if _digest(key, kept) == digest else None


def write(what: str, key: str, content: bytes) -> None:
    """Keep something under a key; a folder that cannot be written to is no error."""
    own = folder(what)
    if own is None:
        return
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=own, prefix=f".{key[:16]}.")  # of this process alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_digest(key, content) + content)
            os.replace(name, own / key)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + content).digest()

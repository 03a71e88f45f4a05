"""How much memory there is, asked before it is taken."""

import os
from pathlib import Path

from chainrule.errors import ConfigurationError

_KERNEL, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def available() -> int | None:
    """Return the bytes that can be allocated without swapping; None where the system does not say."""
    try:
        lines = dict(line.split(":") for line in _KERNEL.read_text().splitlines())
        free = 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError, AttributeError):
            return None
    try:  # a container may have less
        return min(free, int((_GROUP / "memory.max").read_text()) - int((_GROUP / "memory.current").read_text()))
    except (OSError, ValueError):
        return free


def require_memory(needed: int, where: str, what: str) -> None:
    """Refuse to take more memory than there is.

    Args:
        needed: bytes.
        where: begins the message.
        what: takes the memory, in words.

    Raises:
        ConfigurationError: there is less.
    """
    free = available()
    if free is not None and needed > free:
        raise ConfigurationError(
            f"{where} needs about {needed / 1e9:.1f} GB of memory for {what}, but {free / 1e9:.1f} GB are free."
        )

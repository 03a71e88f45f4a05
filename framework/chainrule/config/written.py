"""YAML files of a configuration that are read as something else than they look like, or that would take for ever."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from chainrule.config.limits import is_text
from chainrule.errors import ConfigurationError

_LARGEST = 1 << 20  # bytes
_MOST = 100_000  # values, with what aliases repeat
_DEPTH = 50
_HALF = re.compile(rb'"[^"\n]*?(\\u[dD][89a-fA-F]\w\w)')  # an escape for half of a character
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
# What YAML 1.1, which Hydra reads, takes for numbers of base 8 and 60.
_OCTAL, _SEXAGESIMAL = re.compile(r"[-+]?0[0-7_]+"), re.compile(r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?")


def require_plain(folders: Sequence[Path]) -> None:
    """Refuse files of the configuration with numbers that are not read as they are written, or that are too large.

    What is no YAML at all is left to Hydra, which reads only the files that are chosen.

    Args:
        folders: that hold files of the configuration.

    Raises:
        ConfigurationError: there is such a file; the sentence says where.
    """
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            try:
                status = path.stat()
                found = _fault(path, status.st_mtime_ns, status.st_size) if path.is_file() else ""
            except OSError:
                continue  # who wants to read it says what is wrong
            if found:
                raise ConfigurationError(found)


@lru_cache(maxsize=512)
def _fault(path: Path, _changed: int, size: int) -> str:
    """Return what is wrong with a file; empty if nothing is."""
    if size > _LARGEST:
        return f"{path} has {size:,} bytes; a file of the configuration has {_LARGEST:,} at most."
    text = path.read_bytes()
    if text.count(b"[") + text.count(b"{") > _DEPTH and _depth(text) > _DEPTH:
        return f"{path} has brackets in brackets, more than {_DEPTH} deep."
    half = _HALF.search(text)
    if half:
        line = text.count(b"\n", 0, half.start()) + 1
        return f"{path}, line {line}: {half[1].decode()} is no text that a file could hold."
    try:
        node = yaml.compose(text, Loader=_Loader)
        counts: dict[int, int] = {}
        if node is not None and _size(node, counts, 0) > _MOST:
            return f"{path} has aliases of aliases (& and *) that stand for more than {_MOST:,} values."
    except yaml.YAMLError:
        return ""
    except RecursionError:
        return f"{path} has values in values, more than {_DEPTH} deep."
    return next((_sentence(path, each) for each in _scalars(node) if _is_misread(each) or not is_text(each.value)), "")


def _depth(text: bytes) -> int:
    """Return how deep brackets lie in brackets at most, those in texts included."""
    return max(accumulate(_BRACKETS.get(byte, 0) for byte in text))


def _size(node: Any, counts: dict[int, int], depth: int) -> int:
    """Return how many values a node has, where each alias counts as what it repeats."""
    if depth > _DEPTH:
        raise RecursionError
    if id(node) not in counts:
        counts[id(node)] = _MOST + 1  # of one that holds itself
        counts[id(node)] = 1 + sum(_size(child, counts, depth + 1) for child in _children(node))
    return counts[id(node)]


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _scalars(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    for child in _children(node):
        yield from _scalars(child)


def _is_misread(node: Any) -> bool:
    if node.style or not node.tag.endswith((":int", ":float")):
        return False
    return bool(_OCTAL.fullmatch(node.value) or _SEXAGESIMAL.fullmatch(node.value))


def _sentence(path: Path, node: Any) -> str:
    where = f"{path}, line {node.start_mark.line + 1}"
    if not is_text(node.value):
        return f"{where}: {node.value!r} is no text that a file could hold."
    meant = yaml.safe_load(node.value)
    return f"{where}: YAML reads {node.value} as {meant}; write {meant}, or in quotes '{node.value}' if it is a text."


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

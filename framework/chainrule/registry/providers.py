"""Where plugins come from: distribution, file, source."""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chainrule.components.contracts import default_name
from chainrule.registry.kinds import KINDS


@dataclass(frozen=True)
class Provider:
    """Where a plugin comes from.

    Attributes:
        distribution, version: as installed.
        entry_point: its name in the group ``chainrule``.
        module: the module that the entry point names.
    """

    distribution: str
    version: str
    entry_point: str
    module: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point!r})"

    @cached_property
    def file(self) -> Path | None:
        """File of the plugin's module, found without importing it; None if there is none."""
        top, *inner = self.module.split(".")
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if not inner:
            return Path(spec.origin) if spec.origin and Path(spec.origin).is_file() else None
        places = [Path(folder, *inner) for folder in spec.submodule_search_locations or ()]
        candidates = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
        return next((file for file in candidates if file.is_file()), None)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the plugin's package, or of its module if that is in no package; empty if there is no file."""
        return source_digest(self._source) if self._source else ""

    @cached_property
    def promised(self) -> frozenset[tuple[str, str]]:
        """Kind and name of the components that the source seems to define, read without running it."""
        kinds = {kind.contract.__name__: kind.name for kind in KINDS.values()}
        found = set()
        for file in _python_files(self._source) if self._source else ():
            # A pattern, not a parser, because the file may not be valid Python.
            for name, bases in _CLASS.findall(file.read_text(errors="replace")):
                kind = next((kinds[word] for word in re.findall(r"\w+", bases) if word in kinds), None)
                if kind:
                    kinds[name] = kind
                    given = _GIVEN.search(bases)
                    found.add((kind, given[1] if given else default_name(name)))
        return frozenset(found)

    @property
    def _source(self) -> Path | None:
        """The folder of the plugin's package, or the file of its module if that is in no package."""
        if self.file is None or ("." not in self.module and self.file.name != "__init__.py"):
            return self.file
        outermost = importlib.util.find_spec(self.module.partition(".")[0])
        if outermost is None or outermost.origin is None:  # a namespace package, which distributions share
            return self.file.parent
        return Path(outermost.origin).parent


_CLASS = re.compile(r"^class\s+(\w+)\s*\(([^)]*)\)\s*:", re.MULTILINE)
_GIVEN = re.compile(r"\bname\s*=\s*[\"']([^\"']+)[\"']")


def source_digest(path: Path) -> str:
    """Return the SHA-256 of a Python file, or of all Python files of a folder with their names."""
    found = hashlib.sha256()
    for file in _python_files(path):
        content = file.read_bytes()
        found.update(f"{file.relative_to(path.parent).as_posix()} {len(content)} ".encode() + content)
    return found.hexdigest()


def _python_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]

"""Where plugins come from: an installed distribution, a plugin file, or a class of a Python program."""

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType

from chainrule.components.contracts import default_name
from chainrule.registry.kinds import KINDS


@dataclass(frozen=True)
class Provider:
    """Where a plugin comes from: here, an installed distribution.

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
        return f"{self.release} (entry point {self.entry_point!r})"

    @property
    def key(self) -> str:
        """Name of the plugin in records."""
        return f"{self.distribution}:{self.entry_point}"

    @property
    def release(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}"

    @property
    def claim(self) -> str:
        """What no other plugin may be called, too."""
        return self.entry_point

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
        for text in self._texts():
            # A pattern, not a parser, because the file may not be valid Python.
            for name, bases in _CLASS.findall(text):
                kind = next((kinds[word] for word in re.findall(r"\w+", bases) if word in kinds), None)
                if kind:
                    kinds[name] = kind
                    given = _GIVEN.search(bases)
                    found.add((kind, given[1] if given else default_name(name)))
        return frozenset(found)

    def sources(self) -> Iterator[tuple[str, bytes]]:
        """Yield the Python files that the digest is of: path and content."""
        source = self._source
        for file in _python_files(source) if source else ():
            assert source is not None
            yield file.relative_to(source.parent).as_posix(), file.read_bytes()

    def _texts(self) -> Iterator[str]:
        """Yield the text of each of its files."""
        yield from (f.read_text(errors="replace") for f in _python_files(self._source)) if self._source else ()

    @property
    def _source(self) -> Path | None:
        """The folder of the plugin's package, or the file of its module if that is in no package."""
        if self.file is None or ("." not in self.module and self.file.name != "__init__.py"):
            return self.file
        outermost = importlib.util.find_spec(self.module.partition(".")[0])
        if outermost is None or outermost.origin is None:  # a namespace package, which distributions share
            return self.file.parent
        return Path(outermost.origin).parent


@dataclass(frozen=True)
class _Sourced(Provider):
    """A provider that is no distribution, of which the source is known.

    Attributes:
        source: the text that is executed, or was.
    """

    source: bytes = field(repr=False)

    @property
    def release(self) -> str:
        """What stands for distribution and version."""
        return str(self)

    @property
    def claim(self) -> str:
        """What no other plugin may be called, too."""
        return self.key

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the source; what becomes of the file later does not matter."""
        return hashlib.sha256(self.source).hexdigest()

    def _texts(self) -> Iterator[str]:
        yield self.source.decode(errors="replace")


@dataclass(frozen=True)
class FileProvider(_Sourced):
    """A plugin file: a plugin that is one file of the folder ``plugins``.

    Attributes:
        path: the file, absolute.
    """

    path: Path

    @classmethod
    def of(cls, path: Path) -> "FileProvider":
        """Return the provider of a file, which is read now and not again.

        Raises:
            OSError: it cannot be read.
        """
        name = f"{path.parent.name}/{path.name}"
        module = re.sub(r"\W", "_", f"chainrule_file_{path.stem}")
        return cls(name, "", path.stem, module, path.read_bytes(), path)

    def __str__(self) -> str:
        return self.distribution

    @cached_property
    def file(self) -> Path | None:
        """The file."""
        return self.path

    def load(self) -> ModuleType:
        """Execute the source as a module of its own, and return that."""
        module = ModuleType(self.module)
        module.__file__ = str(self.path)
        code = compile(self.source, str(self.path), "exec", dont_inherit=True)
        sys.modules[self.module] = module  # for pickle and for annotations that are texts
        try:
            exec(code, vars(module))
        except BaseException:
            del sys.modules[self.module]
            raise
        return module


@dataclass(frozen=True)
class ClassProvider(_Sourced):
    """A class that a Python program has declared; ``distribution`` is its module, ``entry_point`` its name."""

    def __str__(self) -> str:
        return f"the class {self.entry_point} of {self.distribution}"

    @cached_property
    def file(self) -> Path | None:
        """None: it may be in a cell of a notebook."""
        return None


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

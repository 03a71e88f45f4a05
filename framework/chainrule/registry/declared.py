"""Components that a Python program declares, and how they and plugin files and data in memory reach other processes."""

import dataclasses
import io
import linecache
import pickle
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chainrule.components.contracts import Component
from chainrule.errors import PluginError, sentence
from chainrule.files.in_memory import Frame
from chainrule.registry.providers import ClassProvider, FileProvider


@dataclass(frozen=True)
class Declared:
    """A class that the program has declared.

    Attributes:
        kind: name of its kind.
        component: the class.
        provider: says where it comes from.
    """

    kind: str
    component: type[Component]
    provider: ClassProvider


_declared: dict[tuple[str, str], Declared] = {}


def declare(kind: str, cls: type[Component], caller: str) -> Declared:
    """Keep a class as a component, in place of an earlier one of the same kind and name.

    Args:
        kind: name of its kind.
        cls: the class.
        caller: name of the file, or of the cell of a notebook, in which it is declared.

    Raises:
        PluginError: the source cannot be read, so that no record could say what was trained.
    """
    # In a notebook the module has no file, and each cell has a name under which ``linecache`` knows its text.
    name = getattr(sys.modules.get(cls.__module__), "__file__", None) or caller
    linecache.checkcache(name)
    source = "".join(linecache.getlines(name)).encode()
    if not source:
        raise PluginError(
            f"the source of {cls.__qualname__} cannot be read, so no record could say what was trained: define it in a "
            "cell of a notebook or in a file."
        )
    provider = ClassProvider(cls.__module__, "", cls.__qualname__, cls.__module__, source)
    found = Declared(kind, cls, provider)
    _declared[kind, cls.name] = found
    return found


def declared() -> list[Declared]:
    """Return what was declared in this process."""
    return list(_declared.values())


def forget(one: Declared) -> None:
    """Take a declaration back."""
    _declared.pop((one.kind, one.component.name), None)


@dataclass(frozen=True)
class Parcel:
    """What runs need of a process and others cannot find: plugins that are not installed, and data in memory.

    Attributes:
        files: plugin files, with the source that was executed.
        classes: those that were declared, pickled; with the functions and values of the program that they use.
        data: the data frame in memory that runs are trained on, or None.
    """

    files: tuple[FileProvider, ...]
    classes: tuple[tuple[str, ClassProvider, bytes], ...]
    data: Frame | None = None

    @classmethod
    def of(cls, files: Iterable[FileProvider], classes: Iterable[Declared], data: Frame | None = None) -> "Parcel":
        """Return the parcel with these plugins and data.

        Raises:
            PluginError: a class cannot be pickled.
        """
        return cls(tuple(files), tuple((one.kind, one.provider, _pickled(one)) for one in classes), data)

    def declared(self) -> list[Declared]:
        """Return the classes, unpickled.

        Raises:
            PluginError: a class cannot be unpickled in this process.
        """
        return [Declared(kind, _unpickled(provider, content), provider) for kind, provider, content in self.classes]


# The marks of dataclasses by identity: a copy of ``MISSING`` would count as a default.
_MARKS = {id(mark): name for name, mark in vars(dataclasses).items() if type(mark).__module__ == dataclasses.__name__}


def _pickled(one: Declared) -> bytes:
    import cloudpickle  # here, because it is slow to import, and most programs declare nothing

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            return _MARKS.get(id(obj)) or super().reducer_override(obj)

    content = io.BytesIO()
    try:
        Pickler(content).dump(one.component)
    except Exception as error:  # of whatever it refers to
        raise PluginError(
            f"{one.provider} cannot be sent to the processes that train it ({sentence(error)}): let it use nothing of "
            "the program but functions and plain values."
        ) from error
    return content.getvalue()


def _unpickled(provider: ClassProvider, content: bytes) -> type[Component]:
    try:
        component: type[Component] = pickle.loads(content)
    except Exception as error:
        raise PluginError(f"{provider} does not reach a process that trains it: {sentence(error)}.") from error
    return component

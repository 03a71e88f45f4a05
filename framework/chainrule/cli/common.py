"""What the commands share."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from chainrule.components.contracts import Target
from chainrule.errors import ConfigurationError, nearest
from chainrule.registry.preferences import is_preference, read_preferences
from chainrule.registry.registry import Registry, installed

_PACKED = (".gz", ".bz2", ".xz")


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest option for an unknown one."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        options = [option for action in self._actions for option in action.option_strings]
        super().error(message + (nearest(found[1], options) if found else ""))


def parser(command: str, description: str | None, **keywords: Any) -> argparse.ArgumentParser:
    """Return the parser of a command; an option must be typed in full.

    Args:
        command: its name.
        description: for ``--help``.
        keywords: further arguments of :class:`argparse.ArgumentParser`.
    """
    return _Parser(prog=f"chainrule {command}", description=description, allow_abbrev=False, **keywords)


def load_plugins(words: Sequence[str]) -> None:
    """Load the plugins as the words of a command line prefer and block them, and report those that are broken."""
    read_preferences(words).export()
    if not {"-sc", "--shell-completion"} & set(words):  # completion prints nothing else
        for report in installed().reports:
            print(f"chainrule: {report}.", file=sys.stderr)


def parse(command: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the words of a command, except those about plugins, which were read before."""
    return command.parse_args([word for word in words if not is_preference(word)])


def reader_of(file: str, registry: Registry) -> str:
    """Return the name of the target that reads a file, by its ending.

    Raises:
        ConfigurationError: no target that is installed reads files.
    """
    endings = [ending.lower() for ending in Path(file).suffixes]
    if endings and endings[-1] in _PACKED:
        endings.pop()
    classes = {name: cast("type[Target]", registry.find("target", name)) for name in registry.names("target")}
    readers = {name: cls.reads for name, cls in classes.items()}
    for name, reads in readers.items():
        if endings and endings[-1] in reads:
            return name
    known = [name for name, reads in readers.items() if reads]
    if not known:
        raise ConfigurationError(f"{file}: no target that is installed reads files.")
    return known[0]  # which says what is wrong with it

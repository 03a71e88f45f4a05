"""What the commands share."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from chainrule.errors import nearest
from chainrule.registry.preferences import is_preference, read_preferences
from chainrule.registry.registry import installed


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest option for one that there is not."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        options = [option for action in self._actions for option in action.option_strings]
        super().error(message + (nearest(found[1], options) if found else ""))


def parser(command: str, description: str | None, **options: Any) -> argparse.ArgumentParser:
    """Return the parser of a command; an option must be typed in full.

    Args:
        command: its name.
        description: for ``--help``.
        options: of :class:`argparse.ArgumentParser`, besides.
    """
    return _Parser(prog=f"chainrule {command}", description=description, allow_abbrev=False, **options)


def load_plugins(words: Sequence[str]) -> None:
    """Load the plugins, as the words of a command line prefer and block them, and say what is wrong with others."""
    read_preferences(words).export()
    if not {"-sc", "--shell-completion"} & set(words):  # which completes a line that a person is typing
        for report in installed().reports:
            print(f"chainrule: {report}.", file=sys.stderr)


def parse(options: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the words of a command; those about plugins, which are heeded before, are left out."""
    return options.parse_args([word for word in words if not is_preference(word)])

"""What the commands share."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from chainrule.components.contracts import Target
from chainrule.config.recorded import predictor_of
from chainrule.config.settings import TRACKING, tracker_from_config
from chainrule.errors import ChainruleError, ConfigurationError, nearest
from chainrule.files.defaults import defaults
from chainrule.files.words import shell_word
from chainrule.records.predictor import Predictor
from chainrule.records.run import Record, read_record
from chainrule.records.sweep import SWEEP
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import is_preference, read_preferences
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Tracker

_PACKED = (".gz", ".bz2", ".xz")


class _Parser(argparse.ArgumentParser):
    """A parser that refuses an unknown option in one sentence, with the nearest."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        options = [option for action in self._actions for option in action.option_strings]
        if found:
            self.exit(2, f"{self.prog}: error: {message}{nearest(found[1], options)}\n")
        super().error(message)


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


def confirmed(question: str) -> bool:
    """Ask a person, and return whether the answer is yes; where nobody can answer it is no."""
    if not sys.stdin.isatty():
        return False
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def tracker_of(record: Record, name: str | None, allowed: Sequence[str]) -> Tracker:
    """Return the tracker of a record, or the one called ``name``.

    Raises:
        ConfigurationError: it is not installed.
        ChainruleError: it goes to a place that the record alone names.
    """
    if name:
        return own_tracker(name)
    made = tracker_from_config(record.manifest.configuration, installed())
    place = made.named
    if place and place not in allowed:
        raise ChainruleError(
            f"it names {place}, which is not contacted unless you know it: --allow {shell_word(place)}, or name "
            "another place by --tracking NAME."
        )
    return made


def own_tracker(name: str | None) -> Tracker:
    """Return the tracker of that name, or the usual one, with its usual parameters.

    Raises:
        ConfigurationError: it is not installed.
    """
    made = installed().make(TRACKING, name or str(defaults()[TRACKING]), {})
    assert isinstance(made, Tracker)
    return made


def predictor_at(directory: Path) -> Predictor:
    """Return what predicts as a run does; of a sweep its best run, and say which it is."""
    if not (directory / SWEEP).is_file():
        return predictor_of(read_record(directory), installed())
    from chainrule.notebook.swept import SweepResult  # here, because a run predicts without it

    outcomes = SweepResult.read(directory)
    best = outcomes.best
    print(f"the run with the best {outcomes.metric}: {best.links['record']}", file=sys.stderr)
    return best.predictor


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

"""Running Hydra with the arguments of a command."""

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser  # of Hydra's entry, which reads sys.argv itself
from hydra.core import utils
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from chainrule import interrupts
from chainrule.config import task
from chainrule.config.compose import is_composition_error, own_folders, require_parsed, varied
from chainrule.config.layers import joined
from chainrule.config.mistyped import dashed
from chainrule.config.once import composing_once
from chainrule.config.written import require_plain
from chainrule.errors import ConfigurationError, nearest
from chainrule.files import paths
from chainrule.files.atomic import write_whole
from chainrule.files.reading import require_without_links
from chainrule.records.manifest import MANIFEST

OVERWRITE = "--overwrite"
_DASHED = re.compile(r"--?[a-z_]+[\w./@]*=.*", re.DOTALL)
_arguments: ContextVar[Sequence[str] | None] = ContextVar("arguments", default=None)


def run(arguments: Sequence[str], kept: Callable[[], str] | None = None) -> None:
    """Do what a command line of Hydra says, such as ``["-m", "seed=0,1"]``: train, show the configuration, complete.

    ``--overwrite`` among the arguments lets runs replace records that lie where theirs go.

    Args:
        arguments: of the command line.
        kept: says what is kept after a signal, of a sweep that had begun before.

    Raises:
        ConfigurationError: ``--experimental-rerun`` is given, which would execute code from a pickled file.
    """
    is_overwriting = OVERWRITE in arguments
    arguments = [word for word in arguments if word != OVERWRITE]
    version.setbase("1.3")
    parser = _parser()
    for word in filter(_DASHED.fullmatch, filter(lambda each: isinstance(each, str), arguments)):
        if word.partition("=")[0] not in parser._option_string_actions:
            raise ConfigurationError(dashed(word))
    require_parsed([word for word in arguments if not isinstance(word, str)])
    options = parser.parse_intermixed_args(list(arguments))  # flags may stand between overrides
    options.overrides = [joined(text) for text in options.overrides]
    if options.experimental_rerun is not None:
        raise ConfigurationError("--experimental-rerun is not available: it would execute code from the file.")
    interrupts.advise(kept or _kept, of_sweep=kept is not None)
    token = _arguments.set(arguments)
    try:
        require_parsed(options.overrides, sweep=options.multirun)
        require_plain([*own_folders(), *([Path(options.config_dir)] if options.config_dir else [])])
        with composing_once(_shows(options)), task.overwriting(is_overwriting), _places_kept(), _help_unchecked():
            _run_hydra(
                args=options,
                args_parser=parser,
                task_function=task.train,
                config_path=str(paths.configuration()),
                config_name="config",
            )
    except ConfigCompositionException as error:
        raise varied(error, options.overrides) from None
    except ValueError as error:
        place = getattr(error.__cause__, "filename", None)
        if place and is_composition_error(error):  # of the log, for which Hydra has made a directory
            task.clear(next(folder for folder in Path(place).absolute().parents if folder.is_dir()))
        raise
    finally:
        _arguments.reset(token)


def flags() -> set[str]:
    """Return all flags of a command that trains, but the one that is refused."""
    return {OVERWRITE, "--version", *_parser()._option_string_actions} - {"--experimental-rerun"}


def _parser() -> ArgumentParser:
    """Return Hydra's parser, which wants flags in full, and says what is wrong in a sentence."""
    with _help_unchecked():
        parser: ArgumentParser = get_args_parser()
    parser.allow_abbrev = False
    refusing: Any = parser
    refusing.error = _refuse
    return parser


def _refuse(message: str) -> NoReturn:
    """End the command with 2 and what argparse complains about as a sentence, of an unknown flag with the nearest."""
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown:
        message = f"{unknown[1]} is not a flag{nearest(unknown[1], flags())}; see chainrule --help and --hydra-help"
    print(f"chainrule: {message}.", file=sys.stderr)
    sys.exit(2)


@contextmanager
def _help_unchecked() -> Iterator[None]:
    """Let Hydra make its parsers, of its arguments and to complete words of a shell.

    From Python 3.14 on argparse checks the help of an option when it is added, and one of Hydra's is no text (Hydra's
    issue 3121, open in version 1.3.8).
    """
    parsers: Any = ArgumentParser
    parsers._check_help = lambda *_: None  # in the place of the one that it inherits
    try:
        yield
    finally:
        with suppress(AttributeError):  # another thread, which runs a command as well, was earlier
            del parsers._check_help


def _shows(options: Namespace) -> bool:
    """Say whether the configuration of chainrule is only shown; where it is trained, what ``auto`` is is found then."""
    return bool(options.cfg) and not (options.config_dir or options.config_name or options.config_path)


@contextmanager
def _places_kept() -> Iterator[None]:
    """Let Hydra leave nothing in the directory of a run that holds a record, and write through no link in it.

    Hydra offers no place for this: it writes ``.hydra`` before the task begins.
    """

    def save(config: Any, name: str, folder: Path) -> None:
        context = HydraConfig.get()
        directory = Path(context.runtime.output_dir)
        task.require_place(directory, context)
        require_without_links(directory, directory)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, OmegaConf.to_yaml(config).encode(), synced=False)

    changed: Any = utils
    before, changed._save_config = changed._save_config, save
    try:
        yield
    finally:
        changed._save_config = before


def _kept() -> str:
    """Say what an interrupt leaves of a run."""
    if HydraConfig.initialized() and not OmegaConf.is_missing(HydraConfig.get().runtime, "output_dir"):
        directory = Path(HydraConfig.get().runtime.output_dir)
        if (directory / MANIFEST).is_file():
            return f"The record in {directory} is complete."
    return "Nothing was recorded."


def typed_arguments() -> list[str]:
    """Return the arguments of the command that is being run, for its record."""
    given = _arguments.get()
    return list(sys.argv[1:] if given is None else given)

"""The command ``chainrule``: trains what the overrides describe, or runs a sub-command."""

import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import chainrule
from chainrule import interrupts
from chainrule.cli import completion
from chainrule.cli import help as help_text
from chainrule.cli.common import load_plugins
from chainrule.cli.output import Output
from chainrule.config import application, compose
from chainrule.config.fitting import usual
from chainrule.config.settings import pictures_from_config, settings_from_config, tracker_from_config
from chainrule.errors import ChainruleError, ending, in_a_line, nearest
from chainrule.files import paths
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import read_preferences

_COMMANDS = {  # each a module of this package with a function ``main``, imported when it is needed
    "check": "check",
    "compare": "compare",
    "data": "data",
    "delete": "delete",
    "doctor": "doctor",
    "explain": "explain",
    "export": "export",
    "export-onnx": "export_onnx",
    "new-plugin": "new_plugin",
    "plugins": "plugins",
    "predict": "predict",
    "report": "report",
    "resume": "resume",
    "sync": "sync",
    "ui": "ui",
    "verify": "verify",
    "why": "why",
}


# What an interrupt leaves of a command; those that train say it themselves.
_KEPT = {
    "delete": "What is left is removed by the same command.",
    "export-onnx": "No file was written.",
    "predict": "No predictions were written.",
    "report": "The report of before is there, or the new one.",
    "sync": "What was sent stays; the same command sends the rest.",
    "ui": "The server has ended.",
}


def _help(overrides: Sequence[str]) -> None:
    """Print the help, with the values that the overrides give."""
    registry = installed()
    folders = (paths.configuration(), Path("conf"), *registry.folders.values())
    experiments = {path.stem for folder in folders for path in (folder / "experiment").glob("*.yaml")}
    config = compose.compose_config(overrides)
    config |= usual(config, registry)
    settings, tracker = settings_from_config(config, registry), tracker_from_config(config, registry)
    pictures = pictures_from_config(config)
    print(help_text.text(settings, tracker, pictures, registry, sorted(experiments)))


def main() -> None:
    """Run the command line and exit with 0, or with 1 and one sentence where the input is wrong."""
    arguments, output = sys.argv[1:], Output.of_process()
    traceback_wanted = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing them
    logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback at each of its lines
    try:
        if arguments and arguments[0] in _COMMANDS:
            words = arguments[1:]
            read_preferences(words).export()
            interrupts.advise(lambda: _KEPT.get(arguments[0], "Nothing was changed."))
            import_module(f"chainrule.cli.{_COMMANDS[arguments[0]]}").main(words)
        elif {"--help", "-h"} & set(arguments):
            overrides = [argument for argument in arguments if not argument.startswith("-")]
            load_plugins(overrides)
            _help(overrides)
        elif "--version" in arguments:
            print(f"chainrule {chainrule.__version__}")
        elif arguments and re.fullmatch(r"[a-zA-Z][a-zA-Z-]*", arguments[0]):  # neither an override nor a flag
            close = nearest(arguments[0], _COMMANDS)
            raise ChainruleError(f"{arguments[0]} is not a command{close}; choose from {', '.join(_COMMANDS)}.")
        elif completion.is_asked(arguments):
            completion.offer(arguments, _COMMANDS)
        else:
            load_plugins(arguments)
            application.run(arguments)
        if output:
            output.require_whole()
    except MemoryError as error:
        sys.exit(f"chainrule: {ending(error)}")
    except Exception as error:
        # Of Hydra's errors MissingConfigException is an OSError, too.
        is_own = isinstance(error, ChainruleError) or not compose.is_composition_error(error)
        known = error if is_own else compose.explained(error)
        if traceback_wanted or not isinstance(known, ChainruleError | OSError):
            raise
        sys.exit(f"chainrule: {in_a_line(ending(known))}")
    finally:
        logging.shutdown()

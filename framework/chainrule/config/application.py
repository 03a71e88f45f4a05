"""Running Hydra with the arguments of a command."""

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser  # of Hydra's entry, which reads sys.argv itself
from hydra.errors import ConfigCompositionException

from chainrule.config import task
from chainrule.config.compose import fitted_components, require_parsed, varied
from chainrule.config.fitting import known
from chainrule.config.layers import joined
from chainrule.config.mistyped import dashed
from chainrule.errors import ConfigurationError
from chainrule.files import paths

_DASHED = re.compile(r"--?[a-z_]+[\w./@]*=.*", re.DOTALL)
_arguments: ContextVar[Sequence[str] | None] = ContextVar("arguments", default=None)


def run(arguments: Sequence[str]) -> None:
    """Do what a command line of Hydra says, such as ``["-m", "seed=0,1"]``: train, show the configuration, complete.

    Raises:
        ConfigurationError: ``--experimental-rerun`` is given, which would execute code from a pickled file.
    """
    version.setbase("1.3")
    parser = get_args_parser()
    for word in filter(_DASHED.fullmatch, filter(lambda each: isinstance(each, str), arguments)):
        if word.partition("=")[0] not in parser._option_string_actions:
            raise ConfigurationError(dashed(word))
    parser.allow_abbrev = False
    require_parsed([word for word in arguments if not isinstance(word, str)])
    options = parser.parse_intermixed_args(list(arguments))  # flags may stand between overrides
    options.overrides = [joined(text) for text in options.overrides]
    if options.experimental_rerun is not None:
        raise ConfigurationError("--experimental-rerun is not available: it would execute code from the file.")
    token = _arguments.set(arguments)
    try:
        require_parsed(options.overrides, sweep=options.multirun)
        with known(_fitted(options)):
            _run_hydra(
                args=options,
                args_parser=parser,
                task_function=task.train,
                config_path=str(paths.configuration()),
                config_name="config",
            )
    except ConfigCompositionException as error:
        raise varied(error, options.overrides) from None
    finally:
        _arguments.reset(token)


def _fitted(options: Namespace) -> dict[str, dict[str, Any]]:
    """Return what a single run has for ``auto``; a sweep finds it for each job, and what only prints needs it not."""
    elsewhere = options.config_dir or options.config_name or options.config_path
    prints = options.hydra_help or options.info or options.shell_completion
    if options.multirun or elsewhere or prints:
        return {}
    return fitted_components(options.overrides)


def typed_arguments() -> list[str]:
    """Return the arguments of the command that is being run, for its record."""
    given = _arguments.get()
    return list(sys.argv[1:] if given is None else given)

"""What a shell offers at TAB: commands, flags, choices of parameters, and what Hydra offers of groups and keys."""

import enum
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from io import StringIO

FLAGS = frozenset({"-sc", "--shell-completion"})
_LINE = "COMP_LINE"  # in which the shell hands on what is typed
_OPTION = re.compile(r"^ +(?:-\w, )?(--[\w-]+)", re.MULTILINE)  # at the beginning of a row of argparse's help


def is_asked(arguments: Sequence[str]) -> bool:
    """Say whether a shell asks what to offer; what installs completion in a shell is Hydra's."""
    return not FLAGS.isdisjoint(arguments) and any(word.startswith("query=") for word in arguments)


def offer(arguments: Sequence[str], commands: Mapping[str, str]) -> None:
    """Print what fits the line that a shell has handed on, one a line; never an error, which would be in the prompt.

    Args:
        arguments: of the command that the shell runs, such as ``-sc query=bash``.
        commands: the modules of all sub-commands, by their names.
    """
    line = os.environ.get(_LINE, "")
    words = line.split()[1:]
    last = words.pop() if words and not line[-1].isspace() else ""
    offered: set[str] = set()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), suppress(Exception, SystemExit):
        offered |= _commands(last, commands) if not words else set()
        command = words[0] if words and words[0] in commands else None
        if last.startswith("-"):
            offered |= {flag for flag in _flags(commands[command] if command else None) if flag.startswith(last)}
        elif command in (None, "compare"):
            sweeps = command is not None or not {"-m", "--multirun"}.isdisjoint(words)
            offered |= _values(last) or _of_lists(last, lambda word: _of_hydra(arguments, words, word, sweeps))
    print("\n".join(sorted(offered)))


def _commands(word: str, commands: Iterable[str]) -> set[str]:
    return {command for command in commands if command.startswith(word)}


def _flags(module: str | None) -> set[str]:
    """Return the flags of a command, by its module; of training, with None, those of Hydra and of chainrule."""
    if module is None:
        from chainrule.config.application import flags

        return flags()
    told = StringIO()
    with redirect_stdout(told), suppress(SystemExit):
        import_module(f"chainrule.cli.{module}").main(["--help"])
    return set(_OPTION.findall(told.getvalue()))


def _values(word: str) -> set[str]:
    """Return the choices of a parameter that has some, such as ``training.dtype=float32``."""
    from chainrule.components.parameters import parameters
    from chainrule.config.settings import keys
    from chainrule.registry.kinds import GROUPS
    from chainrule.registry.loaded import installed

    key, equals, _ = word.partition("=")
    group, name = key.partition(".")[0], key.rpartition(".")[2]
    found = [keys()[key]] if key in keys() else []
    if group in GROUPS and group != key:  # whatever component is chosen there
        kind = GROUPS[group].name
        fields = [parameters(installed().find(kind, each)) for each in installed().names(kind)]
        found = [each[name] for each in fields if name in each]
    types = [parameter.type for parameter in found] if equals else []
    choices = {str(member.value) for each in types if issubclass(each, enum.Enum) for member in each}
    choices |= {"true", "false"} if bool in types else set()
    return {f"{key}={choice}" for choice in choices if f"{key}={choice}".startswith(word)}


def _of_lists(word: str, offers: Callable[[str], set[str]]) -> set[str]:
    """Return what is offered for a word; of several values of a key, such as ``transforms=[clip,``, for the last."""
    key, equals, value = word.partition("=")
    place = max(value.rfind(","), value.rfind("[")) + 1
    before, own = value[:place], f"{key}{equals}{value[place:]}"
    given = set(re.split(r"[\[,]", before)) - {""}
    found = [one.partition("=") for one in offers(own)]
    return {f"{name}{sign}{before}{one}" for name, sign, one in found if one not in given and "=" not in one}


def _of_hydra(arguments: Sequence[str], words: Sequence[str], last: str, sweeps: bool) -> set[str]:
    """Return the groups, names and keys that Hydra offers.

    Args:
        arguments: of the command that the shell runs.
        words: of the line, of which Hydra is told the overrides.
        last: the word that is to be completed.
        sweeps: whether overrides may have several values.
    """
    from chainrule.config import application, compose
    from chainrule.config.layers import joined

    told = StringIO()
    overrides = [joined(word) for word in words if compose.is_override(joined(word))]
    os.environ[_LINE] = " ".join(["chainrule", *(["-m"] if sweeps else []), *overrides, last])
    with redirect_stdout(told):
        application.run(arguments)
    return set(told.getvalue().split())

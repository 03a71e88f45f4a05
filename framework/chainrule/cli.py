"""The command ``chainrule``: trains what the overrides describe, or runs a sub-command."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import hydra

from chainrule import compose, helptext, paths, records, sweeps, task
from chainrule.choices import chosen, is_choice
from chainrule.errors import ChainruleError, nearest
from chainrule.kinds import Tracker
from chainrule.plugins import installed

_train = hydra.main(config_path=str(paths.configuration()), config_name="config", version_base="1.3")(task.train)


def _sync(arguments: Sequence[str]) -> None:
    """Send records that were kept back, or were made without a tracker."""
    parser = argparse.ArgumentParser(prog="chainrule sync", description=_sync.__doc__)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="holds records, at any depth")
    parser.add_argument("--tracking", metavar="NAME", help="tracker to use instead of each record's own")
    options = parser.parse_args(arguments)
    _open([])
    failed = 0
    for directory in options.directories:
        found = sorted(directory.rglob(records.MANIFEST))
        if not found:
            raise ChainruleError(f"{directory} holds no finished record.")
        parents: dict[Path, tuple[Tracker, sweeps.Sweep]] = {}
        for manifest in found:
            try:
                record = records.read(manifest.parent.absolute())
                tracker = _tracker(record, options.tracking)
                tracker.send(record)
                place = sweeps.around(record.directory)
                if place and place[0].manifest["finished"]:
                    parents[place[0].directory] = tracker, place[0]
            except (Exception, SystemExit) as error:  # of a stranger's tracker, too, which must not keep others back
                failed += 1
                print(f"chainrule: {manifest.parent}: {records.sentence(error)}", file=sys.stderr)
            else:
                print(f"{record.directory}: {', '.join(record.links.values()) or 'not sent, its tracking is none'}")
        for tracker, sweep in parents.values():
            try:
                tracker.send_sweep(sweep, list(sweep.outcomes()))
            except (Exception, SystemExit) as error:
                failed += 1
                print(f"chainrule: {sweep.directory}: {records.sentence(error)}", file=sys.stderr)
            else:
                print(f"{sweep.directory}: {', '.join(sweep.links.values()) or 'not sent, its tracking is none'}")
    if failed:
        raise ChainruleError(f"{failed} not sent.")


def _tracker(record: records.Record, name: str | None) -> Tracker:
    """Return the tracker of a record, or the one called ``name``."""
    own = dict(record.manifest["configuration"]["tracking"])
    recorded = own.pop("name")
    made = installed().make("tracking", name or recorded, {} if name else own)
    assert isinstance(made, Tracker)
    return made


def _help(overrides: Sequence[str]) -> None:
    """Print what can be typed, with the values of what was typed already."""
    registry = installed()
    folders = (paths.configuration(), Path("conf"), *registry.folders.values())
    experiments = {path.stem for folder in folders for path in (folder / "experiment").glob("*.yaml")}
    print(helptext.text(compose.settings_from(overrides), registry, sorted(experiments)))


def _resume(arguments: Sequence[str]) -> None:
    """Train what is left of a sweep that broke off, and what failed in it."""
    parser = argparse.ArgumentParser(prog="chainrule resume", description=_resume.__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR", help="of the sweep, such as multirun/DATE/TIME")
    sweep = sweeps.read(parser.parse_args(arguments).directory)
    from chainrule.sweep.opening import require_plugins, resuming

    try:
        os.chdir(sweep.manifest["working_directory"])
    except OSError as error:
        raise ChainruleError(f"the sweep began in {error.filename}, which is not there any more.") from None
    sys.argv[1:] = sweep.manifest["arguments"]
    _open(sys.argv[1:])
    require_plugins(sweep)
    with resuming(sweep):
        _train()


def _report(arguments: Sequence[str]) -> None:
    """Write the report of a sweep from its records: ranking, curves, what mattered, what went wrong."""
    parser = argparse.ArgumentParser(prog="chainrule report", description=_report.__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR", help="of the sweep, such as multirun/DATE/TIME")
    sweep = sweeps.read(parser.parse_args(arguments).directory)
    from chainrule import report

    print(report.write(sweep, list(sweep.outcomes())))


def _compare(arguments: Sequence[str]) -> None:
    """Say which choice of a group is better, each tuned alike."""
    from chainrule import compare

    choices = filter(is_choice, sys.argv[2:])  # which are part of what is recorded
    sys.argv[1:] = [*compare.arguments(arguments), *choices]
    _open(sys.argv[1:])
    _train()


def _in(module: str) -> Callable[[Sequence[str]], None]:
    """Return the command that is the ``main`` of a module, imported when it is needed."""

    def command(arguments: Sequence[str]) -> None:
        import_module(module).main(arguments)

    return command


_COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "check": _in("chainrule.testing.command"),
    "compare": _compare,
    "new-plugin": _in("chainrule.scaffold"),
    "plugins": _in("chainrule.inventory"),
    "report": _report,
    "resume": _resume,
    "sync": _sync,
}


def _open(overrides: Sequence[str]) -> None:
    """Load the plugins that count, and say what is wrong with others."""
    chosen(overrides).export()
    if not {"-sc", "--shell-completion"} & set(sys.argv):  # which completes a line that a person is typing
        for report in installed().reports:
            print(f"chainrule: {report}.", file=sys.stderr)


def main() -> None:
    """Run the command line and exit with 0, or with 1 and one sentence where the input is wrong."""
    traceback_wanted = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra hands its errors over instead of printing them
    try:
        if sys.argv[1:2] and sys.argv[1] in _COMMANDS:
            words = sys.argv[2:]
            chosen(words).export()
            _COMMANDS[sys.argv[1]]([word for word in words if not is_choice(word)])
        elif {"--help", "-h"} & set(sys.argv):
            overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
            _open(overrides)
            _help(overrides)
        elif sys.argv[1:2] and re.fullmatch(r"[a-zA-Z][a-zA-Z-]*", sys.argv[1]):  # neither an override nor a flag
            close = nearest(sys.argv[1], _COMMANDS)
            raise ChainruleError(f"{sys.argv[1]} is no command{close}; there is {', '.join(_COMMANDS)}.")
        else:
            _open(sys.argv[1:])
            _train()
    except KeyboardInterrupt as interrupt:
        print(" ".join(["chainrule: interrupted.", *getattr(interrupt, "__notes__", [])]), file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is written at exit
    except MemoryError as error:
        sys.exit(f"chainrule: not enough memory: {error}. Lower data.samples, network.hidden or training.epochs.")
    except Exception as error:
        expected = isinstance(error, ChainruleError | OSError) or compose.is_composition_error(error)
        if traceback_wanted or not expected:
            raise
        sys.exit(f"chainrule: {_sentence(error)}")
    finally:
        logging.shutdown()


def _sentence(error: Exception) -> str:
    if isinstance(error, ChainruleError):
        return str(error)
    if compose.is_composition_error(error):  # first, because Hydra's MissingConfigException is an OSError
        return str(compose.explained(error))
    return f"cannot write to {getattr(error, 'filename', None) or 'the output directory'}: {error}."

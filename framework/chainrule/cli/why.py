"""``chainrule why``: what kept a run, or the runs of a sweep, from learning."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli.common import load_plugins, parser
from chainrule.config.compose import compose_settings
from chainrule.errors import ChainruleError, counted, nearest, text_of
from chainrule.records.run import read_record
from chainrule.records.sweep import SWEEP, read_sweep
from chainrule.records.why import write_why
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import is_preference
from chainrule.replay.changes import CHANGES
from chainrule.replay.diagnosis import diagnose
from chainrule.replay.instrumented import of_settings
from chainrule.replay.proof import RUNS, Told
from chainrule.replay.replays import Replay
from chainrule.replay.skill import GOAL
from chainrule.replay.swept import diagnose_sweep
from chainrule.reports.sweep import write_report


def main(arguments: Sequence[str]) -> None:
    """Say what kept a run from learning, and prove it.

    The run is trained again with instruments on it: vanishing gradients, dead units, a rate above the curvature and so
    on, each with its number, its onset and the source of its threshold. Then some 200 runs are trained with one thing
    changed each, from the start and from the onset, and it is said which change cures, in how many of how many.
    Of a sweep it is said how many runs failed of what, from when on, and which settings are to blame; its report shows
    that, too.

    Raises:
        ChainruleError: there is no such run, it cannot be trained again, or an option is not for what is named.
    """
    command = parser("why", (main.__doc__ or "").split("Raises:")[0])
    command.add_argument(
        "words", nargs="+", metavar="RUN | SWEEP | KEY=VALUE",
        help="directory of a run or a sweep, or settings of a run that is trained now",
    )  # fmt: skip
    command.add_argument(
        "--goal", type=float, default=GOAL, metavar="SKILL",
        help=f"R2, or accuracy above the largest class, at which a run has learned (default: {GOAL:g})",
    )  # fmt: skip
    command.add_argument(
        "--runs", type=int, metavar="N",
        help=f"runs that are trained to prove it, about; 0 for none (default: {RUNS})",
    )  # fmt: skip
    command.add_argument(
        "--change", action="append", metavar="NAME",
        help=f"a change to be tried; may be given several times (default: all): {', '.join(CHANGES)}",
    )  # fmt: skip
    given = command.parse_intermixed_args([word for word in arguments if not is_preference(word)])
    for name in given.change or ():
        if name not in CHANGES:
            hint = nearest(name, CHANGES)
            raise ChainruleError(f"--change {name} is unknown{hint}; choose from {', '.join(CHANGES)}.")
    if given.runs is not None and given.runs < 0:
        raise ChainruleError(f"--runs must be a whole number from 0 on, not {given.runs}.")
    load_plugins(list(arguments))
    try:
        _answer(given, _told if sys.stderr.isatty() else None)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # below what says how far it was
        raise


def _answer(given: argparse.Namespace, told: Told | None) -> None:
    """Print what kept the run or the sweep from learning."""
    if len(given.words) == 1 and (Path(given.words[0]) / SWEEP).is_file():
        if given.runs is not None or given.change:
            raise ChainruleError(
                f"--runs and --change are for one run, but {given.words[0]} holds a sweep, of which none is changed: "
                "name the directory of one of its runs."
            )
        _sweep(Path(given.words[0]), given.goal, told)
        return
    replay = _replay(given.words)
    runs = RUNS if given.runs is None else given.runs
    print(diagnose(replay, installed(), goal=given.goal, runs=runs, chosen=given.change, told=told))


def _sweep(directory: Path, goal: float, told: Told | None) -> None:
    """Print what kept runs of a sweep from learning, and put it into its report."""
    found = diagnose_sweep(directory, installed(), goal=goal, told=told)
    print(found)
    sweep = read_sweep(directory)
    try:
        write_why(directory, found.entries)
        print(f"The report shows it: {write_report(sweep, SweepOutcomes(sweep, sweep.outcomes()))}")
    except OSError as error:
        why = error.strerror or text_of(error)
        raise ChainruleError(
            f"the report of the sweep does not show it, because {error.filename or directory} cannot be written: {why}."
        ) from None


def _replay(words: Sequence[str]) -> Replay:
    """Return the run that the words name: a recorded one, or one that is trained now."""
    if all("=" in word and not Path(word).exists() for word in words):
        return of_settings(compose_settings(words))
    if len(words) > 1:
        raise ChainruleError(f"{' '.join(words)}: name one run, or the settings of one as KEY=VALUE.")
    return Replay.of_record(read_record(Path(words[0])), installed())


def _told(done: int, runs: int) -> None:
    print(f"\r{done} of {counted(runs, 'run')} trained", end="" if done < runs else "\n", file=sys.stderr, flush=True)

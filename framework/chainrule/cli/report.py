"""``chainrule report``: write the report of a sweep again, or rank the runs that a tracker keeps."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.tracked import TrackedOutcomes
from chainrule.cli.common import load_plugins, parse, parser
from chainrule.errors import ChainruleError, ConfigurationError, agreeing, counted
from chainrule.files.words import resuming
from chainrule.records.sweep import read_sweep
from chainrule.reports import ranking, tracked
from chainrule.reports.sweep import write_report

_OWN = ("metric", "maximize", "seed", "settings", "output")


def main(arguments: Sequence[str]) -> None:
    """Write the report of a sweep from its records, or of runs that a tracker keeps, whoever made them.

    Both rank settings over their seeds, with intervals, and say what mattered and what went wrong. What the options do
    not say about runs of a tracker is guessed where little else can be meant; the report says what was assumed.
    """
    given = parse(_parser(), arguments)
    if ":" not in given.source or Path(given.source).exists():
        if any(getattr(given, name) is not None for name in _OWN):
            raise ConfigurationError("A directory needs no options: they are for runs of a tracker, as in mlflow:NAME.")
        sweep = read_sweep(Path(given.source))
        outcomes = SweepOutcomes(sweep, sweep.outcomes(whole=True))
        print(write_report(sweep, outcomes))
        lost = sweep.lost([outcome.number for outcome in outcomes])
        if lost:
            raise ChainruleError(
                f"{len(lost)} of {counted(sweep.runs, 'run')} {agreeing(len(lost), 'has', 'have')} no record that is "
                f"whole (job {lost[0]}{' and others' * (len(lost) > 1)}), though the sweep had finished; "
                f"`{resuming(sweep.directory)}` trains {agreeing(len(lost), 'it', 'them')} again."
            )
        return
    load_plugins([])
    _report(given)


def _report(given: argparse.Namespace) -> None:
    from chainrule.notebook.reading import outcomes_of  # here, because a sweep's report is written without it

    settings = None if given.settings is None else given.settings.split(",")
    outcomes = outcomes_of(
        given.source, metric=given.metric, maximize=given.maximize, seed=given.seed, settings=settings
    )
    assert isinstance(outcomes, TrackedOutcomes)
    experiment = re.sub(r"[^\w.-]+", "_", outcomes.source.experiment)
    written = tracked.write_report(outcomes, Path(given.output or f"report-{experiment}.html").absolute())
    print(ranking.answer(outcomes, len(outcomes.source.runs)))
    for line in (*outcomes.notes, *written):
        print(f"  {line}")


def _parser() -> argparse.ArgumentParser:
    command = parser("report", main.__doc__)

    def option(name: str, metavar: str, text: str) -> None:
        command.add_argument(name, metavar=metavar, help=text)

    option(
        "source",
        "DIR or mlflow:EXPERIMENT",
        "directory of a sweep, e.g. multirun/DATE/TIME; or the name or the id of an experiment of MLflow, at "
        "MLFLOW_TRACKING_URI, else in mlflow.db of the project",
    )
    option("--metric", "NAME", "metric that ranks the runs, else the only one")
    way = command.add_mutually_exclusive_group()
    good = "values of it are good; without either its name may tell"
    way.add_argument("--maximize", action="store_const", const=True, help=f"large {good}")
    way.add_argument("--minimize", action="store_const", const=False, dest="maximize", help=f"small {good}")
    option(
        "--seed",
        "PARAMETER",
        "the parameter that is the seed, or several separated by commas; none: runs have no seed; else what is called "
        "like a seed",
    )
    option(
        "--settings",
        "PARAMETERS",
        "the parameters that make a setting, separated by commas; else those that vary and do not only identify a run",
    )
    option("--output", "FILE", "where the page goes, and the table of runs beside it; else report-EXPERIMENT.html")
    return command

"""``chainrule report``: write the report of a sweep again."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli.common import parse, parser
from chainrule.records.sweep import read_sweep
from chainrule.reports.sweep import write_report


def main(arguments: Sequence[str]) -> None:
    """Write the report of a sweep from its records: ranking, curves, what mattered, what went wrong."""
    command = parser("report", main.__doc__)
    command.add_argument("directory", type=Path, metavar="DIR", help="directory of the sweep, e.g. multirun/DATE/TIME")
    sweep = read_sweep(parse(command, arguments).directory)
    print(write_report(sweep, SweepOutcomes(sweep, sweep.outcomes())))

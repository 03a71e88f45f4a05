"""``chainrule report``: write the report of a sweep again."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.cli.common import parse, parser
from chainrule.records.sweep import read_sweep
from chainrule.reports.sweep import write_report


def main(arguments: Sequence[str]) -> None:
    """Write the report of a sweep from its records: ranking, curves, what mattered, what went wrong."""
    options = parser("report", main.__doc__)
    options.add_argument("directory", type=Path, metavar="DIR", help="of the sweep, such as multirun/DATE/TIME")
    sweep = read_sweep(parse(options, arguments).directory)
    print(write_report(sweep, SweepOutcomes(sweep, sweep.outcomes())))

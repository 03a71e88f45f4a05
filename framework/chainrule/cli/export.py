"""``chainrule export``: a package of records that others can train again."""

from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.common import load_plugins, parse, parser
from chainrule.notebook.verifying import export


def main(arguments: Sequence[str]) -> None:
    """Write one file with everything that another person needs to train recorded runs again.

    It has the records, configurations and reports, the data that they read, sources and versions of their plugins, the
    versions of all that is installed, and a description for programs (RO-Crate). `chainrule verify` works on it.
    """
    command = parser("export", main.__doc__)
    command.add_argument("directory", type=Path, metavar="DIR", help="directory of a run, a sweep, or anything above")
    command.add_argument("file", type=Path, metavar="FILE.zip", help="the package")
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    command.add_argument("--without-data", action="store_true", help="leave out the tables that the runs read")
    command.add_argument(
        "--license", default="", metavar="NAME", help="under which it may be used, for its description"
    )
    given = parse(command, arguments)
    load_plugins([])
    print(
        export(
            given.directory,
            given.file,
            data=not given.without_data,
            license=given.license,
            overwrite=given.overwrite,
        )
    )

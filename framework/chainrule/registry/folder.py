"""The folder ``plugins`` of the working directory: which files are plugins, found without executing any."""

import re
from pathlib import Path

from chainrule.registry.providers import FileProvider

FOLDER = "plugins"
_BESIDE = "conf"  # what lies in this folder may name any Python object to Hydra, so it is trusted anyway
_IMPORTS = re.compile(rb"^[ \t]*(?:from[ \t]+chainrule\b|import[ \t](?:[\w. \t]+,)*[ \t]*chainrule\b)", re.MULTILINE)
_OTHERS = re.compile(r"_|\.|test_|conftest\.py$")  # how the names of files begin that are no plugins


def plugin_files(place: Path) -> tuple[list[FileProvider], list[str]]:
    """Return the plugins among the files ``plugins/*.py`` of a place, and a sentence for each that cannot be used.

    A file is a plugin if it imports chainrule, and there is a folder ``conf`` beside ``plugins``. All others may belong
    to another program, and nobody has asked to execute them. Files that begin with ``_`` or ``test_`` are no plugins.

    Args:
        place: the working directory; folders above and below it do not count.
    """
    found, reports, allowed = [], [], (place / _BESIDE).is_dir()
    for path in sorted((place / FOLDER).glob("*.py")):
        if _OTHERS.match(path.name) or not path.is_file():
            continue
        try:
            provider = FileProvider.of(path.absolute())
        except OSError as error:
            if allowed:
                reports.append(f"plugin {FOLDER}/{path.name} was skipped: it cannot be read ({error.strerror})")
            continue
        if not _IMPORTS.search(provider.source):
            continue
        if allowed:
            found.append(provider)
        else:
            reports.append(
                f"{provider} is not used, because there is no folder {_BESIDE} beside {FOLDER}: "
                f"`mkdir {_BESIDE}` allows it"
            )
    return found, reports

"""Hydra finds this module by itself: the user's own ``./conf`` comes before the packaged configuration."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from chainrule import paths


class ChainruleSearchPath(SearchPathPlugin):
    """Puts ``conf`` of the working directory first, in this application only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend ``./conf``, if the main configuration is chainrule's: plugins of Hydra see every application."""
        packaged, own = paths.configuration(), Path.cwd() / "conf"
        main = {entry.path.removeprefix("file://") for entry in search_path.get_path() if entry.provider == "main"}
        if str(packaged) in main and own.is_dir() and own.resolve() != packaged.resolve():
            search_path.prepend("chainrule-project", f"file://{own}")

"""Hydra finds this module by itself: ``./conf`` comes before the packaged configuration, and plugins after it."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from chainrule.files import paths


class ChainruleSearchPath(SearchPathPlugin):
    """Puts ``conf`` of the working directory first and what plugins bring last, in this application only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folders, if the main configuration is chainrule's: plugins of Hydra see every application."""
        packaged, own = paths.configuration(), Path.cwd() / "conf"
        main = {entry.path.removeprefix("file://") for entry in search_path.get_path() if entry.provider == "main"}
        if str(packaged) not in main:
            return
        if own.is_dir() and own.resolve() != packaged.resolve():
            search_path.prepend("chainrule-project", f"file://{own}")
        from chainrule.registry.loaded import installed  # here, because every application of Hydra imports this module

        for package, folder in installed().folders.items():
            search_path.append(package, f"file://{folder}")
        search_path.append("chainrule", "chainrule://")

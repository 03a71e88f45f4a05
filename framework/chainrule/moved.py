"""Former module names that plugin packages still import; each one leads to the module that has its content now."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_MOVED = {
    "compose": "chainrule.config.compose",
    "outcomes": "chainrule.records.outcome",
    "sweeps": "chainrule.records.sweep",
    "watchers": "chainrule.registry.watching",
}
_RENAMED = {"settings_from": "compose_settings"}


class _Moved(ModuleType):
    """A module whose names are looked up in another one when they are used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(_MOVED[self.__name__.rpartition(".")[2]]), _RENAMED.get(name, name))


def install(package: str) -> None:
    """Make the former names importable below ``package``."""
    for name in _MOVED:
        module = sys.modules[f"{package}.{name}"] = _Moved(f"{package}.{name}")
        setattr(sys.modules[package], name, module)  # as an import would

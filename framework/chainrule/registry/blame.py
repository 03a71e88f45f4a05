"""Which plugin raised an error, and where in its code."""

import traceback
from pathlib import Path

from chainrule.errors import ChainruleError, PluginError, sentence
from chainrule.records.settings import Settings
from chainrule.registry.kinds import GROUPS
from chainrule.registry.providers import Provider
from chainrule.registry.registry import Registry

_OURS = "chainrule"  # the distribution of the built-in plugins


def blamed(error: BaseException, registry: Registry, settings: Settings | None = None) -> str | None:
    """Return an error as a sentence that names the plugin that has caused it; None if no plugin of others has.

    That is the plugin in whose code it was raised. What was raised in another place, such as by an array of a wrong
    shape that a plugin has returned, is followed by the plugins of others that the run uses.

    Args:
        error: what was raised.
        registry: has the plugins.
        settings: of the run; None if they are not known.
    """
    if isinstance(error, ChainruleError) and not isinstance(error, PluginError):
        return None
    others = [each for each in _known(registry) if each.distribution != _OURS]
    places = {place: provider for provider in others for place in _places(provider.file)}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        whose = places.get(path) or places.get(path.parent)
        if whose and not isinstance(error, PluginError):
            return f"plugin {whose} raised {sentence(error)} ({frame.name} in {path}, line {frame.lineno})"
    used = (
        {registry.provider(GROUPS[group].name, one.name) for group, one in settings.components()} if settings else set()
    )
    named = sorted(str(provider) for provider in used if provider.distribution != _OURS)
    return f"{sentence(error).rstrip('.')} (this run uses the plugin {' and '.join(named)})" if named else None


def _known(registry: Registry) -> set[Provider]:
    return {plugin.provider for plugin in registry.plugins} | registry.providers


def _places(file: Path | None) -> list[Path]:
    """Return a plugin's file, and the folder of its package if it is one."""
    if file is None:
        return []
    return [file, file.parent] if file.name == "__init__.py" else [file]

"""The hooks that a plugin may implement: for the components of each kind, watchers and configurations."""

from collections.abc import Callable, Sequence
from typing import Any

import pluggy

from chainrule.registry.kinds import KINDS, Kind
from chainrule.registry.watching import Session, Watcher

PROJECT = "chainrule"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


def chainrule_watchers(session: Session) -> Sequence[Watcher]:  # type: ignore[empty-body]
    """Return the watchers of this session; an empty list if they have nothing to do.

    Example::

        @hookimpl
        def chainrule_watchers(session):
            return [Bell()] if session.interactive else []
    """


def chainrule_configurations() -> Sequence[str]:  # type: ignore[empty-body]
    """Return names of packages whose YAML files are prepared configurations, such as ``experiment/mine.yaml``.

    Example::

        @hookimpl
        def chainrule_configurations():
            return ["chainrule_mine.conf"]
    """


def _components_hook(kind: Kind) -> Callable[[], Any]:
    """Return the hook that gives the components of a kind."""

    def hook() -> Any:
        raise NotImplementedError("a specification is not called")

    hook.__name__ = hook.__qualname__ = kind.hook
    hook.__annotations__ = {"return": Sequence[type[kind.contract]]}  # type: ignore[name-defined]
    hook.__doc__ = (
        f"Return {kind.name} classes.\n\nExample::\n\n    @hookimpl\n    def {kind.hook}():\n        return [Mine]\n"
    )
    return hook


_ALL: list[Callable[..., Any]] = [
    *map(_components_hook, KINDS.values()),
    chainrule_watchers,
    chainrule_configurations,
]
HOOKS: dict[str, Callable[..., Any]] = {hook.__name__: hookspec(hook) for hook in _ALL}

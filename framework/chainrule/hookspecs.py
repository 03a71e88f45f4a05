"""The hooks that a plugin may implement: one per kind of component, one for watchers, one for configuration."""

from collections.abc import Sequence

import pluggy

from chainrule.kinds import Activation, Initializer, Loss, Optimizer, Rule, Schedule, Target, Tracker
from chainrule.watchers import Session, Watcher

PROJECT = "chainrule"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def chainrule_activations() -> Sequence[type[Activation]]:  # type: ignore[empty-body]
    """Return activation classes.

    Example::

        @hookimpl
        def chainrule_activations():
            return [Mish]
    """


@hookspec
def chainrule_losses() -> Sequence[type[Loss]]:  # type: ignore[empty-body]
    """Return loss classes.

    Example::

        @hookimpl
        def chainrule_losses():
            return [Quantile]
    """


@hookspec
def chainrule_optimizers() -> Sequence[type[Optimizer]]:  # type: ignore[empty-body]
    """Return optimizer classes.

    Example::

        @hookimpl
        def chainrule_optimizers():
            return [Lion]
    """


@hookspec
def chainrule_schedules() -> Sequence[type[Schedule]]:  # type: ignore[empty-body]
    """Return learning-rate schedule classes.

    Example::

        @hookimpl
        def chainrule_schedules():
            return [Polynomial]
    """


@hookspec
def chainrule_targets() -> Sequence[type[Target]]:  # type: ignore[empty-body]
    """Return target classes.

    Example::

        @hookimpl
        def chainrule_targets():
            return [Parity]
    """


@hookspec
def chainrule_initializers() -> Sequence[type[Initializer]]:  # type: ignore[empty-body]
    """Return initializer classes.

    Example::

        @hookimpl
        def chainrule_initializers():
            return [Orthogonal]
    """


@hookspec
def chainrule_rules() -> Sequence[type[Rule]]:  # type: ignore[empty-body]
    """Return backward rule classes.

    Example::

        @hookimpl
        def chainrule_rules():
            return [RandomFeedback]
    """


@hookspec
def chainrule_trackers() -> Sequence[type[Tracker]]:  # type: ignore[empty-body]
    """Return tracker classes.

    Example::

        @hookimpl
        def chainrule_trackers():
            return [Spreadsheet]
    """


@hookspec
def chainrule_watchers(session: Session) -> Sequence[Watcher]:  # type: ignore[empty-body]
    """Return objects that are told about the runs of this session; none where they have nothing to do.

    Example::

        @hookimpl
        def chainrule_watchers(session):
            return [Bell()] if session.interactive else []
    """


@hookspec
def chainrule_configurations() -> Sequence[str]:  # type: ignore[empty-body]
    """Return names of packages whose YAML files are prepared configurations, such as ``experiment/lion.yaml``.

    Example::

        @hookimpl
        def chainrule_configurations():
            return ["chainrule_lion.conf"]
    """

"""Runs in MLflow: each finished record becomes a run there."""

from collections.abc import Sequence

from chainrule.registry.hookspecs import hookimpl
from chainrule.registry.watching import Tracker
from chainrule_mlflow.tracker import MLflow


@hookimpl
def chainrule_trackers() -> Sequence[type[Tracker]]:
    """Return the tracker that sends to MLflow."""
    return [MLflow]

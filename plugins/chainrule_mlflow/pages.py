"""MLflow's pages in a browser: the server that shows a database, and the page of a run or a sweep."""

import shlex
import sys

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError
from chainrule.records.run import Record
from chainrule.records.sweep import Sweep
from chainrule.registry.watching import Pages
from chainrule_mlflow import bulk, overview
from chainrule_mlflow.receipts import receipt, receipt_of_sweep
from chainrule_mlflow.store import Store, listed, page

# By default the server starts four workers and ten processes for jobs, none of which show runs.
_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def of(store: Store, experiment: str, shown: Record | Sweep | None, port: int) -> Pages:
    """Return the pages of a store.

    Args:
        store: where the runs are.
        experiment: name of the experiment that is shown unless a run or a sweep is.
        shown: a run, or a sweep.
        port: of the server that is to be started for a database.

    Raises:
        ChainruleError: there is nothing to show, or the store has no pages.
    """
    address = store.server or f"http://127.0.0.1:{port}"
    if not store.server and not store.is_database:
        raise ChainruleError(f"MLflow has no pages for {store.label}, which is neither a server nor a database.")
    if store.is_missing:
        raise ChainruleError(
            f"There is no database {store.label} yet: train a run, or `chainrule sync DIR` sends some."
        )
    links = {title: f"{address}/{link}" for title, link in _links(store, experiment, shown).items()}
    if store.server:
        return Pages("MLflow", address, links)
    command = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    # Not among the arguments, which every user of the machine sees: it may hold a password.
    return Pages("MLflow", address, links, command, {**_ENVIRONMENT, "MLFLOW_BACKEND_STORE_URI": store.uri})


def _links(store: Store, experiment: str, shown: Record | Sweep | None) -> dict[str, str]:
    """Return the pages, as links on the server, by title."""
    if shown is None:
        with store.explained():
            number = bulk.number_of(store.file, experiment) if store.file and bulk.supports(store.file) else None
        return {"all runs": listed(number)} if number else {"all experiments": "#/experiments"}
    if isinstance(shown, Sweep):
        if there := receipt_of_sweep(shown, store):
            views = overview.views(shown, there[1], SweepOutcomes(shown, shown.outcomes()))
            charts = {f"charts{f' of {target}' * bool(target)}": view.key for target, view in views.items()}
            return {"the sweep": page(*there), **{title: page(there[0], view=key) for title, key in charts.items()}}
    elif there := receipt(shown, store):
        return {"the run": page(*there), "all runs": listed(there[0])}
    place = shlex.quote(str(shown.directory))
    raise ChainruleError(f"{place} is not in MLflow at {store.label}; `chainrule sync {place}` sends it.")

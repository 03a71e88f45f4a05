"""Runs as a store of MLflow has them, and which of several stands for a record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainrule.records.run import Record
from chainrule_mlflow import contents


@dataclass(frozen=True)
class Found:
    """A run in the store that is not deleted.

    Attributes:
        experiment_id: id of its experiment.
        run_id: its id.
        status: in MLflow's words.
        tags: those of its tags that say whose it is, by name; see ``contents.OWN``.
    """

    experiment_id: str
    run_id: str
    status: str
    tags: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether it has ended; otherwise the client is filling it, or was interrupted."""
        return self.status != "RUNNING"


def choose(runs: Iterable[Found]) -> list[Found]:
    """Return runs that stand for one record: that which is kept, then those that are too many.

    Several processes that send one record at once choose the same.
    """
    return sorted(runs, key=lambda run: (not run.complete, run.run_id))


def superseded(records: Iterable[Record], beneath: Iterable[Found]) -> list[Found]:
    """Return the runs of earlier trainings of these records, of all that are shown beneath the run of their sweep."""
    jobs = {str(record.member.number): contents.key(record.manifest) for record in records if record.member}
    places = {str(record.directory): contents.key(record.manifest) for record in records if record.member}
    found = []
    for run in beneath:
        # Versions before this tag told the place alone.
        job, place = run.tags.get(contents.JOB), run.tags.get(contents.PLACE, "")
        now = places.get(place) if job is None else jobs.get(job)
        if now and run.tags.get(contents.KEY) != now:
            found.append(run)
    return found

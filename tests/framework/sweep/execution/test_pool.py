"""The options and the amount of work decide where units are trained."""

from contextlib import nullcontext
from types import SimpleNamespace

import joblib
import pytest

from chainrule.errors import ConfigurationError
from chainrule.registry.idle import elsewhere
from chainrule.sweep.execution import pool as module
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.pool import Pool
from jobs import job


def test_options_that_make_no_sense():
    with pytest.raises(ConfigurationError, match=r"did you mean 'dask'\?"):
        Pool(2, "dusk", None)
    with pytest.raises(ConfigurationError, match=r"needs hydra\.launcher\.backend=dask or ray"):
        Pool(2, "loky", "tcp://127.0.0.1:8786")


@pytest.mark.parametrize("workers", [0, -2])
def test_a_number_of_processes_that_makes_no_sense(workers):
    with pytest.raises(ConfigurationError, match=rf"must be 1 or more, or -1 for all, not {workers}\."):
        Pool(workers, "loky", None)


def test_there_is_a_process_for_each_core_unless_a_number_is_given():
    assert Pool(3, "loky", None).cores == 3
    assert Pool(-1, "loky", None).cores == joblib.cpu_count()


class Processes:
    """Instead of processes: notes what is asked of them."""

    def __init__(self):
        self.asked = []

    def start(self, size):
        self.asked.append(f"start {size}")

    def run(self, units, progress):
        self.asked.append(f"run {len(units)}")
        yield from (f"there {unit.title}" for unit in units)

    def call(self, function, *arguments):
        self.asked.append(function)
        return function(*arguments)

    def close(self):
        self.asked.append("close")

    def kill(self):
        self.asked.append("kill")


@pytest.fixture
def processes(monkeypatch):
    made = Processes()
    monkeypatch.setattr(module, "Processes", lambda timeout: made)
    monkeypatch.setattr(module.worker, "train", lambda unit, watcher: f"here {unit.title}, {watcher}")
    monkeypatch.setattr(module.worker, "marked", lambda unit, progress: nullcontext())
    return made


def units(*seconds):
    return [Unit((job(number),), str(number), each) for number, each in enumerate(seconds)]


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [(1, (100, 100)), (4, (100,)), (4, (0.9, 0.9)), (4, ())],
    ids=["one process", "one unit", "little work", "no work"],
)
def test_what_other_processes_would_not_finish_earlier_is_trained_here(processes, workers, seconds):
    found = list(Pool(workers, "loky", None).run(units(*seconds), None, lambda unit: f"watched {unit.title}"))
    assert found == [f"here {number}, watched {number}" for number in range(len(seconds))]
    assert processes.asked == []


@pytest.mark.parametrize(("timeout", "suspects"), [(60.0, ()), (None, {1, 17})])
def test_what_may_hang_or_has_ended_a_process_is_not_trained_here(processes, timeout, suspects):
    pool = Pool(1, "loky", None, timeout)
    assert list(pool.run(units(0.1, 0.1), None, None, suspects=suspects)) == ["there 0", "there 1"]
    assert processes.asked == ["start 1", "run 2"]


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_timeout_that_makes_no_sense(timeout):
    with pytest.raises(ConfigurationError, match=r"hydra\.launcher\.timeout must be more than 0 seconds, or null, not"):
        Pool(1, "loky", None, timeout)


@pytest.mark.parametrize(("workers", "started"), [(2, 2), (4, 3)])
def test_more_work_is_trained_in_as_many_processes_as_it_has_units(processes, workers, started):
    found = list(Pool(workers, "loky", None).run(units(1, 1, 1), None, None))
    assert found == ["there 0", "there 1", "there 2"]
    assert processes.asked == [f"start {started}", "run 3"]


@pytest.mark.parametrize(
    ("workers", "backend", "jobs", "asked"),
    [(2, "loky", 200, ["start 2"]), (2, "loky", 199, []), (1, "loky", 1000, []), (2, "dask", 1000, [])],
)
def test_processes_start_early_where_there_are_many_jobs(processes, workers, backend, jobs, asked):
    Pool(workers, backend, None).start_early(jobs)
    assert processes.asked == asked


def test_processes_may_end_what_they_do_unless_something_has_gone_wrong(processes):
    with Pool(2, "loky", None):
        pass
    assert processes.asked == ["close"]
    with pytest.raises(ArithmeticError), Pool(2, "loky", None):
        raise ArithmeticError
    assert processes.asked == ["close", "kill"]


def test_what_is_to_be_done_elsewhere_is_done_by_its_processes(processes):
    with Pool(2, "loky", None):
        assert elsewhere(max, 1, 2) == 2
    assert processes.asked == [max, "close"]
    assert elsewhere(max, 1, 2) == 2
    assert processes.asked == [max, "close"]


def test_a_cluster_is_open_within_the_block(monkeypatch, processes):
    opened = []

    class Cluster(SimpleNamespace):
        def __enter__(self):
            opened.append("enter")
            return self

        def __exit__(self, *error):
            opened.append("exit")

    def dask(workers, address):
        opened.append((workers, address))
        return Cluster(workers=17)

    monkeypatch.setitem(module.clusters.OPENED, "dask", dask)
    with Pool(2, "dask", "tcp://there") as pool:
        assert pool.cores == 17
    assert pool.cores == 2
    assert opened == [(2, "tcp://there"), "enter", "exit"]
    with Pool(1, "dask", None):
        pass
    assert len(opened) == 3, "for one process there is no need of a cluster"

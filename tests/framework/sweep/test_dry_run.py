"""What a sweep would do, told before anything is done."""

from types import SimpleNamespace

import pytest

from chainrule.registry.loaded import installed
from chainrule.sweep import dry_run
from chainrule.sweep.execution.plan import Plan, Unit
from jobs import job
from sweeping import SHORT, command


def test_a_dry_run_lists_jobs_and_stacks_and_writes_nothing(tmp_path):
    done = command("-m", *SHORT, "seed=range(40)", "activation=tanh,relu", "hydra.sweeper.dry_run=true")
    assert "80 runs\n" in done.stdout
    assert "  79  training.epochs=4 training.batch_size=16 tracking=none seed=39 activation=relu\n" in done.stdout
    assert "linear, 2-2 tanh, gradient_descent" in done.stdout
    assert "seed" not in done.stdout.partition(" stacks\n")[2], "a stack has no seed"
    assert "nothing was trained" in done.stdout
    assert not list(tmp_path.iterdir())


def launcher(cores, stack=None):
    return SimpleNamespace(pool=SimpleNamespace(cores=cores), stack=stack)


class Planned:
    """A plan whose stacks are made by hand."""

    def __init__(self, *stacks, notes=()):
        self._stacks, self.notes = stacks, notes

    def units(self, workers, largest):
        return [Unit(tuple(jobs), title, seconds) for title, seconds, jobs in self._stacks]


def test_the_listing_has_notes_jobs_stacks_and_the_time_that_all_cores_need_together():
    jobs = [job(number, f"seed={number}") for number in range(10)]
    plan = Planned(("first", 3.0, jobs[:4] + jobs[5:6]), ("second", 1.5, jobs[6:]), notes=["a note"])
    assert dry_run.text(jobs, plan, launcher(2)).splitlines() == [
        "note: a note",
        "10 runs",
        *(f"   {number}  seed={number}" for number in range(10)),
        "2 stacks",
        "  0     5 runs, jobs 0-3, 5: first, about 3 s",
        "  1     4 runs, jobs 6-9: second, about 1.5 s",
        "about 2.2 s of training on 2 cores; nothing was trained",
    ]


@pytest.mark.parametrize(("cores", "seconds"), [(1, "6"), (3, "2"), (4, "2")])
def test_more_cores_than_stacks_are_no_faster(cores, seconds):
    jobs = [job(number) for number in range(3)]
    plan = Planned(*(("a stack", 2.0, [one]) for one in jobs))
    assert f"about {seconds} s of training on {cores} core{'s' * (cores > 1)};" in dry_run.text(
        jobs, plan, launcher(cores)
    )


def test_jobs_that_run_alone_are_told_with_the_reason():
    alone = job(1, "seed=1", alone="hydra.job.chdir is set")
    text = dry_run.text([job(0), alone], Planned(("a stack", 1.0, [job(0)])), launcher(1))
    assert "job 1 (seed=1) would run alone, because hydra.job.chdir is set" in text.splitlines()


def test_another_launcher_runs_the_jobs_one_by_one():
    text = dry_run.text([job(0, "seed=0")], Planned(), None)
    assert text == "1 run\n  0  seed=0\nrun one by one by the launcher that was chosen; nothing was trained"


def test_the_stacks_are_those_that_the_launcher_would_train():
    jobs = [job(number, seed=number) for number in range(7)]
    text = dry_run.text(jobs, Plan(jobs, installed()), launcher(1, stack=3))
    assert [line.partition(":")[0].split(maxsplit=1)[1] for line in text.splitlines() if ", job" in line] == [
        "3 runs, jobs 0-2",
        "3 runs, jobs 3-5",
        "1 run, job 6",
    ]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([5], "5"),
        ([0, 1], "0-1"),
        ([0, 1, 2, 3, 7], "0-3, 7"),
        ([0, 2, 4], "0, 2, 4"),
        ([3, 4, 9, 10], "3-4, 9-10"),
    ],
)
def test_consecutive_numbers_are_written_as_ranges(numbers, text):
    assert dry_run._ranges(numbers) == text

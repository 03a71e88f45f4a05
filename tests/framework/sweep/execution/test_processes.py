"""Processes that train units: each unit is trained once, and a sweep can be resumed when a process was killed."""

import json
import os
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from chainrule.errors import ChainruleError
from chainrule.sweep.execution import processes as module
from chainrule.sweep.execution.plan import Unit
from chainrule.sweep.execution.processes import Member, Processes
from chainrule.sweep.execution.worker import Ends
from distributions import MOODY
from jobs import job
from processes import wait_until
from sweeping import LONG, PLACE, command, contents, hold, started


@pytest.mark.rare
def test_the_runs_of_a_killed_sweep_are_left_to_its_resumption(plugin):
    """Where only the process that was started is killed, those that it has started end, too."""
    hold(plugin)
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    process = started(*arguments, path=plugin)
    wait_until(lambda: len(list(Path("sweep").glob("*/.hydra"))) == 2)
    process.kill()
    Path("hold").unlink()
    resumed = started("resume", "sweep", path=plugin)
    process.communicate(timeout=120)  # as long as anybody can write to its output
    assert resumed.communicate()[1] == ""
    found = contents("sweep")
    Path("sweep").rename("resumed")
    command(*arguments, path=plugin)
    assert contents("sweep") == found


def test_what_a_plugin_leaves_for_the_end_of_a_process_is_done(plugin):
    """In the one that leads, and in the two that it has started."""
    at_exit = 'import atexit, os\natexit.register(lambda: open(f"left-{os.getpid()}", "w").close())\n'
    (plugin / "chainrule_moody.py").write_text(at_exit + MOODY)
    command("-m", *LONG, PLACE, "seed=range(4)", path=plugin)
    assert len(list(Path().glob("left-*"))) == 3


class Connection:
    """Instead of a pipe to a process: answers each unit, or raises an error."""

    def __init__(self, answer=None):
        self.sent, self.answer, self.is_ready = [], answer, False

    def send(self, content):
        self.sent.append(content)

    def recv(self):
        if not self.is_ready:
            self.is_ready = True
            return module._READY
        return self.answer(self.sent[-1][0])

    def close(self):
        self.sent.append("closed")

    def again(self):
        return type(self)(self.answer)


class Process(SimpleNamespace):
    """Instead of a process: notes how it is ended."""

    exitcode = -11

    def kill(self):
        self.ends.append("killed")

    def join(self, *wait):
        self.ends.append("joined")


def several(monkeypatch, *connections, exitcode=-11):
    """Processes that are there already, how each is ended, and what takes the place of one that has ended."""
    ends = [[] for _ in connections]
    made = Processes()
    made._members = [
        Member(Process(ends=own, exitcode=exitcode), connection)
        for own, connection in zip(ends, connections, strict=True)
    ]

    def start(size):
        while len(made._members) < size:
            ends.append([])
            made._members.append(Member(Process(ends=ends[-1], exitcode=exitcode), connections[0].again()))

    monkeypatch.setattr(made, "start", start)
    return made, ends


def placed(number):
    return job(number, directory=Path("sweep", str(number)))


def unit(*numbers):
    return Unit(tuple(map(placed, numbers)), "title", 1.0, has_control=len(numbers) > 1)


def done(unit):
    return Ends([(one.number, "done") for one in unit.jobs])


def killing(*culprits):
    """An answer of a process that ends with these jobs."""

    def answer(unit):
        if {one.number for one in unit.jobs} & set(culprits):
            raise EOFError
        return done(unit)

    return answer


def broken(unit):
    raise ArithmeticError("of the process")


def test_every_unit_is_trained_once_by_whoever_is_free(monkeypatch):
    connections = [Connection(done) for _ in range(3)]
    made, _ = several(monkeypatch, *connections)
    found = list(made.run(list(map(unit, range(20))), "folder"))
    assert sorted(found) == [[(number, "done")] for number in range(20)]
    sent = [content for connection in connections for content in connection.sent]
    assert sorted(one.jobs[0].number for one, _ in sent) == list(range(20))


def test_an_error_of_the_process_itself_ends_all(monkeypatch):
    made, ends = several(monkeypatch, Connection(broken), Connection(broken))
    with pytest.raises(ArithmeticError, match="of the process"):
        list(made.run(list(map(unit, range(20))), "folder"))
    assert ends == [["killed", "joined"]] * 2


@pytest.mark.parametrize(
    ("exitcode", "told"),
    [(-11, "its process was ended by SIGSEGV."), (0, "it ended its process, with exit code 0."),
     (3, "it ended its process, with exit code 3."), (-99, "its process was ended by signal 99.")],
)  # fmt: skip
def test_of_a_stack_whose_process_ends_each_job_is_tried_alone_and_the_culprit_has_failed(monkeypatch, exitcode, told):
    made, ends = several(monkeypatch, *(Connection(killing(2, 4)) for _ in range(2)), exitcode=exitcode)
    found = list(made.run([unit(*range(6)), unit(6, 7)], Path("progress")))
    by_number = {number: end for ends in found for number, end in ends}
    assert {number for number, end in by_number.items() if end == "done"} == {0, 1, 3, 5, 6, 7}
    for number in (2, 4):
        assert by_number[number].sentence == told
        assert json.loads(Path(placed(number).directory, "failure.json").read_text())["error"] == told
    assert sum(len(ends) for ends in found) == 8
    (note,) = {note for ends in found for note in ends.notes}
    assert note.startswith("A process ended while it trained 6 runs as one stack: ")
    assert len(ends) == 5, "for each that has ended there is another"


def test_what_may_be_for_want_of_memory_is_tried_again_when_no_other_is_trained(monkeypatch):
    """Whoever needs little may be ended in the place of who needs much."""
    tries = []

    def answer(unit):
        numbers = [one.number for one in unit.jobs]
        tries.append(numbers)
        if len(numbers) > 1 or numbers == [1] or (numbers == [0] and tries.count([0]) == 1):
            raise EOFError
        return done(unit)

    made, _ = several(monkeypatch, Connection(answer), Connection(answer), exitcode=-9)
    found = {number: end for ends in made.run([unit(0, 1, 2)], Path("progress")) for number, end in ends}
    assert found[0] == found[2] == "done"
    assert found[1].sentence == "its process was ended by SIGKILL, perhaps because memory ran out."
    assert tries[0] == [0, 1, 2]
    assert sorted(tries[1:4]) == [[0], [1], [2]]
    assert sorted(tries[4:]) == [[0], [1]]


def test_a_process_that_ended_before_it_had_a_unit_is_no_fault_of_the_unit(monkeypatch):
    class Gone(Connection):
        def send(self, content):
            raise BrokenPipeError

        def again(self):
            return Connection(done)

    made, _ = several(monkeypatch, Gone(done))
    assert list(made.run([unit(0)], "folder")) == [[(0, "done")]]


def test_runs_of_a_broken_stack_that_are_recorded_are_not_trained_again(monkeypatch):
    made, _ = several(monkeypatch, Connection(lambda unit: killing(0)(unit) if len(unit.jobs) > 1 else done(unit)))
    monkeypatch.setattr(module.worker, "recorded", lambda job, _: "there" if job.number < 2 else None)
    found = {number: end for ends in made.run([unit(0, 1, 2)], "folder") for number, end in ends}
    assert found == {0: "there", 1: "there", 2: "done"}


def test_whoever_is_left_without_units_is_not_asked():
    left, ends, connection = SimpleQueue(), SimpleQueue(), Connection()
    left.put(None)
    module._feed(Member(None, connection), "folder", left, ends, None)
    assert (connection.sent, ends.empty()) == ([], True)


def test_where_nobody_wants_the_other_units_any_more_all_are_killed(monkeypatch):
    made, ends = several(monkeypatch, Connection(done))
    running = made.run(list(map(unit, range(3))), "folder")
    assert next(running)
    running.close()
    assert ends == [["killed", "joined"]]


def test_processes_without_work_may_end_by_themselves_first(monkeypatch):
    connection = Connection()
    made, ends = several(monkeypatch, connection)
    made.close()
    assert connection.sent == ["closed"]
    assert ends == [["joined", "killed", "joined"]]
    assert list(made.run([], "folder")) == []


def test_what_changes_no_file_for_long_enough_hangs(tmp_path, monkeypatch):
    """As long as the file changes it does not."""
    clock, heartbeat = [0.0], tmp_path / "0"
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    class Silent(Connection):
        def poll(self, seconds):
            clock[0] += seconds
            if clock[0] < 30:
                heartbeat.write_text(str(clock[0]))
                os.utime(heartbeat, ns=(0, int(clock[0] * 1e9)))
            return clock[0] > self.until

    silent = Silent()
    silent.until = 20
    assert not module._hangs(silent, heartbeat, 5.0)
    clock[0], silent.until = 0.0, 1000
    assert module._hangs(silent, heartbeat, 5.0)
    assert 34 < clock[0] < 36


def test_processes_that_start_are_told_to_use_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with module._single_threaded():
        assert {os.environ[name] for name in module._THREADS} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    with pytest.raises(ArithmeticError), module._single_threaded():
        raise ArithmeticError
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_system_that_has_no_more_processes_is_named(monkeypatch):
    class Never:
        def __init__(self, **_):
            pass

        def start(self):
            raise OSError("no more")

    monkeypatch.setattr(module, "_SPAWN", SimpleNamespace(Pipe=lambda: (Connection(), Connection()), Process=Never))
    monkeypatch.setattr(module.interrupts, "deferred", nullcontext)
    with pytest.raises(ChainruleError, match=r"^no process can be started to train runs: no more\.$"):
        Processes().start(2)


class Idle:
    """Instead of a pipe to a process that has had no unit: does what it is asked for, or has ended."""

    def __init__(self, ended=False):
        self.asked, self.answers, self.ended = [], [module._READY], ended

    def send(self, content):
        if self.ended:
            raise BrokenPipeError
        function, arguments = content
        self.asked.append(function)
        try:
            self.answers.append(function(*arguments))
        except ZeroDivisionError as error:
            self.answers.append(error)

    def recv(self):
        return self.answers.pop(0)


def test_an_idle_process_does_what_is_asked_for_and_else_it_is_done_here():
    found, idle = Processes(), Idle()
    found._members.append(Member(None, idle))
    assert found.call(divmod, 7, 2) == (3, 1)  # units may be trained there
    assert idle.asked == []
    assert list(found.run([], Path())) == []
    assert found.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        found.call(divmod, 7, 0)
    assert idle.asked == [divmod, divmod]
    found._members[:] = [Member(None, Idle(ended=True))]
    assert found.call(divmod, 7, 2) == (3, 1)


def test_a_process_does_what_else_is_asked_for():
    found = Processes()
    found.start(1)
    try:
        assert list(found.run([], Path())) == []
        assert found.call(os.getpid) == found._members[0].process.pid
        assert found.call(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            found.call(divmod, 7, 0)
    finally:
        found.kill()

"""Processes that train units: each unit is trained once, and a sweep can be resumed when a process was killed."""

import os
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from chainrule.errors import ChainruleError
from chainrule.records.sweep import read_sweep
from chainrule.sweep.execution import processes as module
from chainrule.sweep.execution.processes import Processes
from sweeping import LONG, PLACE, command, contents, hold, started, wait_for


@pytest.mark.slow
def test_the_runs_of_a_killed_sweep_are_left_to_its_resumption(plugin):
    """Where only the process that was started is killed, those that it has started end, too."""
    hold(plugin)
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    process = started(*arguments, path=plugin)
    wait_for(lambda: len(list(Path("sweep").glob("*/.hydra"))) == 2)
    process.kill()
    Path("hold").unlink()
    resumed = started("resume", "sweep", path=plugin)
    process.communicate(timeout=120)  # as long as anybody can write to its output
    assert resumed.communicate()[1] == ""
    found = contents("sweep")
    Path("sweep").rename("resumed")
    command(*arguments, path=plugin)
    assert contents("sweep") == found


@pytest.mark.slow
def test_where_a_process_that_trains_is_killed_the_sweep_can_be_resumed(plugin):
    hold(plugin, "os.kill(os.getpid(), signal.SIGKILL)")
    arguments = ["-m", *LONG, PLACE, "seed=range(4)"]
    done = command(*arguments, code=1, path=plugin)
    assert done.stderr == (
        "chainrule: A process that trained runs was killed, perhaps because memory ran out (hydra.launcher.workers=1 "
        f"needs the least). `chainrule resume {Path('sweep').absolute()}` goes on.\n"
    )
    Path("hold").unlink()
    command("resume", "sweep", path=plugin)
    assert len(list(read_sweep(Path("sweep")).outcomes())) == 4


class Connection:
    """Instead of a pipe to a process: answers each unit, or raises an error."""

    def __init__(self, answer=lambda unit: [(unit, "done")]):
        self.sent, self.answer = [], answer

    def send(self, content):
        self.sent.append(content)

    def recv(self):
        return self.answer(self.sent[-1][0])

    def close(self):
        self.sent.append("closed")


class Process(SimpleNamespace):
    """Instead of a process: notes how it is ended."""

    def kill(self):
        self.ends.append("killed")

    def join(self, *wait):
        self.ends.append("joined")


def several(*connections):
    """Processes that are there already, and how each is ended."""
    ends = [[] for _ in connections]
    made = Processes()
    made._members = [(Process(ends=own), connection) for own, connection in zip(ends, connections, strict=True)]
    return made, ends


def killed(unit):
    raise EOFError


def broken(unit):
    raise ArithmeticError("of the process")


def test_every_unit_is_trained_once_by_whoever_is_free():
    connections = [Connection() for _ in range(3)]
    made, _ = several(*connections)
    found = list(made.run(range(20), "folder"))
    assert sorted(found) == [[(unit, "done")] for unit in range(20)]
    sent = [content for connection in connections for content in connection.sent]
    assert sorted(sent) == [(unit, "folder") for unit in range(20)]


@pytest.mark.parametrize(("answer", "error"), [(killed, ChainruleError), (broken, ArithmeticError)])
def test_where_a_process_does_not_answer_all_are_killed(answer, error):
    made, ends = several(Connection(answer), Connection(answer))
    with pytest.raises(error, match=r"was killed, perhaps because memory ran out|of the process"):
        list(made.run(range(20), "folder"))
    assert ends == [["killed", "joined"]] * 2


def test_whoever_is_left_without_units_is_not_asked():
    left, ends, connection = SimpleQueue(), SimpleQueue(), Connection()
    module._feed(connection, "folder", left, ends)
    assert (connection.sent, ends.empty()) == ([], True)


def test_where_nobody_wants_the_other_units_any_more_all_are_killed():
    made, ends = several(Connection())
    running = made.run(range(3), "folder")
    assert next(running)
    running.close()
    assert ends == [["killed", "joined"]]


def test_processes_without_work_may_end_by_themselves_first():
    connection = Connection()
    made, ends = several(connection)
    made.close()
    assert connection.sent == ["closed"]
    assert ends == [["joined", "killed", "joined"]]
    assert list(made.run([], "folder")) == []


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

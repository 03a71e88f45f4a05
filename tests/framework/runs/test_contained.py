"""What a plugin does to the process ends with the training."""

import contextlib
import os
import signal
import threading

import pytest

from chainrule.runs.contained import contained


def test_the_working_directory_and_the_handlers_of_signals_are_put_back(tmp_path):
    here, before = os.getcwd(), {number: signal.getsignal(number) for number in signal.valid_signals()}
    with contained():
        os.chdir("/")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
    assert os.getcwd() == here
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before


def test_so_they_are_after_an_error():
    here = os.getcwd()

    def fails():
        with contained():
            os.chdir("/")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fails()
    assert os.getcwd() == here


def test_leaving_the_process_raises_an_error_that_ends_the_run():
    leave = os._exit
    with pytest.raises(SystemExit, match=r"^os\._exit\(0\) was called$"), contained():
        os._exit(0)
    assert os._exit is leave


@pytest.mark.parametrize("where", ["child", "thread"])
def test_processes_and_threads_of_a_plugin_may_leave(monkeypatch, where):
    """A forked process of multiprocessing ends so; of a thread it is known here what it asks for."""
    left = []
    if where == "thread":
        monkeypatch.setattr(os, "_exit", left.append)
        with contained():
            thread = threading.Thread(target=lambda: _leave(7))
            thread.start()
            thread.join()
        assert left == [7]
        return
    with contained():
        child = os.fork()
        if not child:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def _leave(status):
    with contextlib.suppress(SystemExit):  # of what stands for it here, which returned
        os._exit(status)


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
        with contained():
            os.chdir(tmp_path)
    finally:
        os.chdir(tmp_path)

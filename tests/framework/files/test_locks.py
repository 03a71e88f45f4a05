"""A lock between processes; two connections in one process are as good as two processes."""

import sqlite3
import threading
from types import SimpleNamespace

import pytest

from chainrule.files import locks
from chainrule.files.locks import exclusive


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def is_free(path):
    try:
        with exclusive(path, wait=0):
            return True
    except BlockingIOError:
        return False


def test_a_second_holder_is_refused_until_the_first_has_gone(path):
    with exclusive(path, wait=0):
        with pytest.raises(BlockingIOError, match=f"^{path} is held by another process$"), exclusive(path, wait=0):
            pytest.fail("both hold it")
        assert not is_free(path)
    assert is_free(path)
    assert path.is_file(), "it is not removed, since somebody else may have opened it"


def test_an_error_in_the_block_ends_the_lock_and_is_not_replaced(path):
    with pytest.raises(ArithmeticError, match="mine"), exclusive(path, wait=0):
        raise ArithmeticError("mine")
    assert is_free(path)


def test_who_waits_long_enough_gets_it(path):
    waiting, entered = threading.Event(), threading.Event()

    def wait():
        waiting.set()
        with exclusive(path, wait=60):
            entered.set()

    thread = threading.Thread(target=wait)
    with exclusive(path, wait=0):
        thread.start()
        waiting.wait()
        assert not entered.wait(0.05)
    thread.join(60)
    assert entered.is_set()


def test_locks_of_other_files_do_not_matter(path):
    with exclusive(path, wait=0):
        assert is_free(path.with_name("other"))


def test_what_is_no_lock_is_no_other_process(path):
    path.write_bytes(b"This is a text of more than a hundred bytes. " * 30)
    with pytest.raises(OSError, match="file is not a database; nothing but a lock"), exclusive(path, wait=0):
        pytest.fail("this file cannot be locked")
    with pytest.raises(OSError, match="unable to open"), exclusive(path.parent / "nowhere" / "lock", wait=0):
        pytest.fail("there is no folder for it")
    with pytest.raises(OSError, match="is no file of a lock"), exclusive(path.parent, wait=0):
        pytest.fail("this is a directory")


def test_an_error_of_the_disk_is_no_other_process(path, monkeypatch):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    closed = []

    def execute(_):
        raise error

    connection = SimpleNamespace(execute=execute, close=lambda: closed.append(True))
    monkeypatch.setattr(locks.sqlite3, "connect", lambda *_, **__: connection)
    with pytest.raises(OSError, match="disk I/O error"), exclusive(path, wait=0):
        pytest.fail("it is locked")
    assert closed == [True]

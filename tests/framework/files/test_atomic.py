"""Files are written whole or not at all."""

import errno
import os

import pytest

from chainrule.files import atomic
from chainrule.files.atomic import write_atomically, write_new, write_whole


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"old")

    def killed(source, destination):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    """Nothing of the new one stays beside it on a disk that is full."""
    (tmp_path / "x").write_bytes(b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]


def test_a_new_file_leaves_what_its_name_led_to_as_it_is(tmp_path):
    for number, make in enumerate(("symlink_to", "hardlink_to")):
        other, path = tmp_path / f"other {number}", tmp_path / f"weights {number}"
        other.write_bytes(b"old")
        getattr(path, make)(other)
        write_new(path, b"new", synced=False)
        assert (path.read_bytes(), other.read_bytes(), path.is_symlink()) == (b"new", b"old", False)


def test_a_new_file_is_written_to_its_end_even_if_the_system_takes_parts(tmp_path, monkeypatch):
    whole = os.write
    monkeypatch.setattr(atomic.os, "write", lambda descriptor, content: whole(descriptor, content[:3]))
    write_new(tmp_path / "weights", b"0123456789")
    assert (tmp_path / "weights").read_bytes() == b"0123456789"

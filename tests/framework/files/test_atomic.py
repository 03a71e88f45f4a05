"""Files are written whole or not at all."""

import errno
import os

import pytest

from chainrule.files import atomic
from chainrule.files.atomic import put_in_place, write_atomically, write_new, write_whole


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


def put(path):
    with put_in_place(path) as temporary:
        temporary.write_bytes(b"new")


@pytest.mark.parametrize("write", [lambda path: write_whole(path, b"new"), put])
def test_an_error_names_the_file_that_was_to_be_written(tmp_path, write):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "nowhere" / "x", tmp_path / "folder"):
        with pytest.raises(OSError, match=rf"'{path}'$") as caught:
            write(path)
        assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_is_put_in_its_place_is_whole(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(TypeError, match="bytes"), put_in_place(tmp_path / "x") as temporary:
        temporary.write_bytes("new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]
    put(tmp_path / "x")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"new")]


def test_an_error_about_another_file_stays(tmp_path):
    with pytest.raises(FileNotFoundError, match="other"), put_in_place(tmp_path / "x"):
        (tmp_path / "other").read_bytes()

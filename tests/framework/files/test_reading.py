"""Files of strangers: regular ones of the folder, in bounded time and memory."""

import hashlib
import os
import socket

import pytest

from chainrule.files.reading import (
    digest_within,
    found_below,
    is_plain,
    read_within,
    require_unlinked,
    require_without_links,
)


def test_a_file_is_read_and_its_digest_is_that_of_its_content(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name, content in {"a": b"", "b": b"x" * 3_000_000, "pictures/c.png": b"picture"}.items():
        (tmp_path / name).write_bytes(content)
        assert read_within(tmp_path, name) == content
        assert digest_within(tmp_path, name, len(content)) == hashlib.sha256(content).hexdigest()
        with pytest.raises(OSError, match=r"another size|more than"):
            digest_within(tmp_path, name, len(content) + 1 if not content else len(content) - 1)


def test_a_link_within_the_folder_is_followed_and_no_other(tmp_path):
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a").write_bytes(b"own")
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "own").symlink_to("in/a")
    (folder / "out").symlink_to("../secret")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "place").symlink_to(tmp_path)
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "way").symlink_to("in")
    (folder / "in" / "up").symlink_to("../../secret")
    (folder / "in" / "beside").symlink_to("a")
    for name in ("own", "in/a", "way/a", "in/beside", "way/beside", "in/../in/a", "in//a"):
        assert read_within(folder, name) == b"own"
    for name in ("out", "absolute", "place/secret", "circle", "in/up", "way/up", "in/../../secret"):
        with pytest.raises(OSError, match=r"link"):
            read_within(folder, name)
    with pytest.raises(FileNotFoundError):
        read_within(folder, "nowhere")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tmp_path / "socket"))
        for name in ("pipe", "folder", "socket"):
            with pytest.raises(OSError, match="no regular file"):
                read_within(tmp_path, name)
    with pytest.raises(OSError, match="no regular file"):
        read_within(tmp_path.__class__("/dev"), "zero")


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have(tmp_path, name):
    with pytest.raises(OSError, match="name"):
        read_within(tmp_path, name)


def test_names():
    assert all(map(is_plain, ["a", "a/b.png", "0", "seed=1,x", "..a", "\u00e9"]))
    wrong = ["", ".", "..", "a/../b", "/a", "a/", "a//b", "a\0", "a\n", "a\\b", "\ud800", "x" * 256, "a/" * 3000 + "a"]
    assert not any(map(is_plain, wrong))


def test_files_are_found_at_any_depth_but_not_behind_links(tmp_path):
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for path in ("folder/x", "folder/a/b/x", "folder/a/y", "folder/a/z", "other/x"):
        (tmp_path / path).touch()
    (folder / "link").symlink_to(tmp_path / "other")
    found = {path.relative_to(folder).as_posix() for path in found_below(folder, "x", "y")}
    assert found == {"x", "a/b/x", "a/y"}
    assert list(found_below(tmp_path / "nowhere", "x")) == []


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "other").mkdir()
    folder = tmp_path / "folder"
    (folder / "in" / ".hydra").mkdir(parents=True)
    require_without_links(folder / "in", folder)
    require_unlinked(folder / "new" / "deeper", folder)
    (folder / "link").symlink_to(tmp_path / "other")
    for path in (folder / "link", folder / "link" / "a", folder / ".." / "other", tmp_path / "other"):
        with pytest.raises(OSError, match=r"is a link|does not lie in"):
            require_unlinked(path, folder)
    (folder / "in" / ".hydra" / "config.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"config\.yaml is a link"):
        require_without_links(folder / "in", folder)

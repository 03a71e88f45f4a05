"""A package is unpacked into its own folder, or refused in a sentence."""

import zipfile
from pathlib import Path

import pytest

from chainrule.errors import RecordError
from chainrule.records.entries import sealed
from chainrule.replay.package import EXPORT, is_package, moved_in, unpacked

KNOWN = {"format": 1, "title": "a", "moved": {"a.csv": "data/a.csv"}, "plugins": {}, "environment": {}, "files": {}}


def package(**files):
    with zipfile.ZipFile("package.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return Path("package.zip")


def test_a_package_is_unpacked_and_gone_afterwards():
    with unpacked(package(**{EXPORT: sealed(KNOWN), "data/a.csv": "x"})) as folder:
        assert is_package(folder)
        assert moved_in(folder) == {"a.csv": str(folder / "data" / "a.csv")}
        assert (folder / "data" / "a.csv").read_text() == "x"
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "C:out", "a\\..\\out"])
def test_nothing_is_written_outside_of_the_folder(name):
    with (
        pytest.raises(RecordError, match="lies outside of it"),
        unpacked(package(**{EXPORT: sealed(KNOWN), name: "x"})),
    ):
        pass


def test_paths_that_lead_outside_are_refused():
    with (
        unpacked(package(**{EXPORT: sealed({**KNOWN, "moved": {"a": "../../a"}})})) as folder,
        pytest.raises(RecordError, match="lies outside of it"),
    ):
        moved_in(folder)


def test_what_is_no_package_is_refused(tmp_path):
    with pytest.raises(RecordError, match=r"it has no export\.json"), unpacked(package(a="x")):
        pass
    Path("text.zip").write_text("no")
    with pytest.raises(RecordError, match="cannot be unpacked"), unpacked(Path("text.zip")):
        pass
    (tmp_path / EXPORT).write_bytes(sealed({"format": 1}))
    with pytest.raises(RecordError, match="is damaged: these entries are missing"):
        moved_in(tmp_path)

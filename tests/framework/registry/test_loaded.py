"""What a process finds: what is installed, files of the working directory, and what it receives from another one."""

import importlib
import sys

import pytest

import distributions
from chainrule.registry import loaded
from chainrule.registry.declared import Parcel
from distributions import BENT, LYNX, plugin_folder


def test_a_distribution_found_twice_counts_once(tmp_path, monkeypatch):
    """The one that comes first on the path is also the one that Python imports."""
    for name, version in (("chainrule_lynx", "0.9"), ("chainrule-lynx", "1.0")):
        distributions.install(tmp_path / version, name, LYNX, version)
        monkeypatch.syspath_prepend(tmp_path / version)
    importlib.invalidate_caches()
    entries, damaged = loaded._entry_points()
    assert not damaged
    (lynx,) = [entry for entry in entries if entry.value == "chainrule_lynx"]
    assert lynx.dist.version == "1.0"


@pytest.mark.usefixtures("afresh")
def test_the_files_of_the_working_directory_are_found_unless_they_are_switched_off(tmp_path, monkeypatch):
    plugin_folder(tmp_path, mine=BENT)
    assert loaded.found().find("activation", "bent")
    monkeypatch.setenv("CHAINRULE_PLUGIN_FILES", "0")
    loaded._loaded_once.cache_clear()
    assert "bent" not in loaded.found().names("activation")


@pytest.mark.usefixtures("afresh")
def test_a_module_that_is_installed_from_the_folder_is_no_second_plugin(tmp_path, monkeypatch):
    plugins = plugin_folder(tmp_path)
    distributions.install(plugins, "chainrule-bent", BENT)
    monkeypatch.syspath_prepend(plugins)
    assert loaded.found().provider("activation", "bent").version == "1.0"
    sys.modules.pop("chainrule_bent")


@pytest.mark.usefixtures("afresh")
def test_another_process_has_the_files_that_were_there_when_this_one_began(tmp_path):
    path = plugin_folder(tmp_path, mine=BENT) / "mine.py"
    parcel = loaded.parcel()
    digest = loaded.found().provider("activation", "bent").digest
    path.write_text("from chainrule import nothing_of_that_name\n")
    (path.parent / "new.py").write_text(BENT.replace("Bent", "New"))
    loaded.receive(parcel)
    found = loaded.found()
    assert not found.reports
    assert found.provider("activation", "bent").digest == digest
    assert "new" not in found.names("activation")
    assert loaded.parcel() == parcel, "it is handed on"
    loaded.receive(Parcel((), ()))
    assert "bent" not in loaded.found().names("activation")

"""Clusters without any: what a worker refuses, and when it gives up."""

import dataclasses
import pickle
import sys

import pytest

from chainrule.errors import ConfigurationError
from chainrule.registry import loaded
from chainrule.registry.watching import Progress
from chainrule.sweep.execution import clusters
from chainrule.sweep.execution.clusters import Site
from chainrule.sweep.execution.pool import Pool
from distributions import BENT, plugin_folder


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_package_that_is_not_installed_is_named(monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"not installed: pip install 'chainrule\[{backend}\]'\."):
        Pool(2, backend, None).__enter__()


@pytest.mark.usefixtures("afresh")
def test_a_worker_refuses_what_it_would_train_differently(tmp_path):
    with pytest.raises(ConfigurationError, match="must share the file system"):
        Site.here(tmp_path / "absent").train(None)
    here = Site.here(tmp_path)
    there = dataclasses.replace(here, code={**here.code, "numpy": "0.1"})
    with pytest.raises(ConfigurationError, match=r"numpy: here 0\.1, there [2-9]"):
        there.train(None)


@pytest.mark.usefixtures("afresh")
def test_a_worker_with_another_processor_says_how_to_have_the_same_numbers_and_how_to_go_on(tmp_path):
    here = Site.here(tmp_path / "sweep" / "progress")
    here.progress.mkdir(parents=True)
    less = {"processor": "", "blas": here.code["blas"]}
    with pytest.raises(ConfigurationError) as caught:
        dataclasses.replace(here, code=here.code | less).train(None)
    known = here.code["processor"]
    assert f"processor: here , there {known}" in str(caught.value)
    assert f"With NPY_DISABLE_CPU_FEATURES='{known}' before all commands" in str(caught.value)
    again = f"`chainrule resume {tmp_path / 'sweep'} --accept processor` goes on with any processor."
    assert str(caught.value).endswith(again)
    other = {"processor": "NEON", "blas": "openblas 0.3 ARMV8"}
    with pytest.raises(ConfigurationError, match=r"there \S*openblas.* `chainrule resume"):
        dataclasses.replace(here, code=here.code | other).train(None)
    with pytest.raises(ConfigurationError, match="Install the same there"):
        dataclasses.replace(here, code=here.code | other | {"numpy": "0.1"}).train(None)
    anywhere = Site.here(here.progress, any_processor=True)
    assert not {"processor", "blas"} & anywhere.code.keys()
    with pytest.raises(AttributeError, match="jobs"):  # of no unit
        anywhere.train(None)


@pytest.mark.usefixtures("afresh")
def test_a_worker_gets_what_is_not_installed(tmp_path, monkeypatch):
    plugin_folder(tmp_path / "home", mine=BENT)
    monkeypatch.chdir(tmp_path / "home")
    here = pickle.loads(pickle.dumps(Site.here(tmp_path)))
    assert not [name for name in here.code if "mine" in name], "it is sent, so it is the same there"
    monkeypatch.chdir(tmp_path)
    loaded._loaded_once.cache_clear()
    assert "bent" not in loaded.found().names("activation")
    with pytest.raises(AttributeError, match="jobs"):  # of no unit
        here.train(None)
    assert str(loaded.found().provider("activation", "bent")) == "plugins/mine.py"


@pytest.mark.parametrize("whole_folder", [True, False])
def test_a_training_ends_when_its_file_is_gone(tmp_path, whole_folder):
    """A sweep that ends takes the folder away; one that is resumed makes it anew."""
    folder = tmp_path / "progress"
    folder.mkdir()
    leash = clusters._Leash(folder / "0-1", [0])
    leash.path.touch()
    leash.epochs_recorded(Progress(1, (0.0,), 1))
    leash.run_trained(None, tmp_path)
    leash.path.unlink()
    if whole_folder:
        folder.rmdir()
    with pytest.raises(clusters._Abandoned):
        leash.epochs_recorded(Progress(2, (0.0,), 1))
    with pytest.raises(clusters._Abandoned):
        leash.run_trained(None, tmp_path)

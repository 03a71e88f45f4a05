"""Composed jobs equal those of Hydra's own launcher, files and errors included."""

import random
import re
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import OmegaConf, open_dict

from chainrule.config import compose, fitting
from chainrule.sweep.jobs.composer import Composer
from overrides import fitted_components, random_overrides
from sweeping import composing


def by_hydra(hydra, master, number, overrides):
    """Return what Hydra's own launcher makes of a job: its output directory and the files there."""
    config = hydra.config_loader.load_sweep_config(master, list(overrides))
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    context = HydraContext(hydra.config_loader, hydra_callbacks())
    done = run_job(
        lambda _: HydraConfig.get().runtime.output_dir, config, "hydra.sweep.dir", "hydra.sweep.subdir", context
    )
    return Path(done.return_value), done


def hydra_callbacks():
    from hydra._internal.callbacks import Callbacks

    return Callbacks()


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def compared(tmp_path, lists, *master_overrides):
    """Compose lists both ways and return how many of them were errors."""
    errors = 0
    with composing(tmp_path, *master_overrides) as (hydra, master):
        composer = Composer(hydra.config_loader, master)
        for number, overrides in enumerate(lists):
            try:
                with fitting.known(fitted_components(overrides)):
                    directory, done = by_hydra(hydra, master, number, overrides)
            except Exception as expected:
                errors += 1
                with pytest.raises(type(expected), match=f"^{re.escape(str(expected))}$"):
                    composer.job(number, overrides)
                continue
            expected = files(directory)
            directory.rename(f"{directory}.hydra")
            try:
                job = composer.job(number, overrides)
            except compose.OmegaConfBaseException:
                # Hydra leaves it to the task to find out that a value is missing or cannot be resolved.
                with pytest.raises(compose.OmegaConfBaseException):
                    OmegaConf.to_container(done.cfg, resolve=True, throw_on_missing=True)
                errors += 1
                continue
            assert job.directory == str(directory)
            job.write_files()
            assert files(directory) == expected, overrides
            assert job.config == OmegaConf.to_container(done.cfg, resolve=True)
            assert job.task == OmegaConf.to_container(done.cfg)
    return errors


@pytest.mark.parametrize(("seed", "lists"), [(0, 5), pytest.param(1, None, marks=pytest.mark.slow)])
def test_random_override_lists_give_what_hydra_gives(tmp_path, seed, lists, extent):
    rng, lists = random.Random(seed), lists or extent(few=12, ci=12, all=80)
    errors = compared(tmp_path, [random_overrides(rng) for _ in range(lists)])
    assert lists / 12 <= errors <= 3 * lists / 4


@pytest.mark.slow
def test_directories_named_after_what_varies(tmp_path):
    lists = [["seed=1", "optimizer=adam"], ["optimizer.lr=0.1", "seed=2"], ["activation=elu", "activation.alpha=2"]]
    assert not compared(
        tmp_path,
        lists,
        "hydra.sweep.subdir=${hydra.job.num}-${hydra.job.override_dirname}-${optimizer.name}",
        "hydra.job.config.override_dirname.exclude_keys=[seed]",
        "hydra.job.config.override_dirname.kv_sep=_",
    )


def test_other_logging_and_no_subdirectory(tmp_path):
    lists = [["seed=1"], ["optimizer=adam"]]
    assert not compared(tmp_path, lists, "hydra.output_subdir=null", "hydra/job_logging=stdout")
    assert not compared(tmp_path / "b", lists, "hydra/job_logging=disabled")


def test_an_error_names_the_job(tmp_path):
    with composing(tmp_path) as (hydra, master), pytest.raises(compose.ConfigurationError) as caught:
        Composer(hydra.config_loader, master).explained_job(3, ["seed=1", "optimizer.lrr=2"])
    assert str(caught.value).startswith("optimizer.lrr is not a key")
    assert str(caught.value).endswith("That is wrong with job 3 (seed=1 optimizer.lrr=2). Nothing was trained.")
    assert "did you mean 'lr'" in str(caught.value)

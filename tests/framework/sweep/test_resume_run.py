"""A single run goes on, or is trained for longer, and has the bits that it would have had at once."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import chainrule
from broken_off import Breaks, files, kept
from chainrule.engine import trainer
from chainrule.errors import ConfigurationError, RecordError
from chainrule.notebook import running
from chainrule.records.run import read_record
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Watchers
from chainrule.runs import checkpoints
from sizes import one_in
from sweeping import command

SELDOM = ["data.samples=40", "training.epochs=9", "training.batch_size=8", "tracking=none", "optimizer=adam"]
SMALL = [*SELDOM, "training.measure_every=1"]
OFTEN = "training.checkpoint_every=1e-9"


@pytest.fixture(autouse=True)
def each_epoch(monkeypatch):
    monkeypatch.setattr(trainer, "_SPAN", 0)
    monkeypatch.setattr(checkpoints, "_PAUSE", 0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)


def broken(directory, epoch, *overrides, data=None, small=SMALL):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "Watchers", lambda watchers: Watchers([*watchers, Breaks(epoch)]))
        with pytest.raises(KeyboardInterrupt):
            chainrule.run(*small, *overrides, directory=directory, data=data)


@pytest.mark.usefixtures("drawn")
def test_what_python_began_python_finishes():
    whole = chainrule.run(*SMALL, directory="whole")
    broken("run", 5)
    run = chainrule.resume("run")
    assert isinstance(run, chainrule.Run)
    assert run.theta.tobytes() == whole.theta.tobytes()
    assert files("run") == files("whole")


def test_what_is_kept_is_replaced_only_if_that_is_said():
    broken("run", 5)
    before = kept("run")
    advice = (
        r"/run holds a run that is kept up to epoch 4 of 9: `chainrule resume \S+/run` goes on, or write --overwrite"
    )
    with pytest.raises(ConfigurationError, match=advice):
        chainrule.run(*SMALL, directory="run")
    assert kept("run") == before
    chainrule.run(*SMALL, directory="run", overwrite=True)
    assert not kept("run")
    chainrule.run(*SMALL, directory="whole")
    assert files("run") == files("whole")


@pytest.mark.slow
def test_so_does_the_command():
    chainrule.run(*SMALL, directory="whole")
    broken("run", 5)
    told = command("resume", "run").stdout
    assert "training goes on after epoch 4, from a checkpoint" in told
    assert files("run") == files("whole")
    done = command("resume", "run", code=1)
    assert "holds a finished run: trained for all epochs. training.epochs=N with a larger N" in done.stderr


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["schedule=reduce_on_plateau", "schedule.patience=1"],
        ["schedule=exponential", "training.measure_every=2", "training.gradient_norms=false"],
        ["sampling=balanced", "target=two_moons", "output=sigmoid", "loss=binary_cross_entropy"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("begun", one_in(3, ["broken", "finished", "short"]))
def test_a_run_is_trained_for_longer(overrides, begun):
    """Whether it broke off, has ended with a checkpoint, or was too short for one."""
    more = "training.epochs=14"
    chainrule.run(*SMALL, *overrides, more, directory="whole")
    if begun == "broken":
        broken("run", 5, *overrides)
    else:
        chainrule.run(*SMALL, *overrides, *([OFTEN] if begun == "finished" else []), directory="run")
        assert bool(kept("run")) == (begun == "finished")
    chainrule.resume("run", more)
    typed = [text for text in [*SMALL, *overrides] if "epochs" not in text] + [more]
    (contents, manifest), (expected, _) = files("run"), files("whole")
    assert contents == expected
    assert [text for text in manifest["overrides"] if text != OFTEN] == typed


def test_points_stay_as_far_apart_as_they_were():
    long = ["training.epochs=400", "training.batch_size=null"]
    broken("run", 5, *long, small=SELDOM)
    run = chainrule.resume("run", "training.epochs=700")
    pinned = ["training.epochs=700", "training.measure_every=2", "training.gradient_norms=true"]
    whole = chainrule.run(*SELDOM, *long, *pinned)
    assert run.record.manifest.overrides[-3:] == pinned
    assert run.theta.tobytes() == whole.theta.tobytes()
    assert run.curves.epochs.tolist() == whole.curves.epochs.tolist()


@pytest.mark.parametrize(
    ("overrides", "name"),
    one_in(
        4,
        [
            (["schedule=cosine"], "schedule=cosine"),
            (["schedule=one_cycle"], "schedule=one_cycle"),
            (["schedule=warmup_cosine"], "schedule=warmup_cosine"),
            (["sampling=curriculum"], "sampling=curriculum"),
        ],
    ),
)
def test_what_depends_on_the_number_of_epochs_is_not_trained_for_longer(overrides, name):
    broken("run", 5, *overrides)
    with pytest.raises(ConfigurationError, match=rf"{name} depends on how many epochs there are.*training\.epochs=9\."):
        chainrule.resume("run", "training.epochs=14")
    chainrule.resume("run")
    assert files("run") == files_of(overrides)


def files_of(overrides):
    chainrule.run(*SMALL, *overrides, directory="whole")
    return files("whole")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("training.epochs=8", "must be a whole number from 9 on when the run goes on, not 8"),
        ("training.epochs=many", "not many"),
        ("training.epochs=1e3", "not 1e3"),
        ("training.epochs=", "must be a whole number"),
        (f"training.epochs={'9' * 5000}", "must be a whole number"),
        ("training.epoch=20", r"did you mean 'training\.epochs'\?\): only training\.epochs may be raised"),
        ("optimizer.lr=1", r"optimizer\.lr=1 cannot change when a run goes on: only"),
    ],
)
def test_nothing_else_can_change(override, told):
    broken("run", 5)
    before = kept("run")
    with pytest.raises(ConfigurationError, match=told):
        chainrule.resume("run", override)
    assert kept("run") == before


def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_is_used():
    chainrule.run(*SMALL, directory="whole")
    broken("run", 5, OFTEN)
    newest = kept("run")[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    chainrule.resume("run")
    assert files("run") == (files("whole")[0], {**files("whole")[1], "overrides": [*SMALL, OFTEN]})


def test_where_all_are_damaged_nothing_is_trained():
    broken("run", 5, OFTEN)
    for path in kept("run"):
        path.write_bytes(b"")
    with pytest.raises(RecordError, match="no other checkpoint of the run is whole"):
        chainrule.resume("run")


def test_there_must_be_something_to_go_on_with(tmp_path):
    with pytest.raises(RecordError, match="holds no sweep and no run to go on with"):
        chainrule.resume(tmp_path)
    assert "no run to go on with" in command("resume", str(tmp_path), code=1).stderr


def test_a_run_goes_on_with_the_same_code_only(monkeypatch):
    broken("run", 5)
    plain = Registry.provider
    monkeypatch.setattr(Registry, "provider", lambda *a: dataclasses.replace(plain(*a), version="7"))
    with pytest.raises(ConfigurationError, match=r"cannot go on to the bits.*Changed: plugin .*is 7"):
        chainrule.resume("run")
    with pytest.raises(ConfigurationError, match=r"accept is for sweeps"):
        chainrule.resume("run", accept="plugin")


def test_data_in_memory_are_given_again():
    x = np.random.default_rng(0).normal(size=(40, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x.sum(axis=1)})
    whole = chainrule.run(*SMALL, data=frame)
    broken("run", 5, data=frame)
    with pytest.raises(ConfigurationError, match=r"learns data in memory"):
        chainrule.resume("run")
    with pytest.raises(ConfigurationError, match=r"learns other data than these"):
        chainrule.resume("run", data=frame + 1)
    assert chainrule.resume("run", data=frame).theta.tobytes() == whole.theta.tobytes()


def test_a_table_that_has_changed_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    lines = ["a,y", *(f"{i},{i % 7}" for i in range(40))]
    table.write_text("\n".join(lines))
    of_table = ["target=table", f"target.path={table}", "data.samples=null"]
    broken("run", 5, *of_table)
    table.write_text("\n".join([*lines[:-1], "39,0"]))
    with pytest.raises(ConfigurationError, match=r"Changed: the data: was [0-9a-f]{12}, is [0-9a-f]{12}"):
        chainrule.resume("run")
    table.write_text("\n".join(lines))
    assert chainrule.resume("run").record == read_record(tmp_path / "run")

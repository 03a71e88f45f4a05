"""What the program says about what is on disk is what is on disk."""

import errno
import logging
import os
import shutil
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import answering
import chainrule
from chainrule import interrupts
from chainrule.cli import main
from chainrule.config import application
from chainrule.files import atomic
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record
from chainrule.records.sweep import JobEntry, new_sweep, read_sweep
from chainrule.sweep.ledger import Ledger

SHORT = ("training.epochs=1", "tracking=none", "data.samples=10")


def test_an_interrupted_sweep_counts_the_records_that_are_there(tmp_path):
    """Processes tell stack by stack: of many runs a record may be complete that nobody was told of."""
    sweep = new_sweep(tmp_path / "sweep", ["-m"], tmp_path, {}, {})
    sweep.directory.mkdir()
    sweep = sweep.write(jobs=[JobEntry(overrides=[f"seed={n}"], directory=str(n)) for n in range(80)])
    ledger = Ledger(sweep, [], resumed=False)
    chainrule.run(*SHORT, "seed=0", directory=sweep.place(0))
    for number in range(1, 20):
        shutil.copytree(sweep.place(0), sweep.place(number))
    with ledger.working():
        assert interrupts._message().endswith(
            f"20 of 80 runs are recorded; `chainrule resume {sweep.directory}` goes on."
        )


@pytest.fixture
def message():
    """What is said after Ctrl-C."""
    yield interrupts._message
    interrupts.advise(None)


def test_a_sweep_that_has_finished_says_so_though_it_is_interrupted_then(tmp_path, message):
    chainrule.sweep("seed=0,1", *SHORT, "hydra.launcher.workers=1", directory="s", quiet=True)
    assert message() == f"chainrule: interrupted. All 2 runs are recorded in {tmp_path / 's'}."
    assert read_sweep(tmp_path / "s").manifest.finished


def test_an_interrupted_run_says_what_is_there(tmp_path, message, monkeypatch):
    chainrule.run(*SHORT, directory="run")
    monkeypatch.setattr(application, "_run_hydra", lambda **_: None)
    application.run(["seed=1"])
    assert message() == "chainrule: interrupted. Nothing was recorded."
    there = OmegaConf.create({"runtime": {"output_dir": str(tmp_path / "run")}})
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(HydraConfig, "get", lambda: there)
    assert message() == f"chainrule: interrupted. The record in {tmp_path / 'run'} is complete."
    (tmp_path / "run" / MANIFEST).unlink()
    assert message() == "chainrule: interrupted. Nothing was recorded."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sync", "outputs"], "What was sent stays; the same command sends the rest."),
        (["check"], "Nothing was changed."),
    ],
)
def test_an_interrupted_command_says_what_it_leaves(message, monkeypatch, words, told):
    monkeypatch.setattr(main, "import_module", lambda name: type("module", (), {"main": lambda words: None}))
    monkeypatch.setattr("sys.argv", ["chainrule", *words])
    main.main()
    assert message() == f"chainrule: interrupted. {told}"


def test_the_seconds_of_the_runs_of_a_stack_are_those_that_it_took(tmp_path):
    chainrule.sweep("seed=range(8)", *SHORT, "hydra.launcher.workers=1", directory="s", quiet=True)
    manifests = [read_record(tmp_path / "s" / str(number)).manifest for number in range(8)]
    (whole,) = {(each.stack.runs, each.stack.seconds) for each in manifests}
    assert whole[0] == 8
    assert sum(each.seconds for each in manifests) == pytest.approx(whole[1])


def test_a_text_that_is_too_long_is_said_to_be_that():
    words = "^tracking.experiment must be text of 1 to 500 characters, not 'x+' \\.\\.\\. \\(501 characters\\)\\.$"
    with pytest.raises(chainrule.ConfigurationError, match=words):
        chainrule.component("tracker", "mlflow", experiment="x" * 501)
    with pytest.raises(chainrule.ConfigurationError, match="of 1 to 500 characters, not ''"):
        chainrule.component("tracker", "mlflow", experiment="")
    assert chainrule.component("tracker", "mlflow", experiment="x" * 500).experiment == "x" * 500


def test_a_full_disk_is_said_in_one_sentence_and_the_log_that_takes_nothing_in_none(monkeypatch):
    def full(descriptor):
        logging.getLogger("chainrule").warning("a line of a log that takes nothing")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "manifest.json")

    def refuse(handler, record):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            handler.handleError(record)

    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(logging.FileHandler, "emit", refuse)
    monkeypatch.setattr(atomic.os, "fsync", full)
    done = answering.chainrule(*SHORT)
    assert (done.code, done.err) == (
        answering.REFUSED,
        "chainrule: cannot write to manifest.json: [Errno 28] No space left on device: 'manifest.json'.\n",
    )


def test_a_record_that_was_reported_is_on_the_disk_before_anybody_is_told(tmp_path, monkeypatch):
    """The sentence about a record follows its manifest, whose name is on the disk."""
    order = []
    replace, sync = atomic.os.replace, atomic.os.fsync

    def replaced(source, target):
        order.append(Path(target).name)
        replace(source, target)

    class Told(chainrule.Watcher):
        def runs_recorded(self, records):
            order.append("told")
            assert read_record(records[0].directory).is_intact()

    monkeypatch.setattr(atomic.os, "replace", replaced)
    monkeypatch.setattr(atomic.os, "fsync", lambda descriptor: (order.append("synced"), sync(descriptor)))
    registry = chainrule.notebook.running.registry()
    monkeypatch.setattr(type(registry), "watchers", lambda self, session: [Told()])
    chainrule.run(*SHORT, directory="run")
    assert order[-3:] == [MANIFEST, "synced", "told"]

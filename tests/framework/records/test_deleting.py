"""Only what chainrule has written is removed, and no link is followed."""

from pathlib import Path

import pytest

import chainrule
from chainrule.records.deleting import delete_run, delete_sweep
from chainrule.records.sweep import JobEntry, new_sweep


def test_a_run_in_the_folder_of_a_project_takes_nothing_else_along(tmp_path):
    (tmp_path / "data").mkdir()
    kept = ["mine.py", "weights.txt", "data/a.csv", "pictures/own.jpg"]
    chainrule.run("training.epochs=0", "tracking=none", directory=tmp_path)
    for name in kept:
        (tmp_path / name).write_text("mine")
    delete_run(tmp_path)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(kept)


def test_pictures_are_removed_moving_ones_too(tmp_path):
    (tmp_path / "run" / "pictures").mkdir(parents=True)
    for name in ("loss.png", "animation-00003.png", "animation.gif"):
        (tmp_path / "run" / "pictures" / name).write_bytes(b"")
    assert delete_run(tmp_path / "run") == []
    assert not (tmp_path / "run").exists()


def test_links_are_removed_and_what_they_lead_to_stays(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.npz").symlink_to(tmp_path / "secret")
    delete_run(tmp_path / "run")
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "run").exists()


def test_of_a_sweep_nothing_stays_that_says_where_it_is_in_mlflow(tmp_path):
    sweep = new_sweep(tmp_path / "sweep", [], tmp_path, {}, {})
    (tmp_path / "sweep").mkdir()
    for name in ("sweep.json", "why.json", "mlflow.json", "optuna.log", "mine.json"):
        (tmp_path / "sweep" / name).touch()
    assert delete_sweep(sweep) == [tmp_path / "sweep" / "mine.json"]


def test_a_sweep_whose_runs_lie_elsewhere_by_a_link_is_not_removed(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "weights.npz").write_text("other")
    sweep = new_sweep(tmp_path / "sweep", ["-m"], tmp_path, {}, {})
    sweep.directory.mkdir()
    sweep = sweep.write(jobs=[JobEntry(overrides=[], directory="0")])
    Path("sweep/0").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="is a link"):
        delete_sweep(sweep)
    assert (tmp_path / "other" / "weights.npz").exists()
    assert (tmp_path / "sweep" / "sweep.json").exists()

"""Runs that broke off are found by their checkpoints."""

import json

import pytest

from chainrule.records.checkpoint import read_checkpoint
from chainrule.records.kept import MARK, about, kept_in, remove_checkpoints


def keep(directory, epoch, said):
    (directory / "checkpoints").mkdir(exist_ok=True)
    content = MARK + 64 * b"0" + b"\n" + json.dumps(said).encode() + b"\n"
    (directory / "checkpoints" / f"epoch-{epoch:010d}").write_bytes(content)


def test_there_may_be_none(tmp_path):
    assert read_checkpoint(tmp_path) is about(tmp_path) is kept_in(tmp_path) is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".epoch-0000000012.tmp").touch()  # as a crash leaves it
    (tmp_path / "checkpoints" / "epoch-0000000012").mkdir()
    assert read_checkpoint(tmp_path) is about(tmp_path) is kept_in(tmp_path) is None
    remove_checkpoints(tmp_path)
    remove_checkpoints(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_newest_says_up_to_where(tmp_path):
    for epoch in (600, 650):
        keep(tmp_path, epoch, {"about": {"configuration": {"training": {"epochs": 3000}}}})
    assert str(kept_in(tmp_path)) == "a run that is kept up to epoch 650 of 3000"


@pytest.mark.parametrize(
    "said", [{}, {"runs": []}, {"configuration": 1}, {"configuration": {"training": {"epochs": "x"}}}]
)
def test_of_a_stack_or_a_damaged_one_it_is_not_known_how_far_it_goes(tmp_path, said):
    keep(tmp_path, 650, {"about": said})
    assert str(kept_in(tmp_path)) == "a run that is kept up to epoch 650"

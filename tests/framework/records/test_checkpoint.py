"""Checkpoints on disk: read as they were written, and never where a bit has changed."""

import numpy as np
import pytest

from chainrule.engine.curves import Curves
from chainrule.engine.machine import Checkpoint
from chainrule.engine.reason import Reason
from chainrule.engine.trainer import Course, Trained
from chainrule.errors import RecordError
from chainrule.records.checkpoint import read_checkpoint, write_checkpoint
from chainrule.records.kept import MARK, about

rng = np.random.default_rng(0)
STATES = {(1, "norm"): {"mean": rng.normal(size=(2, 3, 1))}, (2, "activation"): {}}
CURVES = Curves(np.arange(2), {"train/loss": np.array([np.nan, np.inf])})
ENDED = Trained(rng.normal(size=4), STATES, CURVES, Reason.CONVERGED, 7, (3, 4), 5, 0.1 + 0.2)
ABOUT = {"seconds": 0.25, "data": ["ä", None]}


def made(epoch):
    checkpoint = Checkpoint(
        epoch,
        epoch * 3,
        rng.normal(size=(2, 4)).astype(np.float32),
        STATES,
        {"count": np.array([[2**40], [-1]]), "empty": np.empty((2, 0))},
        {},
        [{"mask": np.array([[True], [False]])}, {}],
        {"since": np.zeros((2, 1), np.int64)},
        np.ones((2, 2), int),
    )
    generator = np.random.default_rng(epoch)
    generator.random()
    course = Course(
        np.array([0, 2]),
        np.array([np.nan, 1.0, -0.0]),
        np.array([3, 2, 3]),
        {"train/loss": np.array([[1.0, 2.0, np.nan]])},
        {"best": np.array([np.inf, 1.0])},
        {"loss": np.array([1.0, 2.0])},
        {},
        [dict(generator.bit_generator.state)],
        [],
        {1: ENDED},
    )
    return checkpoint, course


def same(one, other):
    """Whether nested data are the same to the bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and same(vars(one), vars(other))
    return one == other


@pytest.fixture
def written(tmp_path):
    for epoch in (9, 10, 100):
        write_checkpoint(tmp_path, ABOUT, *made(epoch))
    return tmp_path


def paths(folder):
    return sorted((folder / "checkpoints").iterdir(), reverse=True)


def test_it_is_read_as_it_was_written(tmp_path):
    checkpoint, course = made(12)
    path = write_checkpoint(tmp_path, ABOUT, checkpoint, course)
    saved = read_checkpoint(tmp_path)
    assert same([saved.path, saved.about, saved.damaged], [path, ABOUT, ()])
    assert same(saved.checkpoint, checkpoint)
    assert same(saved.course, course)
    saved.checkpoint.theta[:] = 0  # arrays can be changed
    assert about(tmp_path) == ABOUT


def test_the_newest_and_the_one_before_stay(written):
    assert [path.name for path in paths(written)] == ["epoch-0000000100", "epoch-0000000010"]
    assert read_checkpoint(written).checkpoint.epoch == 100


@pytest.mark.slow
def test_no_flipped_bit_is_accepted_and_the_one_before_is_used(written):
    newest = paths(written)[0]
    content = newest.read_bytes()
    for bit in np.unique(np.linspace(0, 8 * len(content) - 1, 2000).astype(int)).tolist():
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        newest.write_bytes(flipped)
        saved = read_checkpoint(written)
        assert (saved.checkpoint.epoch, saved.damaged) == (10, (newest,))


def test_no_truncation_is_accepted(written):
    newest = paths(written)[0]
    content = newest.read_bytes()
    for size in range(0, len(content), 7):
        newest.write_bytes(content[:size])
        assert read_checkpoint(written).checkpoint.epoch == 10
    newest.write_bytes(content + b"\0")
    assert read_checkpoint(written).checkpoint.epoch == 10


def test_where_all_are_damaged_the_newest_is_named(written):
    for path in paths(written):
        path.write_bytes(b"chainrule checkpoint 1 x\n{}\n")
    with pytest.raises(RecordError, match=r"epoch-0000000100 is damaged, and no other checkpoint of the run is whole"):
        read_checkpoint(written)


def forged(folder, described, content=b""):
    """A file whose checksum is right and whose content is not."""
    import hashlib
    import json

    text = json.dumps({"about": {}, "checkpoint": {}, "course": {}, "arrays": described}).encode() + b"\n"
    (folder / "checkpoints").mkdir(exist_ok=True)
    digest = hashlib.sha256(text + content).hexdigest().encode()
    (folder / "checkpoints" / "epoch-0000000200").write_bytes(MARK + digest + b"\n" + text + content)


@pytest.mark.parametrize(
    "described",
    [
        [["<f8", [10**15]]],
        [["<f8", [-1]]],
        [["O", [1]]],
        [["<f8", ["a"]]],
        [["V8", [0]]],
        [["<f8", [1, 2**70]]],
        3,
        [3],
    ],
)
def test_arrays_that_do_not_fit_the_file_are_not_made(tmp_path, described):
    forged(tmp_path, described)
    with pytest.raises(RecordError, match="is damaged"):
        read_checkpoint(tmp_path)


def test_what_is_no_number_cannot_be_kept(tmp_path):
    checkpoint, course = made(3)
    checkpoint.optimizer["names"] = np.array(["a"], object)
    with pytest.raises(RecordError, match="an array of object cannot be kept in a checkpoint"):
        write_checkpoint(tmp_path, ABOUT, checkpoint, course)

"""Archives of arrays are those of NumPy, but for what NumPy does not read."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from chainrule.files import archives
from chainrule.files.archives import npz

RNG = np.random.default_rng(0)
ARRAYS = {
    "W1": RNG.normal(size=(3, 2)),
    "turned": RNG.normal(size=(3, 4)).T,
    "every second": RNG.normal(size=20)[::2],
    "none": np.empty((0, 3)),
    "number": np.array(2.5),
    "float32": RNG.normal(size=5).astype(np.float32),
    "epochs": np.arange(7),
    "other order": np.arange(3, dtype=">i4"),
    "names": np.array(["x1", "Länge"]),
    "pairs": np.array([(1, 2.0)], [("a", int), ("b", float)]),
    "activation.1.β": np.array([np.nan, -0.0, np.inf]),
}


def savez(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_numpy_reads_what_it_reads_of_its_own_archive():
    own, its = read(npz(ARRAYS)), read(savez(ARRAYS))
    assert list(own) == list(its) == list(ARRAYS)
    for name, array in its.items():
        assert own[name].dtype == array.dtype
        assert own[name].shape == array.shape
        assert own[name].tobytes() == array.tobytes()


def test_each_file_is_byte_for_byte_numpys_but_for_the_order_in_memory():
    with zipfile.ZipFile(io.BytesIO(npz(ARRAYS))) as own, zipfile.ZipFile(io.BytesIO(savez(ARRAYS))) as its:
        assert own.testzip() is None
        assert own.namelist() == its.namelist()
        for name in own.namelist():
            if name != "turned.npy":
                assert own.read(name) == its.read(name)
        assert {info.date_time for info in own.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_another_program_unpacks_it(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(ARRAYS))
    subprocess.run([sys.executable, "-m", "zipfile", "-t", tmp_path / "a.npz"], check=True, capture_output=True)


def test_there_may_be_no_arrays():
    assert read(npz({})) == {}


def test_equal_arrays_are_equal_bytes():
    assert npz(ARRAYS) == npz({name: array.copy() for name, array in ARRAYS.items()})


def test_what_is_too_large_for_plain_zip_is_left_to_numpy(monkeypatch):
    monkeypatch.setattr(archives, "_LARGEST", 1000)
    assert npz(ARRAYS) == savez(ARRAYS)


def test_objects_are_refused():
    with pytest.raises(ValueError, match="objects"):
        npz({"a": np.array([object()])})

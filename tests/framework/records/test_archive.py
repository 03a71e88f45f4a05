"""Arrays of strangers are read in the memory that their file takes."""

import io
import zipfile

import numpy as np
import pytest

from chainrule.records.archive import arrays_of


def saved(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def test_arrays_are_those_that_numpy_reads():
    rng = np.random.default_rng(0)
    arrays = {
        "W1": rng.normal(size=(3, 4)),
        "b1": np.float32([1, 2]),
        "fortran": np.asfortranarray(rng.normal(size=(2, 5))),
        "names": np.array(["a", "b\u00e9"]),
        "scalar": np.float64(3),
        "empty": np.empty((0, 2)),
        "epochs": np.arange(7),
    }
    found, known = arrays_of(saved(**arrays)), np.load(io.BytesIO(saved(**arrays)))
    assert list(found) == known.files
    for name, array in found.items():
        assert (array.dtype, array.shape, array.tobytes()) == (
            known[name].dtype,
            known[name].shape,
            known[name].tobytes(),
        )
        assert array.flags.writeable


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(*contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for number, content in enumerate(contents):
            made.writestr(f"a{number}.npy", content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"x" * 100,
        saved(np.savez_compressed, a=np.zeros(10)),
        saved(a=np.array([None], object)),
        archive(header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")),
        archive(header(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + bytes(8)),
        archive(header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }") + bytes(8)),
        archive(header(b"(" * 5000)),
        archive(b"\x93NUMPY\x09\x00"),
        archive(b""),
        saved(a=np.zeros(10))[:-30],
    ],
    ids=range(12),
)
def test_what_is_no_such_file_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        arrays_of(content)

"""The arrays of a file that ``numpy.savez`` has written, read in no more memory than the file takes."""

import io
import math
import zipfile
from typing import Any

import numpy as np

from chainrule.components.contracts import Array
from chainrule.errors import text_of

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def arrays_of(content: bytes) -> dict[str, Array]:
    """Return arrays by name.

    NumPy makes each array as large as its header says, before it looks at what there is; and a packed file grows.

    Args:
        content: of a file without packed parts, as ``numpy.savez`` writes it.

    Raises:
        ValueError: it is no such file; the message says what is wrong.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ValueError("a part of it is packed")
            if sum(part.file_size for part in parts) > len(content):
                raise ValueError("its parts are larger than it is")
            return {part.filename.removesuffix(".npy"): _array(archive.read(part)) for part in parts}
    except Exception as error:  # of NumPy, of zipfile, and of Python, which reads headers as its own text
        raise ValueError(f"it is no archive of arrays ({text_of(error) or type(error).__name__})") from None


def _array(content: bytes) -> Array:
    file = io.BytesIO(content)
    read: Any = _HEADERS.get(np.lib.format.read_magic(file))
    if read is None:
        raise ValueError("an array has an unknown version")
    shape, is_fortran, dtype = read(file)
    place = file.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - place:
        raise ValueError("an array has another size than its header says, or holds objects")
    found: Array = (
        np.frombuffer(content, dtype, offset=place).reshape(shape, order="F" if is_fortran else "C").copy("A")
    )
    return found

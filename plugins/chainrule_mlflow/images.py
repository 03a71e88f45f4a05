"""Pictures of a record as MLflow's image grid reads them: each has a name, and a step for the slider.

The grid knows an image by its file name, ``images/NAME+step+STEP+timestamp+TIME+ID.png``, and shows first a small copy
that ends in ``+compressed.webp``, as ``MlflowClient.log_image`` writes them. The same record gives the same names.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from chainrule.records.run import Record
from chainrule_mlflow import contents

FOLDER = "images"
_SMALL = 256  # pixels of the longer side of the small copy
_AT_EPOCH = re.compile(r"(.+)-(\d+)")  # a picture of one of several epochs


def images(record: Record) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file that the grid reads, two for each picture of a record.

    What is no picture, whatever its name, is left out.

    Raises:
        OSError: a picture cannot be read.
    """
    manifest, pictures = record.manifest, _pictures(record)
    if not pictures:
        return
    from PIL import Image, UnidentifiedImageError  # here, because it takes a while

    for path in pictures:
        content = record.content(path.as_posix())
        name, step = path.stem, manifest.epochs
        if found := _AT_EPOCH.fullmatch(name):
            name, step = found[1], int(found[2])
        time = contents.milliseconds(manifest, step / max(1, manifest.epochs))
        which = hashlib.sha256(f"{path} {contents.key(manifest)}".encode()).hexdigest()[:32]
        file = f"{FOLDER}/{contents.legal(name)}+step+{step}+timestamp+{time}+{which}"
        try:
            with Image.open(io.BytesIO(content)) as image:
                small = image.convert("RGB")
        except UnidentifiedImageError:
            continue
        small.thumbnail((_SMALL, _SMALL), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", method=0)
        yield f"{file}.png", content
        yield f"{file}+compressed.webp", buffer.getvalue()


def write(record: Record, folder: Path) -> None:
    """Write these files into a folder, whose own folder ``images`` is made if there are some."""
    for name, content in images(record):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def _pictures(record: Record) -> list[PurePosixPath]:
    paths = [PurePosixPath(name) for name in record.manifest.files if name.startswith("pictures/")]
    return [path for path in paths if path.suffix == ".png"]

"""The best run of a sweep, as the page of the sweep shows it: named, linked, with pictures."""

import atexit
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import replace
from itertools import islice
from pathlib import Path

import chainrule
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.run import read_record
from chainrule.registry.aside import at_work
from chainrule.registry.idle import elsewhere
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Session, Watchers
from chainrule_mlflow.overview import Best, View
from chainrule_mlflow.receipts import receipt
from chainrule_mlflow.store import Store, page

_WIDTH = 540  # pixels: beside MLflow's menu on a page of 800, and beside both of its columns on one of 1400
_MOST, _NAMED = 5, 20  # targets whose best runs are drawn, and named
_LONGEST = 5.0  # seconds that the end of this process waits for pictures

_early: dict[Path, tuple[tempfile.TemporaryDirectory[str], threading.Thread]] = {}  # folders, and who draws into them


def draw_early(outcomes: SweepOutcomes) -> None:
    """Begin to draw what :func:`drawn` yields, beside other things that are to be done at the end of the sweep."""
    folder = tempfile.TemporaryDirectory()
    arguments = _draw_awaited, outcomes, Path(folder.name)
    thread = threading.Thread(target=copy_context().run, args=arguments, name="chainrule pictures", daemon=True)
    _early[outcomes.record.directory] = folder, thread
    thread.start()


def _draw_awaited(outcomes: SweepOutcomes, folder: Path) -> None:
    """Draw into a folder, and let the end of this process wait for it, which removes the folder."""
    done = threading.Event()
    atexit.register(done.wait, _LONGEST)
    try:
        _draw_all(outcomes, folder)
    finally:
        done.set()
        atexit.unregister(done.wait)


def _begun(directory: Path) -> tempfile.TemporaryDirectory[str] | None:
    """Wait for what :func:`draw_early` has begun to draw, and return its folder; None if it has begun nothing."""
    folder, thread = _early.pop(directory, (None, None))
    if thread:
        with at_work():
            thread.join()
    return folder


def forget(directory: Path) -> None:
    """Remove what was drawn of a sweep in a directory and is not wanted any more."""
    if folder := _begun(directory):
        folder.cleanup()


@contextmanager
def drawn(outcomes: SweepOutcomes) -> Iterator[dict[str, Path]]:
    """Yield the pictures of the best run, of several targets of each: by their names, which begin with ``best/``.

    Runs of a sweep have no pictures. Whatever draws those of single runs draws these. Beside each is its copy
    :func:`reduced`.
    """
    early = _begun(outcomes.record.directory)
    with early or tempfile.TemporaryDirectory() as folder:
        if early is None:
            with at_work():
                _draw_all(outcomes, Path(folder))
        found = sorted(Path(folder).glob("**/pictures/*.png"))
        yield {(path.relative_to(folder).parent.parent / path.name).as_posix(): path for path in found}


def _draw_all(outcomes: SweepOutcomes, folder: Path) -> None:
    for target, outcome in list(outcomes.best_by_target.items())[:_MOST]:
        place = folder / "best" / folder_of(target)
        with suppress(ChainruleError, OSError):
            elsewhere(_draw, outcomes.record.directory / outcome.directory, place)


def folder_of(target: str) -> str:
    """Return the name of the folder of a target: it may have parameters, such as ``target.path=data/a.csv``."""
    return re.sub(r"[^\w.-]", "_", target)


def _draw(directory: Path, place: Path) -> None:
    """Draw the pictures of a record below a place, and their copies for descriptions, which MLflow would cut off."""
    run = chainrule.load(directory)
    Watchers(installed().watchers(Session(interactive=False, quiet=True))).tell("run_trained", run, place)
    pictures = sorted(place.glob("pictures/*.png"))
    if not pictures:
        return
    from PIL import Image  # here, because it takes a while

    (place / "reduced").mkdir()
    for path in pictures:
        with Image.open(path) as image:
            small = image.convert("RGB")
        small.thumbnail((_WIDTH, 10 * _WIDTH), Image.Resampling.LANCZOS)
        small.save(reduced(path))


def reduced(picture: Path) -> Path:
    """Return where the copy of a picture lies that fits into a description."""
    return picture.parent.parent / "reduced" / picture.name


def runs(outcomes: SweepOutcomes, store: Store, pictures: Mapping[str, Path]) -> Sequence[Best]:
    """Return the best run, of several targets on each, with the names of its pictures."""
    found = []
    for target, outcome in islice(outcomes.best_by_target.items(), _NAMED):
        with suppress(RecordError):
            record = replace(
                read_record(outcomes.record.directory / outcome.directory),
                member=outcomes.record.member(outcome.number),
            )
            there = receipt(record, store)
            below = f"best/{folder_of(target)}/" if target else "best/"
            own = [name for name in pictures if name.rpartition("/")[0] + "/" == below]
            run_id = there[1] if there else ""
            found.append(Best(target, outcome, record, run_id, page(*there) if there else "", own))
    return found


def charts(experiment_id: str, views: Mapping[str, View], shown: str) -> str:
    """Return links to the views of targets, in Markdown; ``shown`` is what they show."""
    links = [f"[{target}]({page(experiment_id, view=view.key)})" for target, view in views.items()]
    return f"Charts of {shown}: {', '.join(links)}."

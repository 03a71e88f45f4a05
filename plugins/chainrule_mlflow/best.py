"""The best run of a sweep, as the page of the sweep shows it: named, linked, with pictures."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import chainrule
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.run import read_record
from chainrule.registry.aside import at_work
from chainrule.registry.loaded import installed
from chainrule.registry.watching import Session, Watchers
from chainrule_mlflow.overview import Best, View
from chainrule_mlflow.receipts import receipt
from chainrule_mlflow.store import Store, page

_WIDTH = 540  # pixels: beside MLflow's menu on a page of 800, and beside both of its columns on one of 1400
_MOST = 5  # targets of a comparison whose best runs are drawn


@contextmanager
def drawn(outcomes: SweepOutcomes) -> Iterator[dict[str, Path]]:
    """Yield the pictures of the best run, of a comparison of each target: by their names, which begin with ``best/``.

    Runs of a sweep have no pictures. Whatever draws those of single runs draws these.
    """
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Path] = {}
        for target, outcome in list(outcomes.best_by_target.items())[:_MOST]:
            below = Path("best", *([target] if target else []))
            place = Path(folder) / below
            with at_work(), suppress(ChainruleError, OSError):
                run = chainrule.load(outcomes.record.directory / outcome.directory)
                watchers = Watchers(installed().watchers(Session(interactive=False, quiet=True)))
                watchers.tell("run_trained", run, place)
                found |= {(below / path.name).as_posix(): path for path in sorted(place.glob("pictures/*.png"))}
        yield found


def reduced(picture: Path) -> Path:
    """Return a copy of a picture beside its folder that fits into a description, which MLflow would cut off."""
    from PIL import Image  # here, because it takes a while

    folder = picture.parent.parent / "reduced"
    folder.mkdir(exist_ok=True)
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail((_WIDTH, 10 * _WIDTH), Image.Resampling.LANCZOS)
    small.save(folder / picture.name, optimize=True)
    return folder / picture.name


def runs(outcomes: SweepOutcomes, store: Store, pictures: Mapping[str, Path]) -> Sequence[Best]:
    """Return the best run, of a comparison on each target, with the names of its pictures."""
    found = []
    for target, outcome in outcomes.best_by_target.items():
        with suppress(RecordError):
            record = replace(
                read_record(outcomes.record.directory / outcome.directory),
                member=outcomes.record.member(outcome.number),
            )
            there = receipt(record, store)
            below = f"best/{target}/" if target else "best/"
            own = [name for name in pictures if name.rpartition("/")[0] + "/" == below]
            run_id = there[1] if there else ""
            found.append(Best(target, outcome, record, run_id, page(*there) if there else "", own))
    return found


def charts(experiment_id: str, views: Mapping[str, View]) -> str:
    """Return links to the views of targets, in Markdown."""
    links = [f"[{target}]({page(experiment_id, view=view.key)})" for target, view in views.items()]
    return f"Charts of the tuned contenders: {', '.join(links)}."

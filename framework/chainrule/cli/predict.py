"""``chainrule predict``: predictions of a recorded run for the rows of a file."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, cast

from chainrule.analysis.scoring import Scoring
from chainrule.cli.common import load_plugins, parser, predictor_at, reader_of
from chainrule.components.contracts import Array, Target
from chainrule.components.schema import NUMBER, Block
from chainrule.config.compose import compose_target
from chainrule.errors import ChainruleError, ConfigurationError, counted
from chainrule.files.atomic import put_in_place
from chainrule.files.words import hydra_text
from chainrule.records.predictor import Predictor
from chainrule.registry.loaded import installed
from chainrule.registry.preferences import is_preference


def main(arguments: Sequence[str]) -> None:
    """Write what a recorded run predicts for each row of a file.

    Columns are found by their names, and become inputs as in training: text, missing values and scaling. Where inputs
    have no names, the columns are taken in their order, unless they are called x1, x2 and so on. The output has a row
    for each row of the file: the prediction and, of classes, the probability of each. If the file has the true values,
    too, the predictions are scored.

    Args:
        arguments: directory of the run or sweep, the file, ``target.PARAMETER=VALUE``, ``--out``, ``--overwrite``.

    Raises:
        ChainruleError: there is no such run, the file does not fit it, or the output is there already.
    """
    command = parser("predict", (main.__doc__ or "").split("Args:")[0])
    command.add_argument("run", type=Path, metavar="RUN", help="directory of a run, or of a sweep for its best run")
    command.add_argument("file", metavar="FILE", help="a table: what `chainrule data` reads")
    command.add_argument(
        "settings", nargs="*", metavar="target.PARAMETER=VALUE", help="how to read it, if unlike the run's own table"
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="where to, as CSV; else to the standard output")
    command.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    given = command.parse_intermixed_args([word for word in arguments if not is_preference(word)])
    if given.out and given.out.exists() and not given.overwrite:
        raise ChainruleError(f"{given.out} exists already; name another file, or write --overwrite.")
    load_plugins([])
    predictor = predictor_at(given.run)
    target = _table(predictor, given.file, given.settings)
    with _written(given.out) as output:
        done = _predict(predictor, target, given.file, output)
    _say(given.out, *done)


def _table(predictor: Predictor, file: str, words: Sequence[str]) -> Target:
    """Return the target that reads the file: the run's own, or what reads such files, with other parameters."""
    own: Any = predictor.settings.target
    name = own.name if own.reads else reader_of(file, installed())
    for word in words:
        if not word.startswith("target."):
            raise ChainruleError(f"{word} is no parameter of target={name}: write target.PARAMETER=VALUE.")
    target = compose_target([f"target={name}", f"target.path={hydra_text(file)}", *words])
    changed = {"path", *(word.partition("=")[0].removeprefix("target.") for word in words)}
    if target.written_by and (other := sorted(changed - {"path", *target.written_by})):
        raise ChainruleError(
            f"target.{other[0]} is not taken: the columns become inputs, and are compared with predictions, as in "
            f"training. How {file} is written is said by {', '.join(f'target.{key}' for key in target.written_by)}."
        )
    if not own.reads:
        return target
    return cast("Target", replace(own, **{key: getattr(target, key) for key in changed}))


def _predict(predictor: Predictor, target: Target, file: str, output: TextIO) -> tuple[int, Scoring | None, list[str]]:
    """Write the predictions; return how many there are, how good they are, and the columns that are not used."""
    schema = predictor.schema
    as_text = {feature.name for feature in schema.features if feature.kind != NUMBER}
    scoring: Scoring | None = None
    writer, rows, unused = csv.writer(output, lineterminator="\n"), 0, list[str]()
    for block in target.blocks(as_text):
        y, predicted = _predicted(predictor, block, file)
        if scoring is None:
            writer.writerow(predicted)
            scoring = Scoring(schema, block.columns)
            used = {*schema.chosen(list(block.columns)).values(), *schema.labels}
            unused = [name for name in block.columns if name not in used]
        writer.writerows(zip(*(values.tolist() for values in predicted.values()), strict=True))
        rows += y.shape[1]
        if scoring.is_complete:
            scoring.add(block.columns, y, predicted, block.read)
    return rows, scoring, unused


def _predicted(predictor: Predictor, block: Block, file: str) -> tuple[Array, Mapping[str, Array]]:
    try:
        y = predictor.outputs(predictor.inputs(block.columns, block.place, block.read))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file} does not fit the run: {error}.") from None
    return y, predictor.columns(y)


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO]:
    """Yield where to write: the standard output, or a file that is there only when it is whole."""
    if path is None:
        yield sys.stdout
        return
    with put_in_place(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


def _say(path: Path | None, rows: int, scoring: Scoring | None, unused: Sequence[str]) -> None:
    stream = sys.stderr if path is None else sys.stdout
    if unused:
        more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
        print(f"not used: {', '.join(unused[:5])}{more}", file=stream)
    if path:
        print(f"{counted(rows, 'prediction')}: {path}", file=stream)
    if scoring and scoring.is_complete and scoring.count:
        of = f"{counted(scoring.count, 'row')} with {', '.join(scoring.labels)}"
        right = f", {scoring.right} right" if scoring.right else ""
        print(f"{scoring.name} {scoring.score:.4g} ({of}{right})", file=stream)

"""Checks of instruments."""

import functools
from collections.abc import Sequence

import numpy as np

from chainrule.config.compose import compose_settings
from chainrule.errors import ChainruleError
from chainrule.registry.instruments import Finding, Instrument
from chainrule.replay.changes import CHANGES
from chainrule.replay.instrumented import Examined, examine
from chainrule.replay.replays import Replay
from chainrule.testing.findings import FindingError
from chainrule.testing.subjects import Subject
from chainrule.testing.table import Check

# A run that learns, and some that do not, each for another reason.
_RUNS = (
    ("activation=relu", "seed=3", "optimizer.lr=0.05"),
    ("activation=tanh", "initializer=zeros"),
    ("output=sigmoid", "optimizer.lr=1e-6"),
    ("optimizer.lr=10", "activation=relu"),
    ("optimizer=adam", "target=wine", "network.hidden=[]"),
    ("network.hidden=[3,3,3,3]", "data.noise=1"),
)
_SHORT = ("training.epochs=8", "training.batch_size=16", "data.samples=40", "training.measure_every=1")


def declared(subject: Subject) -> None:
    """``source`` says where thresholds are from, and ``cures`` are names of changes that there are."""
    for instrument in subject.defaults:
        if not (isinstance(instrument.source, str) and instrument.source.strip()):
            raise FindingError(
                f"{subject.cls.__qualname__}.source is empty; say where its thresholds are published, or that they are "
                "its own."
            )
        unknown = [name for name in instrument.cures if name not in CHANGES]
        if unknown:
            raise FindingError(
                f"{subject.cls.__qualname__}.cures names {unknown[0]!r}, which is no change; choose from "
                f"{', '.join(CHANGES)}."
            )


def stated(subject: Subject) -> None:
    """Findings of each run have a phrase, a sentence, finite or infinite numbers, and an onset within the run."""
    for instrument in subject.combinations:
        for examined in _examined(instrument):
            for finding in examined.findings:
                _require_whole(subject, finding, examined)


def alone(subject: Subject) -> None:
    """A run in a stack has the findings of the run alone, and its numbers."""
    for instrument in subject.combinations:
        replays = [_replay(_RUNS[0]), _replay((*_RUNS[0][:1], "seed=4", "optimizer.lr=0.2"))]
        for replay, together in zip(replays, examine(replays, [instrument]), strict=True):
            (by_itself,) = examine([replay], [instrument])
            if by_itself.findings != together.findings:
                raise FindingError(
                    f"{subject.cls.__qualname__} finds something else of a run in a stack than of the run alone; keep "
                    "nothing between calls."
                )


def pure(subject: Subject) -> None:
    """A run that is looked at ends in the same bits: an instrument changes none of the arrays that it is shown."""
    for instrument in subject.combinations:
        for examined in _examined(instrument):
            if examined.ended.difference is not None:
                raise FindingError(
                    f"{subject.cls.__qualname__} changes the run that it looks at ({examined.ended.difference}); copy "
                    "arrays before you change them."
                )


def _require_whole(subject: Subject, finding: Finding, examined: Examined) -> None:
    where, result = subject.where("findings"), examined.result
    if not (isinstance(finding, Finding) and finding.symptom.strip() and finding.sentence.strip()):
        raise FindingError(f"{where} returns {finding!r}; return a Finding with a symptom and a sentence.")
    if not finding.numbers or not all(np.isscalar(number) for number in finding.numbers.values()):
        raise FindingError(f"{where} states {finding.symptom!r} without a number; put those of the sentence into it.")
    if not 0 <= finding.onset <= result.epochs:
        raise FindingError(
            f"{where} states an onset of {finding.onset} epochs in a run of {result.epochs}.", onset=finding.onset
        )
    layers = result.shape.layers
    if finding.layer is not None and not 1 <= finding.layer <= layers:
        raise FindingError(f"{where} names layer {finding.layer} in a network of {layers}.", layer=finding.layer)


@functools.cache
def _replay(words: Sequence[str]) -> Replay:
    return Replay.of_result(Replay(compose_settings([*_SHORT, *words, "tracking=none"])).train().result)


def _examined(instrument: Instrument) -> list[Examined]:
    replays = [_replay(words) for words in _RUNS]
    try:
        found: list[Examined] = [one for replay in replays for one in examine([replay], [instrument])]
    except ChainruleError as error:
        raise FindingError(f"{type(instrument).__qualname__} cannot be put on a run: {error}") from error
    return found


CHECKS = (Check(declared), Check(stated), Check(alone), Check(pure))

"""Why a run did not learn: what instruments find of it, and which change of one thing cures it."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.registry.instruments import Finding
from chainrule.registry.registry import Registry
from chainrule.replay.instrumented import Examined, examine, instruments
from chainrule.replay.proof import RUNS, Proof, Told, Trial, prove, skill
from chainrule.replay.replays import Replay

GOAL = 0.9  # skill at which a run has learned, unless another is given
_WIDTH = 110


@dataclass(frozen=True)
class Diagnosis:
    """What kept a run from learning.

    Attributes:
        examined: the run, trained again, with what the instruments find.
        goal: the skill at which it has learned, see :func:`chainrule.replay.proof.skill`.
        skill: its skill.
        proof: which changes cure it; None if nothing was tried.
        cures: the changes that each instrument names, by its name.
    """

    examined: Examined
    goal: float
    skill: float
    proof: Proof | None
    cures: dict[str, tuple[str, ...]]

    @property
    def has_learned(self) -> bool:
        """Whether it came to the goal."""
        return self.skill >= self.goal

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those first of which a named cure cures; otherwise by their onset."""
        return tuple(sorted(self.examined.findings, key=lambda finding: not self.confirmed(finding)))

    def confirmed(self, finding: Finding) -> tuple[Trial, ...]:
        """Return the changes that a finding's instrument names and that cure."""
        named = self.cures.get(finding.instrument, ())
        return tuple(trial for trial in self.proof.cures if trial.change in named) if self.proof else ()

    @property
    def summary(self) -> str:
        """The answer in a sentence or two."""
        score = f"its skill is {self.skill:.3g}, and {self.goal:g} counts as learned"
        if self.has_learned:
            return f"The run has learned: {score}."
        if not self.examined.findings:
            return f"The run has not learned ({score}), and no instrument finds why."
        first = self.findings[0]
        where = f" on layer {first.layer}" if first.layer else ""
        since = "from the start" if first.is_from_the_start else f"since epoch {first.onset}"
        said = f"The run has not learned ({score}): {first.symptom}{where}, {since}."
        best = self.confirmed(first)
        if best:
            return f"{said} Proof: {best[0].change} cures it."
        if self.proof and self.proof.cures:
            return f"{said} {self.proof.cures[0].change} cures it, which that does not name: it may be a symptom only."
        return f"{said} No single change that was tried cures it." if self.proof else said

    def lines(self) -> Iterator[str]:
        """Yield the answer line by line."""
        yield from _wrapped(self.summary)
        yield self.examined.ended.verdict[:1].upper() + self.examined.ended.verdict[1:] + "."
        if self.examined.findings:
            yield ""
            yield "Findings:"
            for finding in self.findings:
                yield from _wrapped(f"- {_when(finding)}: {finding.symptom}: {finding.sentence}", "  ")
                confirmed = self.confirmed(finding)
                if confirmed:
                    yield f"  confirmed: {', '.join(trial.change for trial in confirmed)}"
        if self.proof:
            yield ""
            yield from _proof(self.proof)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__


def diagnose(
    replay: Replay,
    registry: Registry,
    *,
    goal: float = GOAL,
    runs: int = RUNS,
    chosen: Sequence[str] | None = None,
    told: Told | None = None,
) -> Diagnosis:
    """Train a run again with every instrument on it; if it has not learned, try which changes cure it.

    Args:
        replay: the run, which has been trained.
        registry: finds instruments and components.
        goal: the skill at which a run has learned: R2, or accuracy above that of the largest class.
        runs: how many runs are trained to prove it, about; 0 for none.
        chosen: names of changes; None for all.
        told: is told how far the proof is.

    Raises:
        ConfigurationError: the goal is not above 0 and at most 1, or the run cannot be trained again.
    """
    require_goal(goal)
    found = instruments(registry)
    (examined,) = examine([replay], found)
    reached = skill(examined.result)
    proof = None
    if reached < goal and runs:
        onsets = [finding.onset for finding in examined.findings]
        proof = prove(replay, min(onsets, default=0), goal, registry, runs=runs, chosen=chosen, told=told)
    return Diagnosis(examined, goal, reached, proof, {each.name: each.cures for each in found})


def require_goal(goal: float) -> None:
    """Refuse a goal that no run, or every run, has.

    Raises:
        ConfigurationError: it is not above 0 and at most 1.
    """
    if not (0 < goal <= 1 and np.isfinite(goal)):
        raise ConfigurationError(
            f"The goal must be above 0 and at most 1, not {goal:g}: it is R2, or accuracy above the largest class."
        )


def _when(finding: Finding) -> str:
    when = "from the start" if finding.is_from_the_start else f"since epoch {finding.onset}"
    return f"{when}, layer {finding.layer}" if finding.layer else when


def _proof(proof: Proof) -> Iterator[str]:
    """Yield the table of a proof: what learned in how many of how many, with Wilson's 95 % intervals."""
    yield f"Proof: {proof.runs} runs with one thing changed each; learned is a skill of {proof.goal:g}."
    where = f"from epoch {proof.onset}" if proof.onset else ""
    yield f"  {'change':<14} {'from the start':<24} {'median':>8}  {'same seed':<10} {where}".rstrip()
    yield _row(proof.control, "")
    for trial in proof.trials:
        verdict = "cures" if trial.cures(proof.control) else "may help" if trial.is_fresh else ""
        yield _row(trial, verdict)
    if proof.trials and not proof.cures:
        yield "  None learns more often than other seeds do, by intervals that are apart."
        nearest = max(proof.trials, key=lambda trial: trial.median)
        if nearest.median > proof.control.median:
            yield (
                f"  {nearest.change} comes nearest: a median skill of {nearest.median:.3g} instead of "
                f"{proof.control.median:.3g}; more than one thing may be wrong."
            )
    useless = [trial.change for trial in proof.trials if not trial.value]
    if useless:
        yield from _wrapped(f"  Never helped: {', '.join(useless)}.", "  ")
    for name, reason in proof.impossible.items():
        yield from _wrapped(f"  {name} was not tried: {reason}.", "  ")


def _row(trial: Trial, verdict: str) -> str:
    own = "" if trial.own is None else "learns" if trial.own else "does not"
    onset = str(trial.onset or "")
    return f"  {trial.change:<14} {trial.start!s:<24} {trial.median:>8.3g}  {own:<10} {onset:<24} {verdict}".rstrip()


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent)

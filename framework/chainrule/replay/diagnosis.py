"""Why a run did not learn: what instruments find of it, and which change of one thing cures it."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from chainrule.errors import ConfigurationError, counted
from chainrule.registry.instruments import Finding
from chainrule.registry.registry import Registry
from chainrule.replay.instrumented import Examined, examine, instruments
from chainrule.replay.proof import RUNS, Proof, Told, Trial, prove
from chainrule.replay.replays import Replay
from chainrule.replay.skill import GOAL, require_goal

_WIDTH = 110


@dataclass(frozen=True)
class Diagnosis:
    """What kept a run from learning.

    Attributes:
        examined: the run, trained again, with what the instruments find.
        goal: the skill at which it has learned, see :func:`chainrule.replay.skill.skill`.
        proof: which changes cure it; None if nothing was tried.
        cures: the changes that each instrument names, by its name.
        sources: where its thresholds are from, likewise.
    """

    examined: Examined
    goal: float
    proof: Proof | None
    cures: dict[str, tuple[str, ...]]
    sources: dict[str, str]

    @property
    def skill(self) -> float:
        """What it came to."""
        return self.examined.skill

    @property
    def has_learned(self) -> bool:
        """Whether it came to the goal."""
        return self.skill >= self.goal

    @property
    def findings(self) -> tuple[Finding, ...]:
        """That first of which a named cure cures; otherwise by their onset, reasons first."""
        found = self.examined.findings
        proven = [finding for finding in found if self.confirmed(finding)][:1]
        return (*proven, *(finding for finding in found if finding not in proven))

    def confirmed(self, finding: Finding) -> tuple[Trial, ...]:
        """Return the changes that a finding's instrument names and that cure."""
        named = self.cures.get(finding.instrument, ())
        return tuple(trial for trial in self.proof.cures if trial.change in named) if self.proof else ()

    def reasons(self, finding: Finding) -> tuple[Finding, ...]:
        """Return the findings from which one may follow."""
        return self.examined.reasons[self.examined.findings.index(finding)]

    @property
    def score(self) -> str:
        """What it came to, and what counts as learned."""
        result = self.examined.result
        of = "validation" if "validation" in result.samples.parts else "training"
        if not np.isfinite(self.skill):
            return f"its loss is not finite, and a skill of {self.goal:g} counts as learned"
        measure = "R2" if result.settings.target.resolved_task == "regression" else "accuracy above the largest class"
        return f"its skill, {measure} of the {of} samples, is {self.skill:.3g}, and {self.goal:g} counts as learned"

    @property
    def summary(self) -> str:
        """The answer in a few sentences."""
        if self.has_learned:
            return f"The run has learned: {self.score}."
        said = f"The run has not learned: {self.score}."
        if not self.findings:
            return f"{said} No instrument finds why.{self._by_others}"
        first = self.findings[0]
        where = f" on layer {first.layer}" if first.layer and first.layer < self.examined.result.shape.layers else ""
        said = f"{said} First of all: {first.symptom}{where}, {self._since(first)}."
        best = self.confirmed(first)
        if best and self.proof and not self.proof.is_luck:
            return f"{said} Proof: {best[0].change} cures it, in {best[0].best} runs."
        return f"{said}{self._by_others}"

    @property
    def _by_others(self) -> str:
        """What cures although no finding names it."""
        if not self.proof:
            return ""
        if self.proof.is_luck:
            own = [trial.change for trial in self.proof.trials if trial.own]
            said = f" With nothing but another seed it learns, in {self.proof.control.start} runs: this one is unlucky."
            return said + (f" With its own seed it learns by {', '.join(own)}." if own else "")
        if not self.proof.cures:
            return " No single change that was tried cures it."
        cure = self.proof.cures[0]
        unnamed = ", which that does not name" if self.findings else ""
        return f" But {cure.change} cures it, in {cure.best} runs{unnamed}."

    def lines(self) -> Iterator[str]:
        """Yield the answer line by line."""
        yield from _wrapped(self.summary)
        yield from _wrapped(self.examined.ended.verdict[:1].upper() + self.examined.ended.verdict[1:] + ".")
        if self.findings:
            yield ""
            title = "What instruments state all the same" if self.has_learned else "Findings"
            apart = self.examined.apart
            yield f"{title}, whose onset is known to {apart} epochs:" if apart > 1 else f"{title}:"
            told = set[str]()
            for finding in self.findings:
                yield from self._lines(finding, finding.instrument in told)
                told.add(finding.instrument)
        if self.proof:
            yield ""
            yield from _proof(self.proof)

    def _lines(self, finding: Finding, is_told: bool) -> Iterator[str]:
        """Yield the lines of a finding; where its threshold is from need not be told twice."""
        where = f", layer {finding.layer}" if finding.layer else ""
        yield from _wrapped(f"- {self._since(finding)}{where}: {finding.symptom}: {finding.sentence}", "  ")
        source = self.sources.get(finding.instrument)
        if source and not is_told:
            yield from _wrapped(f"  source: {source}", "  ")
        reasons = dict.fromkeys(reason.symptom for reason in self.reasons(finding))
        if reasons:
            yield from _wrapped(f"  may follow from: {', '.join(reasons)}", "  ")
        confirmed = [trial.change for trial in self.confirmed(finding)]
        if confirmed:
            yield from _wrapped(f"  confirmed by the proof: {', '.join(confirmed)}", "  ")

    def _since(self, finding: Finding) -> str:
        if finding.is_from_the_start:
            return "from the start"
        return "at the end" if finding.onset == self.examined.result.epochs else f"since epoch {finding.onset}"

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
        ConfigurationError: the goal is not above 0 and at most 1, there are fewer runs than none, or the run cannot be
            trained again.
    """
    require_goal(goal)
    if not isinstance(runs, Integral) or runs < 0:
        raise ConfigurationError(f"runs must be a whole number from 0 on, not {runs!r}.")
    found = instruments(registry)
    (examined,) = examine([replay], found, goal)
    proof = None
    if examined.skill < goal and runs:
        onset = examined.findings[0].onset if examined.findings else 0
        proof = prove(replay, onset, goal, registry, runs=runs, chosen=chosen, told=told)
    cures, sources = {each.name: each.cures for each in found}, {each.name: each.source for each in found}
    return Diagnosis(examined, goal, proof, cures, sources)


def _proof(proof: Proof) -> Iterator[str]:
    """Yield the table of a proof: what learned in how many of how many, with Wilson's 95 % intervals."""
    yield f"Proof: {counted(proof.runs, 'run')} with one thing changed each; learned is a skill of {proof.goal:g}."
    where = f"learned from epoch {proof.onset}" if proof.onset else ""
    yield f"  {'change':<14} {'learned from the start':<24} {'median':>8}  {'own seed':<10} {where}".rstrip()
    yield _row(proof.control, "")
    helpful = [trial for trial in proof.trials if trial.value]
    for trial in helpful:
        yield _row(trial, "cures" if trial.cures(proof.control) else "may help" if trial.is_fresh else "")
    if proof.trials and not proof.cures:
        yield "  None learns more often than other seeds do, by intervals that are apart."
        nearest = max(proof.trials, key=lambda trial: trial.median)
        if nearest.median > proof.control.median and not proof.is_luck:
            yield (
                f"  {nearest.change} comes nearest: a median skill of {nearest.median:.3g} instead of "
                f"{proof.control.median:.3g}; more than one thing may be wrong."
            )
    useless = [trial for trial in proof.trials if not trial.value]
    if useless:
        names = ", ".join(trial.change for trial in useless)
        yield from _wrapped(f"  Did not help in any of {min(t.start.of for t in useless)} runs each: {names}.", "  ")
    for name, reason in proof.impossible.items():
        yield from _wrapped(f"  {name} was not tried: {reason}.", "  ")


def _row(trial: Trial, verdict: str) -> str:
    own = "" if trial.own is None else "learns" if trial.own else "does not"
    onset = str(trial.onset or "")
    median = f"{trial.median:.3g}" if np.isfinite(trial.median) else "diverges"
    return f"  {trial.change:<14} {trial.start!s:<24} {median:>8}  {own:<10} {onset:<24} {verdict}".rstrip()


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent)

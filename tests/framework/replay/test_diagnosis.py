"""Diagnoses in words: what comes first, what is confirmed, and what is said where nothing is found."""

from dataclasses import replace

import pytest

import chainrule
from chainrule.analysis.shares import Share
from chainrule.errors import ConfigurationError
from chainrule.registry.loaded import installed
from chainrule.replay.changes import CONTROL
from chainrule.replay.diagnosis import diagnose
from chainrule.replay.instrumented import of_settings
from chainrule.replay.proof import Proof, Trial
from replaying import PLANE


def diagnosed(*words, **options):
    return diagnose(of_settings(chainrule.settings(*words)), installed(), **options)


@pytest.fixture(scope="module")
def unstable():
    return diagnosed(*PLANE, "optimizer.lr=2.1", runs=60, chosen=["rate/10", "l2"])


def test_a_cause_that_is_proven_comes_first_with_its_cure(unstable):
    assert not unstable.has_learned
    first = unstable.findings[0]
    assert unstable.confirmed(first)[0].change == "rate/10"
    assert "Proof: rate/10 cures it, in 25 of 25" in unstable.summary
    assert first.onset == 0


def test_the_text_has_every_number_that_it_needs(unstable):
    text = " ".join(str(unstable).split())
    assert "the learning rate is above 2 / lambda_max" in text
    assert "steps grow above 2 / lambda_max = 2 after 0 epochs" in text
    assert "of the exact Hessian" in text
    assert "confirmed by the proof: rate/10" in text
    assert "source: LeCun, Bottou, Orr & Mueller 1998, Efficient BackProp, section 5.1, eq. 38" in text
    assert "Trained again, it ends in the recorded bits." in text
    trial = unstable.proof.cures[0]
    assert str(trial.start) in text
    assert "Did not help in any of 3 runs each: l2." in text


def test_a_run_that_has_learned_is_not_tried():
    found = diagnosed(*PLANE, "optimizer.lr=0.5")
    assert found.has_learned
    assert found.proof is None
    assert str(found).startswith("The run has learned: its skill, R2 of the validation samples, is 1, and")


def test_without_runs_there_is_no_proof():
    found = diagnosed(*PLANE, "optimizer.lr=1e-9", runs=0)
    assert found.proof is None
    assert found.findings[0].symptom == "updates are far too small"
    assert found.summary.endswith("from the start.")


def test_where_no_single_change_cures_the_nearest_is_named():
    found = diagnosed("output=sigmoid", "training.epochs=3", "tracking=none", runs=20, chosen=["output", "l2"])
    assert "No single change that was tried cures it." in found.summary
    assert "output comes nearest: a median skill of" in str(found)


@pytest.mark.parametrize("goal", [0.0, 1.5, float("nan")])
def test_a_goal_that_nobody_or_everybody_has_is_refused(goal):
    with pytest.raises(ConfigurationError, match="The goal must be above 0 and at most 1"):
        diagnosed(*PLANE, "training.epochs=1", goal=goal)


@pytest.mark.parametrize(("learned", "is_luck"), [(64, True), (40, False)])
def test_a_run_that_learns_with_any_other_seed_is_called_unlucky(unstable, learned, is_luck):
    trial = Trial("rate/10", Share(25, 25), None, 0.99, own=True, is_fresh=True)
    control = Trial(CONTROL, Share(learned, 71), None, 0.99)
    found = replace(unstable, proof=Proof(0, 0.9, control, (trial,), {}, 96))
    said = f"With nothing but another seed it learns, in {control.start} runs: this one is unlucky."
    assert (said in found.summary) == is_luck
    assert ("With its own seed it learns by rate/10." in found.summary) == is_luck


def test_what_is_proven_is_told_first_and_all_else_in_the_order_of_reasons(unstable):
    first, *others = unstable.findings
    assert unstable.confirmed(first)
    assert others == [each for each in unstable.examined.findings if each != first]

"""The section of a report about what kept runs from learning."""

from pathlib import Path

from chainrule.records.why import BlamedEntry, SymptomEntry, Why, write_why
from chainrule.reports.why import section


def test_nobody_has_asked():
    assert section(Path()) is None


def test_counts_have_intervals_and_runs_are_named_up_to_eight():
    write_why(
        Path(),
        Why(
            goal=0.9,
            runs=30,
            failed=10,
            lost=1,
            different=0,
            when="2026-11-29T19:00:00+00:00",
            symptoms=[SymptomEntry(name="dead units", runs=list(range(10)), from_the_start=7)],
            blamed=[BlamedEntry(key="optimizer.lr", value="3", failed=10, runs=10, others_failed=0, others=20)],
        ),
    )
    found = section(Path())
    assert "On 2026-11-29 19:00 UTC" in found["answer"]
    assert "10 of 30 [19, 51 %] have not learned: their skill is below 0.9. 1 could not be" in found["answer"]
    (symptom,) = found["symptoms"]
    assert symptom == {"runs": 10, "name": "dead units", "start": 7, "later": 3, "which": "0, 1, 2, 3, 4, 5, 6, 7 ..."}
    assert found["blamed"] == [
        {"setting": "optimizer.lr=3", "own": "10 of 10 [72, 100 %]", "others": "0 of 20 [0, 16 %]"}
    ]

"""What was found of a sweep, beside its record."""

from pathlib import Path

import pytest

from chainrule.errors import RecordError
from chainrule.records.why import WHY, BlamedEntry, SymptomEntry, Why, read_why, write_why


def found(**changes):
    blamed = BlamedEntry(key="optimizer.lr", value="3", failed=10, runs=10, others_failed=0, others=20)
    symptom = SymptomEntry(name="dead units", runs=[1, 4], from_the_start=1)
    entries = {"goal": 0.9, "runs": 30, "failed": 10, "lost": 1, "different": 2, "when": "2026-11-29T19:00:00+00:00"}
    return Why(**entries | {"symptoms": [symptom], "blamed": [blamed]} | changes)


def test_it_is_read_as_it_was_written():
    assert read_why(Path()) is None
    write_why(Path(), found())
    again = read_why(Path())
    assert again.items() >= found().items()
    assert (again.symptoms[0].runs, again.blamed[0].others) == ([1, 4], 20)


@pytest.mark.parametrize("change", ["checksum", "no runs"])
def test_what_is_damaged_is_refused(change):
    blamed = BlamedEntry(key="seed", value="3", failed=0, runs=0, others_failed=0, others=20)
    write_why(Path(), found() if change == "checksum" else found(blamed=[blamed]))
    if change == "checksum":
        Path(WHY).write_bytes(Path(WHY).read_bytes().replace(b"dead", b"live"))
    with pytest.raises(RecordError, match=WHY):
        read_why(Path())

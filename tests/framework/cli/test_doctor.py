"""``chainrule doctor`` says what is wrong, and mends it where that is wanted."""

from pathlib import Path

import pytest

import chainrule
from chainrule.cli import doctor
from chainrule.errors import ChainruleError
from chainrule.records.faults import Fault


@pytest.fixture
def asked(monkeypatch):
    """A healthy environment with a tracker whose store has two faults; what was mended, and questions."""
    found = {"mended": [], "questions": [], "answer": False}

    class Tracker:
        name = "kept"

        def faults(self):
            yield Fault("store", "has a run twice", mend=lambda: found["mended"].append("twice"))
            yield Fault("store", "is far away", "Move it.")

    def confirmed(question):
        found["questions"].append(question)
        return found["answer"]

    monkeypatch.setattr(doctor.health, "environment_faults", lambda registry: [])
    monkeypatch.setattr(doctor, "own_tracker", lambda name: Tracker())
    monkeypatch.setattr(doctor, "confirmed", confirmed)
    return found


def test_what_is_wrong_is_said_and_mended_only_if_wanted(asked, capsys):
    with pytest.raises(ChainruleError, match=r"^2 things are wrong\.$"):
        doctor.main([])
    assert asked["questions"] == ["1 of these can be mended. Mend them?"]
    assert not asked["mended"]
    asked["answer"] = True
    with pytest.raises(ChainruleError, match=r"^1 thing is wrong\.$"):
        doctor.main([])
    assert asked["mended"] == ["twice"]
    out = capsys.readouterr().out
    assert "! store: has a run twice. It can be mended.\n! store: is far away. Move it.\n" in out


def test_mend_does_not_ask(asked):
    with pytest.raises(ChainruleError):
        doctor.main(["--mend"])
    assert (asked["questions"], asked["mended"]) == ([], ["twice"])


def test_what_cannot_be_mended_stays_wrong(asked, monkeypatch, capsys):
    def fail():
        raise OSError("no")

    monkeypatch.setattr(doctor, "own_tracker", lambda name: type("T", (), {"name": "t", "faults": lambda self: [
        Fault("store", "is odd", mend=fail)]})())  # fmt: skip
    with pytest.raises(ChainruleError, match="1 thing is wrong"):
        doctor.main(["--mend"])
    assert "chainrule: store: OSError: no" in capsys.readouterr().err


def test_a_tracker_that_cannot_be_reached_is_a_fault(asked, monkeypatch, capsys):
    def unreachable(self):
        raise ChainruleError("It is gone.")

    monkeypatch.setattr(doctor, "own_tracker", lambda name: type("T", (), {"name": "t", "faults": unreachable})())
    with pytest.raises(ChainruleError, match="1 thing is wrong"):
        doctor.main([])
    assert "! tracking=t: It is gone." in capsys.readouterr().out


def test_a_run_that_is_kept_is_no_fault(asked, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "own_tracker", lambda name: type("T", (), {"name": "t", "faults": lambda self: ()})())
    Path("run/checkpoints").mkdir(parents=True)
    Path("run/checkpoints/epoch-0000000007").touch()
    doctor.main(["run"])
    place = Path("run").absolute()
    said = (
        f"note: {place} holds a run that is kept up to epoch 7; `chainrule resume {place}` goes on.\nnothing is wrong\n"
    )
    assert capsys.readouterr().out.endswith(said)


def test_records_are_looked_at(asked, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "own_tracker", lambda name: type("T", (), {"name": "t", "faults": lambda self: ()})())
    chainrule.run("training.epochs=0", "tracking=none", directory="run")
    doctor.main(["run"])
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
    Path("run/weights.npz").unlink()
    with pytest.raises(ChainruleError, match="1 thing is wrong"):
        doctor.main(["run"])

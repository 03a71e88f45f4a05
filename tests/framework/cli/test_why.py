"""``chainrule why``: in this process."""

import errno
import os
from pathlib import Path

import pytest

import chainrule
from chainrule.cli import why
from chainrule.cli.report import main as write_again
from chainrule.cli.why import main
from chainrule.errors import ChainruleError
from chainrule.records.deleting import delete_sweep
from replaying import PLANE


def test_a_recorded_run_is_trained_again_and_diagnosed(capsys):
    chainrule.run(*PLANE, "optimizer.lr=2.1", directory="run", quiet=True)
    main(["run", "--runs", "30", "--change", "rate/10"])
    text = capsys.readouterr().out
    assert "The run has not learned" in text
    assert "ends in the recorded bits" in text
    assert "rate/10" in text.split("Proof:")[-1]
    assert str(chainrule.load("run").why(runs=30, changes=["rate/10"])) == text.rstrip("\n")


def test_settings_are_trained_first(capsys):
    main([*PLANE, "optimizer.lr=0.5", "--goal", "0.99", "--runs", "0"])
    assert "The run has learned" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--runs", "0"], ["--change", "l2"]])
def test_options_that_are_for_one_run_are_refused_for_a_sweep(option):
    Path("rates").mkdir()
    Path("rates/sweep.json").write_text("{}")  # which is not read then
    with pytest.raises(ChainruleError, match=r"^--runs and --change are for one run, but rates holds a sweep"):
        main(["rates", *option])


def test_a_sweep_that_can_only_be_read_is_answered_and_it_is_said_that_its_report_stays(capsys, monkeypatch):
    chainrule.sweep(*PLANE, "training.epochs=2", "seed=0,1", directory="rates", quiet=True)

    def refuse(directory, found):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{directory}/why.json")

    monkeypatch.setattr(why, "write_why", refuse)
    with pytest.raises(ChainruleError) as caught:
        main(["rates"])
    assert str(caught.value) == (
        "the report of the sweep does not show it, because rates/why.json cannot be written: Read-only file system."
    )
    assert "have not learned" in capsys.readouterr().out


def test_the_report_of_a_sweep_shows_what_was_found_also_when_it_is_written_again(capsys):
    words = ["training.epochs=20", "optimizer.lr=1e-9,0.5", "seed=range(3)"]
    swept = chainrule.sweep(*PLANE, *words, directory="rates", quiet=True)
    report = Path("rates/report.html")
    assert "What kept runs from learning" not in report.read_text()
    main(["rates"])
    text = capsys.readouterr().out
    assert "- 3: updates are far too small, 3 from the start and 0 later (runs 0, 1, 2)" in text
    assert text.splitlines()[-1] == f"The report shows it: {report.absolute()}"
    for turn in range(2):
        page = report.read_text()
        assert "What kept runs from learning" in page, turn
        assert "3 of 6 [19, 81 %] have not learned" in page
        assert "<td>updates are far too small</td>" in page
        write_again(["rates"])
    assert delete_sweep(swept.record) == []
    assert not Path("rates").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere"),
        (["a", "b"], "a b: name one run, or the settings of one as KEY=VALUE."),
        (["seed=1", "--change", "rat/10"], r"--change rat/10 is unknown \(did you mean 'rate/10'\?\); choose from"),
        (["seed=1", "--runs", "-1"], "--runs must be a whole number from 0 on, not -1."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words, complaint):
    with pytest.raises(ChainruleError, match=complaint):
        main(words)


def test_what_cannot_be_tried_is_refused_in_python():
    run = chainrule.run(*PLANE, "training.epochs=1", quiet=True)
    with pytest.raises(chainrule.ConfigurationError, match=r"^runs must be a whole number from 0 on, not -1\.$"):
        run.why(runs=-1)
    with pytest.raises(chainrule.ConfigurationError, match="'rat' is no change"):
        run.why(changes=["rat"])

"""Numbers that a study states are computed again from its runs."""

import json
import statistics
from pathlib import Path

import pytest

import chainrule
from chainrule.errors import RecordError
from chainrule.registry.loaded import installed
from chainrule.replay.studies import numbers_of
from chainrule.replay.verification import verify
from studies import EXPERIMENTS

RUNS = ["training.epochs=20", "training.batch_size=8", "optimizer.lr=0.05"]


def study(readme, *entries):
    Path("README.md").write_text(readme)
    Path("numbers.json").write_text(json.dumps(entries))
    return numbers_of(Path())


@pytest.fixture(scope="module")
def results():
    return chainrule.train([[*RUNS, f"seed={seed}"] for seed in range(8)])


def test_shares_medians_and_the_best(results):
    scores = [run.metrics["validation/r2"] for run in results]
    share = 100 * sum(score >= 0.5 for score in scores) / 8
    common = {"runs": RUNS, "seeds": 8}
    found = study(
        f"It learns in {share:.1f} % of the runs; median R2 {statistics.median(scores):.3f}, best {max(scores):.1%}.",
        {
            "stated": f"{share:.1f} % of the runs",
            "number": f"{share:.1f} %",
            "share": ["validation/r2", ">=", 0.5],
            **common,
        },
        {"stated": "median R2", "number": f"{statistics.median(scores):.3f}", "median": "validation/r2", **common},
        {"stated": "best", "number": f"{100 * max(scores):.1f} %", "best": "validation/r2", **common},
    )
    assert all(number.holds for number in found)
    assert str(found[0]) == f"stated {share:.1f} %, trained again the same"
    verified = verify(Path(), installed())
    assert verified.holds
    assert verified.summary == "3 of 3 numbers come to what is stated"


def test_a_number_that_is_another_and_a_text_that_is_gone_are_found():
    entry = {"stated": "90 % learn", "number": "90 %", "share": ["validation/r2", ">=", 2.0], "runs": RUNS, "seeds": 2}
    (found,) = study("Here 90 % of them learn.", entry)
    assert not found.holds
    assert str(found) == "stated 90 %, trained again 0 %; README.md does not have the text '90 % learn'"


def test_a_damaged_list_is_refused():
    Path("README.md").write_text("")
    Path("numbers.json").write_text("[{}]")
    with pytest.raises(RecordError, match=r"numbers.json cannot be read: KeyError: 'runs'"):
        numbers_of(Path())


LISTED = sorted(path.parent.name for path in EXPERIMENTS.glob("*/numbers.json"))


@pytest.mark.slow  # hundreds of runs
@pytest.mark.parametrize("name", LISTED)
def test_the_numbers_of_a_study_are_those_that_its_runs_come_to(name):
    found = verify(EXPERIMENTS / name, installed())
    assert found.numbers
    assert found.holds, str(found)


def test_the_texts_of_the_studies_are_in_their_readmes():
    assert LISTED
    for name in LISTED:
        readme = (EXPERIMENTS / name / "README.md").read_text()
        for entry in json.loads((EXPERIMENTS / name / "numbers.json").read_text()):
            assert entry["stated"] in readme
            assert entry["number"] in entry["stated"]

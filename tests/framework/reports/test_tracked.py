"""The report of runs that a tracker keeps."""

import io
from pathlib import Path

import pandas

from chainrule.analysis.tracked import Choices, tracked_outcomes
from chainrule.records.tracked import Status, TrackedRun, TrackedRuns
from chainrule.reports import tracked
from pages import parsed


def outcomes():
    runs = [
        TrackedRun(
            f"{lr}{seed}", Status.FINISHED, {"lr": lr, "seed": str(seed), "a<b": "7"}, {"accuracy": float(lr) + seed}
        )
        for lr in ("0.5", "0.25")
        for seed in range(7)
    ]
    return tracked_outcomes(TrackedRuns("mine & yours", "sqlite:///x.db", tuple(runs)), Choices())


def test_the_page_says_what_was_found_and_assumed():
    text = parsed(tracked.render(outcomes()))
    assert "Experiment: mine & yours The largest median accuracy is 3.5 over 7 seeds" in text
    assert (
        "Ranked by accuracy, assumed: larger values are better, assumed from its name. Seed: seed, assumed from" in text
    )
    assert "experiment mine & yours kept at sqlite:///x.db runs 14 of 14 count the same in all runs a<b=7" in text
    assert "rank lr runs" in text  # what is the same is no column


def test_the_table_of_runs_lies_beside_the_page():
    assert tracked.write_report(outcomes(), Path("page.html")) == (Path("page.html"), Path("page.csv"))
    found = pandas.read_csv(io.StringIO(Path("page.csv").read_text()))
    assert list(found) == ["run", "lr", "seed", "reason", "record", "accuracy"]
    assert found.groupby("lr")["accuracy"].median().to_dict() == {0.25: 3.25, 0.5: 3.5}
    parsed(Path("page.html").read_text())

"""What all reports of sweeps share."""

from pathlib import Path

import jinja2
import pytest

from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep, SweepManifest, new_sweep
from chainrule.reports import page
from pages import parsed


def sweep_of(runs=2, **entries):
    sweep = new_sweep(Path("/sweep"), ["-m", "seed=0,1", "optimizer.lr=0.1, 0.2"], Path("/"), {}, {})
    jobs = [{"overrides": [f"seed={number}"], "directory": str(number)} for number in range(runs)]
    return Sweep(sweep.directory, SweepManifest.checked({**sweep.manifest, "jobs": jobs, **entries}))


def outcome(number, reason, error="", **settings):
    return Outcome(number, f"d{number}", settings, 0, Reason(reason), {}, error)


def test_what_went_wrong_is_told_by_reason_and_the_most_frequent_comes_first():
    outcomes = [
        outcome(0, "epochs"),
        outcome(1, "failed", "no memory"),
        outcome(2, "diverged", lr=9),
        outcome(3, "failed", "broken"),
        outcome(4, "diverged", lr=9),
        outcome(5, "pruned"),
        outcome(6, "diverged", lr=9),
        outcome(7, "failed", "broken"),
    ]
    assert page.failures(outcomes) == [
        {"runs": 3, "why": f"{Reason.DIVERGED.words}, with lr=9", "which": "d2, d4, d6"},
        {"runs": 2, "why": "broken", "which": "d3, d7"},
        {"runs": 1, "why": "no memory", "which": "d1"},
    ]
    assert page.failures(outcomes[:1]) == []


def test_of_many_runs_and_many_reasons_some_are_named():
    one = [outcome(number, "failed", "broken") for number in range(9)]
    assert page.failures(one[:8])[0]["which"] == "d0, d1, d2, d3, d4, d5, d6, d7"
    assert page.failures(one)[0]["which"] == "d0, d1, d2, d3, d4, d5, d6, d7 ..."
    many = page.failures([outcome(number, "failed", f"error {number}") for number in range(60)])
    assert [failure["why"] for failure in many] == [f"error {number}" for number in range(50)]


def test_the_conditions_of_a_sweep():
    sweep = sweep_of(
        started="2026-11-28T10:00:00.500000+00:00",
        finished="2026-11-28T10:01:30.750000+00:00",
        environment={"user": "me", "git_commit": "abc"},
    )
    assert page.facts(sweep, [outcome(0, "epochs")]) == {
        "command": "chainrule -m seed=0,1 'optimizer.lr=0.1, 0.2'",
        "runs": "1 of 2 ended",
        "began": "2026-11-28 10:00:00 UTC",
        "took": "90.2 s",
        "directory": "/sweep",
        "user": "me",
        "git commit": "abc",
    }
    assert "took" not in page.facts(sweep_of(finished=None), [])


@pytest.mark.parametrize(("count", "step"), [(0, 1), (1, 1), (2000, 1), (2001, 2), (4000, 2), (4001, 3), (100_000, 50)])
def test_of_many_values_some_are_shown_evenly_spaced(count, step):
    shown = page.some(range(count))
    assert list(shown) == list(range(0, count, step))
    assert len(shown) <= 2000


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Renders a template of a test's own."""
    monkeypatch.setattr(page, "__file__", str(tmp_path / "page.py"))

    def _template(text, **content):
        (tmp_path / "mine.jinja").write_text(text)
        return page.render("mine.jinja", [outcome(0, "failed", "<b>")], {"runs": "1 of 2"}, **content)

    return _template


def test_whatever_is_put_into_a_page_is_escaped(template):
    assert template("{{ title }} {{ failures[0].why }}", title="a < b") == "a &lt; b &lt;b&gt;"


def test_a_variable_that_nobody_gives_is_an_error(template):
    with pytest.raises(jinja2.UndefinedError, match="answer"):
        template("{{ answer }}")


def test_the_usual_failures_may_be_replaced(template):
    assert template("{{ failures|length }} {{ facts.runs }}") == "1 1 of 2"
    assert template("{{ failures|length }} {{ facts.runs }}", failures=[]) == "0 1 of 2"


def test_a_page_has_its_title_its_answer_and_what_went_wrong():
    outcomes = [outcome(0, "failed", "broken <here>")]
    facts = page.facts(sweep_of(), outcomes)
    text = parsed(page.render("page.html.jinja", outcomes, facts, title="The & title", answer="An answer."))
    assert text.count("The & title") == 2
    assert "An answer." in text
    assert "What went wrong runs why which 1 broken <here> d0" in text
    assert "Conditions command chainrule -m seed=0,1" in text
    fine = parsed(page.render("page.html.jinja", [outcome(0, "epochs")], facts, title="t", answer="a"))
    assert "What went wrong" not in fine

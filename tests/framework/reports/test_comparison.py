"""The report of a comparison, and its numbers."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.engine.reason import Reason
from chainrule.records.comparison import Comparison
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep, SweepManifest, new_sweep
from chainrule.records.timing import CellEntry, Timing, write_timing
from chainrule.reports import comparison as report
from pages import parsed

RATES = (0.1, 0.2, 0.4)
PLAN = Comparison("activation", ("tanh", "relu"), ("sine", "wine"), {"optimizer.lr": "0.1,0.2,0.4"}, 3, 1, 8)


def loss(contender, target, rate, seed):
    """The best rate is 0.2 for all, and tanh is better than relu on every target with every seed."""
    return abs(rate - 0.2) + {"tanh": 1, "relu": 2}[contender] + {"sine": 0, "wine": 10}[target] + 0.01 * seed


def outcomes_of(plan=PLAN, value=loss, reason=lambda *_: "epochs", directory="/sweep", tried_rates=RATES):
    """The record of a comparison and the outcomes of its runs; every tuned contender has the rate 0.2."""
    jobs = {}
    for t, target in enumerate(plan.targets):
        for c, contender in enumerate(plan.contenders):
            for tuning in range(plan.tunings):
                tried = range(plan.points if plan.tuning_runs else 0)
                rates = [(number, tried_rates[point]) for point in tried for number in plan.tuning(t, c, tuning, point)]
                for number, rate in [*rates, *((number, 0.2) for number in plan.tuned(t, c, tuning))]:
                    jobs[number] = (contender, target, rate, number)
    made = new_sweep(Path(directory), ["compare"], Path("/"), {}, {}, comparison=plan)
    entries, outcomes = [], []
    for number, (contender, target, rate, seed) in sorted(jobs.items()):
        settings = {plan.group: contender, "target": target, "optimizer.lr": rate}
        overrides = [*(f"{key}={each}" for key, each in settings.items()), f"seed={seed}"]
        entries.append({"overrides": overrides, "directory": str(number)})
        became, found = Reason(reason(contender, target, rate, seed)), value(contender, target, rate, seed)
        metrics = {} if became == "failed" else {"validation/loss": found if math.isfinite(found) else None}
        error = "Broken: <no>" if became == "failed" else ""
        outcomes.append(Outcome(number, str(number), settings, seed, became, metrics, error))
    sweep = Sweep(made.directory, SweepManifest.checked({**made.manifest, "jobs": entries}))
    return sweep, SweepOutcomes(sweep, outcomes)


def numbers(outcomes):
    """What is written as JSON, read again as strictly as other programs may."""
    text = json.dumps(report.numbers(outcomes.comparison), allow_nan=False)
    return json.loads(text)


def test_the_numbers_are_those_of_the_comparison():
    sweep, outcomes = outcomes_of()
    found = numbers(outcomes)
    assert (found["format"], found["metric"], found["level"]) == (2, "validation/loss", 0.05)
    assert (found["group"], found["contenders"], found["targets"]) == ("activation", ["tanh", "relu"], ["sine", "wine"])
    assert found["runs"] == sweep.runs == 2 * 2 * (3 + 8)
    (pair,) = found["pairs"]
    assert (pair["better"], pair["worse"], pair["separated"]) == ("tanh", "relu", True)
    assert (pair["probability"], pair["interval"][1], pair["equivalent"]) == (1.0, 1.0, False)
    assert pair["by_target"] == {"sine": 1.0, "wine": 1.0}
    assert pair["ratios"]["sine"]["ratio"] > pair["ratios"]["wine"]["ratio"] > 1
    assert found["answer"] == f"{pair['verdict']}."
    assert [(each["contender"], each["better_than"]) for each in found["standings"]] == [
        ("tanh", ["relu"]),
        ("relu", []),
    ]
    first = found["results"][0]
    assert (first["target"], first["contender"], first["tuned"]) == ("sine", "tanh", [{"optimizer.lr": 0.2}])
    assert first["at_edge"] == []
    assert [each["point"]["optimizer.lr"] for each in first["tried"]] == list(RATES)
    assert [each["median"] for each in first["tried"]] == pytest.approx([1.1, 1.01, 1.22])
    assert first["losses"] == {str(seed): pytest.approx(1 + 0.01 * seed) for seed in PLAN.tuned(0, 0, 0)}
    assert (first["diverged"], first["failed"]) == (0, 0)
    assert found["profile"]["targets"] == ["sine", "wine"]
    assert found["profile"]["shares"]["tanh"][-1] == 1.0


def test_words_among_the_numbers_that_are_tried_are_no_edge_and_are_not_drawn():
    plan = dataclasses.replace(PLAN, space={"optimizer.lr": "0.2,0.4,0.8,null"}, points=4)
    sweep, outcomes = outcomes_of(
        plan, lambda contender, *_: {"tanh": 1, "relu": 2}[contender], tried_rates=(0.2, 0.4, 0.8, "null")
    )
    first = numbers(outcomes)["results"][0]
    assert [each["point"]["optimizer.lr"] for each in first["tried"]] == [0.2, 0.4, 0.8, "null"]
    assert first["at_edge"] == ["optimizer.lr"], "0.2 is the smallest number"
    assert "sine: validation/loss over optimizer.lr" in parsed(report.render(sweep, outcomes))


def test_what_is_not_finite_is_null():
    def lost(contender, target, rate, seed):
        return "failed" if contender == "relu" and target == "sine" and seed >= PLAN.tuning_runs else "epochs"

    _, outcomes = outcomes_of(reason=lost)
    relu = next(
        each for each in numbers(outcomes)["results"] if (each["contender"], each["target"]) == ("relu", "sine")
    )
    assert (relu["median"], relu["interval"], relu["failed"]) == (None, [None, None], 8)
    assert set(relu["losses"].values()) == {None}


def test_the_report_says_what_the_numbers_say():
    sweep, outcomes = outcomes_of()
    text = parsed(report.render(sweep, outcomes))
    assert text.count("Comparison: activation tanh, relu") == 2
    assert outcomes.comparison.answer in text
    assert PLAN.sentence in text
    assert "tanh relu 100 % (" in text
    assert "sine tanh optimizer.lr=0.2 " in text
    assert "not separated" not in text
    assert "What went wrong" not in text
    assert "diverged" not in text


def test_before_all_runs_have_ended_the_report_says_how_to_go_on(tmp_path):
    sweep, whole = outcomes_of(directory=tmp_path)
    part = SweepOutcomes(sweep, whole[:5])
    text = parsed(report.render(sweep, part))
    assert f"5 of 44 runs have ended: `chainrule resume {tmp_path}` goes on." in text
    assert "Which is better" not in text
    path = tmp_path / "report.html"
    assert report.write(sweep, part, path) == path
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    report.write(sweep, whole, path)
    assert json.loads((tmp_path / "comparison.json").read_text()) == numbers(whole)
    assert whole.comparison.answer in parsed(path.read_text())


def test_a_run_that_diverges_while_tuning_is_counted_and_is_no_failure():
    def diverged(contender, target, rate, seed):
        return "diverged" if (contender, rate) == ("relu", 0.4) else "epochs"

    text = parsed(report.render(*outcomes_of(reason=diverged)))
    assert "While tuning, 2 of 12 runs diverged or failed." in text
    assert "What went wrong" not in text


def test_where_every_point_diverged_this_is_told_without_a_figure():
    text = parsed(report.render(*outcomes_of(reason=lambda *_: "diverged")))
    assert "While tuning, 12 of 12 runs diverged or failed." in text
    assert "The median validation/loss of each point" not in text


def test_what_fails_is_told_whenever_it_does():
    def failed(contender, target, rate, seed):
        return "failed" if seed == 0 or (contender, target, seed % 2) == ("relu", "wine", 1) else "epochs"

    html = report.render(*outcomes_of(reason=failed))
    assert "<no>" not in html
    text = parsed(html)
    assert "What went wrong runs why which 7 Broken: <no> 0, 9, 11, 37, 39, 41, 43" in text, (
        "the first three runs were for tuning"
    )
    assert "Hollow dots at the right end are runs that diverged or failed" in text


def test_three_contenders_have_a_matrix_with_both_sides_of_each_pair():
    three = dataclasses.replace(PLAN, contenders=("tanh", "relu", "elu"))

    def value(contender, target, rate, seed):
        return loss("tanh" if contender == "elu" else contender, target, rate, seed % 8)

    sweep, outcomes = outcomes_of(three, value)
    rows = list(report._matrix(outcomes.comparison))
    shares = [[cell and cell["share"] for cell in row] for row in rows]
    assert shares == [[None, "100 %", "50 %"], ["0 %", None, "0 %"], ["50 %", "100 %", None]]
    assert [[cell and cell["sure"] for cell in row] for row in rows] == [
        [None, True, False], [True, None, True], [False, True, None],
    ]  # fmt: skip
    assert [cell and cell["colour"] for cell in rows[1]] == ["warn", None, "warn"]
    assert [cell and cell["depth"] for cell in rows[1]] == [40, None, 40]
    assert "the row wins against the column" in parsed(report.render(sweep, outcomes))


def test_runs_of_one_tuning_are_no_independent_facts_about_a_contender():
    """The interval of the median is that of the tunings' medians; what is told of the tuned values is their range."""
    several = dataclasses.replace(PLAN, seeds=2, tunings=6)
    sweep, outcomes = outcomes_of(several)
    first = numbers(outcomes)["results"][0]
    assert len(first["tuned"]) == 6
    medians = [1 + 0.01 * (several.tuned(0, 0, tuning)[0] + 0.5) for tuning in range(6)]
    assert first["interval"] == pytest.approx([min(medians), max(medians)])
    text = parsed(report.render(sweep, outcomes))
    assert several.sentence in text
    assert "rests on the differences between tunings" in text
    assert "rests on the differences between seeds" in parsed(report.render(*outcomes_of()))


def test_what_was_not_tuned_has_no_drawing_of_it():
    plain = dataclasses.replace(PLAN, points=1, space={})
    sweep, outcomes = outcomes_of(plain)
    text = parsed(report.render(sweep, outcomes))
    assert "nothing was tuned" in text
    assert "Tuning The median" not in text
    assert list(report._tuning(outcomes.comparison, "sine")) == []


@pytest.mark.parametrize(("largest", "drawn"), [(1000.0, 6), (5000.0, 5), (math.inf, 5)])
def test_losses_that_would_hide_all_others_are_not_drawn(largest, drawn):
    """Those above a thousand times the median, which is about 1.2, and those that are infinite."""

    def value(contender, target, rate, seed):
        return largest if (contender, rate) == ("relu", 0.4) else 1.0 + rate

    _, outcomes = outcomes_of(value=value)
    (figure,) = report._tuning(outcomes.comparison, "sine")
    assert figure["caption"] == "sine"
    assert figure["svg"].count('class="spot') == drawn


def test_factors_have_no_meaning_where_losses_are_not_positive():
    def value(contender, target, rate, seed):
        return loss(contender, target, rate, seed) - (100 if target == "wine" else 0)

    _, outcomes = outcomes_of(value=value)
    caption = report.profile(outcomes.comparison)["caption"]
    assert "averaged over sine:" in caption
    assert caption.endswith("Factors have no meaning on wine, where losses are 0, negative or infinite.")
    assert "Factors have no meaning" not in report.profile(outcomes_of()[1].comparison)["caption"]


def timed(directory, factor):
    cells = [
        CellEntry(target=target, contender=contender, seconds=[own] * 5, updates=7, gradients=7.0, epochs=100)
        for target in PLAN.targets
        for contender, own in zip(PLAN.contenders, (1e-5, factor * 1e-5), strict=True)
    ]
    write_timing(directory, Timing(runs=16, cells=cells, note=""))


def test_the_page_says_what_it_costs(tmp_path):
    sweep, outcomes = outcomes_of(directory=tmp_path)
    path = tmp_path / "report.html"
    report.write(sweep, outcomes, path)
    assert "What it costs" not in parsed(path.read_text()), "earlier versions measured nothing"
    timed(tmp_path, 2)
    report.write(sweep, outcomes, path)
    text = parsed(path.read_text())
    assert "What it costs activation time of a step time of a run tanh 1 0.007 s relu 2 0.014 s A step is" in text
    assert "At equal time" not in text, "there are no records with curves"
    assert report.changed_at_equal_time(sweep) == []
    write_timing(tmp_path, Timing(runs=16, cells=[], note="The time of a step was not measured: it is <odd>."))
    report.write(sweep, outcomes, path)
    assert "What it costs The time of a step was not measured: it is <odd>." in parsed(path.read_text())


@pytest.mark.parametrize(
    ("cost", "sentences"),
    [({"equal_time": {"changes": ["It is."]}}, ["It is."]), ({"equal_time": None}, []), (None, [])],
)
def test_what_changes_at_equal_time_is_in_the_numbers(tmp_path, cost, sentences):
    sweep, _ = outcomes_of(directory=tmp_path)
    assert report.changed_at_equal_time(sweep) == []
    (tmp_path / report.NUMBERS).write_text(json.dumps({"cost": cost}))
    assert report.changed_at_equal_time(sweep) == sentences
    (tmp_path / report.NUMBERS).write_text("{}")
    assert report.changed_at_equal_time(sweep) == []

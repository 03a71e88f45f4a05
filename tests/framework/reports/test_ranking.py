"""The page that ranks settings."""

import math
import re

import numpy as np
import pytest

from chainrule.analysis.outcomes import Outcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.reports import ranking
from pages import parsed


def outcomes_of(value, maximize=False, seeds=8, seeded=True, **lists):
    (key, values), *others = lists.items()
    found = []
    for place, own in enumerate(values):
        for seed in range(seeds):
            settings = {key: own, **{name: other[place] for name, other in others}}
            number = value(own, seed)
            reason = Reason.FINISHED if math.isfinite(number) else Reason.DIVERGED
            metrics = {"score": number if math.isfinite(number) else None}
            error = "" if math.isfinite(number) else "score not finite"
            found.append(
                Outcome(len(found), f"k{len(found)}", settings, seed if seeded else None, reason, metrics, error)
            )
    return Outcomes(found, "score", maximize)


def page(outcomes, **content):
    keys = list(dict.fromkeys(key for outcome in outcomes for key in outcome.settings))
    return ranking.render("T", outcomes, {"fact": "f"}, keys=keys, planned=len(outcomes), **content)


def test_the_largest_is_the_best_if_large_values_are_good():
    many = outcomes_of(lambda x, seed: x + seed / 1000, True, x=[0.1, 0.4, 0.2], seeds=9)
    said = ranking.answer(many, len(many))
    assert "The largest median score is 0.404 over 9 seeds" in said
    assert said.endswith("with x=0.4. Its interval lies above that of the next, x=0.2.")
    text = parsed(page(many))
    assert "score, larger is better" in text
    assert re.search(r"1 0\.4 9 0\.404 .*2 0\.2 9 0\.204 .*3 0\.1 9 0\.104", text)
    near = outcomes_of(lambda x, seed: x + seed, True, x=[0.1, 0.4], seeds=9, seeded=False)
    assert "do not separate it from x=0.1: more runs may separate them" in ranking.answer(near, 18)


def test_lost_runs_are_the_worst_on_either_side():
    lost = outcomes_of(lambda x, seed: math.nan if seed < 3 else x, True, x=[1.0, 2.0])
    html = page(lost)
    assert "Hollow dots at the left end" in html
    assert re.findall(r'class="dot lost" cx="([\d.]+)"', html) == ["6.0"] * 6
    assert "score not finite, with x=1.0" in html
    assert "-inf to 2" in parsed(html)
    assert "No setting reached a finite score" in ranking.answer(outcomes_of(lambda x, seed: math.nan, True, x=[1]), 8)


def test_it_is_said_that_quartiles_are_not_interpolated_and_they_are_numpys():
    found = outcomes_of(lambda x, seed: seed, x=[1.0], seeds=10)
    assert "Quartiles are values of single runs, not interpolated." in parsed(page(found))
    low, high = np.quantile(range(10), [0.25, 0.75], method="inverted_cdf")
    assert found.ranking[0].quartiles == (low, high) != tuple(np.quantile(range(10), [0.25, 0.75]))


def test_a_column_of_strips_has_an_axis_and_says_its_scale():
    assert "from 1 to 2 linear scale 1 1.2 1.4 1.6 1.8 2" in parsed(page(outcomes_of(lambda x, seed: x, x=[1.0, 2.0])))
    assert "from 0.01 to 10 log scale 0.01 0.1 1 10" in parsed(page(outcomes_of(lambda x, seed: x, x=[0.01, 10.0])))
    assert "scale" not in parsed(page(outcomes_of(lambda x, seed: math.nan, x=[1.0])))


def test_notes_and_facts_are_told_and_long_values_cut():
    long = "<" + "x" * 100
    html = page(outcomes_of(lambda x, seed: seed, name=[long, "b"]), notes=["Seed: <s>."])
    assert "<li>Seed: &lt;s&gt;.</li>" in html
    assert f"<td>&lt;{'x' * 55} ...</td>" in html
    assert "Conditions fact f" in parsed(html)


def test_what_is_not_drawn_is_counted():
    many = outcomes_of(lambda x, seed: math.nan if (x, seed) == (3, 0) else x, x=[1, 2, 3])
    assert "Each run's score, over x. 1 without a finite value are not drawn." in parsed(page(many))
    assert "Parameters" in parsed(page(many))
    assert "Curves and parameters" in parsed(page(many, curves=[{"svg": "", "caption": "c", "legend": []}]))


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"x": [1, 2]}, "Both are about all runs"),
        ({"x": [1, 2, 3], "y": [5, 8, 6]}, "Both are about the points' medians"),
        ({"x": [1, 1, 2, 2, 3, 3], "y": [5, 6, 5, 7, 8, 9]}, "Of runs: all runs"),
    ],
)
def test_it_is_said_what_shares_are_about(lists, words):
    many = outcomes_of(lambda x, seed: x + seed % 3, **lists)
    assert words in parsed(page(many))

"""What a notebook shows."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep, SweepManifest, new_sweep
from chainrule.reports import fragment
from pages import parsed

SHORT = ["training.epochs=6", "training.batch_size=8", "tracking=none"]
MOST = 200_000  # characters


def alone(html):
    """Check that a piece needs nothing else, and touches nothing else; return its text."""
    assert len(html) < MOST
    assert not re.search(r"<script|<link|<img|@import|url\(|src=|<body|<html", html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    for selectors in re.findall(r"([^{}]+)\{", style):
        assert all(each.strip().startswith(".chainrule") for each in selectors.split(",")), selectors
    return parsed(html)


def test_a_run_shows_its_network_its_curves_its_scores_and_its_settings():
    run = chainrule.run(*SHORT, "activation=tanh", "optimizer.lr=0.03", directory="run")
    html = run._repr_html_()
    text = alone(html)
    assert html.count("<polyline") == 2
    assert 'aria-label="network 2-2-2-1"' in html
    for name in ("train/loss", "validation/r2"):
        assert f"{run.metrics[name]:.5g}" in text
    assert "gradient_descent (" in text
    assert str(run.record.directory) in text
    assert chainrule.load("run")._repr_html_() == html


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer.lr=1e9"],
        ["training.epochs=0"],
        ["network.hidden=[]", "data.validation=0"],
        ["activation=[tanh,prelu]", "norm=layer_norm", "transforms=[clip,ema]"],
        ["activation=maxout", "network.hidden=[3,2]"],
        ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[300]", "data.test=0.1"],
    ],
)
def test_whatever_a_run_is_it_can_be_shown(overrides):
    alone(chainrule.run(*SHORT, *overrides)._repr_html_())


def test_of_several_pieces_the_largest_weight_is_drawn():
    weights = np.array([[1.0, -2.0], [0.5, 3.0], [-4.0, 1.0], [0.25, -5.0]])  # two pieces of two units
    result = SimpleNamespace(weights=[weights], shape=SimpleNamespace(widths=(2, 2)))
    np.testing.assert_array_equal(fragment._between_units(result)[0], [[-4.0, -2.0], [0.5, -5.0]])


def test_names_are_escaped():
    made = chainrule.run(*SHORT)
    html = fragment.run(made, {"<b>": "http://x/<script>", "later": "a & b"})
    assert "&lt;b&gt;" in html
    assert '<a href="http://x/&lt;script&gt;">' in html
    assert "<code>a &amp; b</code>" in html


def swept(settings, seeds, value):
    jobs = [(each, seed) for each in settings for seed in range(seeds)]
    overrides = [[*(f"{key}={v}" for key, v in each.items()), f"seed={seed}"] for each, seed in jobs]
    sweep = new_sweep(Path("/sweep"), [], Path("/"), {}, {})
    entries = [{"overrides": each, "directory": str(n)} for n, each in enumerate(overrides)]
    sweep = Sweep(Path("/sweep"), SweepManifest.checked({**sweep.manifest, "jobs": entries}))
    outcomes = [
        Outcome(n, str(n), each, seed, Reason.EPOCHS, {"train/loss": value(n)}) for n, (each, seed) in enumerate(jobs)
    ]
    return SweepOutcomes(sweep, outcomes)


@pytest.mark.slow
def test_a_large_sweep_stays_small_and_counts_what_is_not_shown(monkeypatch):
    found = swept([{"optimizer.lr": n / 7} for n in range(100)], 500, lambda n: (n * 7919 % 10007) / 7)

    @dataclass
    class Curves:
        epochs = np.arange(20_000)
        values = {"train/loss": np.random.default_rng(0).random(20_000)}  # noqa: RUF012

    monkeypatch.setattr(SweepOutcomes, "curves", lambda self, outcomes: ((o, Curves()) for o in outcomes))
    html = fragment.sweep(found, "The answer.", {})
    text = alone(html)
    assert "88 more settings are not shown." in text
    assert "500 runs, median" in html
    assert html.count("<polyline") == 5 * 3  # medians, and quartiles as edges, because so many bands would be one


def test_a_sweep_shows_its_ranking_and_its_curves():
    found = chainrule.sweep("seed=0,1", "activation=tanh,relu", *SHORT, directory="s", quiet=True)
    html = found._repr_html_()
    text = alone(html)
    assert found.answer in " ".join(text.split())
    assert html.count("<polyline") == 2
    assert text.index("tanh") > 0
    assert "report.html" in text


def test_what_has_no_runs_or_no_curves_is_shown():
    assert "None of 2 runs" in alone(fragment.sweep(swept([], 0, float), "None of 2 runs has ended yet.", {}))
    alone(fragment.sweep(swept([{"a": "<i>"}, {"a": 2}], 1, float), "The answer.", {}))


def test_a_comparison_shows_its_answer_its_pairs_and_its_profile():
    few = {"budget": 2, "tunings": 2, "tuning_seeds": 1, "seeds": 2, "quiet": True}
    found = chainrule.compare("activation=tanh,relu", *SHORT, targets="sine", **few, directory="c")
    html = found._repr_html_()
    text = alone(html)
    assert found.comparison.answer in " ".join(text.split())
    assert "the first wins" in text
    assert html.count("<polyline") == 2

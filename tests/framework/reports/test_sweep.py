"""Reports of sweeps."""

import math
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.analysis.ranking import groups
from chainrule.analysis.wording import digits
from chainrule.engine.curves import Curves
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Outcome
from chainrule.records.sweep import Sweep, SweepManifest, new_sweep
from chainrule.reports import best
from chainrule.reports.best import Best
from chainrule.reports.curves import lines
from chainrule.reports.sweep import render
from chainrule_console.sweep import summary
from pages import parsed


def sweep_of(settings, seeds, directory="/sweep"):
    jobs = [[*(f"{k}={v}" for k, v in chosen.items()), f"seed={seed}"] for chosen in settings for seed in range(seeds)]
    sweep = new_sweep(Path(directory), ["-m", "x=1,2"], Path("/"), {}, {})
    entries = [{"overrides": overrides, "directory": str(number)} for number, overrides in enumerate(jobs)]
    return Sweep(sweep.directory, SweepManifest.checked({**sweep.manifest, "jobs": entries}))


def outcomes_of(sweep, value):
    found = []
    for number in range(sweep.runs):
        settings = sweep.settings(number)
        seed = settings.pop("seed", 0)
        loss = value(settings, seed)
        reason = "failed" if loss is None else "diverged" if math.isinf(loss) else "epochs"
        metrics = {} if loss is None else {"validation/loss": None if math.isinf(loss) else loss}
        found.append(
            Outcome(
                number, str(number), settings, seed, Reason(reason), metrics, "Broken: <no>" if loss is None else ""
            )
        )
    return SweepOutcomes(sweep, found)


def test_of_many_targets_some_best_runs_are_shown(monkeypatch):
    many = [Best(str(number), "", SimpleNamespace(directory="d"), "", None) for number in range(30)]
    monkeypatch.setattr(best, "of", lambda outcomes: iter(many))
    monkeypatch.setattr(best, "_losses", lambda record: [])
    monkeypatch.setattr(Best, "command", "chainrule")
    assert [each["where"] for each in best.content(None)] == [f" on {number}" for number in range(20)]


@pytest.mark.parametrize(
    ("plugins", "command"),
    [
        ({"chainrule:rules": "0.1.0", "plugins/mine.py:mine": ""}, "chainrule activation=foo seed=1"),
        (
            {"__main__:Foo": "", "chainrule:rules": "0.1.0"},
            "chainrule.run('activation=foo', 'seed=1') in Python, where Foo is declared",
        ),
    ],
)
def test_a_run_is_repeated_by_a_command_unless_a_program_declares_its_classes(plugins, command):
    entries = {key: SimpleNamespace(version=version) for key, version in plugins.items()}
    record = SimpleNamespace(manifest=SimpleNamespace(plugins=entries, overrides=["activation=foo", "seed=1"]))
    assert Best("", "", None, "", record).command == command


def test_the_report_says_what_the_ranking_says():
    sweep = sweep_of([{"optimizer.lr": rate} for rate in (0.1, 0.2, 0.4)], 8)
    many = outcomes_of(sweep, lambda settings, seed: settings["optimizer.lr"] + 0.001 * seed)
    text = parsed(render(sweep, many))
    best = groups(many, "validation/loss")[0]
    assert f"The smallest median validation/loss is {best.median:.5g} over 8 seeds" in text
    assert "Its interval lies below that of the next, optimizer.lr=0.2." in text
    for group in groups(many, "validation/loss"):
        assert f"{group.median:.5g} {group.quartiles[0]:.3g} to {group.quartiles[1]:.3g}" in text
    assert "24 of 24 ended" in text


def test_what_the_data_do_not_separate_is_said():
    sweep = sweep_of([{"activation": name} for name in ("tanh", "relu")], 8)
    text = parsed(render(sweep, outcomes_of(sweep, lambda settings, seed: 1.0 + seed)))
    assert "do not separate it from activation=relu" in text
    few = sweep_of([{"activation": name} for name in ("tanh", "relu")], 3)
    assert "With fewer than 7 seeds per setting" in parsed(
        render(few, outcomes_of(few, lambda settings, seed: 1.0 + seed))
    )


def test_what_went_wrong_is_counted_and_escaped():
    sweep = sweep_of([{"path": "<script>alert(1)</script>"}, {"path": "b"}], 6)
    many = outcomes_of(sweep, lambda settings, seed: {0: None, 1: math.inf}.get(seed, 1.0))
    html = render(sweep, many)
    assert "<script>" not in html
    text = parsed(html)
    assert "2 Broken: <no> 0, 6" in text
    assert f"{Reason.DIVERGED.words}, with path=b" in text
    failed = parsed(render(sweep, outcomes_of(sweep, lambda settings, seed: None)))
    assert "b 6 failed" in failed
    assert "inf to inf" not in failed


def test_the_line_of_a_curve_is_the_median():
    values = np.array([4.0, 1.0, 8.0, 2.0])
    curves = [Curves(np.array([0, 5]), {"train/loss": np.array([value, value / 2])}) for value in values]
    (series,) = lines({"four": curves}, "train/loss")
    assert series.middle == [(0, 3.0), (5, 1.5)]
    assert (series.low, series.high) == ([(0, 1.0), (5, 0.5)], [(0, 4.0), (5, 2.0)])


@pytest.mark.parametrize("value", [lambda s, seed: None, lambda s, seed: math.inf, lambda s, seed: 1.0])
@pytest.mark.parametrize(("settings", "seeds"), [([{}], 1), ([{"a": 1}, {"a": 2}], 1), ([{}], 9)])
def test_little_to_report_is_no_error(value, settings, seeds):
    sweep = sweep_of(settings, seeds)
    assert "Ranking" in parsed(render(sweep, outcomes_of(sweep, value)))
    assert "has ended yet" in parsed(render(sweep, SweepOutcomes(sweep, [])))


@pytest.mark.slow
def test_ten_thousand_runs_make_a_small_report_soon():
    sweep = sweep_of([{"optimizer.lr": 0.001 * rate} for rate in range(1000)], 10)
    many = outcomes_of(sweep, lambda settings, seed: settings["optimizer.lr"] + seed)
    html = render(sweep, many)
    assert len(html) < 3_000_000
    assert "800 more settings are not shown" in parsed(html)


def test_the_best_run_is_named_with_its_command_its_losses_and_its_record():
    words = ["activation=tanh,relu", "seed=0,1", "training.epochs=3", "tracking=none"]
    found = chainrule.sweep(*words, directory="here", quiet=True)
    best = found.best
    text = parsed(Path("here/report.html").read_text())
    name = f"activation={best.settings.activation.name}, seed={best.settings.seed}"
    value = f"final validation/loss {digits(best.metrics['validation/loss'], 6)}"
    assert re.sub(r"\W+", " ", f"{name}: {value}; its record is {best.record.directory.name}. To repeat it") in re.sub(
        r"\W+", " ", text
    )
    command = shlex.join(["chainrule", *best.record.manifest.overrides])
    assert command in text
    assert "Its losses over epochs." in text
    lines = "\n".join(summary(found.record, found))
    assert re.search(rf"best run +{re.escape(f'{best.record.directory}: {value}')}", lines)
    assert re.search(rf"to repeat it +{re.escape(command)}", lines)
    shutil.rmtree(best.record.directory)
    assert "The best run" not in render(found.record, found), "whose record is gone"

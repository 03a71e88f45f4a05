"""The misprints turn the gradient by what the study says, and their runs end at higher losses."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import r2_score

import chainrule
from chainrule.config.compose import compose_settings
from studies import load, small


@pytest.fixture(scope="module")
def printed():
    return load("errata", "printed")


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    _, rows = small("errata", "printed")
    (worse,) = [row for row in rows if row[0] == "the printed rules end at a higher loss"]
    share, p = float(worse[1].split(" %")[0]), float(worse[1].split("p = ")[1])
    assert p == pytest.approx(2 * binom.sf(round(share / 5) - 1, 20, 0.5), rel=0.05), "the sign test, by hand"
    assert p < 0.01
    assert {row[0]: row[1] for row in rows[1:7]} == {
        "dL/dW1": "0.94", "dL/db1": "0.61", "dL/dW2": "0.92", "dL/db2": "0.00", "dL/dW3": "0.00", "dL/db3": "0.00",
    }  # fmt: skip
    exact = next(row for row in rows if row[0] == "exact")
    assert float(exact[1].split(" %")[0]) <= float(exact[2].split(" %")[0]), "who has learned has reached it"
    start = next(row for row in rows if row[0] == "0")
    assert start[1] == start[2], "both begin at the same parameters"


def test_the_angle_is_that_of_the_steps(printed):
    """One step of each rule from the same start, over all samples, is the gradient times the rate."""
    steps = []
    for rule in printed.RULES:
        words = ["experiment=errata", f"rule={rule}", "training.batch_size=null", "training.epochs=1"]
        run = chainrule.prepare(compose_settings(words))
        steps.append(chainrule.train([run])[0].theta - run.theta)
    cosine = steps[0] @ steps[1] / np.linalg.norm(steps[0]) / np.linalg.norm(steps[1])
    (start,) = chainrule.train([chainrule.prepare(compose_settings(["experiment=errata", "training.epochs=0"]))])
    assert printed.angle(start) == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-6)


def test_the_angles_follow_the_run_itself(printed):
    whole = printed.angles("exact", range(2), (0, 5))
    settings = compose_settings(["experiment=errata", "rule=exact", "training.epochs=5", "seed=1"])
    (alone,) = chainrule.train([chainrule.prepare(settings)])
    assert whole[1, 1] == printed.angle(alone)


@pytest.mark.slow
def test_a_run_has_reached_what_any_shorter_one_ends_with(printed, tmp_path, monkeypatch):
    """Training is repeatable, so each point of a curve is the end of a shorter run, which scikit-learn scores."""
    words = ["seed=range(3)", "training.epochs=6", "training.measure_every=1"]
    found = printed.swept(tmp_path / "sweep", *words, "tracking=none", "hydra.launcher.workers=1")["exact"]
    best = []
    for record in found:
        settings = chainrule.settings_of(record)
        scores = []
        for epochs in range(7):
            training = replace(settings.training, epochs=epochs)
            (end,) = chainrule.train([replace(settings, training=training)])
            x, y = end.samples.raw(end.samples.validation)
            scores.append(r2_score(y[0], end.predict(x)[0]))
        best.append(max(scores))
    for goal in (0, *(score + move for score in best for move in (-1e-9, 1e-9))):
        monkeypatch.setattr(printed, "GOAL", goal)
        assert printed.reached(found) == sum(score >= goal for score in best)


@pytest.mark.parametrize("rule", ["as_printed", "tied", "exact"])
def test_the_two_units_of_a_layer_keep_the_difference_of_their_weights(printed, rule):
    """But not by the exact rule; both rows of a printed weight gradient are equal, and so are those of tied units."""
    settings = compose_settings(["experiment=errata", "training.epochs=100"])
    chosen = printed.Tied() if rule == "tied" else chainrule.component("rule", rule)
    run = chainrule.prepare(replace(settings, rule=chosen))
    (result,) = chainrule.train([run])
    start, _ = run.shape.split(run.theta)
    for before, after in zip(start[:2], result.weights[:2], strict=True):
        assert np.abs(after - before).max() > 0.01
        changed = np.abs(np.diff(after, axis=0) - np.diff(before, axis=0)).max()
        assert (changed > 0.01) if rule == "exact" else (changed < 1e-9)

"""Effects and interactions, against SciPy, closed cases and simulations."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from chainrule.analysis import effects as module
from chainrule.analysis.effects import effects, interactions
from chainrule.records.outcome import Outcome
from sizes import one_in

LOSS = "validation/loss"


def outcome(number, value, seed=None, reason="epochs", **settings):
    metrics = {} if reason == "failed" else {LOSS: value}
    return Outcome(number, str(number), settings, number if seed is None else seed, reason, metrics)


def found(outcomes):
    return {effect.parameter: effect for effect in effects(outcomes, LOSS)}


def drawn(rng, points, seeds, value):
    """Points drawn at random, each with several seeds."""
    outcomes = []
    for _ in range(points):
        settings = {"idle": rng.random(), "rate": rng.random(), "kind": "ab"[rng.integers(2)]}
        middle = value(settings, rng)
        for seed in range(seeds):
            outcomes.append(outcome(len(outcomes), middle + 0.1 * rng.normal(), seed, **settings))
    return outcomes


def grid(rng, seeds, value):
    """Three rates, two kinds, and a parameter without an effect, with the same seeds each."""
    of_seed = rng.normal(size=seeds)
    cells = [(rate, kind, idle) for rate in range(3) for kind in "ab" for idle in "xyz"]
    return [
        outcome(i * seeds + s, value(rate, kind) + of_seed[s] + rng.normal(), s, rate=rate, kind=kind, idle=idle)
        for i, (rate, kind, idle) in enumerate(cells)
        for s in range(seeds)
    ]


@pytest.fixture
def fewer(monkeypatch):
    """Fewer exchanges, enough for hundreds of sweeps."""
    monkeypatch.setattr(module, "EXCHANGES", 199)


def test_the_largest_share_comes_first():
    rng = np.random.default_rng(1)
    many = drawn(rng, 120, 1, lambda settings, rng: 5 * settings["rate"] + (settings["kind"] == "a"))
    shares = found(many)
    assert list(shares) == ["rate", "kind", "idle"]
    assert shares["rate"].share > 0.7
    assert shares["rate"].p == 1 / 2000
    assert shares["idle"].share < 0.05
    assert [effect.units for effect in shares.values()] == ["points"] * 3
    assert [runs for _, _, runs in shares["rate"].levels] == [24] * 5
    assert sum(runs for _, _, runs in shares["kind"].levels) == 120


def test_with_points_it_is_epsilon_squared_and_the_p_value_of_kruskal_and_wallis():
    rng = np.random.default_rng(2)
    samples = [rng.random(size) + 0.1 * size for size in (9, 13, 11)]
    values = [(level, value) for level, sample in enumerate(samples) for value in sample]
    effect = found([outcome(i, value, level=str(level), drawn=i) for i, (level, value) in enumerate(values)])["level"]
    expected = stats.kruskal(*samples)
    count, levels = len(values), len(samples)
    eta = expected.statistic / (count - 1)
    assert effect.share == pytest.approx(1 - (1 - eta) * (count - 1) / (count - levels), abs=0.01)
    assert effect.p == pytest.approx(expected.pvalue, abs=0.02)


def test_in_a_grid_of_one_parameter_the_p_value_is_that_of_exchanges_within_seeds():
    """Each of 6 runs with one value is better than that with the other: by chance this happens twice in 2^6 times."""
    many = [outcome(2 * s + i, 10 * s + i, s, level="xy"[i]) for s in range(6) for i in range(2)]
    (effect,) = effects(many, LOSS)
    assert effect.units == "runs"
    assert effect.p == pytest.approx(2 / 2**6, abs=0.01)


@pytest.mark.parametrize(("points", "seeds"), one_in(3, [(30, 5), (30, 1), (20, 10)]))
def test_seeds_of_a_point_are_not_independent_facts_about_its_parameters(fewer, points, seeds):
    """What has no effect is rarely said to have one, however many seeds each point has."""
    rng = np.random.default_rng(3)
    seen = [found(drawn(rng, points, seeds, lambda _, rng: rng.normal()))["idle"] for _ in range(200)]
    assert np.mean([effect.p <= 0.05 for effect in seen]) <= 0.08
    assert np.mean([effect.share for effect in seen]) < 0.1


@pytest.mark.parametrize("rate", [0.0, 2.0])
def test_what_has_no_effect_in_a_grid_is_rarely_said_to_have_one(fewer, rate):
    rng = np.random.default_rng(4)
    seen = [found(grid(rng, 3, lambda value, _: rate * value))["idle"] for _ in range(200)]
    assert np.mean([effect.p <= 0.05 for effect in seen]) <= 0.08


def test_a_grid_shows_a_small_effect_beside_a_large_one():
    rng = np.random.default_rng(5)
    shares = found(grid(rng, 20, lambda rate, kind: 20.0 * rate + (kind == "a")))
    assert shares["kind"].p == 1 / 2000
    assert shares["rate"].share > 0.8


def test_an_interaction_is_found_and_a_sum_of_effects_is_none(fewer):
    rng = np.random.default_rng(6)
    for make, both, alone in (
        (lambda value: grid(rng, 5, value), lambda rate, kind: 2 * (rate - 1) * (-1) ** (kind == "a"), lambda r, k: r),
        (
            lambda value: drawn(rng, 60, 3, lambda s, _: value(s["rate"], s["kind"]) + 0.2 * rng.normal()),
            lambda rate, kind: (rate - 0.5) * (-1) ** (kind == "a"),
            lambda rate, kind: rate + (kind == "a"),
        ),
    ):
        many = make(both)
        (pair,) = interactions(many, LOSS, effects(many, LOSS))
        assert set(pair.parameters) == {"rate", "kind"}
        assert pair.share > 0.15
        seen = []
        for _ in range(20):
            many = make(alone)
            seen.append(bool(interactions(many, LOSS, effects(many, LOSS))))
        assert np.mean(seen) <= 0.2  # 5 % are expected; more than 4 of 20, once in 400 times


def test_of_equal_runs_one_counts():
    different = [outcome(i, 1.0 + i % 3, rate=0.1 * (1 + i // 3)) for i in range(6)]
    repeated = [dataclasses.replace(one, number=one.number + 6) for one in different]
    assert effects([*different, *repeated], LOSS) == effects(different, LOSS)


def test_little_to_compare_is_no_error():
    assert effects([], LOSS) == []
    assert interactions([], LOSS, []) == []
    failed = [outcome(i, 0.0, reason="failed", rate=i % 2) for i in range(8)]
    (effect,) = effects(failed, LOSS)
    assert (effect.share, effect.p) == (0.0, None)
    (single,) = effects([outcome(0, 1.0, rate=1)], LOSS)
    assert (single.share, single.p) == (0.0, None)


def test_where_large_values_are_good_effects_are_those_of_the_negative_values():
    rng = np.random.default_rng(5)
    runs = grid(rng, 4, lambda rate, kind: 4 * rate * (1 if kind == "a" else -1))
    runs = [dataclasses.replace(run, metrics={LOSS: None}) if run.number % 7 == 0 else run for run in runs]
    negative = [
        dataclasses.replace(run, metrics={LOSS: None if run.metrics[LOSS] is None else -run.metrics[LOSS]})
        for run in runs
    ]
    small, large = effects(runs, LOSS), effects(negative, LOSS, maximize=True)
    for up, down in zip(large, small, strict=True):
        assert (up.parameter, up.p, up.units) == (down.parameter, down.p, down.units)
        assert up.share == pytest.approx(down.share)
        assert [(label, -median, count) for label, median, count in up.levels] == list(down.levels)
    both = interactions(runs, LOSS, small), interactions(negative, LOSS, large, maximize=True)
    assert [sorted(each.parameters) for each in both[0]] == [["kind", "rate"]]
    assert [each.parameters for each in both[0]] == [each.parameters for each in both[1]]

"""The article's network learns its plane as often, and as fast, as the study says, and stuck runs are what it says."""

import re

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import r2_score

from chainrule.config.compose import compose_settings
from chainrule.engine.gradcheck import central_differences
from chainrule.runs.prepare import prepare
from studies import load, small


@pytest.fixture(scope="module")
def starts():
    return load("article", "starts")


@pytest.mark.slow  # a whole study, though a small one
def test_the_small_version():
    _, rows = small("article", "starts")
    learned, reached = ({row[0]: [int(n) for n in re.findall(r"\d+", row[at])] for row in rows[1:3]} for at in (1, 2))
    assert reached["sigmoid"][1] > reached["relu"][2], "the intervals of sigmoid and relu are apart"
    assert learned["sigmoid"][0] < reached["sigmoid"][0], "some lose it again"
    stuck = {row[0].split(",")[0]: row for row in rows[6:]}
    assert int(stuck["relu"][2]) == int(stuck["relu"][0].split(": ")[1]), "every relu that is stuck has a silent layer"
    assert stuck["relu"][-1] == "0", "no time helps it"


def test_the_epochs_are_those_of_a_loop_over_samples(starts):
    settings = compose_settings(["experiment=article", "training.measure_every=1", "training.epochs=200", "seed=49"])
    (result,) = starts.trained(settings, [49])
    run = prepare(settings)
    x, y = np.split(run.samples.train[1:], [2])
    held_x, held_y = np.split(run.samples.validation[1:], [2])
    (W1, W2, W3), (b1, b2, b3) = run.shape.split(run.theta)
    epochs = 0
    while True:
        a1 = expit(W1 @ held_x + b1[:, None])
        if r2_score(held_y[0], (W3 @ expit(W2 @ a1 + b2[:, None]) + b3[:, None])[0]) >= 0.999:
            break
        epochs += 1
        for sample in run.shuffle.permutation(x.shape[1]):
            a1 = expit(W1 @ x[:, sample] + b1)
            a2 = expit(W2 @ a1 + b2)
            d3 = W3 @ a2 + b3 - y[:, sample]
            d2 = W3.T @ d3 * a2 * (1 - a2)
            d1 = W2.T @ d2 * a1 * (1 - a1)
            for W, b, delta, a in ((W3, b3, d3, a2), (W2, b2, d2, a1), (W1, b1, d1, x[:, sample])):
                W -= 0.05 * np.outer(delta, a)
                b -= 0.05 * delta
    assert starts.reached(result)
    assert starts.epochs([result])[0] == epochs


def test_a_silent_layer_stops_all_that_lies_before_it(starts):
    results = starts.trained(
        compose_settings(["experiment=article", "activation=relu", "training.epochs=100"]), range(20)
    )
    (result, *_) = [r for r in results if not starts.learned(r) and starts.cause(r) == "a silent layer"]
    x, y = result.samples.raw(result.samples.train)

    def loss(theta):
        (W1, W2, W3), (b1, b2, b3) = result.shape.split(theta)
        a = np.maximum(0, W2 @ np.maximum(0, W1 @ x + b1[:, None]) + b2[:, None])
        return np.square(y - W3 @ a - b3[:, None]).mean() / 2

    gradient = central_differences(loss, result.theta)
    assert not gradient[:12].any()
    assert result.metrics["validation/r2"] < 0.01


def test_what_is_reached_may_be_lost_again(starts):
    """Runs learned only if the last network is good; scikit-learn scores it."""
    results = starts.trained(
        compose_settings(["experiment=article", "activation=tanh", "optimizer.lr=0.05", "training.epochs=300"]),
        range(20),
    )
    for result in results:
        x, y = result.samples.raw(result.samples.validation)
        score = r2_score(y[0], result.predict(x)[0])
        assert starts.scores(result)[-1] == pytest.approx(score, abs=1e-9)
        assert starts.learned(result) == (score >= 0.999)
    lost = [result for result in results if starts.reached(result) and not starts.learned(result)]
    assert lost
    assert not any(starts.learned(result) and not starts.reached(result) for result in results)
    ((_, when, shares),) = starts.curves({"tanh": results})
    assert (when[0], when[-1]) == (0, 300)
    assert shares[-1] == sum(map(starts.learned, results)) / 20
    assert shares.max() < sum(map(starts.reached, results)) / 20


def test_runs_that_end_early_count_until_the_last_epoch(starts):
    """The identity converges or diverges within a few epochs."""
    settings = compose_settings(["experiment=article", "activation=identity", "training.epochs=300"])
    results = starts.trained(settings, range(20))
    assert max(result.epochs for result in results) < 300
    ((_, when, shares),) = starts.curves({"identity": results})
    assert (when[-1], shares[-1]) == (300, sum(map(starts.learned, results)) / 20)
    assert 0 < shares[-1] < 1


def test_the_share_has_wilson_s_interval(starts):
    """For 81 of 263 it is 25.53 % to 36.62 %: Newcombe (1998), Statistics in Medicine 17, table I."""
    assert starts.share([True] * 81 + [False] * 182) == "31 % [26, 37]"

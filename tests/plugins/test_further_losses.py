"""Losses with outputs, points and forms of their own, against SciPy, scikit-learn and what their papers say."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.linear_model
import sklearn.metrics

import chainrule
from chainrule.components.contracts import Target
from chainrule_losses import (
    KL,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Focal,
    GaussianNLL,
    Hinge,
    Poisson,
    Quantile,
)

RNG = np.random.default_rng(3)


def one(values):
    """Values of one output of one run, ``(1, 1, samples)``."""
    return np.asarray(values, float)[None, None]


@pytest.mark.parametrize("q", [0.1, 0.5, 0.8])
def test_quantile_is_the_pinball_loss_of_scikit_learn(q):
    y_pred, y_true = RNG.normal(size=(2, 50))
    expected = sklearn.metrics.mean_pinball_loss(y_true, y_pred, alpha=q)
    assert Quantile(q).value(one(y_pred), one(y_true)).mean() == pytest.approx(expected, rel=1e-12)


def test_the_median_is_half_the_absolute_error_away_and_flat_at_the_true_value():
    assert Quantile().gradient(one([-1, 0, 2]), one([0, 0, 0])).ravel().tolist() == [-0.5, 0, 0.5]


def test_hinge_is_that_of_scikit_learn():
    y_pred, y_true = RNG.normal(size=50), RNG.integers(0, 2, 50)
    assert Hinge().value(one(y_pred), one(y_true)).mean() == pytest.approx(
        sklearn.metrics.hinge_loss(2 * y_true - 1, y_pred), rel=1e-12
    )


def test_the_point_of_hinge_is_class_1_from_a_margin_of_0_on():
    assert Hinge().point(one([-1, -1e-9, 0, 1])).ravel().tolist() == pytest.approx([0, 0.5, 0.5, 1])
    assert Hinge().point(one([-1e-9]))[0, 0, 0] < 0.5


def test_focal_without_focus_is_half_the_cross_entropy():
    p, y = RNG.random(30), RNG.random(30)
    focal, plain = Focal(gamma=0.0, alpha=0.5), BinaryCrossEntropy()
    for method in ("value", "gradient"):
        half = 0.5 * getattr(plain, method)(one(p), one(y))
        np.testing.assert_allclose(getattr(focal, method)(one(p), one(y)), half, rtol=1e-12)


@pytest.mark.parametrize(("p", "factor"), [(0.9, 100), (0.968, 976.5625)])
def test_what_is_predicted_well_counts_less_as_lin_et_al_say(p, factor):
    """Section 3.2: with gamma = 2 an example of p = 0.9 counts 100 times less, one of 0.968 about 1000 times less."""
    focal = Focal(gamma=2.0, alpha=0.5).value(one([p]), one([1]))
    assert 0.5 * BinaryCrossEntropy().value(one([p]), one([1])) / focal == pytest.approx(factor, rel=1e-9)


def test_focal_weighs_class_1_by_alpha_and_class_0_by_the_rest():
    value = Focal(gamma=2.0, alpha=0.25).value(one([0.3, 0.7]), one([1, 0]))
    assert value[0, 1] / value[0, 0] == pytest.approx(3)


def test_poisson_is_the_likelihood_of_counts():
    rate, y = RNG.uniform(0.1, 9, 40), RNG.integers(0, 12, 40)
    expected = -scipy.stats.poisson.logpmf(y, rate) - scipy.special.gammaln(y + 1)
    np.testing.assert_allclose(Poisson().value(one(np.log(rate)), one(y))[0], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Poisson().point(one(np.log(rate)))[0, 0], rate, rtol=1e-12)


def test_gaussian_nll_is_the_likelihood_of_a_normal_distribution():
    mean, spread, y = RNG.normal(size=(3, 2, 20))
    floor = 0.01
    given = np.concatenate([mean, spread])[None]
    expected = -scipy.stats.norm.logpdf(y, mean, np.sqrt(floor + np.exp(spread))) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(GaussianNLL(floor).value(given, y[None])[0], expected.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(GaussianNLL(floor).point(given)[0], mean)


def test_kl_is_the_divergence_of_scipy():
    p, y = (values / values.sum(axis=0) for values in RNG.exponential(size=(2, 4, 30)))
    y[:, 0] = [0, 1, 0, 0]
    np.testing.assert_allclose(KL().value(p[None], y[None])[0], scipy.stats.entropy(y, p), rtol=1e-12)
    plain = CategoricalCrossEntropy().gradient(p[None], y[None])
    np.testing.assert_array_equal(KL().gradient(p[None], y[None]), plain)


@dataclass(frozen=True)
class Given(Target):
    """Rows as they are given to the class."""

    inputs: int = 1
    outputs: int = 1
    task: str = "regression"
    rows: tuple[tuple[float, ...], ...] = ()
    samples = None

    def data(self, rng, samples):
        """Return columns of x, of y, and of weights if there are more."""
        block = np.array(self.rows)
        split = self.inputs + self.outputs
        x, y, rest = block[:, : self.inputs], block[:, self.inputs : split], block[:, split:]
        return (x, y, rest[:, 0]) if rest.size else (x, y)


def trained(target, *overrides, loss=None):
    """The result of a run of plain gradient descent on all samples."""
    settings = chainrule.settings("network.hidden=[]", "data.validation=0", "training.batch_size=null", *overrides)
    changes = {"loss": loss} if loss else {}
    (result,) = chainrule.train([dataclasses.replace(settings, target=target, **changes)])
    return result


def test_a_network_of_one_input_learns_mean_and_variance():
    """Of values that do not depend on the input, the likelihood is largest at their mean and variance."""
    y = RNG.normal(3, 2, size=60)
    target = Given(rows=tuple((0.0, float(value)) for value in y))
    result = trained(target, "training.epochs=4000", "optimizer.lr=0.3", loss=GaussianNLL())
    assert result.shape.widths == (1, 2)
    assert result.predict([[0.0]])[0, 0] == pytest.approx(y.mean(), rel=1e-6)
    assert 1e-6 + np.exp(result.biases[0][1]) == pytest.approx(y.var(), rel=1e-6)
    assert result.metrics["train/r2"] == pytest.approx(0, abs=1e-6)


def test_a_likelihood_that_is_negative_does_not_end_the_run():
    """Values that are equal have a density without bound."""
    target = Given(rows=((0.0, 1.0),) * 8)
    result = trained(target, "training.epochs=200", "optimizer.lr=0.1", loss=GaussianNLL())
    assert result.metrics["train/loss"] < 0
    assert result.reason == "epochs"


def test_counts_are_predicted_in_counts():
    x = RNG.uniform(-1, 1, 200)
    y = RNG.poisson(np.exp(0.5 + x))
    target = Given(rows=tuple(zip(x.tolist(), y.tolist(), strict=True)))
    result = trained(target, "training.epochs=3000", "optimizer.lr=0.3", loss=Poisson())
    peer = sklearn.linear_model.PoissonRegressor(alpha=0, tol=1e-10, max_iter=1000)
    peer.fit(x[:, None], y)
    np.testing.assert_allclose(result.predict(x[None])[0], peer.predict(x[:, None]), rtol=1e-4)
    assert result.metrics["train/r2"] == pytest.approx(sklearn.metrics.r2_score(y, peer.predict(x[:, None])), rel=1e-4)


def test_accuracy_of_hinge_counts_margins():
    x = np.concatenate([RNG.normal(-1, 0.3, 30), RNG.normal(1, 0.3, 30)])
    rows = tuple(zip(x.tolist(), [0.0] * 30 + [1.0] * 30, strict=True))
    result = trained(Given(task="classification", rows=rows), "training.epochs=500", "optimizer.lr=0.1", loss=Hinge())
    assert result.metrics["train/accuracy"] == ((x > 0) == (np.arange(60) >= 30)).mean()

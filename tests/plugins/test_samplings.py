"""Built-in samplings against closed forms, statistics and what their papers say."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import chainrule
from chainrule.components.arguments import given
from chainrule.registry.loaded import installed
from chainrule.runs.execute import train_stack

SAMPLES = 400
NAMES = installed().names("sampling")
CLASSES = ["target=two_moons", "output=sigmoid", "loss=binary_cross_entropy"]


def sampling(name, **parameters):
    return chainrule.component("sampling", name, **parameters)


def asked(chosen, x, y, epoch=0, epochs=1, seed=0, **optional):
    """What a sampling makes of an epoch, as arrays."""
    found = given(chosen, "epoch", **optional)(np.random.default_rng(seed), x, y, epoch, epochs)
    return found if isinstance(found, tuple) else (x[found], y[found])


def rows(samples=SAMPLES, inputs=2, seed=0):
    x = np.random.default_rng(seed).normal(size=(samples, inputs))
    return x, 2 * x[:, :1] + 3 * x[:, 1:2] + 10


def labels(*sizes):
    """One-hot classes of these sizes, one after the other."""
    return np.eye(len(sizes))[np.repeat(np.arange(len(sizes)), sizes)]


def settings(*overrides, **changes):
    base = chainrule.settings("data.samples=40", "training.epochs=6", "training.tolerance=0", *overrides)
    return dataclasses.replace(base, **changes)


def test_shuffled_is_the_permutation_of_the_generator_and_fixed_the_order_of_the_samples():
    x, y = rows()
    order = sampling("shuffled").epoch(np.random.default_rng(7), x, y, 0, 1)
    assert np.array_equal(order, np.random.default_rng(7).permutation(SAMPLES))
    assert np.array_equal(sampling("fixed").epoch(np.random.default_rng(7), x, y, 0, 1), np.arange(SAMPLES))


def test_fixed_draws_nothing():
    rng = np.random.default_rng(7)
    before = repr(rng.bit_generator.state)
    sampling("fixed").epoch(rng, *rows(), 0, 1)
    assert repr(rng.bit_generator.state) == before


def test_with_replacement_a_share_of_1_over_e_is_left_out_and_all_are_equally_likely():
    x, y = rows(10_000)
    order = sampling("replacement").epoch(np.random.default_rng(0), x, y, 0, 1)
    left_out = 1 - len(np.unique(order)) / len(x)
    assert left_out == pytest.approx(np.exp(-1), abs=4 * 0.003)  # its deviation is sqrt(e^-1 - 2 e^-2) / 100
    assert stats.chisquare(np.bincount(order // 500)).pvalue > 1e-4


@pytest.mark.parametrize("outputs", [1, 3])
def test_balanced_classes_are_equally_likely_and_so_are_the_samples_of_each(outputs):
    sizes = (90, 9, 1) if outputs == 3 else (90, 10)
    y = labels(*sizes) if outputs == 3 else labels(*sizes)[:, 1:]
    x = np.arange(100.0)[:, None]
    drawn = np.concatenate([sampling("balanced").epoch(np.random.default_rng(s), x, y, 0, 1) for s in range(200)])
    expected = np.repeat([1 / (len(sizes) * size) for size in sizes], sizes) * len(drawn)
    assert stats.chisquare(np.bincount(drawn, minlength=100), expected).pvalue > 1e-4


def test_a_class_without_samples_is_left_out():
    y = labels(5, 0, 15)
    drawn = sampling("balanced").epoch(np.random.default_rng(0), np.zeros((20, 1)), y, 0, 1)
    assert set(y[drawn].argmax(axis=1)) == {0, 2}


@pytest.mark.parametrize(
    ("epoch", "share"), [(0, 0.2), (10, 0.2 + 0.8 * 10 / 40), (20, 0.6), (40, 1.0), (41, 1.0), (79, 1.0)]
)
def test_a_curriculum_begins_with_the_nearest_samples_and_grows_linearly(epoch, share):
    x, y = np.arange(101.0)[:, None] ** 2, np.zeros((101, 1))
    chosen, _ = asked(sampling("curriculum"), x, y, epoch, 80, target=chainrule.component("target", "sine"))
    distance = np.abs(x - x.mean())[:, 0]
    expected = x[np.argsort(distance)[: round(share * 101)]]
    values, counts = np.unique(chosen, return_counts=True)
    assert np.array_equal(values, np.unique(expected))
    assert counts.max() - counts.min() <= 1


def test_a_curriculum_of_classes_measures_from_the_mean_of_each():
    x = np.array([[0.0], [1.0], [5.0], [100.0], [101.0], [105.0]])
    y = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])  # means 2 and 102
    moons = chainrule.component("target", "two_moons")
    chosen, outputs = asked(sampling("curriculum", start=1 / 3), x, y, 0, 10, target=moons)
    assert set(chosen[:, 0]) == {1.0, 101.0}
    assert np.array_equal(outputs, (chosen > 50).astype(float))


def test_noise_on_the_inputs_is_ridge_regression():
    """Bishop (1995): on average over the noise, the squared error is that of the inputs plus std^2 times the slopes."""
    x, y = rows(60)
    x, y = x - x.mean(axis=0), y - y.mean()
    std = 0.7
    ridge = np.linalg.solve(x.T @ x / len(x) + std**2 * np.eye(2), x.T @ y / len(x))
    epochs = [asked(sampling("noise", inputs=std), x, y, seed=seed) for seed in range(3000)]
    noisy, outputs = (np.concatenate(part) for part in zip(*epochs, strict=True))
    slopes = np.linalg.lstsq(noisy, outputs, rcond=None)[0]
    np.testing.assert_allclose(slopes, ridge, rtol=0.01)


def test_noise_has_the_deviations_that_are_asked_for():
    x, y = np.zeros((20_000, 2)), np.zeros((20_000, 1))
    noisy, outputs = asked(sampling("noise", inputs=0.5, outputs=2.0), x, y)
    assert noisy.std() == pytest.approx(0.5, rel=0.02)
    assert outputs.std() == pytest.approx(2.0, rel=0.02)
    assert asked(sampling("noise"), x, y)[1].std() == 0


@pytest.mark.parametrize("outputs", [1, 4])
def test_label_noise_makes_the_share_wrong_that_follows_from_p(outputs):
    classes = max(outputs, 2)
    y = labels(*[8000 // classes] * classes)[:, -outputs:]
    x = np.arange(8000.0)[:, None]
    rows_, noisy = asked(sampling("label_noise", p=0.3), x, y)
    wrong = (noisy != y[rows_[:, 0].astype(int)]).any(axis=1).mean()
    share = 0.3 * (classes - 1) / classes
    assert wrong == pytest.approx(share, abs=4 * (share * (1 - share) / 8000) ** 0.5)
    assert set(np.unique(noisy)) == {0.0, 1.0}
    assert outputs == 1 or (noisy.sum(axis=1) == 1).all()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixup_has_weights_of_the_beta_distribution(alpha):
    """Between the points -1 and 1 a mixed sample is 1 - 2 w."""
    x = np.repeat([-1.0, 1.0], 10_000)[:, None]
    mixed, _ = asked(sampling("mixup", alpha=alpha), x, x)
    different = mixed[np.abs(mixed) < 1]  # a half of the pairs
    assert len(different) == pytest.approx(10_000, abs=400)
    assert stats.kstest(different, lambda v: stats.beta(alpha, alpha).cdf((v + 1) / 2)).pvalue > 1e-4


def test_mixup_of_a_linear_target_stays_on_it():
    x, y = rows()
    mixed, outputs = asked(sampling("mixup", alpha=1.0), x, y)
    np.testing.assert_allclose(outputs, 2 * mixed[:, :1] + 3 * mixed[:, 1:] + 10)
    assert not np.isin(mixed, x).any()


def test_a_stream_has_new_samples_of_the_target_with_its_noise_and_its_scale():
    run = chainrule.prepare(chainrule.settings("target=sine", "data.noise=0.2", "data.samples=4000"))
    x, y = (part.T for part in (run.samples.train[1:2], run.samples.train[2:]))
    one, other = (asked(sampling("stream"), x, y, seed=seed, fresh=run.samples.fresh) for seed in (0, 1))
    assert one[0].shape == x.shape
    assert not np.isin(one[0], np.concatenate([x, other[0]])).any()
    assert stats.kstest(one[0][:, 0], stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4
    assert stats.kstest((one[1] - np.sin(one[0]))[:, 0], stats.norm(scale=0.2).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_run_in_a_stack_that_others_leave_has_the_bits_of_the_run_alone(name, batch_size):
    base = settings(*CLASSES, f"sampling={name}", "data.test=0.2", "training.restore_best=true")
    training = dataclasses.replace(base.training, batch_size=batch_size)
    every = [dataclasses.replace(base, seed=seed, training=training) for seed in range(4)]

    def leave(epoch, active, losses):
        return active >= 6 - epoch

    together = train_stack([chainrule.prepare(one) for one in every], prune=leave)
    assert {result.epochs for result in together} >= {3, 4, 5, 6}
    (alone,) = train_stack([chainrule.prepare(every[0])])
    assert together[0].theta.tobytes() == alone.theta.tobytes()
    assert together[0].metrics == alone.metrics
    for curve, values in alone.curves.values.items():
        assert together[0].curves.values[curve].tobytes() == values.tobytes()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"shuffled", "fixed"}))
def test_full_batches_are_sampled_too_where_samples_change(name):
    full = [*CLASSES, "training.batch_size=null"]
    one, plain = (chainrule.train([settings(*full, f"sampling={each}")])[0] for each in (name, "shuffled"))
    assert one.theta.tobytes() != plain.theta.tobytes()
    assert one.metrics["gradient_evaluations"] == plain.metrics["gradient_evaluations"] == 6
    assert one.curves.values["train/loss"][0] == plain.curves.values["train/loss"][0], "the training set is measured"


def test_full_batches_in_a_fixed_order_are_those_that_are_shuffled():
    runs = chainrule.train([settings("training.batch_size=null", f"sampling={name}") for name in ("fixed", "shuffled")])
    assert runs[0].theta.tobytes() == runs[1].theta.tobytes()


@pytest.mark.slow
def test_a_stream_learns_what_it_never_measures():
    """Ten training samples cannot tell noise from the target; new ones in each epoch can."""
    noisy = ["data.samples=12", "data.noise=1", "network.hidden=[]", "training.epochs=400", "optimizer.lr=0.01"]
    results = {
        name: chainrule.train([settings(*noisy, f"sampling={name}", seed=seed) for seed in range(8)])
        for name in ("shuffled", "stream")
    }
    errors = {
        name: np.median([np.abs(np.append(r.weights[0], r.biases[0]) - [2, 3, 10]).max() for r in found])
        for name, found in results.items()
    }
    assert errors["stream"] < errors["shuffled"] / 2

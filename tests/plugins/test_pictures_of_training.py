"""Pictures of trained runs: their numbers against others that we did not compute, and what is in them."""

import functools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix

import chainrule
from chainrule.engine.reason import Reason
from chainrule.errors import ConfigurationError
from chainrule.registry.watching import Session
from chainrule.runs.execute import train_stack
from chainrule_pictures import (
    Pictures,
    activations,
    animation,
    canvas,
    chainrule_watchers,
    gradients,
    landscape,
    loss,
    network,
    parameters,
    passes,
    predictions,
    regions,
    residuals,
    scores,
    surface,
    watcher,
)
from pictures import assert_nothing_is_cut_off
from sizes import one_in

pytestmark = pytest.mark.usefixtures("drawn")

EACH = "training.measure_every=1"
FULL = ("training.batch_size=null",)
CLASSES = ("output=softmax", "loss=categorical_cross_entropy", "optimizer=adam", "training.batch_size=16")
SQUARED = ("output=identity", "loss=half_squared_error")
RUNS = {
    "article": ("training.epochs=20", "training.measure_every=1"),
    "linear": ("network.hidden=[]", "training.epochs=40", "training.batch_size=16", "data.noise=0.5"),
    "classes": ("target=wine", "network.hidden=[8]", *CLASSES, "training.epochs=8", "data.test=0.2", EACH),
    "deep": ("network.hidden=[6,6,6,6,6,6,6,6]", "activation=tanh", *FULL, "training.epochs=5"),
    "wide": ("target=digits", "network.hidden=[40,20]", *CLASSES, "training.epochs=2", "data.samples=200"),
    "one input": ("target=sine", "network.hidden=[6]", "training.epochs=10", "data.test=0.2"),
    "diverged at once": ("optimizer.lr=100", "training.epochs=9"),
    "diverged": ("optimizer.lr=5", "training.epochs=20"),
    "float32": ("training.dtype=float32", "training.epochs=10"),
    "two classes": ("target=two_moons", "output=sigmoid", "loss=binary_cross_entropy", "training.epochs=10"),
    "not trained": ("training.epochs=0",),
    "one epoch": ("training.epochs=1",),
    "normed": ("norm=batch_norm", "activation=prelu", "training.batch_size=16", "training.epochs=10"),
    "pieces": ("activation=maxout", "training.epochs=5", "optimizer.lr=0.001"),
    "uncertain": ("loss=gaussian_nll", "training.epochs=5", "optimizer=adam"),
    "weighted": ("target=wine", "network.hidden=[4]", *CLASSES, "data.balance_classes=true", "training.epochs=5"),
    "restored": ("training.restore_best=true", "training.epochs=30", "optimizer=adam", "optimizer.lr=0.3"),
    "many outputs": ("target=diabetes", "network.hidden=[4]", "training.epochs=3", "training.batch_size=32"),
}


@functools.cache
def trained(name):
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*RUNS[name]))], snapshots=60)
    return result


def drawn(result, directory, *wanted):
    Pictures(wanted).run_trained(result, directory)
    return {path.name: path for path in sorted((directory / "pictures").iterdir())}


@pytest.mark.parametrize("name", one_in(len(RUNS), RUNS, ci=8))
def test_every_picture_of_every_run_can_be_drawn_and_is_small(name, tmp_path):
    result = trained(name)
    found = drawn(result, tmp_path, "all")
    assert {"loss.png", "predictions.png", "network.png", "parameters.png", "gradients.png", "activations.png"} <= {
        *found
    }
    assert ("animation.gif" in found) == (result.samples.inputs <= 2)
    for path in found.values():
        assert path.stat().st_size < 100_000
        with Image.open(path) as image:
            image.load()
            is_frame = path.name.startswith("animation")
            assert image.size == ((432, 288) if is_frame else (900, 600))
            assert image.format == ("GIF" if path.suffix == ".gif" else "PNG")
        assert_nothing_is_cut_off(path)


@pytest.mark.parametrize(
    "name", [pytest.param("classes", marks=pytest.mark.slow), pytest.param("diverged", marks=pytest.mark.rare)]
)  # which draw all pictures twice
def test_the_same_run_gives_the_same_bytes(name, tmp_path):
    """Also when it is trained again."""
    (again,) = train_stack([chainrule.prepare(chainrule.settings(*RUNS[name]))], snapshots=60)
    first, second = drawn(trained(name), tmp_path / "a", "all"), drawn(again, tmp_path / "b", "all")
    assert first.keys() == second.keys()
    assert [path.read_bytes() for path in first.values()] == [path.read_bytes() for path in second.values()]


@pytest.mark.parametrize("name", one_in(4, RUNS))
def test_pictures_say_which_fit(name):
    result = trained(name)
    chosen = watcher.fitting(result)
    assert 5 <= len(chosen) <= 6
    assert {*chosen} <= {*Pictures.draws}
    assert ("surface" in chosen) == (result.samples.inputs <= 2)
    assert ("parameters" in chosen) != ("gradients" in chosen)


def test_what_is_wanted_is_drawn_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(watcher, "draw", lambda name, result, path: path.touch())
    monkeypatch.setattr(animation, "write", lambda result, folder: (folder / "animation.gif").touch())
    result = trained("article")
    assert list(drawn(result, tmp_path)) == []
    assert list(drawn(result, tmp_path, "residuals", "loss")) == ["loss.png", "residuals.png"]
    few = drawn(result, tmp_path, "auto", "animation")
    assert "animation.gif" in few
    assert "residuals.png" not in few
    assert list(drawn(result, tmp_path, "loss")) == ["loss.png"]


def test_the_path_is_kept_only_for_pictures_that_show_it():
    assert Pictures(("loss", "surface")).snapshots == 0
    assert Pictures(()).snapshots == 0
    for wanted in ("auto", "all", "landscape", "parameters", "gradients", "activations", "animation"):
        assert Pictures((wanted,)).snapshots > 0
    assert chainrule_watchers(Session(interactive=True, of_sweep=True)) == []
    (one,) = chainrule_watchers(Session(interactive=True, pictures=("loss",)))
    assert one.snapshots == 0


def test_the_key_chooses_pictures_and_no_number_depends_on_it(tmp_path):
    quick = ("training.epochs=3", "tracking=none")
    some = chainrule.run("pictures=[network,landscape]", *quick, directory=tmp_path / "some")
    none = chainrule.run("pictures=[]", *quick, directory=tmp_path / "none")
    assert {path.name for path in (tmp_path / "some" / "pictures").iterdir()} == {"network.png", "landscape.png"}
    assert not list((tmp_path / "none" / "pictures").iterdir())
    assert some.theta.tobytes() == none.theta.tobytes()
    assert some.record.manifest.identity == none.record.manifest.identity
    with pytest.raises(ConfigurationError, match=r"pictures: 'landscap' is no picture \(did you mean 'landscape'\?\)"):
        chainrule.run("pictures=[landscap]", *quick, directory=tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


# parameters


def test_the_solution_in_closed_form_is_that_of_scikit_learn():
    result = trained("linear")
    x, y = result.samples.raw(result.samples.train)
    wanted = LinearRegression().fit(x.T, y[0])
    found = parameters.affine(result, result.trajectory.theta)
    np.testing.assert_allclose(found.best, [[wanted.intercept_, *wanted.coef_]], rtol=1e-10)
    np.testing.assert_array_equal(found.path[-1], [[result.biases[0][0], *result.weights[0][0]]])
    (axes,) = parameters.draw(result).axes
    label = axes.get_legend().get_texts()[0].get_text()
    assert label == f"constant: {result.biases[0][0]:.4g} (least squares {wanted.intercept_:.4g})"


def test_the_solution_counts_samples_by_their_weights():
    overrides = ("target=wine", "network.hidden=[]", "loss=half_squared_error", "output=identity", "training.epochs=1")
    (result,) = train_stack(
        [chainrule.prepare(chainrule.settings(*overrides, "data.balance_classes=true"))], snapshots=2
    )
    block, inputs = result.samples.train, result.samples.inputs
    wanted = LinearRegression().fit(block[1 : 1 + inputs].T, block[1 + inputs : -1].T, sample_weight=block[-1])
    found = parameters.affine(result, result.trajectory.theta).best
    np.testing.assert_allclose(found, np.column_stack([wanted.intercept_, wanted.coef_]), atol=1e-9)


def test_a_deep_linear_network_is_shown_as_what_it_computes():
    overrides = ("activation=identity", "network.hidden=[3,2]", "training.epochs=5", *FULL, "optimizer.lr=0.01")
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*overrides))], snapshots=9)
    found = parameters.affine(result, result.trajectory.theta)
    x = np.random.default_rng(0).normal(size=(2, 5))
    np.testing.assert_allclose(found.path[-1] @ np.vstack([np.ones(5), x]), result.predict(x), rtol=1e-12)
    np.testing.assert_allclose(found.best, [[10, 2, 3]], rtol=1e-9)


@pytest.mark.parametrize(
    ("overrides", "has_solution"),
    [
        (["loss=half_squared_error"], True),
        (["loss=absolute_error"], False),
        (["loss=huber"], False),
        (["activation=identity", "network.hidden=[1]", "target=wine", *SQUARED], False),
        (["target=wine", "data.samples=10", *SQUARED], False),
    ],
)
def test_there_is_a_solution_where_the_loss_is_squared_and_it_is_unique_and_within_reach(overrides, has_solution):
    short = ("network.hidden=[]", "training.epochs=1", "training.batch_size=8", *overrides)
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*short))], snapshots=2)
    assert (parameters.affine(result, result.trajectory.theta).best is not None) == has_solution


def test_other_networks_show_each_parameter():
    result = trained("article")
    assert parameters.affine(result, result.trajectory.theta) is None
    shown = parameters.draw(result).axes
    for axes, block in zip(shown, result.shape.blocks(result.trajectory.theta)[1:], strict=True):
        ends = sorted(line.get_ydata()[-1] for line in axes.get_lines() if len(line.get_ydata()))
        np.testing.assert_array_equal(ends, np.sort(block[-1].ravel()))


# gradients, updates, activations


def test_an_update_of_gradient_descent_is_its_rate_times_the_gradient():
    """One step an epoch, so that both panels of the picture tell of the same thing."""
    overrides = (*FULL, "training.epochs=12", "optimizer.lr=0.05", EACH, "training.gradient_norms=true")
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*overrides))], snapshots=60)
    for layer, found in enumerate(gradients.ratios(result, result.trajectory), 1):
        place = result.shape.slices()[layer]
        norms = np.linalg.norm(result.trajectory.theta[:-1, place], axis=1)
        wanted = 0.05 * result.curves.values[f"gradient_norm/layer_{layer}"][:-1] / norms
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize("name", ["article", "classes", "normed", "weighted"])
def test_gradient_norms_that_were_not_measured_are_those_that_would_have_been(name):
    overrides = (*RUNS[name], "training.gradient_norms=true", "training.epochs=4", EACH)
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*overrides))], snapshots=60)
    found = passes.gradient_norms(result, result.trajectory.theta, result.trajectory.states)
    for layer, norms in enumerate(found, 1):
        np.testing.assert_allclose(norms, result.curves.values[f"gradient_norm/layer_{layer}"], rtol=1e-9)


def test_frames_of_a_run_that_diverged_are_not_empty():
    run = trained("diverged at once")
    assert run.reason is Reason.DIVERGED
    for panel in (*parameters.draw(run).axes, *activations.draw(run).axes):
        drawn = [line for line in panel.get_lines() if np.isfinite(line.get_ydata()).any()]
        assert {line.get_marker() for line in drawn} == {"o"}, "a line through one point is not seen"
        assert [text.get_text() for text in panel.texts] == [f"not finite\nfrom epoch {run.epochs} on"]
    for picture, said in ((predictions, "no prediction is finite"), (scores, "R2 was never above -1")):
        (panel,) = picture.draw(run).axes
        assert [text.get_text() for text in panel.texts] == [said]


def test_between_points_further_apart_it_is_that_of_an_epoch():
    result = trained("article")
    path = result.trajectory
    thin = type(path)(path.epochs[[0, 4]], path.theta[[0, 4]], (path.states[0], path.states[4]))
    place = result.shape.slices()[1]
    wanted = np.linalg.norm(path.theta[4, place] - path.theta[0, place]) / np.linalg.norm(path.theta[0, place]) / 4
    np.testing.assert_allclose(gradients.ratios(result, thin)[0], [wanted], rtol=1e-12)


@pytest.mark.parametrize("name", ["article", "deep"])
def test_activations_are_those_of_a_step_taken_apart(name):
    result = trained(name)
    x, y = result.samples.raw(result.samples.train)
    layers, last = list(range(1, result.shape.layers + 1)), len(result.trajectory.epochs) - 1
    points = [0, last]
    states = [result.trajectory.states[point] for point in points]
    found = passes.activations(result, result.trajectory.theta[points], states, 50, layers)
    for place, point in enumerate(points):
        weights, biases = result.shape.split(result.trajectory.theta[point])
        hidden = result.settings.activation.name
        traced = chainrule.trace_step(weights, biases, x[:, :50], y[:, :50], hidden=hidden)
        for layer in layers:
            wanted = np.percentile(traced.a[layer - 1], passes.PERCENTILES)
            np.testing.assert_allclose(found[:, layer - 1, place], wanted, rtol=1e-12, atol=1e-15)


def test_the_last_activations_of_a_normed_network_are_its_predictions():
    result = trained("normed")
    states = [result.trajectory.states[-1]]
    found = passes.activations(result, result.trajectory.theta[-1:], states, 10**6, [result.shape.layers])
    wanted = np.percentile(result.predict(result.samples.raw(result.samples.train)[0]), passes.PERCENTILES)
    np.testing.assert_allclose(found[:, 0, 0], wanted, rtol=1e-12)


# the loss surface


@pytest.mark.parametrize(
    "name", ["article", "classes", "deep", "one input", "float32", "normed", "uncertain", "weighted"]
)
def test_the_surface_has_the_loss_of_the_run_at_its_last_parameters(name):
    result = trained(name)
    found = landscape.slice_of(result)
    (row,), (column,) = np.flatnonzero(found.up == 0), np.flatnonzero(found.across == 0)
    rtol = 1e-5 if name == "float32" else 1e-12
    np.testing.assert_allclose(found.losses[row, column], result.metrics["train/loss"], rtol=rtol)
    np.testing.assert_array_equal(found.path[-1], [0, 0])


def test_losses_along_the_path_are_those_of_the_curve():
    result = trained("article")
    found = passes.losses(result, result.trajectory.theta)
    places = np.searchsorted(result.curves.epochs, result.trajectory.epochs)
    np.testing.assert_allclose(found, result.curves.values["train/loss"][places], rtol=1e-12)


def test_the_surface_is_that_of_predictions_with_other_parameters():
    """Half the squared error of predictions at a corner of the slice."""
    result = trained("article")
    found = landscape.slice_of(result)
    there = found.centre + found.across[-1] * found.directions[0] + found.up[0] * found.directions[1]
    weights, biases = result.shape.split(there)
    traced = chainrule.trace_step(weights, biases, *result.samples.raw(result.samples.train))
    np.testing.assert_allclose(found.losses[0, -1], traced.loss, rtol=1e-10)


@pytest.mark.parametrize("name", ["article", "deep", "classes"])
def test_directions_are_the_principal_ones_of_the_path(name):
    """Eigenvectors of the matrix of second moments, as another way to the same."""
    result = trained(name)
    found = landscape.slice_of(result)
    differences = result.trajectory.theta - result.theta
    values, vectors = np.linalg.eigh(differences.T @ differences)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(np.abs((found.directions * vectors[:, [-1, -2]].T).sum(axis=1)), [1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.shares, values[[-1, -2]] / values.sum(), rtol=1e-8)
    np.testing.assert_allclose(found.path, differences @ found.directions.T, atol=1e-10)
    axes = landscape.draw(result).axes[0]
    assert axes.get_xlabel() == f"first direction ({100 * found.shares[0]:.3g} % of the variance)"


def test_a_run_that_ends_at_its_best_epoch_has_that_in_the_centre():
    result = trained("restored")
    found = landscape.slice_of(result)
    np.testing.assert_array_equal(found.centre, result.theta)
    place = result.trajectory.epochs.tolist().index(result.best_epoch)
    np.testing.assert_allclose(found.path[place], [0, 0], atol=1e-12)


def test_there_is_no_surface_of_a_run_that_did_not_move_or_kept_no_path():
    assert landscape.draw(trained("not trained")) is None
    (result,) = train_stack([chainrule.prepare(chainrule.settings(*RUNS["article"]))])
    for module in (landscape, parameters, activations):
        assert module.draw(result) is None
    assert len(gradients.draw(result).axes) == 1  # measured, because each epoch is


def test_a_path_of_one_step_has_a_second_direction():
    found = landscape.slice_of(trained("one epoch"))
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found.shares, [1, 0], atol=1e-12)


# classes


def test_confusion_matrices_are_those_of_scikit_learn_and_the_test_is_shown():
    result = trained("classes")
    shown = predictions.draw(result).axes[:2]
    for part, axes in zip(("validation", "test"), shown, strict=True):
        x, y = result.samples.raw(result.samples.parts[part])
        wanted = confusion_matrix(y.argmax(axis=0), result.predict(x).argmax(axis=0), labels=range(3))
        np.testing.assert_array_equal([int(text.get_text()) for text in axes.texts], wanted.ravel())
        assert axes.get_title() == f"{part}: {np.trace(wanted)} of {y.shape[1]} samples correct"


def test_the_plane_of_regions_is_that_of_principal_components():
    result = trained("classes")
    x = result.samples.train[1 : 1 + result.samples.inputs].T
    wanted = PCA(2).fit(x)
    centre, directions, shares = regions.plane(result)
    np.testing.assert_allclose(shares, wanted.explained_variance_ratio_, rtol=1e-10)
    np.testing.assert_allclose(centre[:, 0], wanted.mean_, atol=1e-12)
    np.testing.assert_allclose(np.abs((directions * wanted.components_).sum(axis=1)), 1, rtol=1e-9)


@pytest.mark.parametrize("name", ["classes", "two classes"])
def test_regions_have_the_predicted_classes(name):
    result = trained(name)
    axes = regions.draw(result).axes[0]
    (image,) = axes.get_images()
    shown, (left, right, bottom, top) = np.asarray(image.get_array()), image.get_extent()
    centre, directions, _ = regions.plane(result)
    for row, column in ((0, 0), (80, 80), (160, 3), (20, 150)):
        place = np.array([[left + (right - left) * column / 160], [bottom + (top - bottom) * row / 160]])
        y = result.predict(result.samples.x_scaling.undo(centre + directions.T @ place))[:, 0]
        assert shown[row, column] == (y.argmax() if len(y) > 1 else y[0] >= 0.5)


def test_regions_count_what_is_wrong():
    result = trained("two classes")
    x, y = (
        np.concatenate(both, axis=1)
        for both in zip(*map(result.samples.raw, result.samples.parts.values()), strict=True)
    )
    shown = min(result.samples.train.shape[1], 150) + result.samples.validation.shape[1]
    every = np.r_[: min(result.samples.train.shape[1], 150), result.samples.train.shape[1] : x.shape[1]]
    wrong = int(((result.predict(x) >= 0.5) != (y >= 0.5))[0, every].sum())
    texts = [text.get_text() for text in regions.draw(result).legends[0].get_texts()]
    assert texts[-1] == f"wrong: {wrong} of {shown} shown"


# regression, the test part, the network


def test_residuals_are_predicted_less_true_values():
    result = trained("one input")
    left, right = residuals.draw(result).axes
    for line, part in zip(left.get_lines(), result.samples.parts, strict=False):
        x, y = result.samples.raw(result.samples.parts[part])
        np.testing.assert_array_equal(line.get_xdata(), result.predict(x)[0])
        np.testing.assert_array_equal(line.get_ydata(), (result.predict(x) - y)[0])
        rmse = np.sqrt(np.mean((result.predict(x) - y) ** 2))
        assert line.get_label().endswith(f": RMSE {rmse:.4g}")
    assert len(right.patches) == len(result.samples.parts) == 3
    assert residuals.draw(trained("classes")) is None


def test_the_test_part_is_in_the_pictures_where_there_is_one():
    result = trained("one input")
    labels = [line.get_label() for line in loss.draw(result).axes[0].get_lines()]
    assert f"test: {result.metrics['test/loss']:.4g}" in labels
    assert [line.get_label() for line in predictions.draw(result).axes[0].get_lines()][2] == "test"
    assert "test" in [line.get_label() for line in surface.draw(result).axes[0].get_lines()]
    assert not any("test" in line.get_label() for line in loss.draw(trained("article")).axes[0].get_lines())


def test_a_target_with_one_input_is_a_line():
    result = trained("one input")
    lines = {line.get_label(): line for line in surface.draw(result).axes[0].get_lines()}
    x = lines["learned"].get_xdata()
    np.testing.assert_array_equal(lines["learned"].get_ydata(), result.predict(x[None])[0])
    np.testing.assert_array_equal(lines["target"].get_ydata(), np.sin(x))


def test_lines_of_the_network_are_as_wide_as_its_weights_are_large():
    result = trained("article")
    (axes,) = network.draw(result).axes
    texts = [text.get_text() for text in axes.texts]
    for layer, weights in zip(axes.collections, result.weights, strict=False):
        order = np.argsort(np.abs(weights), axis=None, kind="stable")
        widths = np.array(layer.get_linewidths())
        assert np.all(np.diff(widths) >= 0)
        np.testing.assert_allclose((widths - 0.3) / 4.2, np.abs(weights).ravel()[order] / np.abs(weights).max())
        is_blue = layer.get_colors()[:, 2] > layer.get_colors()[:, 0]
        np.testing.assert_array_equal(is_blue, weights.ravel()[order] > 0)
        assert {f"{value:.3g}" for value in weights.ravel()} <= {*texts}


@pytest.mark.parametrize("name", ["wide", "pieces"])
def test_a_large_network_has_a_heat_map_of_each_layer(name):
    result = trained(name)
    maps = [axes.get_images()[0].get_array() for axes in network.draw(result).axes if axes.get_images()]
    for shown, weights in zip(maps, result.weights, strict=True):
        np.testing.assert_array_equal(shown, weights)


def test_a_single_unit_of_a_large_network_is_called_one():
    result = chainrule.run("network.hidden=[40]", "training.epochs=0", "data.samples=10")
    titles = [axes.get_title() for axes in network.draw(result).axes]
    assert titles[:2] == ["layer 1: 40 units", "outputs: 1 unit"]


def test_some_of_many_layers_are_shown():
    assert canvas.some(3, 6) == [1, 2, 3]
    assert canvas.some(50, 6) == [1, 11, 21, 30, 40, 50]
    assert canvas.some(1, 6) == [1]


# the animation


def test_the_animation_goes_from_the_first_to_the_last_epoch(tmp_path):
    result = trained("one input")
    found = drawn(result, tmp_path, "animation")
    *frames, gif = sorted(found, key=lambda name: name.endswith(".gif"))
    epochs = [int(name.removeprefix("animation-").removesuffix(".png")) for name in frames]
    assert epochs == sorted(epochs)
    assert (epochs[0], epochs[-1]) == (0, result.epochs)
    assert len(epochs) == len(animation.epochs_of(result)) <= 16
    with Image.open(found[gif]) as image:
        assert image.n_frames == len(frames)
        for place, name in enumerate(frames):
            image.seek(place)
            with Image.open(found[name]) as frame:
                np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(frame.convert("RGB")))


def test_its_last_frame_is_what_the_run_predicts():
    result = trained("one input")
    epoch, predictor, title = list(animation.moments(result))[-1]
    x = np.linspace(-3, 3, 7)[None]
    np.testing.assert_array_equal(predictor.outputs(x), result.predict(x))
    assert epoch == result.epochs
    assert title == f"epoch {epoch}: training loss {result.metrics['train/loss']:.4g}"


def test_neither_pyplot_nor_an_early_matplotlib():
    code = (
        "import sys; from pathlib import Path; import chainrule_pictures; "
        "chainrule_pictures.Pictures([]).run_trained(None, Path()); print('matplotlib' in sys.modules); "
        "from chainrule_pictures import animation, landscape, regions; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

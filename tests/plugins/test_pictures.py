"""The pictures of a run: there, readable as PNG, the same every time, and drawn whatever became of the run."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import chainrule
from chainrule.components.contracts import Activation, Initializer, Loss, Optimizer, Rule, Sampling, Schedule, Target
from chainrule.engine.curves import Curves
from chainrule.engine.data import draw
from chainrule.engine.network import Shape
from chainrule.engine.reason import Reason
from chainrule.records.result import Result
from chainrule.records.settings import Data, DType, Network, Settings, Training
from chainrule.registry.watching import Session
from chainrule_pictures import Pictures, canvas, chainrule_watchers, loss, predictions, scores, surface
from pictures import assert_nothing_is_cut_off
from sizes import one_in

pytestmark = pytest.mark.usefixtures("drawn")


@dataclass(frozen=True)
class Straight(Activation):
    def forward(self, z):
        return z


@dataclass(frozen=True)
class Squared(Loss):
    def value(self, y_pred, y_true):
        return np.square(y_pred - y_true).sum(axis=1)

    def gradient(self, y_pred, y_true):
        return 2 * (y_pred - y_true)


@dataclass(frozen=True)
class Still(Optimizer):
    def update(self, theta, grad, state, step):
        pass


@dataclass(frozen=True)
class Steady(Schedule):
    def rate(self, lr, epoch, epochs, state):
        return lr


@dataclass(frozen=True)
class Zeros(Initializer):
    def weights(self, rng, fan_in, fan_out):
        return np.zeros((fan_out, fan_in))


@dataclass(frozen=True)
class Exact(Rule):
    pass


@dataclass(frozen=True)
class Every(Sampling):
    def epoch(self, rng, x, y, epoch, epochs):
        return np.arange(len(x))


@dataclass(frozen=True)
class Sums(Target):
    inputs: int = 2
    outputs: int = 1

    def __call__(self, x):
        return x.sum(axis=1, keepdims=True) * np.arange(1, self.outputs + 1) + 10


@dataclass(frozen=True)
class Nearest(Target):
    """Which of the first inputs is the largest; with one output, whether the first is positive."""

    inputs: int = 2
    outputs: int = 2

    task = "classification"

    def __call__(self, x):
        if self.outputs == 1:
            return (x[:, :1] > 0).astype(float)
        return np.eye(self.outputs)[x[:, : self.outputs].argmax(axis=1)]


class Rows(Sums):
    """A data set, which knows no values between its rows."""

    def __call__(self, x):
        raise NotImplementedError

    def data(self, rng, samples):
        x = rng.uniform(-1, 1, size=(samples, self.inputs))
        return x, Sums(self.inputs, self.outputs)(x)


FLAT = np.linspace(1, 0.1, 11)


def result(
    target=None, *, fill=0.5, train=FLAT, validation=FLAT, reason=Reason.EPOCHS, samples=40, held_out=0.25, noise=0.0
):
    target = target or Sums()
    settings = Settings(
        seed=0,
        network=Network(()),
        data=Data(samples, held_out, noise),
        training=Training(10, 1, 0.1, None, None, DType.FLOAT64),
        activation=Straight(),
        output=Straight(),
        loss=Squared(),
        optimizer=Still(),
        schedule=Steady(),
        target=target,
        initializer=Zeros(),
        rule=Exact(),
        sampling=Every(),
        norm=Straight(),
    )
    shape = Shape((target.inputs, target.outputs))
    drawn = draw(target, np.random.SeedSequence(0), samples=samples, validation=held_out, noise=noise, dtype=np.float64)
    values = {"train/loss": np.array(train)}
    if held_out:
        values["validation/loss"] = np.array(validation)
    epochs = len(train) - 1
    return Result(
        settings=settings,
        shape=shape,
        theta=np.full(shape.size, fill),
        curves=Curves(np.arange(len(train)), values),
        reason=reason,
        epochs=epochs,
        evaluations=(epochs, 0),
        samples=drawn,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )


def pictures(run, directory):
    Pictures().run_trained(run, directory)
    return {path.name: path for path in sorted((directory / "pictures").iterdir())}


RUNS = {
    "one input": lambda: result(Sums(inputs=1)),
    "two inputs": result,
    "five outputs": lambda: result(Sums(outputs=5)),
    "three outputs of three inputs": lambda: result(Sums(inputs=3, outputs=3)),
    "noise": lambda: result(noise=0.5),
    "data set": lambda: result(Rows()),
    "class or not": lambda: result(Nearest(outputs=1)),
    "two classes": lambda: result(Nearest()),
    "thirty classes": lambda: result(Nearest(inputs=30, outputs=30)),
    "no validation": lambda: result(held_out=0.0),
    "no validation of classes": lambda: result(Nearest(), held_out=0.0),
    "one sample": lambda: result(samples=1, held_out=0.0),
    "one class of two": lambda: result(Nearest(), samples=1, held_out=0.0),
    "many samples": lambda: result(samples=5000),
    "not trained": lambda: result(train=FLAT[:1], validation=FLAT[:1]),
    "loss of zero": lambda: result(train=FLAT - 0.1, validation=FLAT - 0.1),
    "constant loss": lambda: result(train=np.ones(5), validation=np.ones(5)),
    "tiny loss": lambda: result(train=FLAT * 1e-300, validation=FLAT * 1e-310),
    "converged": lambda: result(reason=Reason.CONVERGED),
    "plateau": lambda: result(reason=Reason.PLATEAU),
    "pruned": lambda: result(reason=Reason.PRUNED),
    "constant prediction": lambda: result(fill=0.0),
    "far off": lambda: result(fill=1e9),
    "diverged to NaN": lambda: result(fill=np.nan, train=[1, 1e9, np.nan], validation=[1, np.inf, np.nan]),
    "diverged to infinity": lambda: result(fill=np.inf, train=[1, 1e308, np.inf], validation=[1, 1e308, np.inf]),
    "diverged at the limit": lambda: result(
        fill=1e307, train=10.0 ** np.arange(0, 309, 7), validation=10.0 ** np.arange(0, 309, 7)
    ),
    "diverged at once": lambda: result(fill=np.nan, train=[np.nan], validation=[np.nan]),
    "diverged classes": lambda: result(Nearest(), fill=np.nan, train=[1, np.nan], validation=[1, np.nan]),
    "diverged class or not": lambda: result(Nearest(outputs=1), fill=np.nan, train=[1, np.nan], validation=[1, np.nan]),
}


@pytest.mark.parametrize("name", one_in(12, RUNS, ci=3))
def test_every_run_has_its_pictures(name, tmp_path):
    run = RUNS[name]()
    drawn = pictures(run, tmp_path)
    few, classes = run.settings.target.inputs <= 2, run.settings.target.resolved_task == "classification"
    assert list(drawn) == [
        *("loss.png", "network.png", "predictions.png"),
        *(["surface.png"] if few else ["regions.png"] if classes else []),
    ]
    for path in drawn.values():
        assert path.stat().st_size < 100_000
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.size, image.info) == ("PNG", (900, 600), {})
        assert_nothing_is_cut_off(path)


@pytest.mark.parametrize("name", one_in(3, ["two inputs", "two classes", "diverged to NaN"]))
def test_the_same_run_gives_the_same_bytes(name, tmp_path):
    first = pictures(RUNS[name](), tmp_path / "first")
    second = pictures(RUNS[name](), tmp_path / "second")
    assert [path.read_bytes() for path in first.values()] == [path.read_bytes() for path in second.values()]


def test_pictures_of_an_earlier_run_do_not_stay(tmp_path):
    pictures(result(), tmp_path)
    assert list(pictures(result(Sums(inputs=3)), tmp_path)) == ["loss.png", "network.png", "predictions.png"]


def test_hook_returns_one_watcher():
    (watcher,) = chainrule_watchers(Session(interactive=True))
    assert isinstance(watcher, Pictures)


def test_loss_is_logarithmic_where_it_spans_decades():
    assert loss.draw(result(train=FLAT**3)).axes[0].get_yscale() == "log"
    assert loss.draw(result(train=FLAT - 0.1)).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize("reason", Reason)
def test_loss_says_why_training_stopped(reason):
    """In the same words as the terminal and MLflow."""
    assert loss.draw(result(reason=reason)).axes[0].get_title() == reason.words


def test_loss_shows_every_finite_point():
    (axes,) = loss.draw(result(train=[4.0, 2.0, np.inf], validation=[5.0, 3.0, np.nan], reason=Reason.DIVERGED)).axes
    training, validation, *_ = axes.get_lines()
    np.testing.assert_array_equal(training.get_ydata(), [4, 2, np.nan])
    np.testing.assert_array_equal(validation.get_ydata(), [5, 3, np.nan])
    assert training.get_label() == "training: not finite at the end"
    assert axes.get_title().startswith("diverged")
    assert "end: epoch 2" in [line.get_label() for line in axes.get_lines()]


def test_predictions_lie_over_the_true_values():
    run = result(Sums(inputs=3, outputs=2))
    for output, axes in enumerate(predictions.draw(run).axes):
        training, validation, diagonal = axes.get_lines()
        for line, part in ((training, run.samples.train), (validation, run.samples.validation)):
            x, y = run.samples.raw(part)
            np.testing.assert_array_equal(line.get_xdata(), y[output])
            np.testing.assert_array_equal(line.get_ydata(), run.predict(x)[output])
        np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_predictions_far_off_are_counted():
    (axes,) = predictions.draw(result(fill=np.nan)).axes
    assert axes.get_title() == "40 predictions are far off or not finite"
    assert predictions.draw(result(Sums(outputs=2))).axes[1].get_title() == "output 2 of 2"


def test_confusion_counts_every_sample():
    run = result(Nearest(inputs=3, outputs=3), fill=0.0)  # all outputs are 0, so class 0 wins
    axes = predictions.draw(run).axes[0]
    counts = np.array([int(text.get_text()) for text in axes.texts]).reshape(3, 3)
    y_true = run.samples.raw(run.samples.validation)[1]
    np.testing.assert_array_equal(counts, np.column_stack([y_true.sum(axis=1), np.zeros((3, 2))]))
    assert axes.get_title() == f"validation: {counts[0, 0]} of 10 samples correct"


class Fruit(Nearest):
    """Classes and inputs with names."""

    input_names = ("size", "costs $ or $")
    output_names = ("apple", "a pear of the variety Conference")


def test_pictures_have_the_names_of_classes_and_inputs_short_ones_and_no_formulas():
    run = result(Fruit())
    axes = predictions.draw(run).axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["apple", "a pear of the var..."]
    learned, target, bar = surface.draw(run).axes
    assert (learned.get_xlabel(), target.get_xlabel(), learned.get_ylabel()) == ("size", "size", r"costs \$ or \$")
    assert [label.get_text() for label in bar.get_xticklabels()] == ["apple", "a pear of the var..."]


def test_surface_shows_the_target_beside_what_was_learned():
    learned, target, _ = surface.draw(result()).axes
    assert (learned.get_title(), target.get_title()) == ("learned", "target")
    assert learned.get_xlim() == target.get_xlim()


def test_surface_of_a_data_set_has_no_target():
    assert [axes.get_title() for axes in surface.draw(result(Rows())).axes] == ["learned", ""]


def test_surface_covers_the_range_of_the_data():
    run = result()
    x = np.concatenate([run.samples.raw(part)[0] for part in (run.samples.train, run.samples.validation)], axis=1)
    axes = surface.draw(run).axes[0]
    assert (*axes.get_xlim(), *axes.get_ylim()) == (x[0].min(), x[0].max(), x[1].min(), x[1].max())


def test_a_constant_input_has_some_range():
    run = result()
    for part in (run.samples.train, run.samples.validation):
        part.setflags(write=True)
        part[1] = 3.0
    assert surface.draw(run).axes[0].get_xlim() == (2.5, 3.5)


def test_names_are_no_mathematics(tmp_path):
    run = result()
    title = "$x^{$ & _y"
    object.__setattr__(run, "settings", SimpleNamespace(**vars(run.settings), title_that=lambda fits: title))
    assert len(pictures(run, tmp_path)) == 4


def test_neither_pyplot_nor_an_early_matplotlib():
    code = (
        "import sys; import chainrule_pictures; print('matplotlib' in sys.modules); "
        "from chainrule_pictures import loss, predictions, surface; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_long_title_is_not_cut_off():
    run = result()
    title = ", ".join(f"optimizer.parameter={number}" for number in range(12))
    object.__setattr__(run, "settings", SimpleNamespace(**vars(run.settings), title_that=lambda fits: title))
    drawn = loss.draw(run)
    drawn.canvas.draw()
    (text,) = [text for text in drawn.texts if "optimizer.parameter=11" in text.get_text()]
    box = text.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= 900
    assert " ".join(text.get_text().split()) == title


def test_a_title_of_a_picture_has_two_lines_at_most():
    run = result()
    several = chainrule.settings("network.hidden=[4]", "data.noise=0.1", "optimizer.lr=0.2")
    many = {f"target.column_{number}": "x" * 12 for number in range(12)}
    object.__setattr__(run, "settings", several)
    with mock.patch.object(type(several), "_changed", return_value=[("data.noise", 0.1), *many.items()]):
        written = loss.draw(run).texts[0].get_text()
    assert len(written.splitlines()) == 2
    assert "data.noise=0.1" in written, "the target's own are left out first"
    assert "target.column_0" in written
    assert written.endswith("..., seed 0")


def test_titles_of_surfaces_lie_below_that_of_the_figure_and_labels_are_not_cut_off():
    """Where the title has two lines, and in the small frames of an animation."""
    words = ["target=two_moons", "network.hidden=[8]", "activation=tanh", "training.epochs=2", "data.noise=0.1"]
    (result,) = chainrule.train([words])
    figure = surface.draw(result)
    plan, frame = surface.Plan.of(result), canvas.empty(5.4, 3.6, 80)
    surface.panels(frame, result, plan, result.predict(plan.points), "epoch 2: training loss 0.1234", ends=True)
    for drawn in (figure, frame):
        drawn.canvas.draw()
        renderer = drawn.canvas.get_renderer()
        top = drawn._suptitle.get_window_extent(renderer).y0 if drawn is figure else drawn.bbox.y1
        for axes in drawn.axes:
            assert axes.title.get_window_extent(renderer).y1 <= top
            box = axes.get_tightbbox(renderer)
            assert box.x0 >= 0
            assert box.x1 <= drawn.bbox.x1
            assert box.y0 >= 0


@pytest.mark.parametrize(
    ("words", "name"), [(["target=two_moons", "data.test=0.2"], "accuracy"), ([], "R2"), (["optimizer.lr=1e9"], "R2")]
)
def test_scores_are_those_of_the_curves(words, name):
    (result,) = chainrule.train([[*words, "training.epochs=4", "data.samples=40"]])
    figure = scores.draw(result)
    (axes,) = figure.axes
    assert axes.get_ylabel() == name
    lines = axes.get_lines()
    for part, line in zip(("train", "validation"), lines, strict=False):
        values = result.curves.values[f"{part}/{name.lower()}"]
        np.testing.assert_array_equal(line.get_ydata(), np.where(np.isfinite(values), values, np.nan))
    assert len(lines) == (3 if words[-1:] == ["data.test=0.2"] else 2)
    figure.canvas.draw()
    older = SimpleNamespace(settings=result.settings, curves=Curves(result.curves.epochs, {}))
    assert scores.draw(older) is None

"""Training: against closed forms and scikit-learn, and byte for byte in stacks."""

import dataclasses
import time
from typing import ClassVar

import numpy as np
import pytest
import sklearn.datasets
import sklearn.linear_model
import sklearn.metrics
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import chainrule
from chainrule.components.arguments import asked
from chainrule.components.contracts import Schedule
from chainrule.components.parameters import parameters
from chainrule.config.compose import compose_settings
from chainrule.engine import trainer
from chainrule.engine.machine import Machine
from chainrule.records.settings import DType
from chainrule.registry.loaded import installed
from chainrule.runs.execute import _stack, train_stack
from chainrule.runs.prepare import prepare, run_structure
from sizes import one_in
from stacks import RISING, everything, prepared

BASE = compose_settings([])


def differing_runs(count, *overrides):
    """Settings that differ in seed and rate."""
    base = compose_settings(overrides)
    return [
        dataclasses.replace(base, seed=i, optimizer=dataclasses.replace(base.optimizer, lr=0.002 * (i + 1)))
        for i in range(count)
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", ["null", "1", "16"])
def test_a_stack_of_24_runs_has_the_bytes_of_the_24_runs_alone(dtype, batch_size):
    """103 training samples: the last of the batches of 16 is partial."""
    common = ["data.samples=129", f"training.dtype={dtype}", f"training.batch_size={batch_size}", "training.epochs=12"]
    runs = differing_runs(24, *common)
    stack = [prepare(run) for run in runs]
    assert len({run_structure(run) for run in stack}) == 1
    assert stack[0].samples.train.shape[1] == 103
    together = train_stack(stack)
    assert len({result.theta.tobytes() for result in together}) == 24
    for run, result in zip(runs, together, strict=True):
        assert everything(result) == everything(train_stack([prepare(run)])[0])


@pytest.mark.parametrize(
    "overrides",
    [
        ["activation=tanh", "optimizer=adam", "network.hidden=[7,5]"],
        ["activation=gelu", "optimizer=rmsprop", "target=friedman1", "network.hidden=[9]"],
        ["output=softmax", "loss=categorical_cross_entropy", "target=wine", "optimizer=nadam", "network.hidden=[12]"],
        ["output=softmax", "loss=half_squared_error", "target=digits", "data.samples=40", "network.hidden=[11]"],
        ["output=sigmoid", "loss=binary_cross_entropy", "target=two_moons", "network.hidden=[]"],
        ["rule=as_printed", "loss=huber", "optimizer=momentum"],
        ["rule=feedback_alignment", "target=wine", "network.hidden=[7,5]", "output=softmax"],
        ["rule=direct_feedback_alignment", "target=wine", "network.hidden=[7,5]", "output=softmax"],
        ["rule=sign_symmetric", "activation=tanh", "network.hidden=[7,5]", "optimizer=adam"],
        ["rule=sign_symmetric", "network.hidden=[1,4,1]", "schedule=cosine"],
    ],
)
@pytest.mark.parametrize("batch_size", one_in(3, ["8", "null", "1"]))
def test_stacks_of_other_components_have_the_bytes_of_single_runs(overrides, batch_size):
    runs = differing_runs(5, *overrides, "training.epochs=2", f"training.batch_size={batch_size}")
    together = train_stack([prepare(run) for run in runs])
    for run, result in zip(runs, together, strict=True):
        assert everything(result) == everything(train_stack([prepare(run)])[0])


ANY_LAYER = [  # activations of layers of any width, trained with any number of samples
    name
    for name in installed().names("activation")
    if installed().find("activation", name).min_units == installed().find("activation", name).min_samples == 1
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hidden=st.lists(st.integers(1, 20), max_size=3),
    activation=st.sampled_from(ANY_LAYER),
    optimizer=st.sampled_from(installed().names("optimizer")),
    schedule=st.sampled_from(installed().names("schedule")),
    rule=st.sampled_from([n for n in installed().names("rule") if n != "as_printed"]),
    target=st.sampled_from(["linear", "sine", "friedman1", "xor", "wine"]),
    samples=st.integers(2, 40),
    batch_size=st.sampled_from([None, 1, 2, 3, 5, 8, 16, 17, 23]),
    dtype=st.sampled_from(list(DType)),
    tolerance=st.sampled_from([0.0, 0.5, 5.0]),
    dropout=st.sampled_from([0.0, 0.0, 0.2]),
)
def test_any_run_has_the_same_bytes_in_a_stack_and_alone(
    hidden, activation, optimizer, schedule, rule, target, samples, batch_size, dtype, tolerance, dropout
):
    has_rate = installed().find("optimizer", optimizer).rate
    assume(has_rate or "lr" not in asked(installed().find("rule", rule), "adapt"))
    assume(rule == "exact" or optimizer != "levenberg_marquardt")
    assume(installed().find("rule", rule).takes_pieces or chainrule.component("activation", activation).pieces == 1)
    base = dataclasses.replace(
        BASE,
        network=dataclasses.replace(BASE.network, hidden=tuple(hidden), dropout=dropout),
        activation=chainrule.component("activation", activation),
        optimizer=chainrule.component("optimizer", optimizer),
        schedule=chainrule.component("schedule", schedule if has_rate else "constant"),
        rule=chainrule.component("rule", rule),
        target=chainrule.component("target", target),
        data=dataclasses.replace(BASE.data, samples=samples),
        training=dataclasses.replace(
            BASE.training, epochs=3, batch_size=batch_size, dtype=dtype, tolerance=tolerance, patience=2
        ),
    )
    field = "damping" if optimizer == "levenberg_marquardt" else "lr"
    value = getattr(base.optimizer, field)
    runs = [
        dataclasses.replace(base, seed=i, optimizer=dataclasses.replace(base.optimizer, **{field: value * (i + 1)}))
        for i in range(4)
    ]
    together = train_stack([prepare(run) for run in runs])
    for run, result in zip(runs, together, strict=True):
        assert everything(result) == everything(train_stack([prepare(run)])[0])


def test_runs_that_leave_the_stack_do_not_change_their_neighbours():
    """One converges, one diverges, one reaches a plateau, the others go on; each as if alone."""
    common = ["training.epochs=400", "training.batch_size=null", "training.measure_every=5"]
    runs = [
        ["optimizer.lr=0.3", "training.tolerance=0.5", *common],
        ["optimizer.lr=1e200", *common],
        ["optimizer.lr=0", "training.patience=20", *common],
        ["optimizer.lr=0.01", "training.tolerance=0", *common],
        ["optimizer.lr=0.02", "seed=4", "training.tolerance=0", *common],
    ]
    together = train_stack([prepared(*run) for run in runs])
    assert [result.reason for result in together] == ["converged", "diverged", "plateau", "epochs", "epochs"]
    for run, result in zip(runs, together, strict=True):
        assert everything(result) == everything(train_stack([prepared(*run)])[0])


@pytest.mark.parametrize("batch_size", ["null", "8"])
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
def test_how_often_a_run_is_measured_does_not_change_it(batch_size, optimizer):
    """Although a step after a measurement of the full batch takes over its gradients."""
    run = [f"optimizer={optimizer}", "training.epochs=30", f"training.batch_size={batch_size}"]
    seldom, often, always = (prepared(*run, f"training.measure_every={every}") for every in (30, 7, 1))
    ends = [train_stack([each])[0].theta.tobytes() for each in (seldom, often, always)]
    assert ends[0] == ends[1] == ends[2]


def test_no_epochs_measures_only():
    result = chainrule.run("training.epochs=0")
    assert (result.reason, result.epochs, result.curves.epochs.tolist()) == ("epochs", 0, [0])
    assert result.theta.tobytes() == prepared().theta.tobytes()


def test_a_batch_larger_than_the_data_is_the_full_batch():
    large, full = (chainrule.run(f"training.batch_size={size}", "training.epochs=9") for size in ("9999", "null"))
    assert large.theta.tobytes() == full.theta.tobytes()


def test_one_step_is_the_article_s_update():
    """The update theta <- theta - alpha dL/dtheta, with the gradient that trace_step shows."""
    run = prepared("training.batch_size=null", "training.epochs=1", "optimizer.lr=0.125")
    weights, biases = run.shape.split(run.theta)
    trace = chainrule.trace_step(weights, biases, *run.samples.raw(run.samples.train))
    gradient = run.shape.flatten(trace.weight_gradients, trace.bias_gradients)
    np.testing.assert_array_equal(train_stack([run])[0].theta, run.theta - 0.125 * gradient)


def test_recorded_losses_are_those_of_the_predictions():
    result = chainrule.run("training.epochs=3")
    x, y = result.samples.raw(result.samples.validation)
    expected = 0.5 * np.square(result.predict(x) - y).mean()
    assert result.curves.values["validation/loss"][-1] == pytest.approx(expected, rel=1e-12)


def test_float32_stays_close_to_float64():
    low, high = (chainrule.run(f"training.dtype={dtype}", "training.epochs=5") for dtype in ("float32", "float64"))
    assert low.theta.dtype == np.float32
    np.testing.assert_allclose(low.theta, high.theta, rtol=1e-3, atol=1e-4)


def test_the_identity_network_is_least_squares():
    """Every activation the identity: linear regression, whatever the depth."""
    result = chainrule.run(
        "activation=identity", "data.noise=0.3", "training.batch_size=null", "training.epochs=30000",
        "optimizer.lr=0.05", "initializer.std=0.5", "training.tolerance=0",
    )  # fmt: skip
    x, y = result.samples.raw(result.samples.train)
    design = np.vstack([np.ones(x.shape[1]), x])
    coefficients = np.linalg.lstsq(design.T, y[0], rcond=None)[0]
    expected = coefficients @ design
    gap = np.abs(result.predict(x)[0] - expected).max() / np.abs(expected).max()
    assert gap <= 1e-8


@pytest.fixture
def classes():
    """Two classes that overlap, as a CSV file; the inputs and the labels."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    label = rng.random(200) < 1 / (1 + np.exp(-(x @ [1.0, -2.0, 0.5] + 0.3)))
    return x, label.astype(int)


def write_csv(path, x, labels):
    rows = [",".join([*(repr(float(v)) for v in row), str(label)]) for row, label in zip(x, labels, strict=True)]
    path.write_text("\n".join(["a,b,c,label", *rows]))


REGRESSION = [
    "network.hidden=[]",
    "data.validation=0",
    "training.batch_size=null",
    "optimizer.lr=1",
    "training.epochs=4000",
]


def test_sigmoid_output_with_log_loss_is_logistic_regression(classes, tmp_path):
    """Against scikit-learn, unpenalised."""
    x, label = classes
    write_csv(tmp_path / "data.csv", x, label)
    peer = sklearn.linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(x, label)
    result = chainrule.run(
        "target=table", "target.path=data.csv", "output=sigmoid", "loss=binary_cross_entropy", *REGRESSION
    )
    np.testing.assert_allclose(result.weights[0], peer.coef_, atol=1e-4)
    np.testing.assert_allclose(result.biases[0], peer.intercept_, atol=1e-4)


def test_softmax_output_with_cross_entropy_is_logistic_regression(classes, tmp_path):
    x, label = classes
    write_csv(tmp_path / "data.csv", x, np.where(label, "yes", "no"))
    peer = sklearn.linear_model.LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(x, label)
    result = chainrule.run(
        "target=table", "target.path=data.csv", "output=softmax", "loss=categorical_cross_entropy", *REGRESSION
    )
    np.testing.assert_allclose(result.weights[0][1] - result.weights[0][0], peer.coef_[0], atol=1e-4)


def test_the_article_s_experiment_reaches_the_plane():
    assert chainrule.run("experiment=article").metrics["validation/r2"] >= 0.999


def test_the_default_run_visibly_learns():
    result = chainrule.run()
    losses = result.curves.values["train/loss"]
    assert losses[-1] < losses[0] / 100
    assert result.metrics["validation/r2"] > 0.9


def test_curves_of_gradient_norms_are_euclidean():
    run = prepared("training.epochs=0", "data.validation=0", "training.gradient_norms=true")
    result = train_stack([run])[0]
    x, y = run.samples.raw(run.samples.train)
    step = chainrule.trace_step(result.weights, result.biases, x, y)
    for layer, (weights, biases) in enumerate(zip(step.weight_gradients, step.bias_gradients, strict=True), 1):
        norm = np.sqrt((weights**2).sum() + (biases**2).sum())
        assert result.curves.values[f"gradient_norm/layer_{layer}"][0] == pytest.approx(norm, rel=1e-12)


def test_blas_has_one_thread_while_training():
    seen = []
    stack = _stack([prepared("training.epochs=1")])
    trainer.train(
        dataclasses.replace(stack, epochs=1, batch_size=None, measure_every=1),
        lambda *_: seen.append(threadpool_info()),
    )
    assert seen
    assert {pool["num_threads"] for pools in seen for pool in pools if pool["user_api"] == "blas"} == {1}


SCHEDULES = [name for name in installed().names("schedule") if name != "constant"]
every_schedule = pytest.mark.parametrize("schedule", one_in(2, SCHEDULES))


@every_schedule
@pytest.mark.parametrize("batch_size", ["null", "16"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scheduled_runs_that_leave_the_stack_do_not_change_their_neighbours(schedule, batch_size, dtype):
    """They differ in every number of the schedule; one converges, one diverges, the others go on; each as if alone."""
    common = [f"schedule={schedule}", f"training.batch_size={batch_size}", f"training.dtype={dtype}"]
    common += ["training.epochs=40", "training.measure_every=3", "training.tolerance=0", "optimizer.weight_decay=0.1"]
    base = compose_settings([*common, "optimizer=adamw", "optimizer.lr=0.05"])
    floats = [name for name, p in parameters(type(base.schedule)).items() if p.is_stackable]
    stacked = []
    for i in range(5):
        numbers = {name: getattr(base.schedule, name) * 0.9**i + 0.01 * i for name in floats}
        changed = dataclasses.replace(base.schedule, **numbers)
        if schedule == "reduce_on_plateau":
            changed = dataclasses.replace(changed, patience=2, threshold=0.1 * i)
        stacked.append(dataclasses.replace(base, seed=i, schedule=changed))
    loose = dataclasses.replace(base.training, tolerance=85.0)
    stacked[1] = dataclasses.replace(stacked[1], training=loose)
    stacked[3] = dataclasses.replace(stacked[3], optimizer=dataclasses.replace(base.optimizer, lr=1e30))
    together = train_stack([prepare(run) for run in stacked])
    reasons = [result.reason for result in together]
    assert reasons.count("epochs") >= 3
    assert reasons[1] == "converged"
    for run, result in zip(stacked, together, strict=True):
        assert everything(result) == everything(train_stack([prepare(run)])[0])
        assert result.theta.dtype == dtype


@every_schedule
@pytest.mark.parametrize("batch_size", ["null", "8"])
def test_each_epoch_is_trained_at_the_rate_of_its_curve(schedule, batch_size):
    """An epoch at a rate that changes ends where one at that rate, constant, ends from the same parameters."""
    common = [f"training.batch_size={batch_size}", "training.tolerance=0", "data.samples=32", "activation=tanh"]
    common += ["training.measure_every=1", "network.hidden=[3]"]
    choice = [f"schedule={schedule}", "optimizer.lr=0.1"]
    if schedule == "step":
        choice.append("schedule.step_size=3")
    if schedule == "reduce_on_plateau":
        choice += ["schedule.patience=0", "schedule.threshold=0.3"]
    run = prepared("training.epochs=10", *choice, *common)
    result = train_stack([run])[0]
    rates = result.curves.values["learning_rate"]
    assert result.curves.epochs.tolist() == list(range(11))
    assert len(np.unique(rates)) > 2
    again = prepared("training.epochs=1", "optimizer.lr=0.1", *common)
    state, size = _stack([again]), again.settings.training.batch_size
    for rate in rates[:-1]:
        constant = dataclasses.replace(state.optimizer, lr=np.array([[rate]]))
        (after,) = trainer.train(
            dataclasses.replace(state, optimizer=constant, epochs=1, batch_size=size, measure_every=1)
        )
        state = dataclasses.replace(state, theta=after.theta[None])
    assert state.theta[0].tobytes() == result.theta.tobytes()


@pytest.mark.parametrize("batch_size", ["null", "8"])
@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "reduce_on_plateau"])
def test_how_often_a_scheduled_run_is_measured_does_not_change_it(schedule, batch_size):
    run = [f"schedule={schedule}", "training.epochs=30", f"training.batch_size={batch_size}"]
    ends = [train_stack([prepared(*run, f"training.measure_every={n}")])[0].theta.tobytes() for n in (30, 7, 1)]
    assert ends[0] == ends[1] == ends[2]


def test_only_a_rate_that_may_change_has_a_curve():
    assert "learning_rate" not in chainrule.run("training.epochs=2").curves.values
    words = ["training.epochs=4", "training.measure_every=1", "schedule=cosine", "optimizer.lr=0.2"]
    rates = chainrule.run(*words).curves.values["learning_rate"]
    np.testing.assert_allclose(rates, 0.1 * (1 + np.cos(np.pi * np.arange(5) / 4)), atol=1e-16)


def test_no_epochs_of_a_schedule_measure_only():
    for schedule in SCHEDULES:
        result = chainrule.run("training.epochs=0", f"schedule={schedule}", "optimizer.lr=0.3")
        assert result.curves.values["learning_rate"][0] in (0.3, 0.3 / 3, 0.3 / 25 / 1e4)


def test_training_leaves_the_stack_s_own_rates_alone():
    stack = _stack([prepared("schedule=exponential", "optimizer=adam")] * 2)
    before = stack.optimizer.lr.copy()
    trainer.train(dataclasses.replace(stack, epochs=3, batch_size=None, measure_every=1))
    np.testing.assert_array_equal(stack.optimizer.lr, before)


@dataclasses.dataclass(frozen=True)
class Witness(Schedule):
    """Notes what it is told."""

    told: ClassVar[list] = []

    def rate(self, lr, epoch, epochs, state):
        self.told.append(("rate", epoch, epochs))
        return lr

    def measured(self, loss, epoch, state):
        self.told.append((loss.copy(), epoch))


@pytest.mark.parametrize(("validation", "watched"), [("0.2", "validation/loss"), ("0", "train/loss")])
def test_a_schedule_is_told_the_watched_loss_at_each_point_before_it_gives_the_next_rate(validation, watched):
    Witness.told.clear()
    base = compose_settings(["training.epochs=5", "training.measure_every=2", f"data.validation={validation}"])
    result = train_stack([prepare(dataclasses.replace(base, schedule=Witness()))])[0]
    points = [entry for entry in Witness.told if len(entry) == 2]
    assert [epoch for _, epoch in points] == [0, 2, 4, 5]
    assert [loss.item() for loss, _ in points] == result.curves.values[watched].tolist()
    assert all(loss.shape == (1, 1) for loss, _ in points)
    order = [entry[1] for entry in Witness.told]
    assert order == sorted(order)
    assert {entry[2] for entry in Witness.told if len(entry) == 3} == {5}


@dataclasses.dataclass(frozen=True)
class Flat(Schedule):
    """Forgets the run axis."""

    where: str = "rate"

    def init(self, lr):
        return {"seen": np.zeros(3)} if self.where == "init" else {}

    def rate(self, lr, epoch, epochs, state):
        return lr[:, 0]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("rate", r"Flat.rate returned an array of shape \(2,\), not \(2, 1\)"),
        ("init", r"schedule=flat keeps 'seen' of shape \(3,\); its first axis must be the run axis, of length 2"),
    ],
)
def test_a_schedule_that_breaks_its_contract_says_how(where, sentence):
    run = prepare(dataclasses.replace(BASE, schedule=Flat(where)))
    with pytest.raises(chainrule.PluginError, match=sentence):
        train_stack([run, run])


@dataclasses.dataclass(frozen=True)
class Counting(chainrule.Optimizer):
    """Counts its updates, each of which takes a millisecond of CPU."""

    lr: float = 0.1
    steps: ClassVar[list[int]] = []

    def update(self, theta, grad, state, step):
        self.steps.append(step)
        end = time.process_time() + 0.001
        while time.process_time() < end:
            pass


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_stopwatch_counts_the_time_of_updates_and_makes_no_others(monkeypatch, schedule):
    """103 training samples: seven batches. A loop that asks for the time takes as long as it says on any machine."""
    plain = compose_settings(
        ["data.samples=129", "training.batch_size=16", f"schedule={schedule}", "training.engine=numpy"]
    )
    runs = [prepare(plain), prepare(dataclasses.replace(plain, seed=1))]
    stack = dataclasses.replace(_stack(runs), optimizer=Counting(np.full((2, 1), 0.1)))
    monkeypatch.setattr(Machine, "measure", None)
    monkeypatch.setattr(Counting, "steps", [])
    seconds = trainer.Stopwatch(stack)
    assert 0.021 <= seconds(3) < 1
    assert 0.014 <= seconds(2) < 1
    assert Counting.steps == list(range(1, 36))


def test_the_test_part_is_measured_once_with_the_parameters_that_are_kept():
    common = [*RISING, "data.samples=60", "data.test=0.2"]
    (result,) = train_stack([prepared(*common, "training.restore_best=true")])
    x, y = result.samples.raw(result.samples.test)
    assert x.shape == (2, 12)
    error = result.predict(x) - y
    assert result.metrics["test/loss"] == pytest.approx(0.5 * np.square(error).sum(axis=0).mean())
    assert result.metrics["test/r2"] == pytest.approx(sklearn.metrics.r2_score(y[0], result.predict(x)[0]))
    assert not [name for name in result.curves.values if name.startswith("test")]
    assert list(result.metrics)[:6] == [f"{p}/{m}" for m in ("loss", "r2") for p in ("train", "validation", "test")]


def test_a_stack_measures_the_test_part_of_each_run_as_if_it_were_alone():
    softmax = ["output=softmax", "loss=categorical_cross_entropy", "target=digits", "training.dtype=float32"]
    base = compose_settings([*softmax, "data.samples=60", "data.test=0.2", "training.epochs=3"])
    runs = [dataclasses.replace(base, seed=seed) for seed in range(3)]
    for run, result in zip(runs, train_stack([prepare(run) for run in runs]), strict=True):
        (alone,) = train_stack([prepare(run)])
        assert result.metrics == alone.metrics
        assert {"test/loss", "test/accuracy"} <= result.metrics.keys()

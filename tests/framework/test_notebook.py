"""Python's door: many runs at once, gradients, records that are loaded."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import notebook
from chainrule.engine.gradcheck import central_differences
from chainrule.records.run import MANIFEST
from sweeping import command

SHORT = ["training.epochs=6", "training.batch_size=8"]
# The settings that these describe fall into three stacks: two functions, and another number of samples.
MIXED = [
    [*SHORT, "activation=tanh", "seed=1"],
    [*SHORT, "activation=relu"],
    [*SHORT, "activation=tanh", "optimizer.lr=0.5"],
    [*SHORT, "activation=tanh", "data.samples=40"],
    [*SHORT, "activation=relu", "seed=2"],
]


def trained_bytes(result):
    curves = [result.curves.epochs.tobytes(), *(v.tobytes() for v in result.curves.values.values())]
    return [result.theta.tobytes(), result.reason, result.epochs, *curves]


@pytest.fixture
def stacks(monkeypatch):
    """How many runs each stack has had."""
    sizes, whole = [], notebook.train_stack

    def counted(runs, **options):
        sizes.append(len(runs))
        return whole(runs, **options)

    monkeypatch.setattr(notebook, "train_stack", counted)
    return sizes


def test_runs_are_stacked_by_structure_and_come_back_in_order_with_the_bytes_of_single_runs(stacks, tmp_path):
    together = chainrule.train(MIXED)
    assert stacks == [2, 2, 1]
    for overrides, result in zip(MIXED, together, strict=True):
        assert result.settings == chainrule.settings(*overrides)
        assert trained_bytes(result) == trained_bytes(chainrule.run(*overrides))
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_a_stack_has_a_largest_size(stacks, monkeypatch):
    monkeypatch.setattr(notebook, "_STACK", 2)
    first = chainrule.settings(*SHORT)
    results = chainrule.train(dataclasses.replace(first, seed=seed) for seed in range(5))
    assert stacks == [2, 2, 1]
    assert [result.settings.seed for result in results] == [0, 1, 2, 3, 4]


def test_a_run_is_given_as_overrides_as_settings_or_prepared(stacks):
    settings = chainrule.settings(*SHORT, "seed=3")
    results = chainrule.train([[*SHORT, "seed=3"], settings, chainrule.prepare(settings)])
    assert stacks == [3]
    assert len({result.theta.tobytes() for result in results}) == 1
    assert chainrule.train([]) == []


def test_a_wrong_override_is_refused_before_anything_is_trained(stacks):
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'adam'"):
        chainrule.train([SHORT, ["optimizer=adm"]])
    assert stacks == []


@pytest.mark.parametrize("validation", ["0.2", "0"])
def test_runs_can_be_stopped_and_the_others_have_their_bytes(validation):
    runs = [[*overrides, f"data.validation={validation}"] for overrides in MIXED]
    name = "train/loss" if validation == "0" else "validation/loss"
    whole, told = [chainrule.run(*overrides) for overrides in runs], {}

    def stop(epoch, places, losses):
        for place, loss in zip(places, losses, strict=True):
            told[int(place), epoch] = loss
        return np.isin(places, [0, 4]) & (epoch >= 2)

    results = chainrule.train(runs, stop=stop)
    assert [result.reason for result in results] == ["pruned", "epochs", "epochs", "epochs", "pruned"]
    for place, (result, alone) in enumerate(zip(results, whole, strict=True)):
        if place in (0, 4):
            assert (result.epochs, result.curves.epochs.tolist()) == (2, [0, 1, 2])
            for curve, values in result.curves.values.items():
                assert values.tobytes() == alone.curves.values[curve][:3].tobytes()
        else:
            assert trained_bytes(result) == trained_bytes(alone)
        epochs = range(3 if place in (0, 4) else 6)  # the end of a run is not asked about
        assert {epoch: loss for (who, epoch), loss in told.items() if who == place} == {
            epoch: alone.curves.values[name][epoch] for epoch in epochs
        }


def forward(run, theta, hidden, output):
    """The network in NumPy: hidden layers and outputs, by formulas of the test."""
    inputs = run.samples.inputs
    a, y = run.samples.train[1 : 1 + inputs], run.samples.train[1 + inputs :]
    layers = list(zip(*run.shape.split(theta), strict=True))
    for number, (weights, biases) in enumerate(layers, 1):
        z = weights @ a + biases[:, None]
        a = output(z) if number == len(layers) else hidden(z)
    return a, y


def half_squared_error(run, theta):
    predicted, y = forward(run, theta, np.tanh, lambda z: z)
    return 0.5 * np.square(predicted - y).sum(axis=0).mean()


def cross_entropy(run, theta):
    predicted, y = forward(run, theta, lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(z) / np.exp(z).sum(axis=0))
    return -(y * np.log(predicted)).sum(axis=0).mean()


REGRESSION = ["activation=tanh", "network.hidden=[3,4]"]
CLASSES = ["target=wine", "output=softmax", "loss=categorical_cross_entropy", "network.hidden=[3]"]


@pytest.mark.parametrize(("overrides", "loss"), [(REGRESSION, half_squared_error), (CLASSES, cross_entropy)])
def test_the_gradient_is_that_of_central_differences(overrides, loss):
    run = chainrule.prepare(chainrule.settings(*overrides))
    points = run.theta + 0.3 * np.random.default_rng(0).standard_normal((3, run.theta.size))
    found = chainrule.gradient(run, points)
    expected = [central_differences(lambda theta: loss(run, theta), point) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    for point, row in zip(points, found, strict=True):
        assert chainrule.gradient(run, point).tobytes() == row.tobytes()


def test_a_gradient_changes_nothing_and_is_in_the_precision_of_the_run():
    run = chainrule.prepare(chainrule.settings(*SHORT, "training.dtype=float32"))
    expected = chainrule.train([[*SHORT, "training.dtype=float32"]])[0].theta
    given = run.theta.copy()
    found = chainrule.gradient(run, given)
    assert (found.dtype, found.shape) == (np.float32, given.shape)
    assert given.tobytes() == run.theta.tobytes()
    assert chainrule.train([run])[0].theta.tobytes() == expected.tobytes()


def test_another_rule_has_the_fixed_arrays_that_the_run_would_have_with_it():
    settings = chainrule.settings(*REGRESSION, "seed=7")
    rule = chainrule.component("rule", "feedback_alignment")
    exact, aligned = (chainrule.prepare(dataclasses.replace(settings, rule=each)) for each in (settings.rule, rule))
    found = chainrule.gradient(exact, exact.theta, rule)
    assert found.tobytes() == chainrule.gradient(aligned, exact.theta).tobytes()
    assert chainrule.gradient(aligned, exact.theta, settings.rule).tobytes() == (
        chainrule.gradient(exact, exact.theta).tobytes()
    )
    own, other = (exact.shape.split(each)[0] for each in (chainrule.gradient(exact, exact.theta), found))
    assert [np.array_equal(a, b) for a, b in zip(own, other, strict=True)] == [False, False, True]
    with pytest.raises(chainrule.ConfigurationError, match="rule=as_printed is defined for the 2-2-2-1 network only"):
        chainrule.gradient(exact, exact.theta, chainrule.component("rule", "as_printed"))


def test_a_record_is_loaded_and_its_settings_train_the_same_run(tmp_path):
    overrides = [*SHORT, "optimizer=adam", "seed=2", "tracking=none"]
    result = chainrule.run(*overrides, directory=tmp_path / "run")
    record = chainrule.load("run")
    assert isinstance(record, chainrule.Record)
    assert record.directory == tmp_path / "run"
    assert record.manifest.reason is chainrule.Reason.EPOCHS
    assert record.manifest["overrides"] == record.manifest.overrides == overrides
    settings = chainrule.settings_of(record)
    assert settings == result.settings == chainrule.settings(*overrides)
    assert trained_bytes(chainrule.train([settings])[0]) == trained_bytes(result)


def test_a_sweep_is_loaded():
    command("-m", *SHORT, "tracking=none", "seed=0,1", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=found")
    sweep = chainrule.load("found")
    assert isinstance(sweep, chainrule.Sweep)
    assert [job.directory for job in sweep.manifest.jobs] == ["0", "1", "2", "3"]
    outcomes = list(sweep.outcomes())
    assert all(isinstance(outcome, chainrule.Outcome) for outcome in outcomes)
    assert [(outcome.seed, outcome.settings) for outcome in outcomes] == [
        (seed, {"optimizer.lr": rate}) for seed in (0, 1) for rate in (0.1, 0.2)
    ]
    assert isinstance(chainrule.load("found/0"), chainrule.Record)


def test_what_holds_neither_is_refused(tmp_path):
    with pytest.raises(chainrule.RecordError, match="holds no finished record"):
        chainrule.load(tmp_path)


def test_settings_of_a_plugin_that_is_gone_are_refused(tmp_path):
    chainrule.run("training.epochs=0", "tracking=none", directory=tmp_path / "run")
    shutil.copytree("run", "other")
    manifest = json.loads((tmp_path / "other" / MANIFEST).read_text())
    manifest["configuration"]["optimizer"] = {"name": "lynx", "lr": 0.1}
    (tmp_path / "other" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(chainrule.ConfigurationError, match="optimizer=lynx is unknown"):
        chainrule.settings_of(chainrule.load("other"))


def test_component_by_hand():
    assert chainrule.component("optimizer", "adam", lr=0.01).lr == 0.01
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer=adm is unknown \(did you mean 'adam'\?\)"):
        chainrule.component("optimizer", "adm")
    with pytest.raises(chainrule.ConfigurationError, match=r"optimizer.lr must be a number >= 0, not -1"):
        chainrule.component("optimizer", "adam", lr=-1)
    with pytest.raises(chainrule.ConfigurationError, match=r"'optimiser' is not a kind \(did you mean 'optimizer'\?\)"):
        chainrule.component("optimiser", "adam")


def test_what_a_sweep_came_to(tmp_path):
    command("-m", "seed=range(3)", "optimizer.lr=0.01,0.1", *SHORT, "tracking=none", "hydra.sweep.dir=s")
    found = chainrule.outcomes_of("s")
    runs = found.table("runs").frame()
    medians = runs.groupby("optimizer.lr")["validation/loss"].median().sort_values()
    assert [group.settings["optimizer.lr"] for group in found.ranking] == medians.index.tolist()
    assert [group.median for group in found.ranking] == pytest.approx(medians.tolist())
    assert found.comparison is None
    with pytest.raises(chainrule.ConfigurationError, match="A sweep needs no metric"):
        chainrule.outcomes_of("s", metric="train/loss")
    with pytest.raises(chainrule.RecordError, match="holds no sweep"):
        chainrule.outcomes_of(tmp_path)


def test_what_a_comparison_came_to():
    short = ["--targets=linear", "--budget=2", "--tunings=2", "--tuning-seeds=1", "--seeds=2", "training.epochs=3"]
    command("compare", "activation=tanh,relu,sigmoid", *short, "tracking=none", "hydra.sweep.dir=c")
    found = chainrule.outcomes_of("c")
    result, pairs, standings = found.comparison, found.table("pairs"), found.table("standings")
    names = result.comparison.contenders
    assert [(row["first"], row["second"]) for row in pairs] == [(names[p.better], names[p.worse]) for p in result.pairs]
    for row, pair in zip(pairs, result.pairs, strict=True):
        assert (row["probability"], row["interval low"], row["interval high"]) == (pair.probability, *pair.interval)
        assert f"{row['p']:.3f}" == f"{pair.p:.3f}"
        assert (row["verdict"] == "better") == pair.is_separated
    assert [row["contender"] for row in standings] == [each.contender for each in result.standings]
    assert sum(row["probability"] for row in standings) == pytest.approx(1.5)


def test_a_step_with_two_outputs_for_each_of_the_target_s():
    weights, biases = [np.array([[1.0], [0.5]])], [np.zeros(2)]
    step = chainrule.trace_step(weights, biases, [2.0], [1.0], loss="gaussian_nll")
    loss = chainrule.component("loss", "gaussian_nll")
    given = np.array([[[2.0], [1.0]]])
    np.testing.assert_array_equal(step.delta[-1], loss.gradient(given, np.ones((1, 1, 1)))[0, :, 0])
    with pytest.raises(chainrule.ConfigurationError, match=r"^y must have the shape \(1, 1\), not \(2, 1\)\.$"):
        chainrule.trace_step(weights, biases, [2.0], [1.0, 1.0], loss="gaussian_nll")


# A program as people write it: its class can be imported nowhere else.
PROGRAM = """
from dataclasses import dataclass
import numpy as np
import chainrule

def absolute(z):
    return np.abs(z)

@chainrule.plugin
@dataclass(frozen=True)
class Bent(chainrule.Activation):
    bend: float = 1.0
    def forward(self, z):
        return z / (1 + absolute(z) / self.bend)
    def slope(self, z, a):
        return 1 / (1 + absolute(z) / self.bend) ** 2

if __name__ == "__main__":
    quick = ["training.batch_size=16", "tracking=none", "hydra.launcher.workers=2", "hydra.launcher.stack=2"]
    long = ["training.epochs=2000", "network.hidden=[2,2,2,2]"]
    found = chainrule.sweep("activation=bent,tanh", "seed=0,1", *quick, *long, directory="swept")
    assert [outcome.reason for outcome in found] == ["epochs"] * 4
    alone = chainrule.run("activation=bent", "seed=1", *quick[:2], *long)
    recorded = chainrule.load("swept/1")
    assert (recorded.weights()["W1"] == alone.weights[0]).all()
    (recorded.directory / "manifest.json").unlink()
    (again,) = (one for one in chainrule.resume("swept") if one.directory == "1")
    assert again.metrics == recorded.manifest.metrics
    assert chainrule.load("swept/1").manifest.plugins == recorded.manifest.plugins
    few = [f"hydra.sweeper.{name}=2" for name in ("budget", "tunings", "seeds")]
    compared = chainrule.compare("activation=bent,tanh", "target=sine", "training.epochs=2", *quick, *few)
    assert compared.comparison.comparison.contenders == ("bent", "tanh")
    print(recorded.manifest.plugins["__main__:Bent"]["sha256"])
"""


def test_a_class_of_a_program_is_swept_compared_and_resumed_with_the_bytes_of_a_run_alone(tmp_path):
    """In processes of their own, to which it is sent."""
    Path("program.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == hashlib.sha256(PROGRAM.encode()).hexdigest()
    (tmp_path / "swept" / "1" / MANIFEST).unlink()
    assert "the class Bent of __main__, which is not declared here" in command("resume", "swept", code=1).stderr


def test_a_sweep_that_is_wrong_is_one_sentence(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'tanh'"):
        chainrule.sweep("activation=tnah,relu", "tracking=none")
    with pytest.raises(chainrule.ConfigurationError, match="did you mean 'training'"):
        chainrule.sweep("trainin.epochs=1,2")
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert not list(Path().iterdir())


def test_the_function_sweep_is_not_hidden_by_the_package():
    import chainrule.sweep.grid

    assert chainrule.sweep is notebook.sweep


def test_the_settings_of_a_record_that_knows_no_samplings_and_no_test(tmp_path):
    """As records of earlier versions are."""
    result = chainrule.run(*SHORT, "tracking=none", directory="run")
    manifest = json.loads((tmp_path / "run" / MANIFEST).read_text())
    configuration = manifest["configuration"]
    del configuration["sampling"]
    for section, key in [*(("data", key) for key in ("test", "folds", "fold")),
                         *(("training", key) for key in ("restore_best", "start"))]:  # fmt: skip
        del configuration[section][key]
    (tmp_path / "run" / MANIFEST).write_text(json.dumps(manifest))
    settings = chainrule.settings_of(chainrule.load("run"))
    assert settings == result.settings
    assert settings.sampling.name == "shuffled"


def test_folds_are_repetitions_of_a_setting():
    folds = ["data.folds=3", "data.fold=range(3)", "seed=0,1", "optimizer.lr=0.01,0.1"]
    command("-m", *folds, *SHORT, "tracking=none", "hydra.sweep.dir=s")
    found = chainrule.outcomes_of("s")
    assert [(group.settings, len(group.values)) for group in sorted(found.ranking, key=lambda g: g.title)] == [
        ({"optimizer.lr": 0.01}, 6),
        ({"optimizer.lr": 0.1}, 6),
    ]
    rows = found.table("runs")
    assert sorted({(row["seed"], row["fold"]) for row in rows}) == [(s, f) for s in (0, 1) for f in range(3)]
    assert [effect.parameter for effect in found.effects] == ["optimizer.lr"]

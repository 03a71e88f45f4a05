"""Parts that do not fit are refused before anything is trained or written."""

import contextlib
import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule.components.contracts import Initializer, Target
from chainrule.config.compose import compose_settings
from chainrule.files import paths
from chainrule.runs.prepare import prepare, with_target
from chainrule_transforms import EMA, Clip

GIVEN = []


def refused(*overrides):
    with pytest.raises(chainrule.ConfigurationError) as caught:
        prepare(compose_settings(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["output=softmax"], "output=softmax needs at least 2 outputs, but target=linear has 1 output."),
        (
            ["activation=softmax", "network.hidden=[3,1]"],
            "activation=softmax needs at least 2 units in a layer, but network.hidden[1] is 1.",
        ),
        (
            ["loss=categorical_cross_entropy"],
            "loss=categorical_cross_entropy needs at least 2 outputs, but target=linear has 1 output.",
        ),
        (
            ["loss=binary_cross_entropy", "output=identity"],
            "loss=binary_cross_entropy needs predictions in [0, 1], but output=identity gives values in [-inf, inf]; "
            "output=sigmoid fits.",
        ),
        (
            ["rule=as_printed", "network.hidden=[3]"],
            "rule=as_printed is defined for the 2-2-2-1 network only, but this one is 2-3-1.",
        ),
        (
            ["optimizer=rprop", "rule=kolen_pollack"],
            "optimizer=rprop has no learning rate that rule=kolen_pollack could learn with.",
        ),
        (
            ["optimizer=rprop", "transforms=[clip,decoupled_decay]"],
            "transforms=[decoupled_decay] needs a learning rate, but optimizer=rprop has none.",
        ),
        (
            ["optimizer=rprop", "schedule=cosine"],
            "optimizer=rprop has no learning rate that schedule=cosine could change.",
        ),
        (["data.samples=2", "data.validation=0.99"], "data.validation=0.99 of 2 samples leaves none to train on; "),
    ],
)
def test_parts_that_do_not_fit(overrides, sentence):
    assert refused(*overrides).startswith(sentence)


def test_a_log_loss_on_values_outside_its_range():
    message = refused("loss=binary_cross_entropy", "output=sigmoid")
    assert message.startswith(
        "loss=binary_cross_entropy needs true values in [0, 1], but target=linear has values from 5."
    )


def test_where_standardizing_moves_values_out_of_a_range_it_is_said_what_leaves_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{n},{n / 8}\n" for n in range(9)))
    table = ("target=table", f"target.path={path}", "target.standardize=true")
    leaves = "; standardizing has made these of 0 to 1, and target.standardize=false leaves them."
    assert refused(*table, "loss=poisson").endswith(leaves)
    (note,) = prepare(compose_settings([*table, "output=sigmoid"])).notes
    assert note.endswith(f"will stay above zero{leaves}")
    assert "standardizing" not in refused(*table, "loss=poisson", "data.noise=9"), "the values themselves do not fit"


def test_a_target_that_the_output_cannot_reach_is_noted_before_training():
    (note,) = prepare(compose_settings(["output=sigmoid"])).notes
    assert note.startswith("target=linear has values from 5.")
    assert "which output=sigmoid cannot reach: its values lie in [0, 1]" in note
    assert prepare(compose_settings(["output=relu"])).notes == ()


def test_no_hidden_layer_is_legal():
    assert chainrule.run("network.hidden=[]", "training.epochs=2").shape.widths == (2, 1)


def test_streams_are_independent_of_one_another():
    """The start does not depend on how many samples there are, nor the data on the network."""
    first, other = prepare(compose_settings([])), prepare(compose_settings(["data.samples=9", "optimizer=adam"]))
    assert first.theta.tobytes() == other.theta.tobytes()
    wide = prepare(compose_settings(["network.hidden=[5]"]))
    assert wide.samples.train.tobytes() == first.samples.train.tobytes()


@pytest.mark.parametrize("name", ["balanced", "label_noise"])
def test_a_sampling_of_classes_needs_classes(name):
    assert refused(f"sampling={name}") == (
        f"sampling={name} is defined for a classification, but target=linear is a regression."
    )


def test_a_stream_needs_a_function():
    assert refused("sampling=stream", "target=diabetes") == (
        "sampling=stream draws fresh samples of a function, but target=diabetes is a data set."
    )


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data.fold=1"], "data.fold=1 needs data.folds, the number of folds."),
        (
            ["data.folds=3", "data.fold=3"],
            "data.fold must be a whole number from 0 to 2, because data.folds is 3",
        ),
        (["data.folds=1"], "data.folds must be a whole number >= 2 or null, not 1."),
        (["data.test=1"], "data.test must be a number >= 0 and < 1, not 1."),
        (
            ["data.samples=4", "data.test=0.8"],
            "data.validation=0.2 and data.test=0.8 of 4 samples leave none",
        ),
    ],
)
def test_parts_of_the_data_that_make_no_sense(overrides, sentence):
    assert refused(*overrides).startswith(sentence)


def test_true_values_of_the_test_part_must_suit_the_loss(tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i},{i / 20}\n" for i in range(19)) + "19,3\n")
    table = ["target=table", "target.path=rows.csv", "target.label=y", "loss=binary_cross_entropy", "output=sigmoid"]
    for seed in range(3):  # the row that does not suit is once in another part
        assert "has values from 0 to 3" in refused(*table, "target.task=regression", "data.test=0.4", f"seed={seed}")


STARTED = ["network.hidden=[3]", "training.epochs=2", "tracking=none"]


@pytest.fixture
def first():
    return chainrule.run(*STARTED, "seed=5", directory="first")


@pytest.mark.slow
def test_a_run_starts_with_the_parameters_of_another(first, tmp_path):
    for path in ("first", str(tmp_path / "first"), "./first/"):
        run = prepare(compose_settings([*STARTED, f"training.start={path}"]))
        assert run.theta.tobytes() == first.theta.tobytes()
        record = chainrule.load("first").record
        assert run.origin.identity == record.manifest.identity
        assert run.origin.weights == record.manifest.files["weights.npz"].sha256
    narrow = prepare(compose_settings([*STARTED, "training.start=first", "training.dtype=float32"]))
    assert narrow.theta.tobytes() == first.theta.astype("float32").tobytes()
    assert prepare(compose_settings(STARTED)).origin is None


def test_nothing_else_of_a_run_depends_on_where_it_starts(first):
    drawn, started = (prepare(compose_settings([*STARTED, f"training.start={s}"])) for s in ("null", "first"))
    assert drawn.samples.train.tobytes() == started.samples.train.tobytes()
    for one in ("shuffle", "random"):
        assert getattr(drawn, one).random() == getattr(started, one).random()


def test_a_relative_path_begins_where_the_command_was_started(first, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with contextlib.chdir("elsewhere"):
        assert refused(*STARTED, "training.start=first").startswith("training.start=first is no run to start from: ")
        with paths.started_in(tmp_path):
            assert (
                prepare(compose_settings([*STARTED, "training.start=first"])).theta.tobytes() == first.theta.tobytes()
            )


def test_what_no_run_can_start_from(first, tmp_path):
    assert refused("training.start=frist") == (
        f"training.start=frist is no run to start from: {tmp_path / 'frist'} holds no finished record: "
        "there is no manifest.json."
    )
    assert refused("training.start=first") == "training.start=first is a 2-3-1 network, but this one is 2-2-2-1."
    (tmp_path / "first" / "weights.npz").write_bytes(b"")
    assert "was changed after it was recorded" in refused(*STARTED, "training.start=first")
    diverged = ["optimizer.lr=1e30", "activation=relu", "network.hidden=[3]", "training.epochs=9", "tracking=none"]
    chainrule.run(*diverged, directory="diverged")
    assert refused(*STARTED, "training.start=diverged") == (
        "training.start=diverged has parameters that are NaN or infinite; it has diverged."
    )


def test_a_run_starts_with_trained_fields_and_running_averages_of_another():
    words = [*STARTED, "activation=prelu", "norm=batch_norm", "training.batch_size=8"]
    before = chainrule.run(*words, "seed=5", directory="before")
    run = prepare(compose_settings([*words, "training.start=before"]))
    assert run.theta.tobytes() == before.theta.tobytes()
    assert run.states.keys() == before.states.keys() == {(1, "norm")}
    for name, array in before.states[1, "norm"].items():
        assert run.states[1, "norm"][name].tobytes() == array.tobytes()
    (still,) = chainrule.train([[*words, "training.start=before", "training.epochs=0"]])
    np.testing.assert_array_equal(still.predict([[0.3], [0.1]]), before.predict([[0.3], [0.1]]))
    assert refused(*STARTED, "activation=prelu", "training.start=before") == (
        "training.start=before has activation.1.negative_slope (3), norm.1.gain (3), norm.1.mean (3), "
        "norm.1.shift (3), norm.1.variance (3) beside weights and biases, but this run has "
        "activation.1.negative_slope (3): choose the same activations and norm."
    )


def test_a_transform_is_in_a_list_once():
    settings = dataclasses.replace(compose_settings([]), transforms=(Clip(), EMA(), Clip(limit=3.0)))
    with pytest.raises(chainrule.ConfigurationError, match=r"transforms=\[clip,ema,clip\] has clip twice; once is "):
        prepare(settings)


@dataclass(frozen=True)
class Watching(Initializer):
    """It writes down what it is given."""

    def weights(self, rng, fan_in, fan_out, *, layer, inputs):
        GIVEN.append((layer, inputs.copy()))
        return rng.normal(size=(fan_out, fan_in))

    def biases(self, rng, fan_in, fan_out, *, layer):
        assert layer == GIVEN[-1][0]
        return rng.normal(size=fan_out)


def test_an_initializer_sees_what_reaches_its_layer():
    GIVEN.clear()
    settings = compose_settings(["network.hidden=[4,3]", "activation=tanh", "data.samples=30", "data.validation=0.5"])
    run = prepare(dataclasses.replace(settings, initializer=Watching()))
    weights, biases = run.shape.split(run.theta)
    expected = run.samples.train[1:3]
    assert [layer for layer, _ in GIVEN] == [1, 2, 3]
    for (_, inputs), W, b in zip(GIVEN, weights, biases, strict=True):
        np.testing.assert_allclose(inputs, expected, rtol=1e-12)
        expected = np.tanh(W @ expected + b[:, None])


def test_who_does_not_ask_draws_what_it_drew_before():
    """The default start: layer by layer the weights and then the biases, from the second stream of the seed."""
    run = prepare(compose_settings(["seed=3"]))
    rng = np.random.default_rng(np.random.SeedSequence(3).spawn(5)[1])
    drawn = [rng.normal(size=size) for size in ((2, 2), 2, (2, 2), 2, (1, 2), 1)]
    np.testing.assert_array_equal(run.theta, run.shape.flatten(drawn[::2], drawn[1::2]))


def test_other_samples_are_scaled_as_those_that_a_run_began_with():
    run = prepare(compose_settings(["target=diabetes", "data.samples=100"]))
    same = with_target(run, run.settings.target)
    assert same.samples.train.tobytes() == run.samples.train.tobytes()
    assert same.theta is run.theta
    shifted = with_target(run, Shifted(run.settings.target))
    rows = slice(1, 12)  # inputs and the output
    moved = 1 / np.concatenate([run.samples.x_scaling.scale, run.samples.y_scaling.scale])
    np.testing.assert_allclose(shifted.samples.train[rows], run.samples.train[rows] + moved)


class Shifted(Target):
    """Another target, with 1 added to all that it draws."""

    samples, inputs, outputs, standardized = None, 10, 1, True

    def __init__(self, other):
        self.other = other

    def data(self, rng, samples):
        x, y = self.other.data(rng, samples)
        return x + 1, y + 1

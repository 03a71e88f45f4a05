"""Instruments against closed forms: each states what is known by construction, and is silent below its threshold."""

import numpy as np
import pytest

import chainrule
import chainrule_instruments as built_in
from chainrule.engine.curves import Curves
from chainrule.engine.network import Shape
from chainrule.engine.reason import Reason
from chainrule.registry.instruments import Course, Curvature
from chainrule.replay.instrumented import examine, of_settings
from chainrule.replay.replays import Replay
from chainrule_instruments.losses import delta_test


def course(
    *words,
    loss=(1.0, 0.5),
    validation=None,
    seen=(),
    stepped=(),
    x=None,
    y=None,
    reason=Reason.EPOCHS,
    at=None,
    skill=0.0,
):
    """What an instrument has measured, made by hand."""
    settings = chainrule.settings("tracking=none", *words)
    widths = settings.target.inputs, *settings.network.hidden, settings.target.outputs
    epochs = np.arange(len(loss))
    curves = {"train/loss": np.array(loss, float)}
    shape = Shape.of(widths, settings.activation, settings.output, settings.norm)
    if validation is not None:
        curves["validation/loss"] = np.array(validation, float)
    return Course(
        settings=settings,
        shape=shape,
        epochs=epochs,
        theta=np.zeros((len(epochs), shape.size)),
        seen={name: np.array(values) for name, values in dict(seen).items()},
        step_epochs=epochs[:-1],
        stepped={name: np.array(values) for name, values in dict(stepped).items()},
        curves=Curves(epochs, curves),
        reason=reason,
        x=np.zeros((widths[0], 2)) if x is None else np.array(x, float),
        y=np.zeros((widths[-1], 2)) if y is None else np.array(y, float),
        curvature=lambda place: at or Curvature(1.0, 0.5, 0.0, is_exact=True),
        skill=skill,
        goal=0.9,
    )


def only(instrument, *words, **keywords):
    """The one finding of an instrument; None if there is none."""
    found = list(instrument.findings(course(*words, **keywords)))
    assert len(found) < 2
    return found[0] if found else None


@pytest.mark.parametrize(("factor", "states"), [(0.98, False), (1.02, True)])
def test_descent_on_a_parabola_is_stable_up_to_2_by_lambda_max(factor, states):
    train = Replay(chainrule.settings("network.hidden=[]", "tracking=none")).prepare().samples.train[:3]
    largest = np.linalg.eigvalsh(train @ train.T / train.shape[1])[-1]  # the Hessian of a linear regression
    words = [
        "network.hidden=[]",
        "training.batch_size=null",
        f"optimizer.lr={factor * 2 / largest}",
        "training.epochs=400",
    ]
    (examined,) = examine([of_settings(chainrule.settings(*words, "tracking=none"))], [built_in.RateAboveCurvature()])
    assert bool(examined.findings) == states
    if states:
        (found,) = examined.findings
        assert found.numbers["bound"] == pytest.approx(2 / largest, rel=1e-6)


@pytest.mark.parametrize(("first", "states"), [(0.9e-4, True), (1.1e-4, False)])
def test_vanishing_gradients(first, states):
    norms = [[1.0, 1.0, 1.0], [first, 0.1, 1.0], [first, 0.1, 1.0]]
    found = only(built_in.VanishingGradients(), loss=[1, 1, 1], seen={"norms": norms})
    assert bool(found) == states
    if found:
        assert (found.onset, found.layer, found.numbers["ratio"]) == (1, 1, first)


def test_gradients_that_vanish_only_for_a_while_are_not_stated():
    norms = [[1e-5, 1.0], [1e-5, 1.0], [0.1, 1.0]]
    assert only(built_in.VanishingGradients(), "network.hidden=[2]", loss=[1, 1, 1], seen={"norms": norms}) is None


@pytest.mark.parametrize(("ratio", "states"), [(69.0, False), (71.0, True)])
def test_exploding_gradients(ratio, states):
    found = only(built_in.ExplodingGradients(), "network.hidden=[2]", seen={"norms": [[ratio, 1.0], [ratio, 1.0]]})
    assert bool(found) == states


def test_a_run_that_diverges_has_its_last_finite_loss():
    norms = [[1.0, 2.0, 3.0], [np.nan] * 3]
    found = only(built_in.ExplodingGradients(), loss=[7.0, np.nan], seen={"norms": norms}, reason=Reason.DIVERGED)
    assert (found.onset, found.numbers) == (0, {"loss": 7.0, "norm": 3.0})


@pytest.mark.parametrize(("output", "states"), [(0.0, True), (1e-9, False)])
def test_dead_units_give_exactly_one_number(output, states):
    alive, dead = [0.0, 1.0], [0.0, output]
    ends = {"1": [[alive, alive], [alive, dead], [alive, dead]], "2": [[alive, alive]] * 3}
    found = only(built_in.DeadUnits(), "activation=relu", loss=[1, 1, 1], seen=ends)
    assert bool(found) == states
    if found:
        assert (found.onset, found.layer, found.units) == (1, 1, (2,))


@pytest.mark.parametrize(("low", "states"), [(0.991, True), (0.989, False)])
def test_saturated_units_stay_within_a_hundredth_of_an_end(low, states):
    ends = {"1": [[[0.2, 0.8], [low, 1.0]]] * 2, "2": [[[0.2, 0.8]] * 2] * 2}
    found = only(built_in.SaturatedUnits(), "activation=sigmoid", seen=ends)
    assert bool(found) == states
    if found:
        assert (found.onset, found.layer, found.units, found.numbers["spread"]) == (0, 1, (2,), pytest.approx(1 - low))


def test_networks_that_start_with_zeros_keep_their_units_equal_and_others_do_not():
    words = ["activation=tanh", "training.epochs=3", "data.samples=20", "tracking=none"]
    replays = [of_settings(chainrule.settings(*words, f"initializer={name}")) for name in ("zeros", "normal")]
    zeros, normal = examine(replays, [built_in.IdenticalUnits()])
    assert [(found.layer, found.units, found.onset) for found in zeros.findings] == [(1, (1, 2), 0), (2, (1, 2), 0)]
    assert not normal.findings


@pytest.mark.parametrize(
    ("smallest", "symptom"),
    [(-0.1, "a plateau at a saddle"), (-1e-5, "a plateau at a minimum"), (0.2, "a plateau at a minimum")],
)
def test_a_plateau_is_at_a_saddle_if_the_hessian_has_a_negative_eigenvalue(smallest, symptom):
    loss = [4.0, 3.0, 2.0, *[1.0] * 13]
    found = only(built_in.Plateau(), loss=loss, at=Curvature(1.0, smallest, 1e-9, is_exact=True))
    assert (found.symptom, found.onset, found.numbers["lambda_min"]) == (symptom, 3, smallest)
    assert only(built_in.Plateau(), loss=0.9 ** np.arange(16)) is None


@pytest.mark.parametrize(
    ("ratios", "symptom"),
    [
        ([1e-8, 0.9e-6, 1e-8], "updates are far too small"),
        ([1e-8, 1.1e-6, 1e-8], None),
        ([1e-3, 0.09, 0.09], None),
        ([1e-3, 0.11, 0.11], "updates are far too large"),
    ],
)
def test_updates_beside_the_weights(ratios, symptom):
    stepped = {"ratios": [[ratio] for ratio in ratios]}
    found = only(built_in.UpdateSize(), "network.hidden=[]", loss=[1, 1, 1, 1], stepped=stepped)
    assert (found.symptom if found else None) == symptom


def test_the_ratio_of_an_update_is_that_of_the_norms():
    step = chainrule.Stepped(
        chainrule.settings("network.hidden=[]"),
        Shape((2, 1)),
        0,
        np.array([3.0, 0, 4]),
        np.array([3.0, 0.1, 4]),
        np.zeros(3),
        0.1,
    )
    assert built_in.UpdateSize().stepped(step)["ratios"] == pytest.approx([0.1 / 5])


def test_the_least_error_of_an_output_that_does_not_reach():
    y = [[0.5, 2.0, 3.0, 0.5]]  # variance 4.25 / 4; a sigmoid misses by 1 and 2
    found = only(built_in.OutputRange(), "output=sigmoid", y=y)
    assert found.numbers["share"] == pytest.approx(5 / 4.5)
    assert (found.numbers["outside"], found.layer) == (2, 3)
    assert only(built_in.OutputRange(), "output=identity", y=y) is None
    assert only(built_in.OutputRange(), "output=sigmoid", y=[[0.0, 1.0, 1.0, 0.0]]) is None


def test_the_condition_number_of_orthogonal_inputs_is_the_ratio_of_their_squares():
    x = np.array([[1.0, -1, 1, -1], [1, 1, -1, -1]])
    found = only(built_in.InputScale(), x=x * [[1.0], [200.0]])
    assert found.numbers["condition"] == pytest.approx(200**2)
    assert (found.numbers["size"], found.units) == (200, (2,))
    assert only(built_in.InputScale(), x=x * [[1.0], [99.0]]) is None
    assert only(built_in.InputScale(), x=x) is None


def test_a_squared_error_behind_a_sigmoid_that_is_wrong_and_flat():
    seen = {"wrong": [0.5, 0.5], "flat": [0.2, 0.9]}
    words = ["target=xor", "output=sigmoid", "loss=half_squared_error"]
    found = only(built_in.LossMismatch(), *words, seen=seen)
    assert (found.onset, found.numbers) == (1, {"wrong": 0.5, "flat": 0.9})
    settings = chainrule.settings(*words)
    a = np.array([[0.999, 0.999, 0.3]])  # slopes a (1 - a): 0.001, 0.001, 0.21
    y = np.array([[0.0, 1.0, 1.0]])
    seen = chainrule.Seen(
        settings, Shape((2, 2, 2, 1)), 0, np.zeros(1), [], [a], np.zeros((2, 3)), y, {}
    )  # fmt: skip
    backward = chainrule.Backward(Shape((2, 2, 2, 1)), lambda: ([(a - y) * a * (1 - a)], np.zeros(1)))
    assert built_in.LossMismatch().measured(seen, backward=backward) == {"wrong": pytest.approx(2 / 3), "flat": 0.5}


@pytest.mark.parametrize(("swing", "states"), [(0.029, False), (0.031, True)])
def test_a_loss_that_swings_by_3_per_cent_of_that_of_the_best_constant(swing, states):
    y = [[-2.0, 2.0, -2.0, 2.0]]  # half of its variance is 2
    loss = [0.1 + swing * 2 * (turn % 2) for turn in range(40)]
    found = only(built_in.Oscillation(), loss=loss, y=y)
    assert bool(found) == states
    if found:
        assert (found.numbers["swing"], found.numbers["constant"]) == (pytest.approx(swing), 2)
    assert only(built_in.Oscillation(), loss=0.9 ** np.arange(40), y=y) is None


def test_a_loss_near_0_that_swings_by_half_of_itself_is_well():
    assert only(built_in.Oscillation(), loss=[1e-4 + 5e-5 * (turn % 2) for turn in range(40)], y=[[0.0, 1.0]]) is None


def test_a_run_that_has_learned_has_no_plateau_and_no_small_updates():
    flat = {"loss": [4.0, 3.0, 2.0, *[1.0] * 13], "skill": 0.95}
    assert only(built_in.Plateau(), **flat) is None
    assert only(built_in.UpdateSize(), "network.hidden=[]", stepped={"ratios": [[1e-9]] * 15}, **flat) is None
    norms = [[1e-5, 1.0]] * 16
    assert only(built_in.VanishingGradients(), "network.hidden=[2]", seen={"norms": norms}, **flat) is None
    assert only(built_in.TooFewEpochs(), loss=0.9 ** np.arange(16), skill=0.95) is None


@pytest.mark.parametrize(("last", "states"), [(1.04, False), (1.06, True)])
def test_the_generalization_loss_of_prechelt(last, states):
    found = only(built_in.Overfitting(), loss=[2.0, 0.5, 0.1], validation=[2.0, 1.0, last], y=[[-1.0, 1.0]])
    assert bool(found) == states
    if found:
        assert (found.onset, found.numbers["gl"]) == (1, pytest.approx(6))


def test_the_delta_test_by_hand_and_of_pure_noise():
    assert delta_test(np.array([[0.0, 1, 10]]), np.array([[0.0, 2, 5]])) == pytest.approx((4 + 4 + 9) / 3 / 2)
    rng = np.random.default_rng(0)
    assert delta_test(rng.normal(size=(3, 1500)), 2 * rng.normal(size=(1, 1500))) == pytest.approx(4, rel=0.1)


def test_the_error_of_a_line_through_noise_is_the_noise():
    words = ["network.hidden=[]", "data.noise=2", "training.epochs=30", "optimizer.lr=0.01", "tracking=none"]
    (examined,) = examine([of_settings(chainrule.settings(*words))], [built_in.NoiseFloor()])
    (found,) = examined.findings
    assert found.numbers["noise"] == 4
    (clean,) = examine([of_settings(chainrule.settings(*words, "data.noise=0"))], [built_in.NoiseFloor()])
    assert not clean.findings


@pytest.mark.parametrize(("factor", "states"), [(0.97, True), (0.995, False)])
def test_too_few_epochs(factor, states):
    loss = factor ** np.arange(16)
    found = only(built_in.TooFewEpochs(), loss=loss)
    assert bool(found) == states
    if found:
        assert found.numbers["fall"] == pytest.approx(1 - factor**2)
    assert only(built_in.TooFewEpochs(), loss=loss, reason=Reason.CONVERGED) is None


def test_equal_units_are_found_wherever_they_stand_and_others_with_equal_biases_are_not():
    weights = np.array([[0.0, 1, 2], [0, 3, 4], [0, 1, 2], [0, 5, 6], [0, 1, 2], [0, 3, 4]])
    instrument = built_in.IdenticalUnits()
    sums = instrument._sums(weights[:, 1:] @ np.ones((2, 2)), weights)
    assert instrument._largest_group(sums).tolist() == [0, 2, 4]
    assert instrument._largest_group(sums[[1, 0, 3, 2, 5, 4]][:4]).tolist() == [1, 3]
    assert instrument._largest_group(sums[:2]).tolist() in ([0], [1]), "no two of them are equal"
    silent = instrument._sums(np.zeros((6, 2)), weights)
    assert instrument._largest_group(silent).tolist() == [0, 2, 4], "units that are silent differ by their weights"

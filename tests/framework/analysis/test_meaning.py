"""Which runs of a sweep can be compared."""

from pathlib import Path

import pytest

from chainrule.analysis.meaning import by_target, differing
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.engine.reason import Reason
from chainrule.records.outcome import Measured, Outcome
from chainrule.records.sweep import new_sweep
from chainrule.reports.ranking import answer

SWEEP = new_sweep(Path("/sweep"), [], Path("/"), {}, {})


def about(loss="huber", target="sine", noise=0.0, weights=None, **parameters):
    data = {"noise": noise, "class_weights": weights, "samples": 5}
    return Measured.of({"loss": {"name": loss, **parameters}, "target": {"name": target}, "data": data})


def run(number, measured, value, score, kind="r2", **settings):
    metrics = {"validation/loss": value, f"validation/{kind}": score}
    return Outcome(number, str(number), settings, 0, Reason.EPOCHS, metrics, measured=measured)


def sweep_of(*outcomes):
    return SweepOutcomes(SWEEP, outcomes)


def test_what_a_loss_is_about_is_its_parameters_the_target_the_noise_and_weights():
    assert about() == about()
    assert about(delta=0.1).loss == (("loss", "huber"), ("loss.delta", "0.1"), ("data.class_weights", "null"))
    assert about().target == (("target", "sine"), ("data.noise", "0"))
    assert about(delta=0.1) != about(delta=0.1 + 1e-12), "with all digits"
    assert about(weights=[1, 2]).loss != about().loss
    assert about(noise=1.0).target != about().target


@pytest.mark.parametrize(
    ("things", "names"),
    [
        ([], []),
        ([about().target], ["sine"]),
        ([about().target, about(target="linear", noise=1.0).target], ["sine", "linear"]),
        ([about().target, about(noise=1.0).target], ["data.noise=0", "data.noise=1"]),
        ([about(delta=0.01).loss, about(delta=1.0).loss], ["loss.delta=0.01", "loss.delta=1"]),
    ],
)
def test_things_are_named_by_what_sets_them_apart(things, names):
    assert list(differing([*things, *things]).values()) == names


def test_runs_on_one_target_are_all_together_and_failed_ones_lie_with_those_that_share_settings():
    both = [run(0, about(), 1.0, 0.0, target="sine"), run(1, about(target="xor"), 1.0, 0.0, target="xor")]
    failed = Outcome(2, "2", {"target": "xor", "activation": "none"}, 0, Reason.FAILED, {})
    assert by_target(both[:1]) == {"": both[:1]}
    assert by_target([*both, failed]) == {"sine": both[:1], "xor": [both[1], failed]}
    assert by_target([failed]) == {"": [failed]}


def test_settings_with_different_losses_are_ranked_by_the_score():
    small = [run(0, about(delta=0.01), 0.1, -31.0, **{"loss.delta": 0.01})]
    found = sweep_of(*small, run(1, about(delta=1.0), 2.3, -1.8, **{"loss.delta": 1}))
    assert (found.metric, found.maximize) == ("validation/r2", True)
    assert [group.settings["loss.delta"] for group in found.ranking] == [1, 0.01]
    assert {target: best.number for target, best in found.best_by_target.items()} == {"": 1}
    said = "Losses with loss.delta=0.01 and loss.delta=1 measure different things, so settings are ranked by"
    assert found.caution == f"{said} validation/r2."
    assert answer(found, 2).startswith(f"{found.caution} The largest median validation/r2 is -1.8, with loss.delta=1.")


def test_a_run_that_diverged_is_never_the_best_by_the_score():
    nothing = {"validation/loss": None, "validation/r2": None}
    lost = Outcome(0, "0", {"loss": "huber"}, 0, Reason.DIVERGED, nothing, measured=about())
    found = sweep_of(lost, run(1, about(loss="square"), 2.0, -5.0, loss="square"))
    assert {target: best.number for target, best in found.best_by_target.items()} == {"": 1}
    assert found.ranking[0].outcomes[0].number == 1


def test_scores_of_two_kinds_are_compared_as_errors():
    outcomes = [run(0, about(), 1.0, 0.5), run(1, about(loss="other"), 2.0, 0.5)]
    mixed = [*outcomes, run(2, about(target="wine"), 3.0, 0.9, "accuracy")]
    assert (sweep_of(*mixed).metric, sweep_of(*mixed).maximize) == ("validation/error", False)


def test_each_target_has_a_ranking_and_a_best_run_of_its_own():
    outcomes = [
        run(number, about(target=target), value, 0.0, target=target, rate=rate)
        for number, (target, rate, value) in enumerate(
            [("linear", 1, 2.0), ("linear", 2, 3.0), ("sine", 1, 0.4), ("sine", 2, 0.1)]
        )
    ]
    found = sweep_of(*outcomes)
    assert (found.metric, found.maximize) == ("validation/loss", False)
    assert [group.settings["target"] for group in found.ranking] == ["linear", "linear", "sine", "sine"]
    assert [(row["rank"], row["rate"]) for row in found.table("ranking")] == [(1, 1), (2, 2), (1, 2), (2, 1)]
    assert {target: best.number for target, best in found.best_by_target.items()} == {"linear": 0, "sine": 3}
    assert found.effects == [], "of targets nobody says what mattered"
    assert [effect.parameter for effect in found.by_target["sine"].effects] == ["rate"]
    assert found.caution.startswith("Runs on linear and sine learn different things, so each")
    said = answer(found, 4)
    assert said.startswith(f"{found.caution} On linear: The smallest median validation/loss is 2, with target=linear")
    assert " On sine: The smallest median validation/loss is 0.1, with target=sine, rate=2." in said


def test_a_loss_that_goes_with_its_target_is_compared_within_it():
    found = sweep_of(run(0, about(), 1.0, 0.5), run(1, about(loss="entropy", target="wine"), 0.2, 0.9))
    assert found.metric == "validation/loss"
    assert found.by_target.keys() == {"sine", "wine"}


def test_many_targets_are_counted_in_the_sentences():
    found = sweep_of(*(run(number, about(target=f"t{number}"), 1.0, 0.0) for number in range(8)))
    assert found.caution.startswith("Runs on t0, t1, t2, t3 and 4 more learn")
    assert answer(found, 8).endswith("3 more targets in the table below.")


def test_what_changes_no_meaning_is_compared_as_ever():
    found = sweep_of(run(0, about(), 1.0, 0.5, rate=1), run(1, about(), 2.0, 0.9, rate=2))
    assert (found.metric, found.maximize, found.caution) == ("validation/loss", False, "")
    assert list(found.by_target) == [""]
    assert found.by_target[""] is found

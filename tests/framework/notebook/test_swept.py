"""A sweep as an object: tables, the best run, links, text."""

from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli.common import predictor_at

SHORT = ["training.epochs=4", "training.batch_size=16", "training.measure_every=1", "tracking=none"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "s"
    return chainrule.sweep("seed=range(3)", "activation=tanh,relu", *SHORT, directory=place, quiet=True)


def test_a_loaded_sweep_is_what_sweeping_returned(made):
    found = chainrule.load(made.record.directory)
    assert type(made) is type(found) is chainrule.SweepResult
    assert list(found) == list(made)
    assert found.record.manifest == made.record.manifest
    assert repr(found) == repr(made)
    assert found.links.items() <= made.links.items()


def test_data_frames_have_a_row_a_run_a_setting_or_a_point(made):
    runs, settings, curves = (made.to_pandas(rows) for rows in ("runs", "settings", "curves"))
    assert (len(runs), len(settings), len(curves)) == (6, 2, 6 * 5)
    assert made.to_pandas().equals(runs)
    assert runs["validation/loss"].tolist() == [outcome.metrics["validation/loss"] for outcome in made]
    medians = runs.groupby("activation")["validation/loss"].median()
    assert settings["median"].tolist() == pytest.approx(sorted(medians))
    last = curves[curves["epoch"] == 4]
    assert last["validation/loss"].tolist() == runs["validation/loss"].tolist()
    assert curves[["run", "activation", "seed"]].drop_duplicates().shape == (6, 3)
    assert made.to_pandas("effects")["parameter"].tolist() == ["activation"]
    with pytest.raises(chainrule.ConfigurationError, match=r"^There is no rows 'curve' \(did you mean 'curves'\?\)"):
        made.to_pandas("curve")


def test_the_best_run_is_loaded(made):
    losses = [outcome.metrics["validation/loss"] for outcome in made]
    number = int(np.argmin(losses))
    assert made.best.record.directory == made.record.directory / str(number)
    assert made.best.metrics["validation/loss"] == min(losses)
    alone = chainrule.run(*made.record.manifest.jobs[number].overrides)
    assert made.best.theta.tobytes() == alone.theta.tobytes()
    assert made.run(1).settings.activation.name == "relu"
    with pytest.raises(chainrule.ConfigurationError, match=r"^There is no run 6: numbers go from 0 to 5\.$"):
        made.run(6)


def test_a_sweep_says_in_a_few_lines_what_it_is(made):
    first, answer, place = repr(made).splitlines()
    assert first == "Sweep: 2 activation x 3 seeds, 6 of 6 runs have ended"
    assert answer.startswith("  The smallest median validation/loss is ")
    assert place == f"  records {made.record.directory}"
    assert made.links["report"] == str(made.record.directory / "report.html")


def test_losses_that_measure_different_things_name_no_winner_among_them(tmp_path, capsys):
    own = ["loss=huber", "seed=range(2)", *SHORT]
    found = chainrule.sweep("loss.delta=0.01,1", *own, directory=tmp_path / "s")
    scores = [outcome.metrics["validation/r2"] for outcome in found]
    assert found.best.metrics["validation/r2"] == max(scores)
    said = "Losses with loss.delta=0.01 and loss.delta=1 measure different things, so settings are ranked by "
    out = capsys.readouterr().out
    assert out.count(said) == found.answer.count(said) == 1
    assert "final validation r2, best first" in out
    assert [line for line in out.splitlines() if line.startswith("4/4 runs")]
    assert not [line for line in out.splitlines() if line.startswith("4/4 runs") and "best loss" in line]
    assert said in Path(found.links["report"]).read_text()


def test_runs_on_several_targets_have_a_best_one_each(tmp_path, capsys):
    found = chainrule.sweep("target=sine,xor", "optimizer.lr=0.1,0.2", *SHORT, directory=tmp_path / "s")
    assert found.best_by_target.keys() == {"sine", "xor"}
    out, report = capsys.readouterr().out, Path(found.links["report"]).read_text()
    assert "best first on each target" in out
    for text in ("best run on sine", "best run on xor", "Runs on sine and xor learn different things"):
        assert text in out
    assert "<h2>The best runs</h2>" in report
    assert report.count('<tr class="best">') == 2
    assert "<h2>What mattered on sine</h2>" in report
    assert "validation/loss over epochs on xor" in report
    with pytest.raises(chainrule.ConfigurationError, match="Losses on sine, xor cannot be compared"):
        _ = found.best


def test_where_nothing_is_finite_there_is_no_best(tmp_path):
    found = chainrule.sweep("optimizer.lr=1e9,1e10", *SHORT, directory=tmp_path / "s", quiet=True)
    with pytest.raises(chainrule.ConfigurationError, match="None of 2 runs has a finite validation/loss"):
        _ = found.best


@pytest.mark.slow
def test_a_comparison_knows_the_best_run_on_one_target_only():
    few = {"budget": 2, "tunings": 2, "tuning_seeds": 1, "seeds": 2, "quiet": True}
    one = chainrule.compare("activation=tanh,relu", *SHORT, targets="sine", **few, directory="one")
    tuned = [outcome for outcome in one if not one.record.comparison.is_tuning(outcome.number)]
    assert one.best.metrics["validation/loss"] == min(outcome.value(one.metric) for outcome in tuned)
    assert predictor_at(Path("one")).theta.tobytes() == one.best.theta.tobytes()
    assert one.comparison.answer in repr(one)
    assert len(one.to_pandas("pairs")) == 1
    two = chainrule.compare("activation=tanh,relu", *SHORT, targets=["sine", "linear"], **few, directory="two")
    with pytest.raises(chainrule.ConfigurationError, match="Losses on sine, linear cannot be compared"):
        _ = two.best
    assert Path(two.links["report"]).is_file()

"""What is read from disk: records of runs and sweeps, and what they came to."""

import json

import pytest

import chainrule
from chainrule.records.manifest import MANIFEST
from sealing import rewritten
from sweeping import command

SHORT = ["training.epochs=6", "training.batch_size=8"]


def test_a_run_is_loaded_and_its_settings_train_the_same_run(tmp_path):
    overrides = [*SHORT, "optimizer=adam", "seed=2", "tracking=none"]
    result = chainrule.run(*overrides, directory=tmp_path / "run")
    run = chainrule.load("run")
    assert run.record.directory == tmp_path / "run"
    assert run.record.manifest.reason is run.reason is chainrule.Reason.EPOCHS
    assert run.record.manifest["overrides"] == run.record.manifest.overrides == overrides
    settings = chainrule.settings_of(run.record)
    assert settings == chainrule.settings_of(run) == result.settings == chainrule.settings(*overrides)
    (again,) = chainrule.train([settings])
    assert again.theta.tobytes() == result.theta.tobytes()
    assert [values.tobytes() for values in again.curves.values.values()] == [
        values.tobytes() for values in result.curves.values.values()
    ]


def test_a_sweep_is_loaded():
    command("-m", *SHORT, "tracking=none", "seed=0,1", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=found")
    found = chainrule.load("found")
    assert isinstance(found, chainrule.SweepResult)
    assert [job.directory for job in found.record.manifest.jobs] == ["0", "1", "2", "3"]
    assert all(isinstance(outcome, chainrule.Outcome) for outcome in found)
    assert [(outcome.seed, outcome.settings) for outcome in found] == [
        (seed, {"optimizer.lr": rate}) for seed in (0, 1) for rate in (0.1, 0.2)
    ]
    assert isinstance(chainrule.load("found/0"), chainrule.Run)


def test_what_holds_neither_is_refused(tmp_path):
    with pytest.raises(chainrule.RecordError, match="holds no finished record"):
        chainrule.load(tmp_path)


def test_what_a_sweep_came_to(tmp_path):
    command("-m", "seed=range(3)", "optimizer.lr=0.01,0.1", *SHORT, "tracking=none", "hydra.sweep.dir=s")
    found = chainrule.outcomes_of("s")
    runs = found.to_pandas("runs")
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


def test_the_settings_of_a_record_that_knows_no_samplings_and_no_test(tmp_path):
    """As records of earlier versions are."""
    result = chainrule.run(*SHORT, "tracking=none", directory="run")
    configuration = json.loads((tmp_path / "run" / MANIFEST).read_text())["configuration"]
    del configuration["sampling"]
    for section, key in [*(("data", key) for key in ("test", "folds", "fold")),
                         *(("training", key) for key in ("restore_best", "start", "engine"))]:  # fmt: skip
        del configuration[section][key]
    rewritten("run", configuration=configuration)
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

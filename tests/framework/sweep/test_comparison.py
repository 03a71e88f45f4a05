"""Comparisons as people type them: the same for all contenders, tuned first, judged by fresh seeds."""

import html
import json
import math
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

import distributions
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.records.comparison import Round
from chainrule.records.manifest import MANIFEST
from chainrule.records.run import read_record
from chainrule.records.sweep import read_sweep
from chainrule.reports.comparison import NUMBERS
from distributions import LYNX, MOODY
from sizes import one_in
from sweeping import command, contents

SHORT = ["--budget=4", "--tunings=3", "--seeds=2", "training.epochs=20", "hydra.sweep.dir=found"]
TARGETS = ["--targets", "sine,two_moons,wine"]


def compared(*arguments, **options):
    return command("compare", *SHORT, *arguments, **options)


def kept(folder):
    """What a comparison leaves, but for the receipts of MLflow, which name when a run was trained."""
    return {name: content for name, content in contents(folder).items() if not name.endswith("mlflow.json")}


def found(folder="found"):
    sweep = read_sweep(Path(folder))
    return sweep, SweepOutcomes(sweep, sweep.outcomes()).comparison


@pytest.fixture(scope="module")
def whole(tmp_path_factory, prepared):
    """A comparison of an idea of somebody else's, kept by MLflow."""
    folder = tmp_path_factory.mktemp("comparison")
    distributions.install(folder / "site", "chainrule-lynx", LYNX)
    folder.joinpath("runs").mkdir()
    shutil.copy(prepared, folder / "runs")
    done = compared(
        "optimizer=adam,lynx", *TARGETS, "training.measure_every=1", folder=folder / "runs", path=folder / "site"
    )
    return folder, done


@pytest.mark.slow
def test_contenders_have_equal_chances(whole):
    """The same points and seeds of tuning; other seeds, the same for both, decide; each target has its own."""
    folder, _ = whole
    sweep, _ = found(folder / "runs" / "found")
    comparison = sweep.comparison
    jobs = [dict(text.split("=", 1) for text in job["overrides"]) for job in sweep.manifest["jobs"]]
    seen, rates = {}, {}
    for t, target in enumerate(comparison.targets):
        tuning, fresh = [], []
        for c, contender in enumerate(comparison.contenders):
            tried = [jobs[n] for r in range(3) for point in range(4) for n in comparison.tuning(t, c, r, point)]
            judged = [jobs[n] for r in range(3) for n in comparison.tuned(t, c, r)]
            assert {(job["optimizer"], job["target"]) for job in tried + judged} == {(contender, target)}
            tuning.append([(job["optimizer.lr"], job["seed"]) for job in tried])
            fresh.append([job["seed"] for job in judged])
        assert tuning[0] == tuning[1]
        assert fresh[0] == fresh[1]
        seen[target] = {seed for _, seed in tuning[0]} | set(fresh[0])
        assert len(seen[target]) == 3 * (2 + 2), "each tuning has seeds of its own"
        rates[target] = {rate for rate, _ in tuning[0]}
        assert len(rates[target]) == 3 * 4, "and points of its own"
    assert len(set().union(*seen.values())) == 3 * 12
    assert len(set().union(*rates.values())) == 3 * 12
    assert len(jobs) == comparison.runs == sweep.runs == sweep.planned


@pytest.mark.slow
def test_each_target_has_the_output_and_the_loss_that_fit_it(whole):
    folder, _ = whole
    sweep, _ = found(folder / "runs" / "found")
    fitting = set()
    for number in range(sweep.runs):
        configuration = read_record(sweep.place(number)).manifest["configuration"]
        fitting.add(tuple(configuration[group]["name"] for group in ("target", "output", "loss")))
    assert fitting == {
        ("sine", "identity", "half_squared_error"),
        ("two_moons", "sigmoid", "binary_cross_entropy"),
        ("wine", "softmax", "categorical_cross_entropy"),
    }


@pytest.mark.slow
def test_the_point_with_the_smallest_median_is_judged(whole):
    folder, _ = whole
    sweep, result = found(folder / "runs" / "found")
    for place, (t, c) in enumerate(result.comparison.cells):
        entry, every, edges = result.entries[place], {}, 0
        for tuning in range(3):
            medians = {}
            for point in range(4):
                ends = [read_record(sweep.place(n)).manifest for n in result.comparison.tuning(t, c, tuning, point)]
                losses = [math.inf if m["reason"] == "diverged" else m["metrics"]["validation/loss"] for m in ends]
                medians[ends[0]["configuration"]["optimizer"]["lr"]] = statistics.median(losses)
            best = min(medians, key=medians.get)
            assert entry.tuned[tuning] == {"optimizer.lr": best}
            ends = [read_record(sweep.place(n)).manifest for n in result.comparison.tuned(t, c, tuning)]
            assert {m["configuration"]["optimizer"]["lr"] for m in ends} == {best}
            edges += best in (min(medians), max(medians))
            every |= medians
        assert {point["optimizer.lr"]: loss for point, loss in entry.tried} == every
        assert entry.at_edge == ("optimizer.lr",) * (edges >= 2)


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
def test_the_answer_is_told_everywhere(whole):
    from mlflow import MlflowClient  # takes seconds, so not where tests are only collected

    folder, done = whole
    sweep, result = found(folder / "runs" / "found")
    answer = result.answer
    assert answer in done.stdout
    assert f"{result.comparison.runs} runs: optimizer adam, lynx on sine, two_moons, wine" in done.stdout
    assert html.escape(answer) in (sweep.directory / "report.html").read_text()
    numbers = json.loads((sweep.directory / NUMBERS).read_text())
    assert numbers["answer"] == answer
    assert numbers["pairs"][0]["probability"] == result.pairs[0].probability
    assert [len(entry["losses"]) for entry in numbers["results"]] == [6] * 6
    client = MlflowClient(f"sqlite:///{folder / 'runs' / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("chainrule").experiment_id], max_results=500)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(runs) == 1 + result.comparison.runs
    assert answer in parent.data.tags["mlflow.note.content"]
    assert parent.data.params["varied/optimizer"] == "adam, lynx"
    assert {"report.html", "comparison.json"} <= {
        artifact.path for artifact in client.list_artifacts(parent.info.run_id)
    }


def test_what_fewer_points_and_epochs_would_change_is_told(whole):
    """After half of the epochs, from the curves of each run; seeds of one tuning count as one block."""
    folder, _ = whole
    sweep, result = found(folder / "runs" / "found")
    numbers = json.loads((sweep.directory / NUMBERS).read_text())
    assert numbers["fewer_points"]["points"] == [1, 2, 4]
    (pair,) = numbers["fewer_epochs"]["pairs"]
    assert [step["amount"] for step in pair["steps"]] == [5, 10]
    places = [result.comparison.contenders.index(pair[which]) for which in ("better", "worse")]
    for t, target in enumerate(result.comparison.targets):
        runs = [[n for tuning in range(3) for n in result.comparison.tuned(t, c, tuning)] for c in places]
        curves = [[read_record(sweep.place(n)).curves() for n in own] for own in runs]
        then = [[each.values["validation/loss"][each.epochs.searchsorted(10)] for each in own] for own in curves]
        shares = [(x < y) + 0.5 * (x == y) for x, y in zip(*then, strict=True)]
        assert pair["steps"][1]["by_target"][target] == pytest.approx(statistics.fmean(shares))
    page = html.unescape((sweep.directory / "report.html").read_text())
    for sentence in numbers["fewer_points"]["sentences"] + numbers["fewer_epochs"]["sentences"]:
        assert sentence in page


def test_the_report_needs_nothing_else(whole):
    folder, _ = whole
    page = (folder / "runs" / "found" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    # The pair, each entry, an axis a target, the profile, points and epochs of each target, its tuning and best run.
    assert page.count("<svg") == 1 + 6 + 3 + 1 + 6 + 3 + 3
    assert "hydra/sweeper=compare" in page


@pytest.mark.slow
def test_what_broke_off_ends_with_the_same_bytes(whole, tmp_path):
    """As if it had been killed in its second round, after which something of the first was lost."""
    folder, _ = whole
    place = folder / "runs" / "found"
    before = kept(place)
    sweep = read_sweep(place)
    comparison = sweep.comparison
    for number in (0, 7, *range(comparison.tuning_runs + 2, comparison.runs)):
        (sweep.place(number) / MANIFEST).unlink()
    (place / NUMBERS).unlink()
    sweep.write(finished=None, jobs=sweep.manifest["jobs"][: comparison.tuning_runs])
    command("report", str(place), path=folder / "site")
    assert "chainrule resume" in (place / "report.html").read_text()
    assert not (place / NUMBERS).exists()
    command("resume", str(place), path=folder / "site")
    assert kept(place) == before


@pytest.fixture(scope="module")
def race(tmp_path_factory, prepared):
    """Two that are soon better than one that does not move, and then go on alone."""
    folder = tmp_path_factory.mktemp("race")
    shutil.copy(prepared, folder)
    named = {"still": "optimizer.lr=1e-9", "one": "network.hidden=[8]", "other": "network.hidden=[9]"}
    contenders = [f"--contender={name}: {value}" for name, value in named.items()]
    numbers = ["--budget=2", "--tuning-seeds=1", "--seeds=2", "--max-runs=320", "training.epochs=10"]
    numbers.append("--space=optimizer.lr=tag(log,interval(0.02,0.1))")
    arguments = ["compare", *contenders, "--targets=sine,two_moons", "--until-decided", *numbers, *SHORT[4:]]
    return folder, command(*arguments, folder=folder)


@pytest.mark.slow
def test_contenders_that_are_decided_leave_a_race(race):
    folder, done = race
    sweep, result = found(folder / "found")
    rounds = sweep.comparison.every_round
    assert [each.contenders for each in rounds] == [(0, 1, 2)] * 3 + [(1, 2)] * len(rounds[3:])
    assert len(rounds) > 3
    assert [each.tunings for each in rounds[:3]] == [2, 2, 2], "half of all before, but no fewer than at first"
    assert result.comparison == sweep.comparison
    lost = [pair for pair in result.pairs if pair.worse == 0]
    assert [pair.is_separated for pair in lost] == [True, True]
    assert {entry.contender: len(entry.tuned) for entry in result.entries} == {
        "still": sweep.comparison.taken(0),
        "one": sweep.comparison.most_tunings,
        "other": sweep.comparison.most_tunings,
    }
    assert "at least 48 runs: contender still, one, other on sine, two_moons" in done.stdout
    assert "note: after 2 tunings it is not decided which of still, one, other is better" in done.stdout
    assert result.answer in done.stdout
    assert "It is a confidence sequence" in (folder / "found" / "report.html").read_text()


@pytest.mark.slow
def test_every_tuning_of_a_race_has_points_and_seeds_of_its_own(race):
    folder, _ = race
    sweep, _ = found(folder / "found")
    comparison = sweep.comparison
    jobs = [dict(text.split("=", 1) for text in job["overrides"]) for job in sweep.manifest["jobs"]]
    for target in range(2):
        tried, fresh = set(), set()
        for tuning in range(comparison.most_tunings):
            points = [jobs[n] for point in range(2) for n in comparison.tuning(target, 2, tuning, point)]
            judged = [jobs[n] for n in comparison.tuned(target, 2, tuning)]
            tried |= {(job["optimizer.lr"], job["seed"]) for job in points}
            fresh |= {job["seed"] for job in judged}
            best = {job["optimizer.lr"] for job in judged}
            assert len(best) == 1
            assert best <= {job["optimizer.lr"] for job in points}
        assert len(tried) == comparison.most_tunings * 2
        assert len(fresh) == comparison.most_tunings * 2
    last = jobs[-comparison.runs_of(comparison.rounds[-1]) :]
    assert {job["network.hidden"] for job in last} == {"[8]", "[9]"}


@pytest.mark.rare  # in CI a comparison breaks off that is no race
def test_a_race_that_broke_off_ends_with_the_same_bytes(race):
    folder, _ = race
    place = folder / "found"
    before = kept(place)
    sweep = read_sweep(place)
    comparison = sweep.comparison
    first = comparison.runs_of(comparison.every_round[0])
    for number in (3, *range(first + 20, comparison.runs)):
        (sweep.place(number) / MANIFEST).unlink()
    shorter = replace(comparison, rounds=comparison.rounds[:1])
    sweep.write(finished=None, jobs=sweep.manifest["jobs"][: shorter.runs], comparison=shorter.to_entry())
    for number in range(shorter.runs, comparison.runs):
        shutil.rmtree(sweep.place(number))
    assert found(place)[1] is None, "the first round has not ended"
    command("resume", str(place))
    assert kept(place) == before


@pytest.mark.slow
def test_a_race_ends_at_its_limit_and_nothing_is_decided_then():
    race = ["activation=elu,tanh", "--targets=sine", "--until-decided", "--budget=2", *SHORT[2:], "tracking=none"]
    done = command("compare", *race, "--max-runs=23", code=1)
    assert "The first round has 24 runs, more than --max-runs 23 (hydra.sweeper.max_runs) allows." in done.stderr
    assert not Path("found").exists()
    done = command("compare", *race, "--max-minutes=0")
    assert "It is undecided which of " in done.stdout
    assert found()[0].comparison.rounds == ()
    done = command("compare", *race[:-2], "--max-runs=47", "tracking=none", "hydra.sweep.dir=other")
    assert found("other")[0].comparison.rounds == (Round((0, 1), 1),), "as many tunings as the limit allows"


def test_a_race_in_which_nothing_is_tuned_has_rounds_of_seeds():
    done = compared(
        "activation=identity,tanh", "--targets=sine", "optimizer.lr=0.3", "training.epochs=100", "--until-decided",
        "tracking=none",
    )  # fmt: skip
    _, result = found()
    assert (result.comparison.seeds, result.comparison.tuning_runs) == (1, 0)
    assert result.pairs[0].is_separated
    assert "tanh is better than identity: it wins 100 % of runs" in done.stdout
    assert f"with {result.comparison.most_tunings} seeds on each target, until" in Path("found/report.html").read_text()


def test_what_fails_or_diverges_is_the_worst(tmp_path):
    moody = MOODY.replace("np.any(self.raises == 1)", "np.abs(z).max() > 30").replace("Moody", "Fragile")
    distributions.install(tmp_path / "site", "chainrule-fragile", moody)
    done = compared(
        "activation=fragile,tanh", "--targets=linear", "tracking=none", "optimizer.lr=5", code=1, path=tmp_path / "site"
    )
    assert "runs failed; `chainrule resume" in done.stderr
    _, result = found()
    lost, other = result.entries
    assert lost.runs.count("failed") > 0
    assert lost.runs.median == math.inf
    assert (lost.tried, other.tuned, result.comparison.tuning_runs) == ((), ({},), 0)
    assert json.loads(Path("found/comparison.json").read_text())["results"][0]["median"] is None


@pytest.mark.slow
def test_one_method_under_two_names_is_not_separated_from_itself(tmp_path):
    distributions.install(tmp_path / "site", "chainrule-moody", MOODY)
    done = compared("activation=tanh,moody", "--targets=sine,wine", "tracking=none", path=tmp_path / "site")
    _, result = found()
    tanh, moody = (entry for entry in result.entries if entry.target == "wine")
    assert (tanh.tuned, tanh.runs.values) == (moody.tuned, moody.runs.values)
    assert (result.pairs[0].p, result.pairs[0].interval) == (1.0, (0.5, 0.5))
    assert "tanh and moody are equivalent: the first wins 50 % of runs with equal seeds" in done.stdout


def test_losses_are_compared_by_a_score_that_does_not_change_with_them():
    done = compared("loss=half_squared_error,huber", "--metric=score", "--targets=sine", "tracking=none")
    sweep, result = found()
    assert result.metric == "validation/error"
    for contender, entry in enumerate(result.entries):
        numbers = [n for tuning in range(3) for n in result.comparison.tuned(0, contender, tuning)]
        scores = [read_record(sweep.place(n)).manifest["metrics"]["validation/r2"] for n in numbers]
        assert entry.runs.values == tuple(sorted(1 - score for score in scores))
        assert entry.runs.median == pytest.approx(1 - entry.score[1])
        for tuning, best in enumerate(entry.tuned):
            points = [result.comparison.tuning(0, contender, tuning, point) for point in range(4)]
            scores = [
                [read_record(sweep.place(n)).manifest["metrics"]["validation/r2"] for n in each] for each in points
            ]
            errors = [statistics.median(math.inf if x is None else 1 - x for x in each) for each in scores]
            assert sweep.settings(points[errors.index(min(errors))][0])["optimizer.lr"] == best["optimizer.lr"]
    assert result.answer in done.stdout
    assert "1 less accuracy or R2" in Path("found/report.html").read_text()


@pytest.mark.slow
def test_contenders_with_names_are_told_by_them():
    named = ["--contender", "wide: network.hidden=[32]", "--contender", "one by one: training.batch_size=1"]
    done = compared(*named, "--targets=sine", "tracking=none")
    sweep, result = found()
    assert result.comparison.contenders == ("wide", "one by one")
    places = [sweep.place(result.comparison.tuned(0, contender, 0)[0]) for contender in (0, 1)]
    first, second = (read_record(place).manifest["configuration"] for place in places)
    assert (first["network"]["hidden"], second["network"]["hidden"]) == ([32], [16])
    assert (first["training"]["batch_size"], second["training"]["batch_size"]) == (32, 1)
    assert "  sine    one by one  optimizer.lr=" in done.stdout


def test_lists_of_transforms_are_contenders_and_their_parameters_are_tuned():
    common = [
        "--targets",
        "sine",
        "--budget",
        "2",
        "--tunings",
        "2",
        "--tuning-seeds",
        "1",
        "--seeds",
        "2",
        "--dry-run",
    ]
    tuned = ["--space", "transforms.clip.limit=tag(log,interval(0.1,10))", "--space", "optimizer.lr=0.01,0.1"]
    named = [
        "--contender",
        "plain: transforms=[]",
        "--contender",
        "both: transforms=[ema,clip] transforms.ema.decay=0.9",
    ]
    for contenders in (named, ["transforms=[],[ema,clip]"]):
        jobs = command("compare", *contenders, *tuned, *common).stdout
        assert "transforms=[ema,clip]" in jobs
        assert "transforms=[]" in jobs
        assert "transforms.clip.limit=" in jobs


def test_many_contenders_are_told_as_a_table():
    done = compared("activation=identity,tanh,relu,elu", "--targets=sine", "optimizer.lr=0.1", "tracking=none")
    lines = done.stdout.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "not separated from" in line)
    assert "runs with equal seeds" not in "".join(lines[first + 1 :]), "no sentence about each of six pairs"
    _, result = found()
    for line, standing in zip(lines[first + 1 : first + 5], result.standings, strict=True):
        name, better, worse, share, _, level = line.split(maxsplit=5)
        assert (name, int(better), int(worse)) == (
            standing.contender, len(standing.better_than), len(standing.worse_than),
        )  # fmt: skip
        assert float(share) == pytest.approx(100 * standing.probability, abs=0.5)
        assert level == (", ".join(standing.level_with) or "-")


def test_a_dry_run_lists_both_rounds_and_leaves_nothing():
    done = compared("activation=tanh,relu", "--targets", "sine", "--dry-run", "tracking=none")
    assert "60 runs" in done.stdout
    assert "the last 12 runs would use the best settings of the others" in done.stdout
    assert not Path("found").exists()


def test_a_comparison_that_can_show_nothing_is_told_so():
    done = compared("activation=tanh,relu", "--targets=sine", "--tunings=1", "--seeds=3", "--budget=1", "tracking=none")
    told = "note: 3 seeds cannot separate 2 contenders on 1 target, whatever the losses are: take 6 seeds or more."
    assert told in done.stdout


@pytest.mark.parametrize(
    ("typed", "sentence"),
    one_in(
        3,
        [
            (
                "activation=tanh",
                "there are no contenders: give another key several values, as in activation=tanh,relu.",
            ),
            ("activaton=tanh,relu", "(did you mean 'activation'?)"),
            ("loss=huber,log_cosh", "loss cannot be compared: it changes what the final loss measures. --metric score"),
            ("tracking=mlflow,none", "tracking cannot be compared: contenders are values of one key"),
            ("activation=tanh,relu optimizer=adam,rprop", "activation and optimizer have several values"),
            ("activation=tanh,rleu", "activation=rleu is unknown (did you mean 'relu'?)"),
            ("activation=tanh,relu --targets=sine,wnie", "target=wnie is unknown (did you mean 'wine'?)"),
            ("activation=tanh,relu seed=1", "seed cannot be set, because a comparison varies it: --seeds"),
            (
                "activation=tanh,relu --space data.noise=0,1",
                "data.noise cannot be tuned: it changes what the final loss",
            ),
            (
                "activation=tanh,relu --space optimizer.l=0,1",
                "optimizer.l is not a key of the configuration (did you mean",
            ),
            (
                "activation=tanh,relu --space optimizer.lr=1",
                "optimizer.lr=1 is one value; to be tuned it needs several",
            ),
            (
                "activation=tanh,relu --space activation=tanh,elu",
                "activation cannot be tuned: its values are the contenders.",
            ),
            ("activation=tanh,relu --seeds=0", "hydra.sweeper.seeds must be 1 or more, not 0."),
            (
                "activation=tanh,relu --seeds=1 --tunings=1",
                "hydra.sweeper.seeds must be 2 or more where hydra.sweeper.tuni",
            ),
            (
                "activation=tanh,relu --seeds=2000",
                "hydra.sweeper.seeds=2000 need 6000 seeds for each target, but there are",
            ),
            ("activation=tanh,relu hydra/launcher=basic", "hydra/sweeper=stacked_compare needs hydra/launcher=stacked"),
            (
                "activation=tanh,relu optimizer=rprop schedule=cosine",
                "431 other jobs are wrong as well. Nothing was trained.",
            ),
        ],
    ),
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(typed, sentence):
    done = compared("--targets=sine,wine", "--tuning-seeds=9", *typed.split(), code=1)
    assert sentence in done.stderr
    assert not Path("found").exists()


EXPERIMENT = """# @package _global_
defaults:
  - override /initializer: he_normal
network:
  hidden: [8, 8]
training:
  epochs: 7
"""


def test_an_experiment_comes_before_the_assumptions_and_what_is_typed_before_both():
    folder = Path("conf/experiment")
    folder.mkdir(parents=True)
    folder.joinpath("deep.yaml").write_text(EXPERIMENT)
    command(
        "compare", "experiment=deep", "activation=tanh,relu", "training.epochs=3", "--targets=sine,wine", "--budget=1",
        "--seeds=2", "tracking=none", "hydra.sweep.dir=found",
    )  # fmt: skip
    sweep, _ = found()
    configurations = [read_record(sweep.place(number)).manifest["configuration"] for number in range(sweep.runs)]
    for configuration in configurations:
        assert configuration["network"]["hidden"] == [8, 8]
        assert configuration["initializer"]["name"] == "he_normal"
        assert configuration["training"]["epochs"] == 3
        assert configuration["training"]["batch_size"] == 32, "assumed, since nothing else says it"
    assert {configuration["output"]["name"] for configuration in configurations} == {"identity", "softmax"}


@pytest.mark.slow
def test_a_contender_is_tuned_in_the_keys_that_it_has(tmp_path):
    other = LYNX.replace("lr:", "pace:").replace("self.lr", "self.pace").replace("Lynx", "Tiger")
    distributions.install(tmp_path / "site", "chainrule-tiger", other)
    arguments = ["optimizer=rprop,tiger", "--targets=sine", "tracking=none"]
    done = compared(*arguments, code=1, path=tmp_path / "site")
    assert (
        "optimizer=tiger has none of the keys that are tuned, optimizer.lr: name one of its own by --space"
        in done.stderr
    )
    more = ["--space", "optimizer.pace=tag(log,interval(1e-3,1))", "--space", "initializer=he_normal,xavier_normal"]
    compared(*arguments, *more, path=tmp_path / "site")
    _, result = found()
    rprop, tiger = result.entries
    assert rprop.tuned[0].keys() == {"optimizer.lr", "initializer"}
    assert tiger.tuned[0].keys() == {"optimizer.pace", "initializer"}


@pytest.mark.slow
def test_a_contender_may_follow_a_tuned_key_and_a_table_have_keys_of_its_own():
    Path("t.csv").write_text("a,b\n" + "".join(f"{number},{number * number}\n" for number in range(40)))
    follows = ["--contender", "fast: transforms=[ema] transforms.ema.decay=${optimizer.lr}"]
    usual = ["--contender", "slow: transforms=[ema]"]
    few = ["--budget=2", "--tuning-seeds=1", "--tunings=1", "--seeds=2", "--space", "optimizer.lr=interval(0.1,0.9)"]
    about = ["--targets", "sine,table", "target.path=t.csv", "target.standardize=true"]
    command("compare", *follows, *usual, *few, *about, *SHORT[-2:], "tracking=none")
    sweep = read_sweep(Path("found"))
    for number in range(sweep.runs):
        settings = read_record(sweep.place(number)).manifest.configuration
        decay, rate = settings["transforms"]["ema"]["decay"], settings["optimizer"]["lr"]
        assert (decay == rate) is (sweep.comparison.contender(number) == "fast")
        assert settings["target"].get("path") == ("t.csv" if settings["target"]["name"] == "table" else None)
    before = contents("found")
    command("resume", "found")
    assert contents("found") == before


def test_a_key_that_no_target_has_is_named():
    done = command("compare", "activation=tanh,relu", "--targets", "sine,table", "target.pathh=t.csv", code=1)
    assert "target.pathh is not a key of the configuration (did you mean 'path'?)" in done.stderr


def test_a_key_of_all_contenders_is_set_as_the_sentence_says():
    few = ["optimizer=momentum,nesterov", "--targets", "sine", "--budget=1", "--tunings=1", "--seeds=2", "--dry-run"]
    done = command("compare", *few, "optimizer.momentum=0.5", code=1)
    assert done.stderr.endswith('for those of the sweep write "optimizer.momentum=choice(0.5)".\n')
    assert command("compare", *few, "optimizer.momentum=choice(0.5)").stdout.count(" optimizer.momentum=0.5 ") == 4

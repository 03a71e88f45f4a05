"""Comparisons as people type them: the same for all contenders, tuned first, judged by fresh seeds."""

import html
import json
import math
import shutil
import statistics
from pathlib import Path

import pytest

import distributions
from chainrule.analysis.outcomes import SweepOutcomes
from chainrule.records.run import MANIFEST, read_record
from chainrule.records.sweep import read_sweep
from chainrule.reports.comparison import NUMBERS
from distributions import LION, MOODY
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
    distributions.install(folder / "site", "chainrule-lion", LION)
    folder.joinpath("runs").mkdir()
    shutil.copy(prepared, folder / "runs")
    done = compared("optimizer=adam,lion", *TARGETS, folder=folder / "runs", path=folder / "site")
    return folder, done


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
    assert f"{result.comparison.runs} runs: optimizer adam, lion on sine, two_moons, wine" in done.stdout
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
    assert parent.data.params["varied/optimizer"] == "adam, lion"
    assert {"report.html", "comparison.json"} <= {
        artifact.path for artifact in client.list_artifacts(parent.info.run_id)
    }


def test_the_report_needs_nothing_else(whole):
    folder, _ = whole
    page = (folder / "runs" / "found" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") == 1 + 6 + 3 + 1 + 3  # the pair, each entry, an axis and a figure a target, the profile
    assert "hydra/sweeper=compare" in page


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


def test_one_method_under_two_names_is_not_separated_from_itself(tmp_path):
    distributions.install(tmp_path / "site", "chainrule-moody", MOODY)
    done = compared("activation=tanh,moody", "--targets=sine,wine", "tracking=none", path=tmp_path / "site")
    _, result = found()
    tanh, moody = (entry for entry in result.entries if entry.target == "wine")
    assert (tanh.tuned, tanh.runs.values) == (moody.tuned, moody.runs.values)
    assert (result.pairs[0].p, result.pairs[0].interval) == (1.0, (0.5, 0.5))
    assert "tanh and moody are equivalent: the first wins 50 % of runs with equal seeds" in done.stdout


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
    [
        ("activation=tanh", "There are no contenders: give one key several values, as in activation=tanh,relu."),
        ("activaton=tanh,relu", "(did you mean 'activation'?)"),
        ("loss=huber,log_cosh", "loss cannot be compared: it changes what the final loss measures."),
        ("tracking=mlflow,none", "tracking cannot be compared: contenders are values of one key"),
        ("activation=tanh,relu optimizer=adam,rprop", "activation and optimizer have several values"),
        ("activation=tanh,rleu", "activation=rleu is unknown (did you mean 'relu'?)"),
        ("activation=tanh,relu --targets=sine,wnie", "target=wnie is unknown (did you mean 'wine'?)"),
        ("activation=tanh,relu seed=1", "seed cannot be set, because a comparison varies it: --seeds"),
        ("activation=tanh,relu --space data.noise=0,1", "data.noise cannot be tuned: it changes what the final loss"),
        ("activation=tanh,relu --space optimizer.l=0,1", "optimizer.l is not a key of the configuration (did you mean"),
        ("activation=tanh,relu --space optimizer.lr=1", "optimizer.lr=1 is one value; to be tuned it needs several"),
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


def test_a_contender_is_tuned_in_the_keys_that_it_has(tmp_path):
    other = LION.replace("lr:", "pace:").replace("self.lr", "self.pace").replace("Lion", "Tiger")
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

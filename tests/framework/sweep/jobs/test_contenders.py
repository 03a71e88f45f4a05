"""The overrides of a comparison's jobs."""

import pytest

from chainrule.errors import ConfigurationError
from chainrule.records.comparison import Comparison, Round
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.contenders import COMPARED, ComparisonJobs, ComparisonOptions, comparison_jobs
from sweeping import composing

USUAL = {
    "params": {"training.epochs": "7", "network.hidden": "[5]"},
    "contenders": (),
    "ablate": (),
    "targets": ("sine", "two_moons", "wine"),
    "two_classes": {"output": "sigmoid", "loss": "binary_cross_entropy"},
    "classes": {"output": "softmax", "loss": "categorical_cross_entropy"},
    "space": {"optimizer.lr": "0.1,0.2,0.4"},
    "budget": 3,
    "tuning_seeds": 2,
    "tunings": 2,
    "seeds": 4,
    "metric": "loss",
    "until_decided": False,
    "max_runs": 1000,
    "max_minutes": None,
    "random_seed": 0,
    "dry_run": False,
}


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("budget", 0, "1 or more"),
        ("tuning_seeds", 0, "1 or more"),
        ("tunings", 0, "1 or more"),
        ("seeds", 0, "1 or more"),
        ("random_seed", -1, "0 or more"),
        ("max_runs", 0, "1 or more"),
        ("max_minutes", -1, "0 or more"),
    ],
)
def test_numbers_that_make_no_comparison_are_refused(name, value, wanted):
    with pytest.raises(ConfigurationError, match=f"^hydra.sweeper.{name} must be {wanted}, not {value}\\.$"):
        ComparisonOptions(**{**USUAL, name: value})


@pytest.mark.parametrize("name", ["tuning_seeds", "seeds"])
def test_there_are_5000_seeds_for_a_target(name):
    ComparisonOptions(**{**USUAL, name: 2500})
    told = f"^hydra.sweeper.tunings=2 and hydra.sweeper.{name}=2501 need 5002 seeds for each target, but there are 5000"
    with pytest.raises(ConfigurationError, match=told):
        ComparisonOptions(**{**USUAL, name: 2501})


def test_the_usual_number_of_tunings_is_that_of_a_round_where_there_are_rounds():
    usual = {**USUAL, "tunings": None}
    assert ComparisonOptions(**usual).at_once == 6
    race = ComparisonOptions(**{**usual, "until_decided": True})
    assert (race.at_once, race.most_tunings) == (2, 1250)


def test_one_run_of_each_is_no_comparison():
    with pytest.raises(ConfigurationError, match=r"^hydra\.sweeper\.seeds must be 2 or more where"):
        ComparisonOptions(**{**USUAL, "tunings": 1, "seeds": 1})


def test_the_jobs_of_both_rounds_have_seeds_of_their_own_for_each_tuning_and_target():
    jobs = ComparisonJobs(
        comparison=Comparison("activation", ("tanh", "relu"), ("sine", "wine"), {"lr": "1,2", "b": "3,4"}, 2, 2, 2, 2),
        bases=[["a=tanh", "t=sine"], ["a=relu", "t=sine"], ["a=tanh", "t=wine"], ["a=relu", "t=wine"]],
        points=lambda target, tuning: [{"lr": f"lr={4 * target + 2 * tuning + n}", "b": "b=1"} for n in (1, 2)],
        keys=[["lr"], ["lr"]],
        seed=1_000_000,
    )
    every = jobs.comparison.every_round[0]
    tuning = jobs.tuning(every, range(2))
    assert tuning[:8] == [
        ["a=tanh", "t=sine", "lr=1", "seed=1005000"],
        ["a=tanh", "t=sine", "lr=1", "seed=1005001"],
        ["a=tanh", "t=sine", "lr=2", "seed=1005000"],
        ["a=tanh", "t=sine", "lr=2", "seed=1005001"],
        ["a=tanh", "t=sine", "lr=3", "seed=1005002"],  # another tuning: other points, other seeds
        ["a=tanh", "t=sine", "lr=3", "seed=1005003"],
        ["a=tanh", "t=sine", "lr=4", "seed=1005002"],
        ["a=tanh", "t=sine", "lr=4", "seed=1005003"],
    ]
    assert tuning[8] == ["a=relu", "t=sine", "lr=1", "seed=1005000"], "another contender: the same points and seeds"
    assert tuning[16] == ["a=tanh", "t=wine", "lr=5", "seed=1015000"], "another target: other points, other seeds"
    assert len(tuning) == jobs.comparison.tuning_runs == 32
    tuned = jobs.tuned(every, range(2), [[0, 1], [1, 0], [1, 1], [0, 0]])
    assert tuned[:6] == [
        ["a=tanh", "t=sine", "lr=1", "seed=1000000"],
        ["a=tanh", "t=sine", "lr=1", "seed=1000001"],
        ["a=tanh", "t=sine", "lr=4", "seed=1000002"],
        ["a=tanh", "t=sine", "lr=4", "seed=1000003"],
        ["a=relu", "t=sine", "lr=2", "seed=1000000"],
        ["a=relu", "t=sine", "lr=2", "seed=1000001"],
    ]
    assert tuned[8] == ["a=tanh", "t=wine", "lr=6", "seed=1010000"]
    assert len(tuned) == jobs.comparison.runs - 32
    later = Round((1,), 1)
    assert jobs.tuning(later, range(2, 3)) == [
        ["a=relu", f"t={target}", f"lr={rate}", f"seed={seed}"]
        for target, rates, first in (("sine", (5, 6), 1_005_004), ("wine", (9, 10), 1_015_004))
        for rate in rates
        for seed in (first, first + 1)
    ], "points and seeds of a later round are new"
    assert jobs.tuned(later, range(2, 3), [[0], [1]])[::2] == [
        ["a=relu", "t=sine", "lr=5", "seed=1000004"],
        ["a=relu", "t=wine", "lr=10", "seed=1010004"],
    ]


def test_a_contender_has_the_keys_that_it_knows():
    jobs = ComparisonJobs(
        comparison=Comparison("optimizer", ("adam", "rprop"), ("sine",), {"lr": "1,2", "b": "3,4"}, 2, 1, 1),
        bases=[["adam"], ["rprop"]],
        points=lambda target, tuning: [{"lr": "lr=1", "b": "b=3"}, {"lr": "lr=2", "b": "b=4"}],
        keys=[["lr", "b"], ["b"]],
        seed=0,
    )
    assert [overrides[:-1] for overrides in jobs.tuning(Round((0, 1), 1), range(1))] == [
        ["adam", "lr=1", "b=3"], ["adam", "lr=2", "b=4"], ["rprop", "b=3"], ["rprop", "b=4"],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes the jobs of a comparison from what is typed."""
    with composing(tmp_path_factory.mktemp("sweep")) as (hydra, master):
        composer = Composer(hydra.config_loader, master)

        def _made(*typed, **options):
            return comparison_jobs(hydra.config_loader, composer, ComparisonOptions(**{**USUAL, **options}), typed)

        yield _made


def test_between_contenders_only_the_name_differs(made):
    jobs = made("activation=tanh,relu", "initializer=zeros", random_seed=2)
    common = ["training.epochs=7", "network.hidden=[5]", "initializer=zeros"]
    two, several = (
        ["output=sigmoid", "loss=binary_cross_entropy"],
        ["output=softmax", "loss=categorical_cross_entropy"],
    )
    assert jobs.bases == [
        [*common, *fitting, f"activation={name}", f"target={target}"]
        for target, fitting in (("sine", []), ("two_moons", two), ("wine", several))
        for name in ("tanh", "relu")
    ]
    assert jobs.keys == [["optimizer.lr"]] * 2
    for points in (jobs.points(target, tuning) for target in range(3) for tuning in range(2)):
        assert sorted(point["optimizer.lr"] for point in points) == [f"optimizer.lr={x}" for x in (0.1, 0.2, 0.4)]
    comparison = jobs.comparison
    assert (comparison.group, comparison.contenders) == ("activation", ("tanh", "relu"))
    assert comparison.targets == ("sine", "two_moons", "wine")
    assert (comparison.points, comparison.tuning_seeds, comparison.tunings, comparison.seeds) == (3, 2, 2, 4)
    assert comparison.space == USUAL["space"]
    assert jobs.seed == 2_000_000


def test_what_is_typed_replaces_what_is_assumed(made):
    jobs = made(
        "activation=tanh,relu", "training.epochs=3", "optimizer.lr=0.5", "target=wine", "loss=half_squared_error"
    )
    assert jobs.bases == [
        ["network.hidden=[5]", "training.epochs=3", "optimizer.lr=0.5", "loss=half_squared_error", "output=softmax",
         f"activation={name}", "target=wine"]
        for name in ("tanh", "relu")
    ]  # fmt: skip
    assert (jobs.comparison.space, jobs.comparison.points) == ({}, 1)
    assert jobs.points(0, 1) == [{}]
    assert jobs.comparison.tuning_runs == 0, "nothing is left to tune"
    assert (jobs.comparison.tunings, jobs.comparison.seeds) == (8, 1), "as many runs as with tunings"


def test_each_contender_is_named_once_and_the_last_word_about_a_key_counts(made):
    jobs = made("optimizer=adam", "optimizer=rprop,adam,rprop", "target=sine,sine")
    assert (jobs.comparison.contenders, jobs.comparison.targets) == (("rprop", "adam"), ("sine",))


def test_contenders_with_names_have_settings_of_their_own(made):
    named = ("plain:", "deep one: network.hidden=[4,4] optimizer=adam", "fixed: optimizer.lr=0.5 'activation=relu'")
    jobs = made("training.batch_size=16", contenders=named, targets=("sine",))
    assert (jobs.comparison.group, jobs.comparison.contenders) == ("contender", ("plain", "deep one", "fixed"))
    common = ["training.epochs=7", "training.batch_size=16"]
    assert [sorted(base) for base in jobs.bases] == [
        sorted([*common, "network.hidden=[5]", "target=sine"]),
        sorted([*common, "network.hidden=[4,4]", "optimizer=adam", "target=sine"]),
        sorted([*common, "network.hidden=[5]", "optimizer.lr=0.5", "activation=relu", "target=sine"]),
    ]
    assert jobs.keys == [["optimizer.lr"], ["optimizer.lr"], []], "what a contender sets itself is not tuned"


def test_any_key_that_does_not_change_what_a_loss_measures_can_be_compared(made):
    jobs = made("network.hidden=[4],[8,8]", targets=("sine",))
    assert (jobs.comparison.group, jobs.comparison.contenders) == ("network.hidden", ("[4]", "[8,8]"))
    assert [base[-2] for base in jobs.bases] == ["network.hidden=[4]", "network.hidden=[8,8]"]
    rates = made("optimizer.lr=0.1,0.3", targets=("sine",))
    assert rates.comparison.space == {}, "what is compared is not tuned"
    assert rates.comparison.tuning_runs == 0


def test_by_score_losses_can_be_compared_and_tuned(made):
    space = {"loss.delta": "0.5,1", "optimizer.lr": "1,2"}
    jobs = made("loss=log_cosh,huber", metric="score", targets=("sine",), space=space)
    assert (jobs.comparison.contenders, jobs.comparison.metric) == (("log_cosh", "huber"), "score")
    assert jobs.keys == [["optimizer.lr"], ["loss.delta", "optimizer.lr"]]
    two = made("loss=binary_cross_entropy,half_squared_error", metric="accuracy", targets=("two_moons",))
    assert [sorted(base[-3:]) for base in two.bases] == [
        ["loss=binary_cross_entropy", "output=sigmoid", "target=two_moons"],
        ["loss=half_squared_error", "output=sigmoid", "target=two_moons"],
    ]


@pytest.mark.parametrize(
    ("additions", "names"),
    [
        (["optimizer=adam"], ["none", "all"]),
        (
            ["optimizer=adam", "schedule=cosine"],
            ["none", "only optimizer=adam", "only schedule=cosine", "all"],
        ),
        (
            ["optimizer=adam", "schedule=cosine", "initializer=zeros training.batch_size=8"],
            ["none", "only optimizer=adam", "only schedule=cosine", "only initializer=zeros training.batch_size=8",
             "without optimizer=adam", "without schedule=cosine", "without initializer=zeros training.batch_size=8",
             "all"],
        ),
    ],
)  # fmt: skip
def test_in_an_ablation_each_addition_is_alone_and_left_out(made, additions, names):
    jobs = made(ablate=tuple(additions), targets=("sine",))
    assert list(jobs.comparison.contenders) == names
    words = {word for addition in additions for word in addition.split()}
    sets = dict(zip(names, ({word for word in base if word in words} for base in jobs.bases), strict=True))
    assert (sets["none"], sets["all"]) == (set(), words)
    for addition in additions if len(additions) > 1 else []:
        assert sets[f"only {addition}"] == set(addition.split())
    for addition in additions if len(additions) > 2 else []:
        assert sets[f"without {addition}"] == words - set(addition.split())


def test_seeds_of_one_target_do_not_reach_those_of_the_next_however_many_there_are():
    comparison = Comparison("activation", ("tanh",), ("sine", "wine"), {"lr": "1,2"}, 2, 2500, 2500, 2)
    points = [{"lr": "lr=1"}, {"lr": "lr=2"}]
    jobs = ComparisonJobs(comparison, [["sine"], ["wine"]], lambda target, tuning: points, [["lr"]], 0)
    seeds, every = {"sine": set(), "wine": set()}, comparison.every_round[0]
    for overrides in (*jobs.tuning(every, range(2)), *jobs.tuned(every, range(2), [[0, 0]] * 2)):
        seeds[overrides[0]].add(int(overrides[-1].removeprefix("seed=")))
    assert seeds == {"sine": set(range(10_000)), "wine": set(range(10_000, 20_000))}


@pytest.mark.parametrize(
    ("typed", "options", "sentence"),
    [
        ([], {}, "There are no contenders: give one key several values, as in activation=tanh,relu."),
        (["activation=tanh"], {}, "There are no contenders: "),
        (
            ["target=sine,linear"],
            {},
            "target=sine,linear says on what to compare, and there are no contenders: give another key several",
        ),
        (["activation=tanh,tanh"], {}, "activation=tanh is no choice: give it several values, "),
        (["activation=tanh,relu"], {"targets": ()}, "There are no targets: write target=A,B (hydra.sweeper.targets)."),
        (["activation=tanh,relu", "optimizer=adam,rprop"], {}, "activation and optimizer have several values, but "),
        (["activation=tanh,relu", "seed=1"], {}, "seed cannot be set, because a comparison varies it: --seeds"),
        (["activation=tanh,relu", "seed=1,2"], {}, "seed cannot be set, because a comparison varies it: --seeds"),
        (["loss=huber,log_cosh"], {}, "loss cannot be compared: it changes what the final loss measures."),
        (["optimizer.lr=interval(0.1,0.2)"], {}, "optimizer.lr, an interval, is no choice: give it several values"),
        (["tracking=mlflow,none"], {}, "tracking cannot be compared: contenders are values of one key, such as"),
        (["activaton=tanh,relu"], {}, "activaton cannot be compared (did you mean 'activation'?): contenders are"),
        (
            ["loss=huber,log_cosh", "target=sine,wine"],
            {"metric": "r2"},
            "wine is a classification and has no r2: --",
        ),
        (["loss=huber,log_cosh", "target=sine"], {"metric": "accuracy"}, "sine is a regression and has no accuracy: "),
        (["activation=tanh,relu"], {"metric": "acuracy"}, "hydra.sweeper.metric=acuracy cannot be compared (did you"),
        (["lss=huber,log_cosh"], {"metric": "score"}, "lss cannot be compared (did you mean 'loss'?): contenders are"),
        (["data.noise=0,1"], {"metric": "r2"}, "data.noise cannot be compared: it changes what the final r2 measures."),
        (["data.noise=0,1"], {}, "data.noise cannot be compared: it changes what the final loss measures."),
        (
            [],
            {"contenders": ("a optimizer=adam", "b: optimizer=rprop")},
            "--contender 'a optimizer=adam' is not NAME: ",
        ),
        (
            [],
            {"contenders": ("a: adam", "b: optimizer=rprop")},
            "--contender 'a: adam' is not NAME: KEY=VALUE ..., such",
        ),
        ([], {"contenders": ("a: optimizer=adam",)}, "--contender needs at least two contenders, each with a name of"),
        ([], {"contenders": ("a: seed=1", "b: seed=2")}, "seed cannot be set, because a comparison varies it"),
        ([], {"contenders": ("a: target=sine", "b:")}, "target cannot be compared: it changes what the final loss"),
        ([], {"contenders": ("a: optimizer=adam,rprop", "b:")}, "optimizer=adam,rprop has several values; of a conten"),
        (
            ["optimizer=adam,rprop"],
            {"contenders": ("a: activation=tanh", "b: activation=relu")},
            "Contenders are given by several values and by --contender: use one of these ways.",
        ),
        (
            ["activation=tanh,relu"],
            {"space": {"data.noise": "0,1"}},
            "data.noise cannot be tuned: it changes what the final loss measures.",
        ),
        (
            ["activation=tanh,relu"],
            {"space": {"activation": "elu,gelu"}},
            "activation cannot be tuned: its values are the contenders.",
        ),
        (["activation=tanh,relu"], {"space": {"optimizer.lr": "1"}}, "optimizer.lr=1 is one value; to be tuned it "),
        (
            ["optimizer=rprop,adam"],
            {"space": {"optimizer.beta1": "0.5,0.9"}},
            "optimizer=rprop has none of the keys that are tuned, optimizer.beta1: name one of its own by --space",
        ),
    ],
)
def test_what_leaves_nothing_to_compare_is_one_sentence(made, typed, options, sentence):
    with pytest.raises(ConfigurationError) as caught:
        made(*typed, **options)
    assert str(caught.value).startswith(sentence)


def test_a_key_of_the_space_that_nobody_has_is_named(made):
    with pytest.raises(ConfigurationError, match=r"optimizer\.l is not a key of the configuration \(did you mean 'lr'"):
        made("activation=tanh,relu", space={"optimizer.l": "0.1,0.2"})


def test_what_decides_the_meaning_of_a_loss_is_not_compared():
    assert set(COMPARED) == {
        *("norm", "activation", "output", "optimizer", "transforms", "schedule", "sampling", "initializer", "rule"),
    }

"""The overrides of a comparison's jobs."""

import pytest

from chainrule.errors import ConfigurationError
from chainrule.records.comparison import Comparison
from chainrule.sweep.jobs.composer import Composer
from chainrule.sweep.jobs.contenders import COMPARED, ComparisonJobs, ComparisonOptions, comparison_jobs
from sweeping import composing

USUAL = {
    "params": {"training.epochs": "7", "network.hidden": "[5]"},
    "targets": ("sine", "two_moons", "wine"),
    "two_classes": {"output": "sigmoid", "loss": "binary_cross_entropy"},
    "classes": {"output": "softmax", "loss": "categorical_cross_entropy"},
    "space": {"optimizer.lr": "0.1,0.2,0.4"},
    "budget": 3,
    "tuning_seeds": 2,
    "seeds": 4,
    "random_seed": 0,
    "dry_run": False,
}


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("budget", 0, "1 or more"),
        ("tuning_seeds", 0, "between 1 and 5000"),
        ("tuning_seeds", 5001, "between 1 and 5000"),
        ("seeds", 1, "between 2 and 5000"),
        ("seeds", 5001, "between 2 and 5000"),
        ("random_seed", -1, "0 or more"),
    ],
)
def test_numbers_that_make_no_comparison_are_refused(name, value, wanted):
    with pytest.raises(ConfigurationError, match=f"^hydra.sweeper.{name} must be {wanted}, not {value}\\.$"):
        ComparisonOptions(**{**USUAL, name: value})


def test_the_jobs_of_both_rounds_have_seeds_of_their_own_on_each_target():
    jobs = ComparisonJobs(
        comparison=Comparison("activation", ("tanh", "relu"), ("sine", "wine"), {"optimizer.lr": "1,2"}, 2, 2, 2),
        bases=[["a=tanh", "t=sine"], ["a=relu", "t=sine"], ["a=tanh", "t=wine"], ["a=relu", "t=wine"]],
        points=[[["lr=1"], ["lr=2"]], [["lr=3"], ["lr=4"]]],
        seed=1_000_000,
    )
    tuning = jobs.tuning()
    assert tuning[:4] == [
        ["a=tanh", "t=sine", "lr=1", "seed=1005000"],
        ["a=tanh", "t=sine", "lr=1", "seed=1005001"],
        ["a=tanh", "t=sine", "lr=2", "seed=1005000"],
        ["a=tanh", "t=sine", "lr=2", "seed=1005001"],
    ]
    assert tuning[4] == ["a=relu", "t=sine", "lr=3", "seed=1005000"], "the contender's own points, the same seeds"
    assert tuning[8] == ["a=tanh", "t=wine", "lr=1", "seed=1015000"], "another target has other seeds"
    assert len(tuning) == jobs.comparison.tuning_runs == 16
    assert jobs.tuned([0, 1, 1, 0]) == [
        ["a=tanh", "t=sine", "lr=1", "seed=1000000"],
        ["a=tanh", "t=sine", "lr=1", "seed=1000001"],
        ["a=relu", "t=sine", "lr=4", "seed=1000000"],
        ["a=relu", "t=sine", "lr=4", "seed=1000001"],
        ["a=tanh", "t=wine", "lr=2", "seed=1010000"],
        ["a=tanh", "t=wine", "lr=2", "seed=1010001"],
        ["a=relu", "t=wine", "lr=3", "seed=1010000"],
        ["a=relu", "t=wine", "lr=3", "seed=1010001"],
    ]


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
    assert jobs.points[0] == jobs.points[1]
    assert sorted(jobs.points[0]) == [["optimizer.lr=0.1"], ["optimizer.lr=0.2"], ["optimizer.lr=0.4"]]
    comparison = jobs.comparison
    assert (comparison.group, comparison.contenders) == ("activation", ("tanh", "relu"))
    assert comparison.targets == ("sine", "two_moons", "wine")
    assert (comparison.points, comparison.tuning_seeds, comparison.seeds) == (3, 2, 4)
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
    assert jobs.points == [[[]], [[]]]
    assert jobs.comparison.tuning_runs == 0, "nothing is left to tune"


def test_each_contender_is_named_once_and_the_last_word_about_a_key_counts(made):
    jobs = made("optimizer=adam", "optimizer=rprop,adam,rprop", "target=sine,sine")
    assert (jobs.comparison.contenders, jobs.comparison.targets) == (("rprop", "adam"), ("sine",))


def test_seeds_of_one_target_do_not_reach_those_of_the_next_however_many_there_are():
    comparison = Comparison("activation", ("tanh",), ("sine", "wine"), {"optimizer.lr": "1,2"}, 2, 5000, 5000)
    jobs = ComparisonJobs(comparison, bases=[["sine"], ["wine"]], points=[[["lr=1"], ["lr=2"]]], seed=0)
    seeds = {"sine": set(), "wine": set()}
    for overrides in (*jobs.tuning(), *jobs.tuned([0, 0])):
        seeds[overrides[0]].add(int(overrides[-1].removeprefix("seed=")))
    assert seeds == {"sine": set(range(10_000)), "wine": set(range(10_000, 20_000))}


@pytest.mark.parametrize(
    ("typed", "options", "sentence"),
    [
        ([], {}, "There are no contenders: give one group several values, as in activation=tanh,relu."),
        (["activation=tanh"], {}, "There are no contenders: "),
        (["activation=tanh,tanh"], {}, "activation=tanh is no choice: give it several values, "),
        (["activation=tanh,relu"], {"targets": ()}, "There are no targets: write target=A,B (hydra.sweeper.targets)."),
        (["activation=tanh,relu", "optimizer=adam,rprop"], {}, "activation and optimizer have several values, but "),
        (["activation=tanh,relu", "seed=1"], {}, "seed cannot be set, because a comparison varies it: --seeds"),
        (["activation=tanh,relu", "seed=1,2"], {}, "seed cannot be set, because a comparison varies it: --seeds"),
        (["loss=huber,log_cosh"], {}, "loss cannot be compared: it changes what the final loss measures."),
        (["optimizer.lr=0.1,0.2"], {}, "optimizer.lr has several values, but contenders are values of one group"),
        (["tracking=mlflow,none"], {}, "tracking has several values, but contenders are values of one group"),
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
    assert set(COMPARED) == {"activation", "output", "optimizer", "schedule", "initializer", "rule"}

"""The command ``chainrule compare``."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from chainrule.cli import compare
from chainrule.errors import ConfigurationError

SWEEP = ["-m", "hydra/sweeper=compare"]


def test_what_is_typed_becomes_a_sweep():
    assert compare.sweep_arguments(["activation=tanh,relu"]) == [*SWEEP, "activation=tanh,relu"]
    typed = [
        "activation=tanh,relu",
        "--targets",
        "sine,wine",
        "seed=1",
        "--budget",
        "4",
        "--tuning-seeds=2",
        "--dry-run",
    ]
    assert compare.sweep_arguments(typed) == [
        *SWEEP,
        "activation=tanh,relu",
        "seed=1",
        "target=sine,wine",
        "hydra.sweeper.budget=4",
        "hydra.sweeper.tuning_seeds=2",
        "hydra.sweeper.dry_run=true",
    ]


def test_the_space_is_handed_over_whatever_is_in_it():
    found = compare.sweep_arguments(["rule=exact,mine", "--space", "optimizer.lr=tag(log,interval(1e-3,1))"])
    assert found[-1] == '++hydra.sweeper.space={optimizer.lr:"tag(log,interval(1e-3,1))"}'


def test_contenders_are_handed_over_whatever_is_in_their_names():
    first, second = 'a "b": optimizer=adam', "c\\d: network.hidden=[4,4]"
    found = compare.sweep_arguments(["--contender", first, "--contender", second, "--ablate=schedule=cosine"])
    (override,) = OverridesParser.create().parse_overrides([found[2]])
    assert (override.key_or_group, override.value()) == ("hydra.sweeper.contenders", [first, second])
    assert found[3] == 'hydra.sweeper.ablate=["schedule=cosine"]'


def test_a_race_has_limits():
    assert compare.sweep_arguments(["activation=a,b", "--until-decided", "--max-runs=9", "--max-minutes=0.5"])[3:] == [
        "hydra.sweeper.max_runs=9",
        "hydra.sweeper.max_minutes=0.5",
        "hydra.sweeper.until_decided=true",
    ]
    for limit in ("--max-runs=9", "--max-minutes=1"):
        with pytest.raises(ConfigurationError, match=r"^--max-\w+ needs --until-decided, which it limits\.$"):
            compare.sweep_arguments(["activation=a,b", limit])


@pytest.mark.parametrize("wrong", [["tanh"], ["activation=a,b", "--space", "optimizer.lr"]])
def test_what_is_no_override_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=r"is neither|is not KEY=VALUES"):
        compare.sweep_arguments(wrong)


def test_the_help_tells_what_is_assumed(capsys):
    with pytest.raises(SystemExit):
        compare.sweep_arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for told in (
        "network.hidden=[16]",
        "loss=binary_cross_entropy",
        "optimizer.lr=tag(log,interval(1e-4,10))",
        "(6, or 2 with --until-decided)",
        "(50000)",
        "--ablate",
    ):
        assert told in text

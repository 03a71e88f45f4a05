"""Options of sweepers as overrides."""

from hydra.core.override_parser.overrides_parser import OverridesParser

from chainrule.sweep.jobs.options import comparison_overrides, sweeper_overrides


def test_options_are_read_as_they_were_given():
    options = {
        "trials": 8,
        "max_minutes": 0.5,
        "until_decided": True,
        "sampler": "tpe",
        "storage": "sqlite:///a b.db",
        "metrics": ["validation/loss", "seconds"],
        "zip": [["a", "b.c"], ("d", "e")],
        "study": None,
    }
    found = OverridesParser.create().parse_overrides(sweeper_overrides(options))
    expected = {name: value for name, value in options.items() if value is not None} | {
        "zip": [["a", "b.c"], ["d", "e"]]
    }
    assert {each.key_or_group.removeprefix("hydra.sweeper."): each.value() for each in found} == expected


def test_targets_are_an_override_of_their_own():
    space = {"optimizer.lr": "tag(log,interval(1e-3,1))"}
    told = 'hydra.sweeper.space={optimizer.lr:"tag(log,interval(1e-3,1))"}'
    assert comparison_overrides(["seed=1"], ["sine", "wine"], {"space": space}) == [
        "seed=1",
        "target=sine,wine",
        f"++{told}",
    ]
    assert comparison_overrides([], "sine", {}) == ["target=sine"]
    assert comparison_overrides([], None, {}) == []

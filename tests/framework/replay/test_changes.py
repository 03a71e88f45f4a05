"""Each change changes one thing, and leaves alone what it cannot change."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule.records.settings import flat
from chainrule.registry.loaded import installed
from chainrule.replay.changes import CHANGES, CONTROL
from chainrule.runs.prepare import prepare


def groups(before, after):
    """The fields of the settings that differ."""
    fields = [field.name for field in dataclasses.fields(before)]
    return {name for name in fields if getattr(before, name) != getattr(after, name)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.name)
def test_a_change_is_about_one_thing_and_can_be_trained(change):
    before = chainrule.settings("target=sine", "network.hidden=[4,4]", "output=tanh", "training.batch_size=4")
    after = change.make(before, installed())
    assert after is not None
    changed = groups(before, after)
    assert len(changed) == (0 if change.name in (CONTROL, "standardized") else 1), changed
    assert np.isfinite(prepare(after).theta).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rate/10", ["optimizer=levenberg_marquardt"]),
        ("adam", ["optimizer=adam"]),
        ("cosine", ["schedule=step"]),
        ("clip", ["transforms=[clip]"]),
        ("larger batch", ["training.batch_size=null"]),
        ("wider", ["network.hidden=[]"]),
        ("shallower", ["network.hidden=[3]"]),
        ("norm", ["network.hidden=[]"]),
        ("output", []),
        ("standardized", ["target=wine"]),
        ("more samples", ["target=wine"]),
        ("restore_best", ["training.restore_best=true"]),
        ("dropout", ["network.dropout=0.1"]),
    ],
)
def test_where_there_is_nothing_to_change_nothing_is_tried(name, words):
    assert CHANGES[name].make(chainrule.settings(*words), installed()) is None


def test_rates_have_the_factor_that_their_names_say():
    before = chainrule.settings("optimizer=adam", "optimizer.lr=0.02")
    rates = {name: flat(change.make(before, installed()).to_config())["optimizer.lr"]
             for name, change in CHANGES.items() if name.startswith("rate")}  # fmt: skip
    assert rates == pytest.approx({"rate/100": 2e-4, "rate/10": 2e-3, "rate*10": 0.2, "rate*100": 2.0})

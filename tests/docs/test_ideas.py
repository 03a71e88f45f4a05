"""The table of ideas in ``plugins/README.md``: each row names what is there, and each idea trains and is swept."""

import re
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.registry.kinds import KINDS
from chainrule.registry.loaded import installed
from sizes import one_in

PLUGINS = Path(__file__).parents[2] / "plugins"
ROW = re.compile(r"\| ([^|]*): `(\w+)` \| (\w+) \| \[(\w+\.py)\]\(([\w/]+\.py)\) \| (\d+) \| ([^|]+) \| ([^|]+) \|")
HEADER = "| idea | kind | file | lines | source | checked against |"
SUITED = {  # what else a component needs, so that its values are admitted
    "balanced": ["target=two_moons"],
    "label_noise": ["target=two_moons"],
    "focal": ["target=two_moons", "output=sigmoid"],
    "hinge": ["target=two_moons"],
    "kl": ["target=wine", "output=softmax"],
}


def rows():
    """The cells of each row."""
    after = (PLUGINS / "README.md").read_text().split(HEADER)[1]
    table = after.split("\n\n")[0].splitlines()[2:]
    assert all(ROW.fullmatch(line) for line in table), [line for line in table if not ROW.fullmatch(line)]
    return [ROW.fullmatch(line).groups() for line in table]


every = pytest.mark.parametrize("row", rows(), ids=lambda row: row[1])


@every
def test_a_row_says_where_the_component_is_and_how_long_its_file(row):
    _, name, kind, shown, link, lines, source, checked = row
    path = PLUGINS / link
    assert path.name == shown
    assert len(path.read_text().splitlines()) == int(lines), f"{link} has another number of lines"
    module = ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
    assert installed().find(kind, name).__module__ == module
    assert source.strip()
    assert checked.strip()


def test_no_idea_is_there_twice():
    names = [(kind, name) for _, name, kind, *_ in rows()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", one_in(3, [pytest.param(row, id=row[1]) for row in rows()], ci=2))
def test_an_idea_trains_and_is_swept(row):
    """Two seeds in one stack, with the bytes that each has alone."""
    _, name, kind, *_ = row
    group = KINDS[kind].groups[0]
    choice = [f"{group}={name}", *SUITED.get(name, [])]
    short = ["data.samples=30", "training.epochs=3", "training.batch_size=10", "optimizer.lr=0.001"]
    if kind == "optimizer" and installed().find(kind, name).rate is None:
        short.remove("optimizer.lr=0.001")
    runs = [[*choice, *short, f"seed={seed}"] for seed in (0, 1)]
    for overrides, together in zip(runs, chainrule.train(runs), strict=True):
        (alone,) = chainrule.train([overrides])
        assert together.reason == "epochs"
        assert together.theta.tobytes() == alone.theta.tobytes()
        assert np.isfinite(together.metrics["train/loss"])

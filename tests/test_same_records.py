"""The comparison of two checkouts trains what can be trained, and finds what is different."""

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import chainrule
import random_runs
import same_records
from same_records import Looking, Verdict, compare, told


@pytest.mark.parametrize("seed", range(12))
def test_configurations_can_be_trained(seed):
    for file in random_runs.TABLES.values():
        Path(file).write_text(random_runs.table(file))
    overrides = random_runs.configuration(random.Random(seed))
    assert chainrule.run(*overrides).reason in ("epochs", "converged", "plateau", "diverged")
    assert overrides == random_runs.configuration(random.Random(seed))


def test_every_component_takes_part():
    """That the README lists all of them is tested in test_docs.py."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)`.*? \| (.*) \|$", readme, re.MULTILINE)
    listed = {group: set(re.findall(r"\b[a-z]\w+\b", re.sub(r"\(.*?\)", "", names))) for group, names in rows}
    paired = {
        "activation": set(random_runs.NORMS),
        "loss": {"binary_cross_entropy", "categorical_cross_entropy", "focal", "hinge", "kl", "poisson"},
        "rule": {"as_printed"},
    }
    for group, choices in random_runs.CHOICES.items():
        assert choices.keys() | paired.get(group, set()) == listed[group]
    assert {target for targets in random_runs.TARGETS.values() for target in targets} == listed["target"]
    seen = {text for seed in range(300) for text in random_runs.configuration(random.Random(seed))}
    for group in (*random_runs.CHOICES, "target"):
        norms = random_runs.NORMS if group == "activation" else []
        assert {f"{group}={name}" for name in listed[group].difference(norms)} <= seen
    assert {f"norm={name}" for name in random_runs.NORMS} <= seen


def test_sweeps_vary_more_than_the_seed():
    for number in range(6):
        overrides = random_runs.sweep(random.Random(number), number)
        keys = [override.partition("=")[0] for override in overrides]
        assert len(keys) == len(set(keys))
        assert sum("," in override for override in overrides if override.startswith(("seed=", "optimizer.lr="))) == 2


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A record as the command leaves it in a sweep, below the folder of a side."""
    records = tmp_path_factory.mktemp("side") / "records"
    chainrule.run("training.epochs=2", "tracking=none", directory=records / "sweep" / "0" / "3")
    (records / "sweep" / "0" / "3" / ".hydra").mkdir()
    (records / "sweep" / "0" / "3" / ".hydra" / "hydra.yaml").write_text(f"runtime: {{cwd: {records}}}\n")
    (records / "sweep" / "0" / "3" / "chainrule.log").write_text("[2026-01-01 00:00:00,000][one][INFO] - ready\n")
    sweep = {
        "key": "k1",
        "started": "then",
        "state": {"code": {"chainrule": "1"}, "data": {"seed=0": "d"}},
        "jobs": [1],
    }
    (records / "sweep" / "0" / "sweep.json").write_text(json.dumps(sweep))
    (records / "sweep" / "0" / "report.html").write_text("<p>Best.</p><dl><dd>began then</dd></dl>")
    (records / "sweep" / "0" / "comparison.json").write_text('{"answer": "Best."}')
    return records


@pytest.fixture
def sides(recorded, tmp_path):
    """Two sides with the same records, made at different times in different places by different sources."""
    made = []
    for role in ("before", "after_"):
        folder = tmp_path / role
        shutil.copytree(recorded, folder / "records")
        (folder / "code").mkdir()
        record = folder / "records" / "sweep" / "0" / "3"
        (record / ".hydra" / "hydra.yaml").write_text(f"runtime: {{cwd: {folder / 'records'}}}\n")
        (record / "chainrule.log").write_text(f"[2026-01-01 {role}][{role}][INFO] - ready\n")
        alter(record / "manifest.json", started=role, seconds=1.5, identity=role, environment={"user": role})
        alter(
            record.parent / "sweep.json", key=role, started=role, state={"code": {"x": role}, "data": {"seed=0": "d"}}
        )
        (record.parent / "report.html").write_text(
            f'<p>Best.</p><dl><dd>began {role}</dd></dl><section id="cost">{role}</section>'
        )
        (record.parent / "timing.json").write_text(role)
        alter(record.parent / "comparison.json", cost={"note": role})
        made.append(folder)
    return made


def alter(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def verdict(sides, looking=None):
    before, after = (side / "records" / "sweep" for side in sides)
    return compare(before, after, tuple(sides), looking or Looking())


def different(sides, looking=None):
    return [line for lines in verdict(sides, looking).different.values() for line in lines]


def test_times_places_and_sources_do_not_count(sides):
    assert verdict(sides) == Verdict(folders=2, records=1, different={})
    assert verdict(sides).same


def test_without_records_nothing_is_called_the_same(tmp_path):
    assert not compare(tmp_path, tmp_path, (tmp_path, tmp_path), Looking()).same


def weights(record):
    with np.load(record / "weights.npz") as archive:
        arrays = dict(archive)
    arrays["W2"][0, 0] = np.nextafter(arrays["W2"][0, 0], np.inf)
    np.savez(record / "weights.npz", **arrays)


def blank_line(path):
    path.write_text(path.read_text() + "\n")


CHANGES = {
    "0/3/weights.npz: W2": weights,
    "0/3/curves.npz: only before": lambda record: (record / "curves.npz").unlink(),
    "0/3/failure.json: only after": lambda record: (record / "failure.json").write_text("{}"),
    "0/3/manifest.json: title": lambda record: alter(record / "manifest.json", title="another"),
    "0/3/manifest.json: epochs": lambda record: alter(record / "manifest.json", epochs=2.0),
    "0/3/configuration.yaml: bytes": lambda record: blank_line(record / "configuration.yaml"),
    "0/3/.hydra/hydra.yaml: runtime.cwd": lambda record: (record / ".hydra" / "hydra.yaml").write_text(
        "runtime: {cwd: elsewhere}"
    ),
    "0/3/chainrule.log: bytes": lambda record: (record / "chainrule.log").write_text("[then][one][INFO] - not ready\n"),
    "0/3/pictures/loss.png: bytes": lambda record: (record / "pictures" / "loss.png").write_bytes(b"PNG"),
    "0/sweep.json: jobs.0": lambda record: alter(record.parent / "sweep.json", jobs=[2]),
    "0/comparison.json: answer": lambda record: alter(record.parent / "comparison.json", answer="Worst."),
    "0/report.html: bytes": lambda record: (record.parent / "report.html").write_text("<p>Worst.</p>"),
}


def test_what_cannot_be_read_is_different(sides):
    record = sides[1] / "records" / "sweep" / "0" / "3"
    for name in ("curves.npz", "manifest.json", "configuration.yaml"):
        content = (record / name).read_bytes()
        (record / name).write_bytes(b": [" + content[: len(content) // 2])
    found = different(sides)
    assert [line.partition(", ")[0] for line in found] == [
        "0/3/configuration.yaml: bytes",
        "0/3/curves.npz: bytes",
        "0/3/manifest.json: bytes",
    ]
    assert all("cannot be read" in line for line in found)


@pytest.mark.parametrize("line", CHANGES)
def test_what_is_different_is_named(sides, line):
    CHANGES[line](sides[1] / "records" / "sweep" / "0" / "3")
    assert different(sides) == [line]
    assert line in told("sweep", verdict(sides))


def test_a_failure_on_both_sides_is_no_agreement(sides):
    for side in sides:
        (side / "records" / "sweep" / "0" / "error.txt").write_text("Traceback ...\nKeyError: 'lr'\n")
    assert different(sides) == ["0/error.txt: failed before: KeyError: 'lr'"]


def test_a_failure_is_told_first(sides):
    shutil.rmtree(sides[1] / "records" / "sweep" / "0" / "3")
    (sides[1] / "records" / "sweep" / "0" / "error.txt").write_text("Traceback ...\nKeyError: 'lr'\n")
    lines = told("sweep", verdict(sides)).splitlines()
    assert lines[0] == "sweep: 2 folders with 1 records compared, 0 same, 2 different"
    assert lines[1] == "  0/error.txt: failed after: KeyError: 'lr'"
    assert len(lines) == 1 + same_records.SHOWN + 1


def test_titles_and_the_pictures_that_show_them_can_be_left_out(sides):
    record = sides[1] / "records" / "sweep" / "0" / "3"
    files = json.loads((record / "manifest.json").read_text())["files"]
    files["pictures/loss.png"]["sha256"] = "0" * 64
    alter(record / "manifest.json", title="another", files=files)
    (record / "pictures" / "loss.png").write_bytes(b"PNG")
    assert len(different(sides)) == 2
    assert not different(sides, Looking(ignored=["title"], unseen=[".png"]))

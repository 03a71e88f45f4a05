"""Every flipped bit and every truncation of a record and of a sweep is found, and what is damaged is trained again."""

import json
import random
import shutil
from pathlib import Path

import pytest

import chainrule
from chainrule.cli import report, sync
from chainrule.errors import ChainruleError, RecordError
from chainrule.records.entries import sealed
from chainrule.records.manifest import FAILURE, MANIFEST
from chainrule.records.run import HYDRA, Failure, read_end, read_record
from chainrule.records.sweep import CHECKSUMS, MASTER, SWEEP, read_sweep
from sealing import identified
from sizes import first
from sweeping import contents

SHORT = ("training.epochs=1", "tracking=none", "data.samples=10")
OF_RUN = [MANIFEST, "configuration.yaml", "curves.npz", "weights.npz",
          *(f"{HYDRA}/{name}.yaml" for name in ("config", "hydra", "overrides"))]  # fmt: skip
OF_SWEEP = [SWEEP, MASTER, CHECKSUMS, "report.html", "runs.csv", f"2/{FAILURE}"]
LARGE = ("report.html",)  # of which a sample of bits is enough: a digest covers all bytes alike


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two runs, and what a third would leave that had failed; nobody changes it."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        chainrule.sweep("seed=0,1", *SHORT, "hydra.launcher.workers=1", directory=folder, quiet=True)
    Failure.of(folder / "2", ArithmeticError("no"), seed=2).write()
    return folder


@pytest.fixture
def copy(swept, tmp_path):
    """A copy of the sweep where it lay, as far as its record says."""
    return Path(shutil.copytree(swept, tmp_path / "sweep"))


def run_is_found_out(folder, name):
    try:
        return name in read_record(folder).damaged()
    except RecordError:
        return name == MANIFEST


def sweep_is_found_out(folder, name):
    try:
        if name == f"2/{FAILURE}":
            read_end(folder / "2")
        else:
            read_sweep(folder).files()
    except RecordError:
        return True
    return False


def flipped(content, bits):
    for bit in bits:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(changed)


def cut(content, lengths):
    for length in lengths:
        yield f"cut to {length} bytes", content[:length]


def missed(folder, name, changes, is_found_out):
    """What was changed in a file without being found out."""
    path = folder / name
    before = path.read_bytes()
    try:
        found = []
        for what, content in changes:
            path.write_bytes(content)
            if not is_found_out(folder, name):
                found.append(what)
        return found
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("where", "name", "is_found_out"),
    [*(("0", name, run_is_found_out) for name in OF_RUN), *((".", name, sweep_is_found_out) for name in OF_SWEEP)],
)
def test_each_flipped_bit_and_each_truncation_is_found(swept, extent, where, name, is_found_out):
    folder = swept / where
    assert not is_found_out(folder, name)
    content = (folder / name).read_bytes()
    bits, lengths = range(8 * len(content)), range(len(content))
    draw = random.Random(name)
    most = extent(few=60, ci=240, all=5000 if name in LARGE else len(bits))
    some = bits if most >= len(bits) else draw.sample(bits, most)
    ends = [length for length in {0, 1, len(content) - 1} if length < len(content)]
    shorter = lengths if most >= len(lengths) else [*draw.sample(lengths, min(most // 4, len(lengths))), *ends]
    assert missed(folder, name, flipped(content, some), is_found_out) == []
    assert missed(folder, name, cut(content, shorter), is_found_out) == []


def test_a_better_loss_than_was_trained_is_not_ranked(copy):
    text = (copy / "0" / MANIFEST).read_text()
    loss = json.loads(text)["metrics"]["validation/loss"]
    (copy / "0" / MANIFEST).write_text(text.replace(f'"validation/loss": {loss!r}', '"validation/loss": 1e-09'))
    assert [outcome.number for outcome in read_sweep(copy).outcomes()] == [1]


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "noise": lambda content: random.Random(0).randbytes(len(content)),
    "null": lambda content: b"null",
    "number": lambda content: b"3",
    "list": lambda content: b"[]",
    "no entries": lambda content: sealed({"format": 3}),
    "nested": lambda content: b"[" * 100_000,
    "large number": lambda content: b'{"format": 3, "epochs": ' + b"9" * 5000 + b"}",
    "other text": lambda content: content.decode().encode("utf-16"),
    "format of the future": lambda content: content.replace(b'"format": 3', b'"format": 4'),
    "twice": lambda content: content + content,
    "another run": None,
}


def test_whatever_a_manifest_holds_it_is_read_or_refused(swept, tmp_path, extent):
    """Also with a checksum that fits, as strangers can make one."""
    entries = json.loads((swept / "0" / MANIFEST).read_bytes())
    nested = [(key,) for key in entries] + [(key, own) for key in entries if isinstance(entries[key], dict)
                                            for own in entries[key]]  # fmt: skip
    values = (None, 3, "x", [], {}, [None], {"": None}, -1, 1e300, True, "2026", 10**30)
    tried = [(path, value) for path in nested for value in values]
    place = Path(shutil.copytree(swept / "0", tmp_path / "sweep" / "0"))
    sweep = read_sweep(swept)
    for path, value in random.Random(0).sample(tried, min(len(tried), extent(few=150, ci=400, all=len(tried)))):
        changed = json.loads(json.dumps(entries))
        inner = changed if len(path) == 1 else changed[path[0]]
        inner[path[-1]] = value
        for content in (
            changed,
            identified(changed) if path[0] in ("configuration", "plugins") and len(path) > 1 else {},
        ):
            (place / MANIFEST).write_bytes(sealed(content))
            try:
                found = read_record(place)
                found.damaged()
                sweep.outcome(0, found)
            except RecordError:
                continue


@pytest.mark.parametrize("kind", first({"half", "nested", "another run"}, DAMAGES))
def test_a_run_whose_manifest_is_damaged_in_whatever_way_is_trained_again_and_this_is_said(
    swept, kind, capsys, monkeypatch
):
    """The bits are those of before; of the other run nothing is touched."""
    before, kept = contents(swept), shutil.copytree(swept, swept.parent / "kept")
    path, other = swept / "1" / MANIFEST, swept / "0" / MANIFEST
    try:
        written = other.stat().st_mtime_ns
        if kind == "another run":
            shutil.rmtree(swept / "1")
            shutil.copytree(swept / "0", swept / "1")
        else:
            path.write_bytes(DAMAGES[kind](path.read_bytes()))
        monkeypatch.chdir(swept.parent)
        chainrule.resume(swept, quiet=True)
        assert "What is damaged is trained again." in capsys.readouterr().out
        assert other.stat().st_mtime_ns == written, "a complete record stays"
        assert contents(swept) == before
    finally:
        shutil.rmtree(swept)
        kept.rename(swept)


def test_records_that_have_changed_places_are_not_those_of_their_jobs(copy):
    (copy / "0").rename(copy / "x")
    (copy / "1").rename(copy / "0")
    (copy / "x").rename(copy / "1")
    assert list(read_sweep(copy).outcomes()) == []


def test_directories_that_have_vanished_are_not_ranked_as_if_nothing_were_missing(copy, capsys):
    shutil.rmtree(copy / "1")
    with pytest.raises(ChainruleError, match=r"^1 of 2 runs has no record that is whole \(job 1\)"):
        report.main([str(copy)])
    assert [outcome.number for outcome in read_sweep(copy).outcomes()] == [0]


@pytest.mark.parametrize("name", ["weights.npz", "curves.npz"])
def test_a_damaged_record_is_told_and_is_not_in_the_report(copy, name):
    path = copy / "1" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = rf"^1 of 2 runs has no record that is whole \(job 1\).*`chainrule resume {copy}` trains it again"
    with pytest.raises(ChainruleError, match=said):
        report.main([str(copy)])
    assert len((copy / "runs.csv").read_text().splitlines()) == 2, "the head and the other run"


def test_a_directory_that_vanishes_while_the_others_are_trained_ends_the_sweep_with_an_error(tmp_path, monkeypatch):
    class Vanishing(chainrule.Watcher):
        def runs_recorded(self, records):
            shutil.rmtree(records[0].directory)

    from chainrule.notebook import sweeping

    keeper = sweeping._Keeper
    monkeypatch.setattr(keeper, "runs_recorded", lambda self, records: Vanishing().runs_recorded(records))
    with pytest.raises(ChainruleError, match=r"^1 of 2 records are no longer in .*`chainrule resume .*` trains this r"):
        chainrule.sweep("seed=0,1", *SHORT, "hydra.launcher.workers=1", directory="sweep", quiet=True)
    assert not read_sweep(tmp_path / "sweep").manifest.finished
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert len(chainrule.resume("sweep", quiet=True)) == 2


def test_nothing_damaged_is_sent(copy, monkeypatch, capsys):
    sent = []

    class Tracker(chainrule.Tracker):
        named = ""

        def send(self, record):
            sent.append(record.directory.name)

        def send_sweep(self, sweep, outcomes):
            sent.append(sweep.files() and sweep.directory.name)

    monkeypatch.setattr(sync, "tracker_of", lambda record, name, allowed: Tracker())
    monkeypatch.setattr(sync, "load_plugins", lambda words: None)
    (copy / "0" / "weights.npz").write_bytes((copy / "1" / "weights.npz").read_bytes())
    with (copy / "runs.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(ChainruleError, match=r"^2 records were not sent"):
        sync.main([str(copy)])
    assert sent == ["1"]
    errors = capsys.readouterr().err
    assert "weights.npz is missing or was changed after it was recorded" in errors
    assert "runs.csv was changed after it was written" in errors


def test_a_directory_that_holds_a_record_is_overwritten_only_if_that_is_said(tmp_path):
    chainrule.run(*SHORT, "seed=1", directory="fixed")
    before = contents("fixed")
    with pytest.raises(chainrule.ConfigurationError, match=r"holds the record of a run already: .* overwrite=True"):
        chainrule.run(*SHORT, "seed=2", directory="fixed")
    assert contents("fixed") == before
    assert chainrule.run(*SHORT, "seed=2", directory="fixed", overwrite=True).settings.seed == 2
    assert read_record(tmp_path / "fixed").manifest.overrides[-1] == "seed=2"


def test_a_sweep_is_overwritten_only_if_that_is_said(copy, tmp_path):
    before = contents(copy)
    with pytest.raises(chainrule.ConfigurationError, match=r"holds a sweep already: .* overwrite=True"):
        chainrule.sweep("seed=5", *SHORT, directory=copy, quiet=True)
    assert contents(copy) == before
    (copy / "notes.txt").write_text("mine")
    swept = chainrule.sweep("seed=5", *SHORT, directory=copy, quiet=True, overwrite=True)
    assert [outcome.seed for outcome in swept] == [5]
    assert not (copy / "1").exists()
    assert (copy / "notes.txt").read_text() == "mine"


def test_a_record_where_a_new_sweep_would_leave_one_stays(tmp_path):
    chainrule.run(*SHORT, directory="sweep/1")
    before = contents("sweep")
    with pytest.raises(chainrule.ConfigurationError, match=r"1 holds the record of a run already"):
        chainrule.sweep("seed=0,1", *SHORT, directory="sweep", quiet=True)
    assert contents("sweep/1") == {name[2:]: content for name, content in before.items()}


def test_a_record_of_another_identity_is_damaged(copy):
    entries = json.loads((copy / "0" / MANIFEST).read_bytes())
    (copy / "0" / MANIFEST).write_bytes(sealed({**entries, "identity": "0" * 64}))
    with pytest.raises(RecordError, match="its identity is not that of its settings, data and plugins"):
        read_record(copy / "0")
    assert identified(entries)["identity"] == entries["identity"]

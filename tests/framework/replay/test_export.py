"""A package has all that is needed to train records again, elsewhere, and says what is in it."""

import json
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import chainrule
from chainrule.cli.export import main
from chainrule.errors import ChainruleError, RecordError
from chainrule.registry import loaded
from chainrule.registry.loaded import installed
from chainrule.replay.verification import verify
from distributions import CUBED

SHORT = ["training.epochs=3", "tracking=none"]
TABLE = ["target=table", "target.path=data.csv", "data.samples=null"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with records of all kinds: data in a table, a plugin file, a run that starts from another."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("CHAINRULE_BLOCK_PLUGINS", "pictures")
        _afresh()
        _make()
    _afresh()
    return folder


def _make():
    Path("data.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    Path("conf").mkdir()
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(CUBED)
    Path("runs").mkdir()
    Path("runs/README.md").write_text("# A study\n")
    cubed = [*SHORT, "activation=cubed", "optimizer.lr=1e-9"]
    chainrule.run(*cubed, directory="runs/first", quiet=True)
    chainrule.run(*cubed, "training.start=runs/first", directory="runs/second", quiet=True)
    chainrule.sweep(*SHORT, *TABLE, "seed=0,1", directory="runs/sweep", quiet=True)


@pytest.fixture
def project(made, afresh):
    """A copy of it, which is the working directory."""
    shutil.copytree(made, ".", dirs_exist_ok=True)
    _afresh()
    return Path("runs").absolute()


def test_it_is_trained_again_elsewhere(project, tmp_path, monkeypatch):
    main(["runs", "paper.zip", "--license", "CC-BY-4.0"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move("paper.zip", elsewhere)
    for gone in ("runs", "plugins", "conf"):
        shutil.rmtree(gone)
    Path("data.csv").unlink()
    monkeypatch.chdir(elsewhere)
    _afresh()
    packed = verify(Path("paper.zip"), installed())
    assert packed.summary == "2 of 4 runs end in the recorded bits; 2 could not be trained again", "which need the file"
    assert "first: cannot be trained again: the run needs the plugin plugins/mine.py" in str(packed)
    assert "which are not executed unasked: unpack it, look at them" in packed.notes[0]
    with zipfile.ZipFile("paper.zip") as archive:
        archive.extractall("unpacked")
    monkeypatch.chdir("unpacked")
    _afresh()
    found = verify(Path(), installed())
    assert found.summary == "4 of 4 runs end in the recorded bits", str(found)
    Path("records/first/weights.npz").write_bytes(b"")
    with pytest.raises(
        RecordError, match=r"weights\.npz of the package is missing or was changed after it was exported"
    ):
        verify(Path(), installed())


def _afresh():
    """Find plugins anew, as another process does."""
    loaded._loaded_once.cache_clear()


def test_what_is_in_it(project):
    exported = chainrule.export("runs", "paper.zip", license="CC-BY-4.0")
    assert (exported.runs, exported.notes) == (4, ())
    with zipfile.ZipFile("paper.zip") as archive:
        names = set(archive.namelist())
        content = {name: archive.read(name) for name in names}
    assert len(names) == exported.files
    assert {"README.md", "requirements.txt", "export.json", "ro-crate-metadata.json", "data/data.csv"} <= names
    assert {
        "records/README.md",
        "records/sweep/report.html",
        "records/sweep/sweep.json",
        "records/first/weights.npz",
    } <= names
    assert content["plugins/mine.py"].decode() == CUBED
    assert f"numpy=={version('numpy')}" in content["requirements.txt"].decode().splitlines()
    manifest = json.loads(content["export.json"])
    assert manifest["moved"] == {"data.csv": "data/data.csv", "runs/first": "starts/1"}
    assert manifest["plugins"]["plugins/mine.py:mine"]["source"] == "plugins/mine.py"
    assert manifest["plugins"]["chainrule:losses"]["source"] == f"sources/chainrule-{version('chainrule')}"
    own = content[f"sources/chainrule-{version('chainrule')}/chainrule_losses/losses.py"].decode()
    assert "class HalfSquaredError" in own


def test_the_same_records_make_the_same_files(project):
    chainrule.export("runs/first", "one.zip")
    chainrule.export("runs/first", "two.zip")
    assert Path("one.zip").read_bytes() == Path("two.zip").read_bytes()
    with zipfile.ZipFile("one.zip") as archive:
        assert "linear, 2-2 cubed" in archive.read("report.html").decode()


def test_the_metadata_is_a_research_object_crate(project):
    """What the specification demands of RO-Crate 1.1: https://www.researchobject.org/ro-crate/specification/1.1."""
    chainrule.export("runs", "paper.zip", license="CC-BY-4.0")
    with zipfile.ZipFile("paper.zip") as archive:
        names, metadata = set(archive.namelist()), json.loads(archive.read("ro-crate-metadata.json"))
    assert metadata["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in metadata["@graph"]}
    assert len(entities) == len(metadata["@graph"])
    assert entities["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    assert entities[root["license"]["@id"]]["name"] == "CC-BY-4.0"
    assert {part["@id"] for part in root["hasPart"]} == names - {"ro-crate-metadata.json"}
    for part in root["hasPart"]:
        assert entities[part["@id"]]["@type"] == "File"
    actions = [entity for entity in metadata["@graph"] if entity["@type"] == "CreateAction"]
    assert len(actions) == 4
    for action in actions:
        referred = [action["instrument"], action["object"], *action["result"]]
        assert all(one["@id"] in entities for one in referred)
        assert action["startTime"] <= action["endTime"]
    texts = json.dumps(metadata)
    assert str(project) not in texts, "no path of this machine"


def test_data_may_stay_behind(project):
    exported = chainrule.export("runs/sweep", "paper.zip", data=False)
    assert exported.notes == (
        "The data data.csv were left out: whoever trains the runs again needs them at this path.",
    )
    with zipfile.ZipFile("paper.zip") as archive:
        assert not [name for name in archive.namelist() if name.startswith("data/")]


def test_what_is_gone_or_changed_is_said(project):
    chainrule.run(*SHORT, *TABLE, directory="runs/table", quiet=True)
    shutil.rmtree("runs/sweep")  # whose data are where it was made
    Path("data.csv").unlink()
    shutil.rmtree("runs/first")
    Path("plugins/mine.py").write_text(CUBED + "\n")
    _afresh()
    notes = chainrule.export("runs", "paper.zip").notes
    assert any("The data data.csv are gone" in note for note in notes)
    assert any("The run that others start from, runs/first, is gone" in note for note in notes)
    assert any("The plugin plugins/mine.py:mine is not as it was" in note for note in notes)


def test_what_is_not_as_it_was_is_not_packed(project, capsys):
    """Not even beside what is: nobody must believe that others can train all of it again."""
    shutil.rmtree("runs/sweep")  # whose data are where it was made
    chainrule.run(*SHORT, *TABLE, directory="runs/table", quiet=True)
    words = [*SHORT, "activation=cubed", "optimizer.lr=1e-9"]
    chainrule.run(*words, "seed=1", directory="runs/first", quiet=True, overwrite=True)
    with Path("data.csv").open("a") as file:
        file.write("20,41\n")
    main(["runs/table", "table.zip"])
    data = "The data data.csv have changed since, so the runs that read them before cannot be trained again."
    first, note = capsys.readouterr().out.splitlines()
    assert (first.endswith("; `chainrule verify table.zip` cannot train it again"), note) == (True, data)
    main(["runs", "paper.zip"])
    start = "The run that others start from, runs/first, has changed since, so they cannot be trained again."
    first, *notes = capsys.readouterr().out.splitlines()
    assert (first.endswith("; `chainrule verify paper.zip` trains 1 of them again"), notes) == (True, [start, data])
    with zipfile.ZipFile("paper.zip") as archive:
        assert not [name for name in archive.namelist() if name.startswith(("data/", "starts/"))]


def test_data_that_cannot_be_read_any_more_have_changed(project):
    chainrule.run(*SHORT, *TABLE, directory="runs/table", quiet=True)
    Path("data.csv").write_text("x\n1\n")
    exported = chainrule.export("runs/table", "table.zip")
    assert (exported.lacking, len(exported.notes)) == (1, 1)


def test_what_cannot_be_exported_is_refused(project):
    Path("there.zip").touch()
    with pytest.raises(ChainruleError, match=r"exists already; name another file, or write --overwrite"):
        chainrule.export("runs", "there.zip")
    main(["runs", "there.zip", "--overwrite"])
    assert zipfile.is_zipfile("there.zip")
    with pytest.raises(RecordError, match="holds no finished record"):
        chainrule.export("plugins", "new.zip")
    Path("runs/first/curves.npz").write_bytes(b"")
    with pytest.raises(RecordError, match="is missing or was changed"):
        chainrule.export("runs", "new.zip")
    assert not Path("new.zip").exists()

"""Pictures of a record as MLflow's image grid reads them."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import chainrule
import shortcuts
from chainrule_mlflow import contents, images

NAME = re.compile(r"images/([\w. -]+)\+step\+(\d+)\+timestamp\+(\d+)\+([0-9a-f]+)(\+compressed\.webp|\.png)")


@pytest.fixture(scope="module", autouse=True)
def _drawn():
    with shortcuts.none():
        yield


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    wanted = (
        "pictures=[loss,animation]",
        "target=sine",
        "training.epochs=6",
        "training.measure_every=1",
        "tracking=none",
    )
    return chainrule.run(*wanted, directory=tmp_path_factory.mktemp("run")).record


def test_each_picture_has_a_name_a_step_and_a_small_copy(record):
    found = [(NAME.fullmatch(name).groups(), content) for name, content in images.images(record)]
    whole = {(name, int(step)) for (name, step, _, _, ending), _ in found if ending == ".png"}
    small = {(name, int(step)) for (name, step, _, _, ending), _ in found if ending != ".png"}
    assert whole == small == {("loss", 6), *(("animation", step) for step in range(7))}
    for (name, _, _, _, ending), content in found:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert image.format == ("PNG" if ending == ".png" else "WEBP")
            assert ending == ".png" or max(image.size) == 256
            assert len(content) < 100_000, name


def test_pictures_are_as_they_are_in_the_record_and_their_names_the_same_each_time(record):
    found = dict(images.images(record))
    assert found == dict(images.images(record))
    (loss,) = [content for name, content in found.items() if name.startswith("images/loss") and name.endswith(".png")]
    assert loss == (record.directory / "pictures/loss.png").read_bytes()
    assert len({NAME.fullmatch(name)[4] for name in found}) == len(found) / 2


def test_times_lie_within_the_run(record):
    begin, end = (contents.milliseconds(record.manifest, fraction) for fraction in (0.0, 1.0))
    times = [int(NAME.fullmatch(name)[3]) for name, _ in images.images(record)]
    assert (min(times), max(times)) == (begin, end)


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")
def test_names_are_those_that_mlflow_gives(record, prepared, tmp_path):
    """``MlflowClient.log_image`` gives the same, but for time and identifier."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{shutil.copy(prepared, tmp_path)}")
    experiment = client.create_experiment("images", artifact_location=(tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_image(run, np.zeros((600, 900, 3), np.uint8), key="loss", step=6, synchronous=True)
    theirs = {file.path for file in client.list_artifacts(run, "images")}
    ours = {name for name, _ in images.images(record) if "/loss" in name}

    def alike(names):
        return {re.sub(r"timestamp\+\d+\+[0-9a-f-]+", "timestamp", name) for name in names}

    assert alike(theirs) == alike(ours)
    assert "mlflow.loggedImages" in client.get_run(run).data.tags
    assert "mlflow.loggedImages" in contents.describe(record).tags


def test_what_is_no_picture_is_left_out(tmp_path):
    (tmp_path / "run" / "pictures").mkdir(parents=True)
    (tmp_path / "run" / "pictures" / "mine.png").write_bytes(b"no picture")
    broken = chainrule.run("pictures=[]", "training.epochs=1", "tracking=none", directory=tmp_path / "run").record
    assert "pictures/mine.png" in broken.manifest.files
    assert list(images.images(broken)) == []

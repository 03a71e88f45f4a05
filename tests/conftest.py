"""Every test runs in a directory of its own, away from the environment's trackers."""

import pytest

collect_ignore = ["thirdparty"]  # distributions of their own, which are tested where they are installed


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

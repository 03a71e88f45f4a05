"""Hydra's joblib launcher."""

import pytest

pytest.importorskip("hydra_plugins.hydra_joblib_launcher")


def test_joblib_leaves_the_same_bytes(train):
    train("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")

"""What tests of random runs need."""

from pathlib import Path

import pytest

import random_runs


@pytest.fixture
def tables(tmp_path):
    """Leave the tables of random runs in the working directory."""
    for file in random_runs.TABLES.values():
        Path(file).write_text(random_runs.table(file))

"""How many faults are tried: ``--faults=few``, ``ci`` or ``all``."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("faults")


@pytest.fixture(scope="session")
def extent(request):
    """Choose by the size of the suite: ``extent(few=3, ci=20, all=200)``."""
    return lambda **sizes: sizes[request.config.getoption("faults")]

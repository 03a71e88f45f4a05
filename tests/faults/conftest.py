"""How many faults are tried: ``--faults=few``, ``ci`` or ``all``."""

import pytest


@pytest.fixture(scope="session")
def extent(request):
    """Choose by the size of the suite: ``extent(few=3, ci=20, all=200)``."""
    return lambda **sizes: sizes[request.config.getoption("faults")]

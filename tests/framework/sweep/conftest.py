"""What tests of sweeps share: a plugin."""

import pytest

import distributions
from distributions import MOODY


@pytest.fixture
def plugin(tmp_path):
    distributions.install(tmp_path / "site", "chainrule-moody", MOODY, entry_point="moody")
    return tmp_path / "site"

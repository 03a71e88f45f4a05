"""What tests of plugins share: made-up distributions."""

import importlib.metadata
import sys

import pytest

import distributions
from chainrule.registry.preferences import Preferences
from chainrule.registry.registry import Registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a made-up distribution and return the registry of all made-up ones."""
    monkeypatch.syspath_prepend(tmp_path)
    found, modules = [], []

    def _install(name, source, version="1.0", entry_point=None, prefer=(), block=(), files=()):
        modules.append(name.replace("-", "_"))
        sys.modules.pop(modules[-1], None)
        importlib.invalidate_caches()
        found.append(
            importlib.metadata.PathDistribution(distributions.install(tmp_path, name, source, version, entry_point))
        )
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("")
        return _registry(prefer, block)

    def _registry(prefer=(), block=(), reserved=()):
        entries = [entry for distribution in found for entry in distribution.entry_points]
        return Registry(entries, Preferences(tuple(prefer), tuple(block)), reserved)

    _install.registry = _registry
    yield _install
    for module in modules:
        sys.modules.pop(module, None)

"""What tests of the framework share: processes that are gone when a test has ended."""

import os
import signal

import pytest
from PIL import Image

from chainrule.registry import declared, registry
from chainrule_pictures import canvas
from processes import of_group

_image_of = canvas.image_of


@pytest.fixture(autouse=True)
def _blank_pictures(monkeypatch):
    """Pictures of runs that a test records are blank: to draw them takes a second of each run.

    They are drawn in tests/plugins, in other processes, and where a test asks for ``drawn``.
    """
    monkeypatch.setattr(canvas, "image_of", lambda figure: Image.new("RGB", figure.canvas.get_width_height()))


@pytest.fixture
def drawn(_blank_pictures, monkeypatch):
    """Pictures are drawn in this test."""
    monkeypatch.setattr(canvas, "image_of", _image_of)


@pytest.fixture
def afresh(monkeypatch):
    """Plugins are found anew in this test, and nothing is declared before it or by it for others."""
    monkeypatch.setattr(declared, "_declared", {})
    monkeypatch.setattr(registry, "_received", None)
    registry._loaded_once.cache_clear()
    yield
    registry._loaded_once.cache_clear()


@pytest.fixture
def kept():
    """Returns a process, and leaves nothing of it and of those that it has started."""
    processes = []

    def keep(process):
        processes.append(process)
        return process

    yield keep
    for process in processes:
        if of_group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        with process:
            pass

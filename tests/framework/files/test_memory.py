"""How much memory there is; tests of tables have the sentence."""

import pytest

from chainrule.errors import ConfigurationError
from chainrule.files import memory


def test_there_is_some():
    assert 2**20 < memory.available() < 2**50


def test_what_the_kernel_and_the_container_say(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_KERNEL", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 7 kB\n")
    assert memory.available() == 7 * 1024
    (tmp_path / "memory.max").write_text("6000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available() == 5000


def test_more_than_there_is_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    memory.require_memory(10**9, "a", "b")
    with pytest.raises(ConfigurationError, match=r"^a needs about 2\.0 GB of memory for b, but 1\.0 GB are free\.$"):
        memory.require_memory(2 * 10**9, "a", "b")

"""Functions are compiled once, read from the cache, and compiled again if the cache is damaged."""

import ctypes

import pytest

from chainrule.compiled import machine_code
from chainrule.files import cache

TEXT = """
define double @train(double %x) {{
  %v = fmul double %x, {}
  ret double %v
}}
"""


@pytest.fixture
def compilations(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    machine_code._loaded.cache_clear()
    done, compile_ = [], machine_code._compiled
    monkeypatch.setattr(machine_code, "_compiled", lambda *given: done.append(1) or compile_(*given))
    yield done
    machine_code._loaded.cache_clear()


def called(text, x):
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(machine_code.address(text))(x)


def test_a_function_is_compiled_once(compilations):
    assert machine_code.available() == ""
    assert called(TEXT.format("3.0"), 2.0) == 6.0
    assert called(TEXT.format("3.0"), 5.0) == 15.0
    assert called(TEXT.format("4.0"), 2.0) == 8.0
    assert len(compilations) == 2


def test_another_process_reads_it(compilations):
    called(TEXT.format("3.0"), 2.0)
    machine_code._loaded.cache_clear()  # as a new process begins
    assert called(TEXT.format("3.0"), 2.0) == 6.0
    assert len(compilations) == 1


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_damaged_cache_is_compiled_again(compilations, content):
    text = TEXT.format("3.0")
    called(text, 2.0)
    machine_code._loaded.cache_clear()
    (cache.folder(machine_code.FOLDER) / machine_code.key_of(text)).write_bytes(content)
    assert called(text, 2.0) == 6.0
    assert len(compilations) == 2
    machine_code._loaded.cache_clear()
    assert called(text, 2.0) == 6.0
    assert len(compilations) == 2


def test_keys_tell_functions_and_processors_apart(monkeypatch):
    first = machine_code.key_of("a")
    assert machine_code.key_of("b") != first
    monkeypatch.setattr(machine_code, "_processor", lambda: ("0.50", "other", "-fma"))
    assert machine_code.key_of("a") != first

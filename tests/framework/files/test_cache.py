"""The cache on disk: whole or not there, in the user's folder or where the environment says."""

import threading

from chainrule.files import cache


def test_what_was_written_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "c"))
    assert cache.read("w", "k") is None
    cache.write("w", "k", b"code")
    assert cache.read("w", "k") == b"code"
    assert cache.read("w", "other") is None


def test_a_damaged_file_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    cache.write("w", "k", b"code of some length")
    file = cache.folder("w") / "k"
    whole = file.read_bytes()
    for damaged in (b"", whole[:10], whole[:-1], whole[:-1] + b"x", b"x" + whole[1:]):
        file.write_bytes(damaged)
        assert cache.read("w", "k") is None
    cache.write("w", "k", b"again")
    assert cache.read("w", "k") == b"again"


def test_a_file_in_the_place_of_another_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    cache.write("w", "one", b"code")
    (cache.folder("w") / "one").rename(cache.folder("w") / "other")
    assert cache.read("w", "other") is None


def test_no_cache(monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.folder("w") is None
    cache.write("w", "k", b"code")
    assert cache.read("w", "k") is None


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    cache.write("w", "k", b"code")
    assert cache.read("w", "k") is None


def test_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder("w") == tmp_path / "chainrule" / "w"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder("w") == tmp_path / ".cache" / "chainrule" / "w"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache.folder("w") == tmp_path / "Library" / "Caches" / "chainrule" / "w"


def test_many_write_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    codes, wrong = [bytes([k]) * 50_000 for k in range(4)], []

    def work(code):
        for _ in range(20):
            cache.write("w", "k", code)
            if cache.read("w", "k") not in codes:
                wrong.append(code)

    threads = [threading.Thread(target=work, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in cache.folder("w").iterdir()] == ["k"]  # and nothing is left behind

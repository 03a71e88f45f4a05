"""``chainrule ui`` starts the server of a tracker, opens the right page, and leaves no process."""

import re
import socket
import sys
from pathlib import Path

import pytest

import chainrule
from chainrule.cli import ui
from chainrule.errors import ChainruleError
from chainrule.registry.watching import Pages
from processes import of_group

CODE = "import http.server, sys; http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), {}).serve_forever()"
SERVER = CODE.format("http.server.SimpleHTTPRequestHandler")


@pytest.fixture
def shown(monkeypatch):
    """What the tracker was asked to show, the processes that were started, and the pages that a browser opened."""
    found = {"shown": [], "opened": [], "servers": [], "code": SERVER}
    started = ui.subprocess.Popen

    class Fake:
        def pages(self, what, port):
            found["shown"].append(what)
            address = f"http://127.0.0.1:{port}"
            command = (sys.executable, "-c", found["code"], str(port)) if found["code"] else ()
            return Pages("Fake", address, {"the run": f"{address}/#/1", "all runs": f"{address}/#/"}, command)

    def opened(link):
        found["opened"].append(link)
        found["group"] = of_group(found["servers"][0].pid) if found["servers"] else []
        raise KeyboardInterrupt  # as a person ends it

    def popen(*arguments, **keywords):
        process = started(*arguments, **keywords)
        if keywords.get("start_new_session"):  # others ask for the environment of a run
            found["servers"].append(process)
        return process

    monkeypatch.setattr(ui.webbrowser, "open", opened)
    monkeypatch.setattr(ui.subprocess, "Popen", popen)
    monkeypatch.setattr(ui, "own_tracker", lambda name: Fake())
    monkeypatch.setattr(ui, "tracker_of", lambda record, name, allowed: Fake())
    return found


def test_the_first_page_is_opened_and_nothing_is_left_after_an_interrupt(shown, capsys):
    with pytest.raises(KeyboardInterrupt):
        ui.main([])
    assert shown["shown"] == [None]
    (link,) = shown["opened"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#/1", link)
    out = capsys.readouterr().out
    assert f"the run: {link}\n" in out
    assert f"all runs: {link.removesuffix('1')}\n" in out
    assert shown["group"], "the server was there"
    (server,) = shown["servers"]
    assert server.returncode is not None
    assert not of_group(server.pid)


def test_a_run_and_a_sweep_are_shown(shown):
    shown["code"] = ""
    chainrule.run("training.epochs=1", "tracking=none", directory="r")
    chainrule.sweep("training.epochs=1", "seed=0,1", "tracking=none", directory="s", quiet=True)
    for directory in ("r", "s"):
        ui.main([directory, "--no-browser"])
        assert shown["shown"].pop().directory == Path(directory).absolute()
    assert not shown["servers"], "one runs already"


def test_a_server_that_ends_is_quoted(shown):
    shown["code"] = "import sys; sys.exit('the database is locked')"
    with pytest.raises(ChainruleError, match=r"^Fake has ended: the database is locked$"):
        ui.main([])


def test_the_port_may_be_chosen(shown):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(KeyboardInterrupt):
        ui.main(["--port", str(port)])
    assert shown["opened"] == [f"http://127.0.0.1:{port}/#/1"]
    with pytest.raises(ChainruleError, match="--port 70000 is none"):
        ui.main(["--port", "70000"])


def test_a_tracker_without_pages_says_so():
    with pytest.raises(ChainruleError, match="tracking=none has no pages"):
        ui.main(["--tracking", "none"])


def test_what_was_not_sent_is_said(database):
    chainrule.run("training.epochs=1", "tracking=none", directory="r")
    with pytest.raises(ChainruleError, match=r"r is not in MLflow at .*; `chainrule sync .*r` sends it"):
        ui.main(["r", "--tracking", "mlflow"])


def test_without_a_database_there_is_nothing_to_show():
    with pytest.raises(ChainruleError, match="There is no database"):
        ui.main(["--tracking", "mlflow"])

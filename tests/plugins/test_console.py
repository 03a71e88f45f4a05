"""What a person reads while runs train and when they have ended."""

import io
import itertools
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from rich.console import Console as Terminal

import chainrule
from chainrule.engine.reason import Reason
from chainrule.records.manifest import RunManifest
from chainrule.records.run import Record
from chainrule.registry.watching import Progress, Session, Start, SweepProgress
from chainrule_console import Console, chainrule_watchers, summary, words
from chainrule_console.bar import Bar
from chainrule_console.display import StackLine
from chainrule_console.lines import SweepLines
from chainrule_console.sweep import status

TITLE = "linear, 2-2 sigmoid, gradient_descent, seed 0"
LINK = "http://127.0.0.1:5000/#/experiments/1/runs/" + "0123456789abcdef" * 8


def record(name="run", **changes):
    manifest = {
        "title": TITLE,
        "overrides": [],
        "configuration": {"training": {"patience": 20}, "optimizer": {"name": "gradient_descent", "lr": 0.1}},
        "reason": Reason.EPOCHS,
        "epochs": 200,
        "seconds": 0.7123,
        "metrics": {
            "train/loss": 0.000123456789,
            "validation/loss": 0.25,
            "train/r2": 0.99987654,
            "validation/r2": -1.5,
        },
    }
    return Record(Path("/records") / name, RunManifest(manifest | changes))


def train(console, epochs=200, every=1, loss=(1.0,), notes=(), titles=None, stop=None):
    """Tell a console what the training of one stack tells."""
    titles = titles or [TITLE]
    console.stack_started(Start(tuple(titles), epochs, tuple(notes)))
    last = epochs if stop is None else stop
    for epoch in [*range(0, last, every), last]:
        console.epochs_recorded(Progress(epoch, tuple(loss), 0 if epoch == last else len(loss)))


def interactive(monkeypatch, **options):
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = io.StringIO()
    return Console(True, Terminal(file=screen, force_terminal=True, width=80, **options)), screen


def test_hook_returns_one_watcher():
    (watcher,) = chainrule_watchers(Session(interactive=False))
    assert isinstance(watcher, Console)


def test_plain_text_of_one_run(capsys):
    console = Console(False)
    train(console, epochs=20, loss=[0.123456789], notes=["the loss will stay above zero."])
    done = record(epochs=20)
    done.links["MLflow"] = LINK
    console.finished(done)
    assert capsys.readouterr().out == (
        "note: the loss will stay above zero.\n"
        "linear, 2-2 sigmoid, gradient_descent, seed 0: up to 20 epochs\n"
        "epoch  0/20  loss 0.12346\n"
        "epoch  2/20  loss 0.12346\n"
        "epoch  4/20  loss 0.12346\n"
        "epoch  6/20  loss 0.12346\n"
        "epoch  8/20  loss 0.12346\n"
        "epoch 10/20  loss 0.12346\n"
        "epoch 12/20  loss 0.12346\n"
        "epoch 14/20  loss 0.12346\n"
        "epoch 16/20  loss 0.12346\n"
        "epoch 18/20  loss 0.12346\n"
        "epoch 20/20  loss 0.12346\n"
        "linear, 2-2 sigmoid, gradient_descent, seed 0\n"
        "  loss     0.00012346 (training), 0.25 (validation)\n"
        "  R2       0.99988 (training), -1.5 (validation)\n"
        "  stopped  trained for all epochs: 20\n"
        "  time     0.712 s\n"
        "  record   /records/run\n"
        f"  MLflow   {LINK}\n"
    )


def test_plain_text_of_a_stack(capsys):
    titles = [f"linear, 2-2 sigmoid, gradient_descent, seed {seed}" for seed in range(3)]
    train(Console(False), epochs=1, loss=[1.0, float("nan"), 3.0], titles=titles)
    assert capsys.readouterr().out == (
        "3 runs (linear, 2-2 sigmoid, gradient_descent): up to 1 epoch\n"
        "epoch 0/1  3 of 3 runs training  median loss 3\n"
        "epoch 1/1  0 of 3 runs training  median loss 3\n"
    )


@pytest.mark.parametrize(("epochs", "every"), [(1, 1), (7, 1), (199, 1), (100_000, 313), (320, 1), (1000, 700)])
def test_plain_progress_is_short_and_evenly_spread(capsys, epochs, every):
    train(Console(False), epochs, every)
    lines = capsys.readouterr().out.splitlines()[1:]
    seen = [int(line.split()[1].partition("/")[0]) for line in lines]
    assert seen[0] == 0
    assert seen[-1] == epochs
    assert len(lines) <= 11
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= epochs / 10 + every


def test_the_last_epoch_of_a_run_that_stops_early_is_shown(capsys):
    train(Console(False), epochs=200, stop=87)
    assert capsys.readouterr().out.endswith("epoch  80/200  loss 1\nepoch  87/200  loss 1\n")


def test_no_epochs(capsys):
    train(Console(False), epochs=0)
    assert capsys.readouterr().out.endswith("up to 0 epochs\nepoch 0/0  loss 1\n")


def test_nothing_but_printable_lines_when_not_interactive(capsys):
    console = Console(False)
    train(console, notes=["x" * 200])
    console.finished(record())
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    assert "x" * 200 in out


def test_a_note_is_told_once_in_a_session(capsys):
    console = Console(False)
    train(console, notes=["mind this", "mind this"])
    train(console, notes=["mind this", "and that"])
    out = capsys.readouterr().out
    assert out.count("note: mind this") == 1
    assert out.count("note: and that") == 1


def test_dumb_terminals_get_lines(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    train(Console(True))
    assert "epoch 100/200" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "trained for all epochs: 200"),
        ({"epochs": 0}, "trained for all epochs: 0"),
        ({"reason": Reason.CONVERGED, "epochs": 80}, f"{Reason.CONVERGED.words}, after epoch 80"),
        ({"reason": Reason.CONVERGED, "epochs": 0}, f"{Reason.CONVERGED.words}, before training"),
        ({"reason": Reason.PLATEAU, "epochs": 80}, f"{Reason.PLATEAU.words}, after epoch 80"),
        ({"reason": Reason.PRUNED, "epochs": 5}, f"{Reason.PRUNED.words}, after epoch 5"),
        (
            {"reason": Reason.DIVERGED, "epochs": 37},
            f"{Reason.DIVERGED.words}, after epoch 37; try a smaller optimizer.lr",
        ),
        ({"reason": Reason.DIVERGED, "epochs": 0}, f"{Reason.DIVERGED.words}, before training"),
        (
            {"reason": Reason.DIVERGED, "epochs": 3, "configuration": {"optimizer": {"name": "rateless"}}},
            f"{Reason.DIVERGED.words}, after epoch 3",
        ),
    ],
)
def test_reason_in_words(changes, expected):
    assert words.reason(record(**changes).manifest) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (1 / 3, "0.33333"),
        (123456.0, "1.2346e+05"),
        (1e-12, "1e-12"),
        (None, "not finite"),
        (float("inf"), "not finite"),
        (float("nan"), "not finite"),
    ],
)
def test_numbers(value, expected):
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.01234, "0.0123 s"), (59.94, "59.9 s"), (59.99, "1 min 00 s"), (61, "1 min 01 s"), (3725, "1 h 02 min")],
)
def test_durations(seconds, expected):
    assert words.duration(seconds) == expected


def test_bar_on_a_terminal(monkeypatch):
    console, screen = interactive(monkeypatch)
    train(console, notes=["the loss will stay above zero."])
    out = screen.getvalue()
    assert out.startswith("note: the loss will stay above zero.\n")
    assert TITLE in out
    assert "epoch   0/200  loss 1" in out
    assert out.endswith("\x1b[?25h\r\x1b[1A\x1b[2K\x1b[1A\x1b[2K")  # the cursor is back and both lines are erased


def test_bar_of_a_stack(monkeypatch):
    console, screen = interactive(monkeypatch)
    titles = [f"linear, seed {seed}" for seed in range(3)]
    console.stack_started(Start(tuple(titles), 50, ()))
    console.epochs_recorded(Progress(10, (1.0, float("nan"), 2.0), 2))
    console.finished(record())
    assert "3 runs (linear), 2 still training" in screen.getvalue()
    assert "median loss 2" in screen.getvalue()


def test_links_are_not_broken_on_a_terminal(monkeypatch):
    console, screen = interactive(monkeypatch, no_color=True)
    done = record()
    done.links["MLflow"] = LINK
    console.finished(done)
    assert f"  MLflow   {LINK}\n" in screen.getvalue()


def test_bar_is_drawn_at_most_ten_times_a_second(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    now = 0.0
    screen = io.StringIO()
    bar = Bar(Start((TITLE,), 3000, ()), Terminal(file=screen, force_terminal=True, width=80), clock=lambda: now)
    for epoch in range(3000):
        now = epoch / 1000
        bar.show(Progress(epoch, (1.0,), 1))
    bar.close()
    assert 28 <= screen.getvalue().count("epoch ") <= 32  # once more before it is removed
    assert "1000 epochs/s   0:01 left" in screen.getvalue()


def test_slow_epochs_are_measured_in_seconds_per_epoch(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    now = 0.0
    screen = io.StringIO()
    bar = Bar(Start((TITLE,), 100, ()), Terminal(file=screen, force_terminal=True, width=80), clock=lambda: now)
    for epoch in range(4):
        now = epoch * 40.0
        bar.show(Progress(epoch, (1.0,), 1))
    bar.close()
    assert "40 s/epoch" in screen.getvalue()
    assert "1:04:40 left" in screen.getvalue()


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_point_that_is_not_drawn_costs_microseconds(monkeypatch, capsys, on_terminal):
    console = interactive(monkeypatch)[0] if on_terminal else Console(False)
    points = [Progress(epoch, (1.0,) * 64, 64) for epoch in range(20_000)]
    console.stack_started(Start((TITLE,) * 64, 10**9, ()))
    start = time.process_time()
    for point in points:
        console.epochs_recorded(point)
    seconds = time.process_time() - start
    console.finished(record())
    assert seconds / len(points) < 10e-6  # measured: 0.3e-6


@pytest.mark.parametrize("on_terminal", [False, True])
def test_any_character_on_any_output(monkeypatch, on_terminal):
    monkeypatch.setenv("TERM", "xterm")
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    console = Console(on_terminal, Terminal(file=out, force_terminal=True, width=40))
    train(console, notes=["caf\u00e9 \udcff"], titles=["\u03b8"])
    console.finished(record(title="\u03b8"))
    assert b"caf\\xe9 \\udcff" in raw.getvalue()
    assert b"\\u03b8" in raw.getvalue()


def test_stacks_one_after_another(monkeypatch):
    console, screen = interactive(monkeypatch)
    for _ in range(3):
        console.stack_started(Start((TITLE,), 10, ()))  # the one before may have been interrupted
        console.epochs_recorded(Progress(0, (1.0,), 1))
    console.finished(record("a"))
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 3


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ((40, 10, 8, 2, 0, 0.125, 0.5), "10/40 runs, 8 training, 2 failed, 2.5 runs/s, 0:04 left, best loss 0.125"),
        # Of a sweep that is resumed, what had ended before tells nothing about how fast it is.
        ((40, 10, 2, 0, 10, None, 0.25), "10/40 runs, 2 training"),
        ((40, 14, 2, 0, 10, None, 0.4), "14/40 runs, 2 training, 1 runs/s, 0:16 left"),
        ((40, 40, 0, 0, 10, 1.0, 1.0), "40/40 runs, 7.5 runs/s, best loss 1"),
        ((40, 0, 0, 0, 0, None, 0.0, 30), "30 of 40 runs looked for in the records"),
    ],
)
def test_where_a_sweep_stands_after_four_seconds(progress, expected):
    assert status(SweepProgress(*progress), 4.0) == expected


def test_a_sweep_of_long_runs_is_told_before_the_first_has_ended(capsys):
    shown = SweepLines("2 runs: 2 seeds")
    for epoch in range(101):
        shown.show(SweepProgress(2, 2 if epoch == 100 else 0, 2, 0, 0, None, epoch / 100))
    assert len(capsys.readouterr().out.splitlines()) == 11


def test_the_end_of_a_sweep_is_told_though_all_of_it_was_trained_before(capsys):
    shown = SweepLines("24 runs")
    for done, running in ((20, 4), (20, 4), (24, 0), (24, 0)):
        shown.show(SweepProgress(24, done, running, 0, 0, None, 1.0))
    told = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["24 runs", "20/24 runs", "24/24 runs"]


def test_records_that_take_long_to_read_are_told_every_ten_seconds(capsys):
    now = [0.0]
    shown = SweepLines("10000 runs", lambda: now[0])
    for checked in range(60):
        now[0] = checked / 2
        shown.show(SweepProgress(10000, 0, 0, 0, 0, None, 0.0, 100 + checked))
    assert len(capsys.readouterr().out.splitlines()) == 3  # the title, and after 10 and 20 seconds


def test_rich_is_not_imported_before_it_is_used():
    code = (
        "import sys; from chainrule_console import Console; "
        "Console(True); Console(False).epochs_recorded(None); print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_test_part_comes_last():
    metrics = {"train/loss": 1.0, "validation/loss": 2.0, "test/loss": 3.0, "train/r2": 0.1, "test/r2": 0.2}
    text = summary.lines(record(metrics=metrics))
    assert "  loss     1 (training), 2 (validation), 3 (test)" in text
    assert "  R2       0.1 (training), 0.2 (test)" in text


@pytest.fixture
def cell(monkeypatch):
    """What the output of a cell has shown: the first text of each display, and those that replaced it."""
    shown = []

    class Handle:
        def __init__(self, content):
            self.texts = [content["text/plain"]]
            shown.append(self.texts)

        def update(self, content, raw):
            assert raw
            self.texts.append(content["text/plain"])

    def display(content, raw, display_id):
        assert raw
        assert display_id
        return Handle(content)

    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    return shown


def test_in_a_notebook_a_long_run_has_one_line_that_changes(cell, capsys):
    now = iter([0.0, 0.5, 1.1, 1.2, 9.0])
    line = StackLine(Start(("a run",), 40, ()), clock=lambda: next(now))
    for epoch in (0, 10, 20, 40):
        line.show(Progress(epoch, (1 / (1 + epoch),), int(epoch < 40)))
    assert cell == [["a run: epoch 10/40, loss 0.090909", "a run: epoch 40/40, loss 0.02439"]]
    assert capsys.readouterr().out == ""


def test_a_short_run_has_none_and_a_stack_says_how_many_are_left(cell):
    now = iter([0.0, 0.1, 0.2, 0.0, 2.0, 2.3])
    line = StackLine(Start(("a run",), 40, ()), clock=lambda: next(now))
    line.show(Progress(0, (1.0,), 1))
    line.show(Progress(40, (1.0,), 0))
    assert cell == []
    line = StackLine(Start(("a, seed 0", "a, seed 1"), 40, ()), clock=lambda: next(now))
    line.show(Progress(20, (1.0, 3.0), 2))
    line.show(Progress(40, (1.0, 3.0), 0))
    assert cell == [
        ["2 runs (a): epoch 20/40, 2 still training, median loss 2", "2 runs (a): epoch 40/40, median loss 2"]
    ]


def test_in_a_notebook_a_sweep_has_one_line_and_no_summary(cell, capsys, tmp_path):
    console = Console(False, notebook=True)
    found = chainrule.sweep("seed=0,1", "training.epochs=1", "tracking=none", directory=tmp_path / "s", quiet=True)
    console.sweep_started(found.record, ["a note"])
    for done in (0, 1, 2):
        console.sweep_progressed(SweepProgress(2, done, 0, 0, 0, None, done / 2))
    console.sweep_finished(found.record, found)
    console.finished(found.best.record)
    assert capsys.readouterr().out == "note: a note\n"
    ((first, *_, last),) = cell
    assert first == "2 runs: 2 seeds; 0/2 runs"
    assert last.startswith("2 runs: 2 seeds; 2/2 runs, ")

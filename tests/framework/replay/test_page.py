"""The page about a run: each number in it is one of the run's, and it needs nothing from elsewhere."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import chainrule
import replaying
from chainrule.replay import page as module
from chainrule.replay.equations import sections
from chainrule.replay.explanation import explain
from chainrule.replay.page import chosen, data, fitting, html, write_page
from chainrule.replay.replays import Replay
from pages import parsed
from replaying import CASES, SHORT, arrays, explained, unpacked
from sizes import one_in

FEW = [1, 2, 7]


SHOWN = ["the article's", "as printed", "softmax", "a stranger's activation", "a mini-batch", "adam", "diverged"]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in CASES if name not in SHOWN]


@pytest.mark.parametrize("name", [*SHOWN, *SLOW])
def test_each_number_in_the_page_is_that_of_the_run(name, afresh):
    replaying.declare_cubed()
    explanation = explained(CASES[name], *FEW)
    found = unpacked(html(explanation, 2))
    assert found["asked"] == 1
    first = explanation.steps[0]
    units = found["units"]
    assert found["complete"]
    for of, shown in zip(explanation.steps, found["shown"], strict=True):
        step = of.step
        assert (shown["number"], shown["epoch"], shown["samples"]) == (step.number, step.epoch, of.samples)
        assert (shown["loss"], shown["after"]) == (_finite(of.exact.loss), _finite(of.after))
        assert shown["rate"] == (None if step.rate is None else step.rate[0])
        own = arrays(found["parameters"], shown["parameters"])
        for layer in range(1, of.shape.layers + 1):
            for key, flat in (("before", step.before), ("after", step.after), ("grad", step.grad)):
                _same(own[key, layer], of.shape.blocks(flat)[layer][0])
            _same(own["difference", layer], of.shape.blocks(of.differences[None])[layer][0])
            if ("exact", layer) in own:
                _same(own["exact", layer], of.shape.blocks(of.exact.grad[None])[layer][0])
        for entry in shown["each"]:
            sample = entry["sample"]
            one, known = of.at(sample), arrays(found["sample"], entry["arrays"])
            _same(known["x", 0], step.x[0, :, sample])
            _same(known["y", 0], step.y[0, :, sample])
            for layer in range(1, of.shape.layers + 1):
                for key, list_ in (("z", step.z), ("a", step.a), ("delta", step.delta)):
                    _same(known[key, layer], list_[layer][0, :, sample])
                _same(known["difference", layer], one.delta_differences[layer])
                _same(known["error", layer], of.exact.error[layer][:, sample])
            if found["prose"]:
                assert _texts(found, entry) == [
                    (e.symbol, e.right, e.mark, e.note) for section in sections(one) for e in section.equations
                ]
    assert [len(each) for each in units] == [first.shape.widths[0], *first.shape.rows[1:]]


def _same(found, expected):
    assert found.tobytes() == np.ascontiguousarray(expected, float).tobytes()


def _finite(value):
    return value if np.isfinite(value) else None


def _texts(found, entry):
    word = found["words"].__getitem__
    return [
        (word(symbol), list(map(word, sides)), mark, word(note))
        for _, _, rows in entry["sections"]
        for symbol, sides, mark, note, _ in rows
    ]


def test_curves_are_those_of_the_run():
    explanation = explained(["training.epochs=6", "training.measure_every=1"], 1)
    curves = explanation.ended.result.curves
    found = data(explanation, 1)["curves"]
    assert found["training"] == [
        list(point) for point in zip(curves.epochs.tolist(), curves.values["train/loss"].tolist(), strict=True)
    ]
    assert set(found) == {"training", "validation"}


def test_the_page_is_whole_and_needs_nothing_from_elsewhere():
    text = html(explained(["rule=as_printed"], *FEW), 2)

    class Own(HTMLParser):
        def handle_starttag(self, tag, attrs):
            for key, value in attrs:
                assert key not in ("src", "href"), (tag, key, value)

    Own().feed(text)
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert parsed(re.sub(r"<(input|canvas)[^>]*>", "", text)).startswith(" linear, 2-2 sigmoid")


def test_texts_of_components_cannot_end_the_script():
    found = html(explained([], 1), 1)
    body = found.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert "<" not in body


PAGES = {
    "adam": ["optimizer=adam", "training.batch_size=64"],
    "long": ["training.epochs=200"],
    "digits": replaying.DIGITS,
}


@pytest.mark.parametrize("name", one_in(3, PAGES))
def test_a_page_is_smaller_than_two_megabytes_and_has_the_steps_that_matter(name):
    replay = Replay(chainrule.settings(*SHORT, *PAGES[name]))
    number = min(replay.steps, 33)
    explanation = write_page(replay, number, 0, Path("page.html"))
    numbers = [of.step.number for of in explanation.steps]
    assert 100_000 < Path("page.html").stat().st_size < 2_000_000
    assert {1, 2, number, replay.steps} <= set(numbers)
    assert len(numbers) >= 8
    assert numbers == chosen(replay, number) or len(numbers) < len(chosen(replay, number))
    assert unpacked(Path("page.html").read_text())["asked"] == numbers.index(number)


def test_a_page_that_would_be_too_large_has_fewer_steps(monkeypatch):
    explanation = explained([], *range(1, 21))
    whole = html(explanation, 7)
    monkeypatch.setattr(module, "_LIMIT", 2 * len(whole) // 3)
    page, kept = fitting(explanation, 7)
    assert len(page) <= 2 * len(whole) // 3
    assert 7 in [of.step.number for of in kept.steps]
    assert 3 < len(kept.steps) < 20
    monkeypatch.setattr(module, "_LIMIT", 10)
    assert [of.step.number for of in fitting(explanation, 7)[1].steps] == [7]


def test_of_a_large_network_those_units_are_shown_that_the_gradient_moves_most(monkeypatch):
    monkeypatch.setattr(module, "_UNITS", 8)
    words = ["network.hidden=[20,12]", "training.batch_size=16"]
    explanation = explained(words, 1, 2)
    found = unpacked(html(explanation, 1))
    assert not found["complete"]
    assert [len(each) for each in found["units"]] == [2, 8, 8, 1]
    total = sum(np.abs(of.step.grad) for of in explanation.steps)
    of_unit = explanation.steps[0].shape.blocks(total)[1][0].sum(axis=1)
    assert set(found["units"][1]) == set(np.argsort(-of_unit, kind="stable")[:8].tolist())
    (of, _), shown = explanation.steps, found["shown"][0]
    own = arrays(found["parameters"], shown["parameters"])["grad", 2]
    columns = [0, *(unit + 1 for unit in found["units"][1])]
    _same(own, of.shape.blocks(of.step.grad)[2][0][np.ix_(found["units"][2], columns)])


def test_samples_of_a_step_can_be_stepped_through():
    found = unpacked(html(explain(Replay(chainrule.settings(*SHORT, "training.batch_size=16")), [3], 11), 3))
    assert [entry["sample"] for entry in found["shown"][0]["each"]] == [0, 1, 2, 3, 4, 5, 11]
    assert found["shown"][0]["asked"] == 6


@pytest.mark.slow  # a browser starts for each of them
@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
@pytest.mark.parametrize(
    "name",
    [
        "the article's",
        "digits",
        "diverged",
        *(pytest.param(n, marks=pytest.mark.rare) for n in ("as printed", "softmax", "adam")),
    ],
)
def test_a_browser_shows_the_numbers(name):
    explanation = explained(CASES[name], *FEW)
    Path("page.html").write_text(html(explanation, 2))
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        Path("page.html").absolute().as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", shown, flags=re.DOTALL)
    text = (
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
    )
    of = explanation.steps[1]
    assert f"Step 2 of {explanation.replay.steps}, in epoch 1 of {explanation.replay.epochs}." in text
    assert "not finite" not in text or name == "diverged"
    if name == "digits":
        assert "2410 derivatives checked against central differences: all agree." in text
        for value in of.of_sample(of.step.z, 2):
            assert str(float(f"{value:.6g}")).removesuffix(".0") in text
        return
    for section in sections(of):
        for equation in section.equations:
            assert " = ".join(equation.right[1:]) in text, str(equation)

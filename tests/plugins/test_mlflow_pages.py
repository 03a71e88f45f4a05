"""What a person reads in a browser: MLflow's pages of a sweep, a comparison and a run, and those of ``explain``.

All tests look at one store, through one server that ``chainrule ui`` has started.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
import shortcuts
from chainrule.cli import explain
from chainrule_mlflow.store import listed
from processes import of_group, wait_until

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # of Playwright's loop
]
WIDTHS = 1400, pytest.param(800, marks=pytest.mark.rare)  # pixels
PATIENCE = 60_000  # milliseconds: a page of MLflow loads megabytes of scripts first


@pytest.fixture(scope="module", autouse=True)
def _drawn():
    with shortcuts.none():
        yield


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: chainrule[browser]")
    if not BROWSER:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        own = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])  # which is root in containers
        yield own
        own.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, browser, prepared):
    """A store filled by a sweep, a comparison, and a single run of classes; the working directory of its project."""
    place = tmp_path_factory.mktemp("pages")
    shutil.copy(prepared, place / "mlflow.db")
    before = Path.cwd()
    os.chdir(place)
    try:
        short = ("training.epochs=20", "data.samples=40")
        chainrule.sweep(*short, "activation=tanh,relu", "seed=0,1", directory="sweep", quiet=True)
        chainrule.compare("activation=tanh,relu", *short, targets="sine,xor", budget=2, tuning_seeds=1, tunings=1,
                          seeds=2, directory="comparison", quiet=True)  # fmt: skip
        chainrule.run("target=two_moons", "training.epochs=30", "activation=tanh", directory="run", quiet=True)
    finally:
        os.chdir(before)
    return place


@pytest.fixture(scope="module")
def links(folder):
    """What ``chainrule ui`` prints about the sweep, by title; in the end none of its processes is left."""
    command = [sys.executable, "-m", "chainrule", "ui", "sweep", "--no-browser"]
    with (folder / "ui.log").open("w") as log:
        started = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.DEVNULL, start_new_session=True, text=True
        )
    try:
        wait_until(lambda: "Ctrl-C" in (folder / "ui.log").read_text() or started.poll() is not None)
        yield dict(line.split(": ", 1) for line in (folder / "ui.log").read_text().splitlines() if ": " in line)
        children = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True).stdout
        (server,) = [int(pid) for parent, pid in map(str.split, children.splitlines()) if parent == str(started.pid)]
        assert len(of_group(server)) == 2
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(30)
    assert started.returncode == 130
    assert not of_group(server)


@pytest.fixture(scope="module")
def visit(browser):
    """What all pages share, as those of a person do: the scripts of MLflow are read once."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture(params=WIDTHS)
def page(request, visit):
    """A page of some width."""
    opened = visit.new_page()
    opened.set_viewport_size({"width": request.param, "height": 1000})
    yield opened
    opened.close()


def address(links, folder, name):
    """The page of a record, or of a sweep, by the name of its directory."""
    receipt = json.loads((folder / name / "mlflow.json").read_text())
    base = links["the sweep"].partition("#")[0]
    return f"{base}#/experiments/{receipt['experiment_id']}/runs/{receipt['run_id']}"


def sees(page, text):
    """Wait until a person reads a text, and return where it stands."""
    found = page.get_by_text(text).first
    found.wait_for(state="visible")
    return found


def test_the_experiment_lists_a_sweep_a_comparison_and_a_run_but_not_their_runs(links, page):
    base, _, place = links["the sweep"].partition("#")
    page.goto(base + listed(place.split("/")[2]))
    for name in ("sweep: 2 activation x 2 seeds", "comparison: activation tanh, relu on sine, xor"):
        sees(page, name)
    assert sees(page, re.compile("^two_moons, 2-2 tanh"))
    text = page.inner_text("body")
    assert "activation=tanh, seed=1" not in text, "they are beneath their sweep"
    assert re.search(r"\b3\s+matching runs", text), "however many runs a comparison has"


def test_the_saved_view_draws_curves_by_setting(links, page):
    page.goto(links["charts"])
    for name in ("Group: tanh", "Group: relu", "The sweep", "Sort: validation/log10_loss"):
        sees(page, name)
    page.get_by_text("Search metric charts").or_(page.get_by_placeholder("Search metric charts")).first.wait_for()
    drawn = page.locator(".js-plotly-plot .bars path, .js-plotly-plot .bars .point")
    drawn.first.wait_for(state="attached")
    sees(page, "Curves").scroll_into_view_if_needed()
    page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")
    page.wait_for_function("/Curves\\s*\\(3\\)/.test(document.body.innerText)")  # two losses, and R2


def test_the_description_names_the_best_run_and_its_command(links, folder, page):
    page.goto(links["the sweep"])
    sees(page, re.compile("The best run"))
    sees(page, re.compile("activation=tanh, seed=|activation=relu, seed="))
    page.get_by_text("Show more").click()
    shown = page.inner_text("body")
    command = shlex.join(["chainrule", *chainrule.load(folder / "sweep").best.record.manifest.overrides])
    assert command in re.sub(r" *\\\n *", " ", shown), "in lines that a shell takes as one"
    assert "Settings by their median final validation/loss over seeds, best first." in shown
    picture = page.locator("img[src*='best/loss.png'], img[src*='best%2Floss.png']").first
    picture.wait_for(state="visible")
    page.wait_for_function("image => image.complete && image.naturalWidth > 100", arg=picture.element_handle())
    if page.viewport_size["width"] == WIDTHS[0]:
        box, column = picture.bounding_box(), page.get_by_text("Show less").bounding_box()
        assert box["width"] <= 540, "it is not cut off"
        assert box["x"] >= column["x"] - 1


def test_the_comparison_says_its_answer(links, folder, page):
    page.goto(address(links, folder, "comparison"))
    sees(page, "comparison: activation tanh, relu on sine, xor")
    page.get_by_text("Show more").click()
    for target in ("sine", "xor"):
        sees(page, re.compile(f"The best run on {target}|Charts of the tuned contenders"))
    assert "score" in page.inner_text("body")


def test_several_runs_are_compared(links, folder, page):
    outcomes = chainrule.load(folder / "sweep")
    runs = [json.loads((folder / "sweep" / each.directory / "mlflow.json").read_text()) for each in outcomes]
    ids = json.dumps([run["run_id"] for run in runs])
    base = links["the sweep"].partition("#")[0]
    page.goto(f'{base}#/compare-runs?runs={ids}&experiments=["{runs[0]["experiment_id"]}"]')
    sees(page, re.compile("Comparing 4 Runs"))
    sees(page, re.compile("validation/loss"))
    text = page.inner_text("body")
    assert "activation" in text
    assert "tanh" in text
    assert "relu" in text


def test_the_report_is_shown_among_the_files(links, page):
    page.goto(re.sub(r"(/runs/\w+)", r"\1/artifacts/report.html", links["the sweep"]))
    inside = page.frame_locator("iframe").first
    inside.get_by_text("Sweep: 2 activation x 2 seeds").first.wait_for()
    inside.get_by_text("The smallest median validation/loss is").first.wait_for()


def test_a_picture_is_shown(links, folder, page):
    page.goto(address(links, folder, "run") + "/artifacts/pictures/loss.png")
    sees(page, "pictures/loss.png")
    page.wait_for_function("[...document.images].some(image => image.complete && image.naturalWidth > 300)")


def test_the_model_says_what_it_predicts_and_from_which_run_it_is(links, folder, page):
    page.goto(address(links, folder, "run"))
    sees(page, re.compile("^two_moons, 2-2 tanh"))
    logged = page.locator("a[href*='/models/m-']").first
    logged.wait_for(state="attached")
    page.goto(links["the sweep"].partition("#")[0] + logged.get_attribute("href").removeprefix("/"))
    sees(page, "validation/accuracy")
    sees(page, re.compile(r"two_moons \("))
    sees(page, "To repeat it")
    page.goto(page.url.partition("?")[0] + "/artifacts")
    for name in ("MLmodel", "input_example.json", "requirements.txt"):
        sees(page, name)


@pytest.fixture(scope="module")
def explained(tmp_path_factory, browser):
    """Pages of ``explain``: the article's network, mini-batches of classes, and one too large for prose."""
    place = tmp_path_factory.mktemp("explained")
    runs = {
        "article": ["training.epochs=3"],
        "batch": ["target=two_moons", "training.epochs=3", "training.batch_size=16"],
        "digits": ["target=digits", "network.hidden=[32]", "training.epochs=1", "training.batch_size=64"],
    }
    for name, words in runs.items():
        explain.main([*words, "--html", str(place / f"{name}.html")])
    return place


OVERLAPPING = """() => {
  const found = [], texts = [...document.querySelectorAll("#network text, #loss text")];
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 2 && high > 4) found.push(`${one} / ${other}`);
  }));
  return found;
}"""


@pytest.fixture(params=[1400, 800, 390])
def shown(request, browser, explained):
    """Opens a page of ``explain`` in some width; in the end nothing was wrong with any, and nothing cut off."""
    context, errors = browser.new_context(viewport={"width": request.param, "height": 900}), []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(error))

    def opened(name):
        page.goto((explained / f"{name}.html").as_uri())
        page.locator("#network svg").wait_for()
        return page

    yield opened
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "nothing is cut off"
    assert page.evaluate(OVERLAPPING) == []
    context.close()
    assert not errors


def where(page):
    return page.locator("#where").inner_text()


@pytest.mark.parametrize("name", ["article", "batch", "digits"])
def test_keys_and_the_slider_step_through_training(shown, name):
    page = shown(name)
    steps = int(page.locator("#steps").get_attribute("max"))
    page.keyboard.press("Home")
    first = where(page)
    assert re.match(r"Step 1 of \d+, in epoch 1 of \d\.", first)
    before = page.locator("#losses").inner_text()
    page.keyboard.press("ArrowRight")
    assert where(page) != first
    assert page.locator("#losses").inner_text() != before
    assert page.locator("#steps").input_value() == "1"
    page.keyboard.press("End")
    number = re.match(r"Step (\d+) of (\d+)", where(page))
    assert number[1] == number[2]
    page.locator("#back").click()
    assert page.locator("#steps").input_value() == str(steps - 1)
    page.locator("#steps").fill("0")
    assert where(page) == first
    page.locator("#on").click()
    page.locator("#steps").focus()
    page.keyboard.press("ArrowLeft")
    assert where(page) == first


@pytest.mark.parametrize("name", ["batch", "digits"])
def test_the_samples_of_a_step_are_stepped_through(shown, name):
    page = shown(name)
    page.keyboard.press("Home")
    first = where(page)
    assert "Sample 1 of " in first
    page.keyboard.press("ArrowDown")
    assert "Sample 2 of " in where(page)
    page.locator("#sample").select_option(index=3)
    assert "Sample 4 of " in where(page)
    page.locator("body").click(position={"x": 5, "y": 5})
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    assert where(page) == first


def test_a_weight_is_chosen_and_its_paths_multiply_to_the_derivative(shown):
    page = shown("article")
    page.keyboard.press("Home")
    page.locator("#layer").select_option(index=0)
    page.locator("#row").select_option(index=1)
    page.locator("#column").select_option(index=2)
    text = page.locator("#paths").inner_text()
    assert "dL/dw_22^(1)" in text
    products = [float(value) for value in page.locator("#paths .one:has-text('path') .value").all_inner_texts()]
    *paths, added, total = products
    assert len(paths) == 2, "through both units of the second layer"
    assert sum(paths) == pytest.approx(added, rel=1e-4)
    assert added == pytest.approx(total, rel=1e-4)
    central = float(re.search(r"central difference (\S+)", text)[1])
    assert central == pytest.approx(total, rel=1e-4)
    assert "✓" in text
    page.locator("#network [data-pick='3,0,1']").click(force=True)
    assert "dL/dw_11^(3)" in page.locator("#paths").inner_text()


def test_it_plays_and_stops(shown):
    page = shown("article")
    page.keyboard.press("Home")
    first = where(page)
    page.locator("#play").click()
    page.wait_for_function("first => document.getElementById('where').textContent !== first", arg=first)
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "play"

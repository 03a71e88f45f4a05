"""``chainrule predict``: what a recorded run predicts for the rows of a file."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chainrule
from chainrule.cli import predict
from chainrule.errors import ChainruleError
from chainrule.records.run import read_record
from chainrule_targets import blocks
from sweeping import command

MIXED = ("target=table", "target.missing=mean", "target.text=onehot")
CLASSES = ("output=softmax", "loss=categorical_cross_entropy", "training.epochs=3")


def read(path):
    """Return predictions, whose numbers are those that were written, to the last bit."""
    frame = pd.read_csv(path, dtype=str)
    return frame.apply(lambda column: column if column.iloc[0] in ("apple", "pear") else column.map(float))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with a table of text and missing values and the record ``rec`` of a run on it; and that run."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(5, 2, 40), "colour": rng.choice(["red", "a, b", 'q"'], 40)})
    frame["kind"] = np.where(frame["size"] > 5, "pear", "apple")
    frame.loc[3, "size"] = np.nan
    frame.loc[4, "colour"] = None
    frame.to_csv(folder / "t.csv", index=False)
    path = f"target.path={folder / 't.csv'}"
    return folder, frame, chainrule.run(*MIXED, path, *CLASSES, directory=folder / "rec")


@pytest.fixture
def table(made):
    """Return the table, which lies in the working directory, and may be changed."""
    shutil.copytree(made[0], ".", dirs_exist_ok=True)
    return made[1].copy()


@pytest.fixture
def result(made, table):
    """Return the run on the table, recorded in ``rec``."""
    return made[2]


@pytest.mark.slow
def test_the_predictions_are_those_of_python_in_the_order_of_the_file(table, result, capsys):
    Path("t.csv").unlink()
    table[["colour", "size"]].assign(id=range(40)).to_csv("new.csv", index=False)
    predict.main(["rec", "new.csv", "--out", "predictions.csv"])
    assert capsys.readouterr().out == "not used: id\n40 predictions: predictions.csv\n"
    found = read("predictions.csv")
    pd.testing.assert_frame_equal(found, result.predict(table), check_exact=True, check_dtype=False)


def test_without_a_file_to_write_they_are_printed_and_what_is_said_is_not_among_them(table, result, capsys):
    predict.main(["rec", "t.csv"])
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "prediction,probability_apple,probability_pear"
    assert len(said.out.splitlines()) == 41
    right = int((result.predict(table)["prediction"] == table["kind"]).sum())
    assert said.err == f"accuracy {right / 40:.4g} (40 rows with kind, {right} right)\n"


def test_a_regression_is_scored_by_r2(capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 2)), columns=["a", "b"]).assign(y=lambda f: f.a + 2 * f.b)
    frame.to_csv("t.csv", index=False)
    result = chainrule.run("target=table", "target.path=t.csv", "training.epochs=30", directory="rec")
    predict.main(["rec", "t.csv", "--out", "p.csv"])
    residual = np.square(result.predict(frame)["prediction"] - frame["y"]).sum()
    expected = 1 - residual / np.square(frame["y"] - frame["y"].mean()).sum()
    assert f"R2 {expected:.4g} (30 rows with y)" in capsys.readouterr().out


@pytest.mark.parametrize("size", [1, 40, 500])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_is_read_in_blocks_of_any_size_to_the_same_predictions(table, result, size, end, monkeypatch):
    content = table.to_csv(index=False, lineterminator=end).replace(f"40{end}", f"40{end}{end}")
    Path("new.csv").write_bytes(content.encode())
    Path("new.csv.gz").write_bytes(gzip.compress(content.encode("utf-16")))
    monkeypatch.setattr(blocks, "_CHARACTERS", size)
    for name, settings in (("new.csv", []), ("new.csv.gz", ["target.encoding=utf-16"])):
        predict.main(["rec", name, "--out", "p.csv", "--overwrite", *settings])
        found = read("p.csv")
        np.testing.assert_allclose(found.iloc[:, 1:], result.predict(table).iloc[:, 1:], rtol=1e-12)


def test_the_line_of_what_is_wrong_is_that_of_the_file(table, result, monkeypatch):
    monkeypatch.setattr(blocks, "_CHARACTERS", 100)
    table.loc[30, "colour"] = "reed"
    table.to_csv("new.csv", index=False)
    with pytest.raises(ChainruleError, match=re.escape("column 'colour' has 'reed' in line 32, which was not there")):
        predict.main(["rec", "new.csv", "--out", "p.csv"])
    assert not list(Path().glob("*p.csv*"))


@pytest.mark.parametrize(
    ("cells", "settings", "wrong"),
    [
        (["0,5", "0,2", "abc"], "target.decimal=comma", "'abc' in line 4"),
        (["0,5", "0.2", "abc"], "target.decimal=comma", "'0.2' in line 3"),
        (["1.000", "12.000,5", "1,000"], "target.decimal=comma target.thousands=point", None),
        (["1.000", "12.00,5", "abc"], "target.decimal=comma target.thousands=point", "'12.00,5' in line 3"),
        (["5 %", "7 %", "7"], "target.signs=ignore", "'7' in line 4"),
    ],
)
def test_the_cell_that_is_blamed_is_one_that_the_settings_do_not_read(result, cells, settings, wrong):
    Path("new.csv").write_text("size;colour\n" + "".join(f"{cell};red\n" for cell in cells))
    if wrong is None:
        predict.main(["rec", "new.csv", *settings.split()])
        return
    with pytest.raises(ChainruleError, match=re.escape(f"column 'size' has text ({wrong}), but the run has learned")):
        predict.main(["rec", "new.csv", *settings.split()])


def test_a_true_value_that_is_no_number_hides_none_of_the_others(capsys):
    Path("t.csv").write_text("a,b,y\n" + "".join(f"{n},{n % 3},{n}\n" for n in range(9)))
    chainrule.run("target=table", "target.path=t.csv", "training.epochs=1", directory="rec")
    Path("new.csv").write_text("a;b;y\n1,5;2;0,5\n2;2;0,7\n3;2;unknown\n")
    predict.main(["rec", "new.csv", "target.decimal=comma"])
    assert "(2 rows with y)" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["target.label=foo", "target.drop=[size]", "target.missing=drop", "target.task=auto"])
def test_a_parameter_that_says_what_becomes_of_columns_is_not_taken(result, word):
    said = f"{word.partition('=')[0]} is not taken: the columns become inputs, and are compared with predictions, as in"
    with pytest.raises(ChainruleError, match=re.escape(said)):
        predict.main(["rec", "t.csv", "target.header=true", word])


def test_a_row_of_another_length_far_below_is_refused(table, result, monkeypatch):
    monkeypatch.setattr(blocks, "_CHARACTERS", 100)
    with Path("t.csv").open("a") as file:
        file.write("1,red\n")
    with pytest.raises(ChainruleError, match="has 2 cells, but 3 columns are named"):
        predict.main(["rec", "t.csv", "--out", "p.csv"])


def test_other_files_than_the_run_learned_from_are_read_by_their_ending_or_by_settings(table, result):
    table.to_parquet("new.parquet")
    table.to_csv("new.csv", index=False, sep=";", decimal=",")
    predict.main(["rec", "new.parquet", "--out", "p.csv"])
    predict.main(["rec", "new.csv", "--out", "q.csv", "target.decimal=comma"])
    assert Path("p.csv").read_bytes() == Path("q.csv").read_bytes()


@pytest.mark.slow
def test_text_that_looks_like_numbers_stays_text():
    pd.DataFrame({"code": ["01", "1", "x", "1"], "y": [1, 2, 3, 4]}).to_csv("t.csv", index=False)
    result = chainrule.run("target=table", "target.path=t.csv", "target.text=onehot", directory="rec")
    Path("new.csv").write_text("code\n01\n1\n")
    predict.main(["rec", "new.csv", "--out", "p.csv"])
    expected = result.predict(pd.DataFrame({"code": ["01", "1"]}))
    np.testing.assert_array_equal(read("p.csv"), expected)


def test_columns_of_a_function_are_found_by_x1_and_x2_or_in_their_order():
    result = chainrule.run("training.epochs=3", directory="rec")
    x = np.random.default_rng(0).normal(size=(5, 2))
    expected = result.predict(x, samples_first=True)[:, 0]
    for name, frame in (
        ("order.csv", pd.DataFrame(x, columns=["a", "b"])),
        ("names.csv", pd.DataFrame(x[:, ::-1], columns=["x2", "x1"]).assign(other="text")),
        ("label.csv", pd.DataFrame(x, columns=["a", "b"]).assign(y=1.0)),
    ):
        frame.to_csv(name, index=False)
        predict.main(["rec", name, "--out", f"p-{name}"])
        np.testing.assert_allclose(read(f"p-{name}")["prediction"], expected, rtol=1e-12)


def test_a_single_column_is_enough_where_there_is_one_input():
    chainrule.run("target=sine", "training.epochs=1", directory="rec")
    Path("new.csv").write_text("x\n0.5\n0.25\n")
    predict.main(["rec", "new.csv", "--out", "p.csv"])
    assert len(read("p.csv")) == 2


def test_of_a_sweep_the_best_run_predicts(capsys):
    Path("new.csv").write_text("x1,x2\n0.5,1\n")
    command("-m", "seed=0,1,2", "training.epochs=2", "tracking=none", "hydra.sweep.dir=m")
    losses = {n: read_record(Path(f"m/{n}")).manifest.metrics["validation/loss"] for n in range(3)}
    best = min(losses, key=losses.get)
    capsys.readouterr()
    for place in ("m", f"m/{best}"):
        predict.main([place, "new.csv", "--out", f"p-{Path(place).name}.csv"])
    assert f"the run with the best validation/loss: {Path('m', str(best)).absolute()}\n" in capsys.readouterr().err
    assert Path("p-m.csv").read_bytes() == Path(f"p-{best}.csv").read_bytes()


def test_of_several_targets_no_run_is_the_best():
    command("-m", "target=linear,xor", "training.epochs=1", "tracking=none", "hydra.sweep.dir=m")
    refused = pytest.raises(ChainruleError, match=r"^Losses on linear, xor cannot be compared, so no run is the best")
    with refused:
        predict.main(["m", "new.csv"])
    with refused:
        _ = chainrule.load("m").best


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rec", "t.csv", "--out", "t.csv"], "t.csv exists already; name another file, or write --overwrite."),
        (["nowhere", "t.csv"], "nowhere holds no finished record"),
        (["rec", "nowhere.csv"], "nowhere.csv does not exist"),
        (["rec", "t.csv", "table.header=true"], "table.header=true is no parameter of target=table"),
        (["rec", "few.csv"], "few.csv does not fit the run: column 'size' is missing (did you mean 'sise'?)"),
        (["rec", "text.csv"], "column 'size' has text ('big' in line 3), but the run has learned from numbers there."),
    ],
)
def test_what_is_wrong_is_one_sentence(result, words, message):
    Path("few.csv").write_text("sise,colour\n1,red\n")
    Path("text.csv").write_text("size,colour\n1,red\nbig,red\n")
    with pytest.raises(ChainruleError, match=re.escape(message)):
        predict.main(words)

"""``chainrule explain``: in this process."""

import shutil
from pathlib import Path

import pytest

import chainrule
from chainrule.cli.explain import main
from chainrule.errors import ChainruleError
from chainrule.records.run import read_record
from sealing import rewritten

SHORT = ["training.epochs=2", "tracking=none"]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "run"
    chainrule.run(*SHORT, "rule=as_printed", directory=folder, quiet=True)
    return folder


def test_a_recorded_run_is_trained_again_and_its_step_shown(record, capsys):
    main([str(record), "--step", "-1"])
    printed = capsys.readouterr().out
    assert "trained again, it ends in the recorded bits" in printed
    assert "step 410 of 410: epoch 2 of 2" in printed
    assert "z_1^(1)" in printed
    main([str(record), "--epoch", "1"])
    assert "step 206 of 410: epoch 2 of 2, its step 1 of 205" in capsys.readouterr().out


def test_without_a_run_it_is_the_article_s(capsys):
    main([])
    printed = capsys.readouterr().out
    assert "linear, 2-2 sigmoid, gradient_descent, seed 0" in printed
    assert "trained now, without a record to compare with" in printed
    assert "step 1 of 41000" in printed


def test_settings_may_be_typed_instead(capsys):
    words = [*SHORT, "training.batch_size=8", "optimizer=adam"]
    main(["--sample", "3", *words])
    assert "sample 3 of 8" in capsys.readouterr().out
    main([*words, "--html", "page.html"])
    assert capsys.readouterr().out.startswith("trained now, without a record to compare with\n")


def test_of_a_sweep_it_is_the_best_run(capsys):
    chainrule.sweep(*SHORT, "optimizer.lr=0.001,0.01", directory="swept", quiet=True)
    main(["swept"])
    captured = capsys.readouterr()
    assert "the best run: " in captured.err
    assert "trained again, it ends in the recorded bits" in captured.out


def test_a_run_that_differs_is_shown_with_the_reason(record, capsys):
    copied = Path(shutil.copytree(record, "copied"))
    rewritten(copied, configuration={**read_record(copied).manifest.configuration, "seed": 1})
    main([str(copied)])
    assert "it differs before the first step" in " ".join(capsys.readouterr().out.split())


def test_a_page_is_written_and_not_overwritten(record, capsys):
    main([str(record), "--html", "page.html"])
    assert Path("page.html").stat().st_size < 2_000_000
    assert "410 steps: page.html" in capsys.readouterr().out
    with pytest.raises(ChainruleError, match="exists already; name another file, or write --overwrite"):
        main([str(record), "--html", "page.html"])
    main([str(record), "--html", "page.html", "--overwrite"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "holds no finished record"),
        (["nowhere", "elsewhere"], "name one run"),
        ([*SHORT, "--step", "411"], "took 410 steps, 205 an epoch"),
        ([*SHORT, "--sample", "2"], "step 1 has 1; choose one from 1 to 1"),
        (["optimzer=adam"], "optimzer"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words, told):
    with pytest.raises(Exception, match=told):
        main(words)

"""``chainrule why``: in this process."""

import pytest

import chainrule
from chainrule.cli.why import main
from chainrule.errors import ChainruleError

PLANE = [
    "network.hidden=[]",
    "training.batch_size=null",
    "training.epochs=100",
    "training.measure_every=10",
    "tracking=none",
]


def test_a_recorded_run_is_trained_again_and_diagnosed(capsys):
    chainrule.run(*PLANE, "optimizer.lr=2.1", directory="run", quiet=True)
    main(["run", "--runs", "30", "--change", "rate/10"])
    text = capsys.readouterr().out
    assert "The run has not learned" in text
    assert "ends in the recorded bits" in text
    assert "rate/10" in text.split("Proof:")[-1]
    assert str(chainrule.load("run").why(runs=30, changes=["rate/10"])) == text.rstrip("\n")


def test_settings_are_trained_first(capsys):
    main([*PLANE, "optimizer.lr=0.5", "--goal", "0.99", "--runs", "0"])
    assert "The run has learned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere"),
        (["a", "b"], "a b: name one run, or the settings of one as KEY=VALUE."),
        (["seed=1", "--change", "rat/10"], r"--change rat/10 is unknown \(did you mean 'rate/10'\?\); choose from"),
        (["seed=1", "--runs", "-1"], "--runs must be a whole number from 0 on, not -1."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(words, complaint):
    with pytest.raises(ChainruleError, match=complaint):
        main(words)


def test_a_change_that_there_is_not_is_refused_in_python():
    run = chainrule.run(*PLANE, "training.epochs=1", quiet=True)
    with pytest.raises(chainrule.ConfigurationError, match="'rat' is no change"):
        run.why(changes=["rat"])

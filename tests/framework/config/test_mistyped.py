"""What cannot be read is answered with the line that works, which is tried."""

import re
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

import chainrule
from chainrule.config.compose import require_parsed
from chainrule.config.mistyped import dashed
from chainrule.errors import ConfigurationError

PARSER = OverridesParser.create()


def refused(*words, sweep=False):
    with pytest.raises(ConfigurationError) as caught:
        require_parsed(words, sweep)
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "told", "value"),
    [
        (["target.delimiter=;"], "has characters that need quotes", ";"),
        (["target.delimiter=,"], "has characters that need quotes", ","),
        (["target.path=données.csv"], "has characters that need quotes", "données.csv"),
        (["target.path=it's.csv"], "has characters that need quotes", "it's.csv"),
        (["target.path=a=b.csv"], "has characters that need quotes", "a=b.csv"),
        (["target.path=a(1).csv"], "has characters that need quotes", "a(1).csv"),
        (["target.path=a#b!.csv"], "has characters that need quotes", "a#b!.csv"),
        (["target.path=~/a.csv"], "has characters that need quotes", "~/a.csv"),
        (["target.path=my", "big", "t.csv", "seed=1"], "quotes around a value with blanks", "my big t.csv"),
        (["target.path=", "t.csv"], "with no blank after =", "t.csv"),
        (["target.path", "=", "t.csv"], "without blanks", "t.csv"),
        (["target.path", "=t.csv"], "without blanks", "t.csv"),
        (["target.path:t.csv"], "is no override", "t.csv"),
        (["optimizer.lr", "0.1"], "without blanks", 0.1),
        (["optimizer.lr: 0.1"], "is no override", 0.1),
        (["optimizer.lr==0.1"], "has = twice", 0.1),
        (['target.label="b'], "has a quotation mark without another", "b"),
        (["network.hidden=[8,", "8]"], "has [ without ]", [8, 8]),
        (["network.hidden=[8", "8]"], "has [ without ]", [8, 8]),
        (["network.hidden=[8,8"], "has [ without ]", [8, 8]),
        (["network.hidden=8,8]"], "has [ without ]", [8, 8]),
        (["network.hidden=(8,8)"], "has parentheses: a list is", [8, 8]),
        (["target.label=b,"], "has a comma that nothing follows", "b"),
        (["optimizer.lr=0,1"], "several values", 0.1),
        (["target.path=a,b.csv"], "several values", ["a", "b.csv"]),
    ],
)
def test_the_line_that_is_told_works_and_means_what_was_meant(words, told, value):
    sentence = refused(*words)
    assert told in sentence
    line = re.search(
        r"""(?:write|number|list is) (?!`)(?:a \w+ )?("[^ ].*?"(?=[ .,])|'.*?'(?=[ .,])|[^ ]+?)[.,]?(?: |$)""",
        sentence,
    )[1]
    shown = subprocess.run(["sh", "-c", f"printf %s {line}"], capture_output=True, check=True).stdout.decode()
    found = PARSER.parse_override(shown).value()
    assert (found if isinstance(value, float | list) else str(getattr(found, "text", found))) == value


def test_several_values_are_for_a_sweep():
    require_parsed(["optimizer.lr=0.1,0.2", "seed=range(3)"], sweep=True)
    assert refused("target.label=a,b") == (
        "target.label=a,b has several values, which are for a sweep: write `-m target.label=a,b` "
        '(in Python chainrule.sweep); or write a list "target.label=[a,b]", one text "target.label=\'a,b\'".'
    )
    assert refused("optimizer=adam,lion").endswith("write `-m optimizer=adam,lion` (in Python chainrule.sweep).")
    assert refused("optimizer.lr=interval(0,1)").endswith("(-m; in Python chainrule.sweep).")
    assert refused("seed=range(3)").endswith('write `-m "seed=range(3)"` (in Python chainrule.sweep).')
    assert refused("activation=tanh,relu").endswith('; or write a list "activation=[tanh,relu]".')


@pytest.mark.parametrize("word", ["seed=1,2", "training.epochs=1,2", "data.samples=10,20"])
def test_several_whole_numbers_are_no_number_and_no_list(word):
    assert refused(word).endswith(f": write `-m {word}` (in Python chainrule.sweep).")


def test_several_numbers_may_be_a_number_or_a_list_where_the_key_takes_one():
    assert refused("data.noise=0,5").endswith("; or write a number data.noise=0.5.")
    assert refused("network.hidden=8,8").endswith('; or write a list "network.hidden=[8,8]".')
    way = 'write `-m "network.hidden=[4],[8]"` (in Python chainrule.sweep).'  # lists are no entries of a list
    assert refused("network.hidden=[4],[8]").endswith(f"for a sweep: {way}")


@pytest.mark.parametrize("word", ["=0.1", "a,b", "0.2", "nothing"])
def test_what_could_mean_anything_is_told_the_form(word):
    assert refused(word) == f"{word!r} is no override: write KEY=VALUE."


def test_an_override_has_no_dashes():
    assert dashed("--optimizer.lr=[1]").endswith('which it does not have: write "optimizer.lr=[1]".')


@pytest.mark.parametrize("function", [chainrule.settings, chainrule.run, chainrule.sweep, chainrule.compare])
@pytest.mark.parametrize("given", [["seed=1", "optimizer=adam"], 3])
def test_overrides_are_texts(function, given):
    with pytest.raises(
        ConfigurationError, match=r"^an override is a text such as 'optimizer=adam', not .* with \* before it\.$"
    ):
        function(given)

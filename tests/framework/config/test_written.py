"""Numbers in YAML that are not read as they are written, and files that would take for ever."""

from pathlib import Path

import pytest
import yaml

from chainrule.config.written import require_plain
from chainrule.errors import ConfigurationError


def checked(text, name="a.yaml"):
    Path("conf/deeper").mkdir(parents=True, exist_ok=True)
    path = Path("conf", "deeper", name)
    path.write_text(text)
    require_plain([Path("conf")])


@pytest.mark.parametrize("number", ["010", "-07", "1:30", "1:30:00", "+190:20:30.15", "0_7"])
def test_what_yaml_reads_as_another_number_is_refused(number):
    with pytest.raises(ConfigurationError, match=r"^conf/deeper/a\.yaml, line 2: YAML reads ") as caught:
        checked(f"b: 1\na: {{c: [{number}]}}\n")
    assert f"write {yaml.safe_load(number)}, or in quotes '{number}'" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["0", "10", "1_000", "0x1F", "0b11", "08", "09:5x", "1e3", ".5", "'010'", '"1:30"', "12:61"]
)
def test_what_is_read_as_it_looks_is_left_alone(text):
    checked(f"a: {text}\n# b: 010\n")


def test_keys_and_places_in_texts():
    checked("a: b 010\nc: |\n  010\n  1:30\n")
    with pytest.raises(ConfigurationError, match="line 1: YAML reads 010 as 8"):
        checked("010: a\n")


def test_what_would_take_for_ever():
    with pytest.raises(ConfigurationError, match="aliases of aliases"):
        checked("a: &a [*a]\n")
    with pytest.raises(ConfigurationError, match=r"has 2,000,00\d bytes; a file of the configuration has 1,048,576"):
        checked("a: " + "x" * 2_000_000)
    with pytest.raises(ConfigurationError, match="more than 50 deep"):
        checked("[" * 60 + "]" * 60)
    with pytest.raises(ConfigurationError, match="more than 50 deep"):
        checked("\n".join(" " * depth + "a:" for depth in range(60)))


def test_what_is_no_yaml_is_left_to_who_reads_it():
    checked("a: b: c")
    Path("conf/gone.yaml").symlink_to("nowhere")
    Path("conf/folder.yaml").mkdir()
    require_plain([Path("conf"), Path("absent")])

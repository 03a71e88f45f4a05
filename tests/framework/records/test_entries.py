"""JSON files with typed entries."""

import enum
import json
from typing import Any

import pytest

from chainrule.errors import RecordError
from chainrule.records.entries import Entries, read_entries, sealed


class Colour(enum.StrEnum):
    RED = "red"


class Part(Entries):
    """A part."""

    size: int


class Whole(Entries):
    """An entry of each type."""

    name: str
    length: float
    count: int
    colour: Colour
    part: Part
    parts: list[Part]
    by_name: dict[str, Part]
    losses: dict[str, float | None]
    end: str | None
    anything: Any
    more: dict[str, Any]


GOOD = {
    "name": "a",
    "length": 2.5,
    "count": 3,
    "colour": "red",
    "part": {"size": 1},
    "parts": [{"size": 2}, {"size": 3}],
    "by_name": {"b": {"size": 4}},
    "losses": {"train": 0.5, "validation": None},
    "end": None,
    "anything": [1, "x"],
    "more": {"x": {"y": 1}},
}


def test_entries_are_attributes_of_the_types_that_are_declared():
    found = Whole.checked(GOOD)
    assert found.colour is Colour.RED
    assert (found.name, found.length, found.count, found.end) == ("a", 2.5, 3, None)
    assert [part.size for part in (found.part, *found.parts, found.by_name["b"])] == [1, 2, 3, 4]
    assert found.losses == {"train": 0.5, "validation": None}
    assert (found.anything, found.more) == ([1, "x"], {"x": {"y": 1}})


def test_they_can_be_written_as_the_json_that_they_were_read_from():
    assert json.loads(json.dumps(Whole.checked(GOOD))) == GOOD


def test_a_whole_number_is_a_number_but_no_other_type_is_taken_for_one():
    assert type(Whole.checked({**GOOD, "length": 2}).length) is float
    assert Whole.checked({**GOOD, "losses": {"train": 1}}).losses == {"train": 1.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 1),
        ("name", None),
        ("length", "2.5"),
        ("length", True),
        pytest.param("length", 10**400, id="length-too large for a float"),
        ("count", 2.5),
        ("count", True),
        ("colour", "blue"),
        ("colour", ["red"]),
        ("part", [1]),
        ("part", {}),
        ("part", {"size": "1"}),
        ("parts", {"size": 1}),
        ("parts", [{"size": 1}, {"size": None}]),
        ("by_name", [{"size": 4}]),
        ("by_name", {"b": 4}),
        ("losses", {"train": "0.5"}),
        ("end", 3),
        ("more", [1]),
    ],
)
def test_what_is_of_another_type_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name}$"):
        Whole.checked({**GOOD, name: value})


def test_everything_that_is_wrong_is_named_in_the_order_of_the_entries():
    damaged = {**GOOD, "end": 3, "count": None}
    del damaged["name"]
    with pytest.raises(ValueError, match=r"^name, count, end$"):
        Whole.checked(damaged)


def test_entries_that_are_not_declared_are_kept_as_they_are_and_the_data_are_not_changed():
    data = {"size": 1, "weight": [2]}
    found = Part.checked(data)
    assert found == data
    assert found.weight == [2]
    found["size"] = 5
    assert data["size"] == 1


def test_an_entry_that_is_not_there_is_no_attribute():
    part = Part(size=1)
    with pytest.raises(AttributeError, match="Part has no entry 'sizes'"):
        _ = part.sizes
    assert getattr(part, "sizes", 7) == 7


@pytest.fixture
def path(tmp_path):
    return tmp_path / "part.json"


def test_a_file_is_read(path):
    path.write_bytes(sealed({"format": 3, "size": 5}))
    found = read_entries(path, Part, 3, "part")
    assert (type(found), found) == (Part, {"format": 3, "size": 5})


def test_a_file_of_an_earlier_version_has_no_checksum(path):
    path.write_text('{"format": 2, "size": 5}')
    assert read_entries(path, Part, 3, "part", unsealed=(2,)).size == 5


def test_a_file_larger_than_allowed_is_not_read(path):
    path.write_bytes(sealed({"format": 3, "size": 5}))
    with pytest.raises(RecordError, match="more than the 20 that it may have"):
        read_entries(path, Part, 3, "part", most=20)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "cannot be read: "),
        (b"", "cannot be read: "),
        (b'"\xff"', "cannot be read: "),
        (b"[]", "is not a part of format 3, the format of this version of chainrule."),
        (b"{}", "is not a part of format 3, "),
        (b'{"format": 2, "size": 5}', "is not a part of format 3, "),
        (b'{"format": true, "size": 5}', "is not a part of format 3, "),
        (b'{"format": 3, "size": 5}', "is damaged: it was changed after it was written, as its checksum says."),
        (sealed({"format": 3}), "is damaged: these entries are missing or of the wrong type: size."),
        (sealed({"format": 3, "size": None}), "is damaged: these entries are missing or of the wrong type: size."),
        (sealed({"format": 3, "size": 5, "more": "\0"}), "cannot be read: a text holds NUL."),
        (sealed({"format": 3, "size": 5, "more": "\ud800"}), "cannot be read: "),
        (b"[" * 100_000, "cannot be read: "),
        (b"[" * 40 + b"]" * 40, "cannot be read: too much is nested in it."),
        (b'{"format": 3, "size": NaN}', "cannot be read: NaN is no number of JSON."),
        (b'{"format": 3, "size": ' + b"9" * 5000 + b"}", "cannot be read: "),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(path, content, complaint):
    path.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_entries(path, Part, 3, "part")
    assert str(caught.value).startswith(f"{path} {complaint}")


def test_a_file_that_is_not_there_is_told_from_one_that_cannot_be_read(path):
    with pytest.raises(FileNotFoundError):
        read_entries(path, Part, 3, "part")
    path.mkdir()
    with pytest.raises(RecordError, match="cannot be read: "):
        read_entries(path, Part, 3, "part")

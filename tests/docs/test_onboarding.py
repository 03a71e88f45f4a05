"""What the documents for developers name exists."""

import ast
import importlib
import re
from functools import cache

import pytest

from chainrule.config.settings import keys
from chainrule.registry.hookspecs import HOOKS
from rooms import FRAMEWORK, LEVEL, LINE, MODULES, ROOT

DOCS = ROOT / "docs"
ONBOARDING = (DOCS / "onboarding.md").read_text()
GLOSSARY = (DOCS / "glossary.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
FLOW = (DOCS / "flow.svg").read_text()
DOCUMENTS = {"onboarding.md": ONBOARDING, "glossary.md": GLOSSARY, "CONTRIBUTING.md": CONTRIBUTING}

PATH = re.compile(r"[\w.*{},-]*/[\w./*{},-]*")
DOTTED = re.compile(r"\w+(\.\w+)+")
CLASS = re.compile(r"[A-Z][a-z]\w*")
IGNORED = {
    "src/",
    ".hydra/",
    "outputs/DATE/TIME",
    "multirun/DATE/TIME",
    "pictures/",
    "checkpoints/",
    "validation/r2",
}  # not of this tree


def quoted(text: str) -> set[str]:
    """What stands in backticks outside of code blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


@cache
def source() -> str:
    """All code of the framework and the plugins, and the names of hooks, which are made from the table of kinds."""
    files = [*FRAMEWORK.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    return "\n".join([*(path.read_text() for path in files), *HOOKS])


@cache
def classes() -> dict[str, set[str]]:
    """The modules of the framework in which each class, or name of a type, is defined."""
    found: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).add(module)
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, set()).add(module)
    return found


def leads_somewhere(name: str) -> bool:
    """Whether a dotted name is a module, something in one, a key, a file of the repository or one that runs leave."""
    if name in keys() or any((folder / name).is_file() for folder in (ROOT, DOCS)) or f'{name}"' in source():
        return True
    parts = name.removeprefix("chainrule.").split(".")
    package = [] if parts[0].startswith("chainrule_") else ["chainrule"]
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join([*package, *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def is_there(path: str) -> bool:
    """Whether a path, as seen from the root or from the framework, is in the repository."""
    return any(any(folder.glob(path.rstrip("/"))) for folder in (ROOT, FRAMEWORK))


PATHS = [(doc, name) for doc, text in DOCUMENTS.items() for name in sorted(quoted(text)) if PATH.fullmatch(name)]
DOTTEDS = [(doc, name) for doc, text in DOCUMENTS.items() for name in sorted(quoted(text)) if DOTTED.fullmatch(name)]
CLASSES = [(doc, name) for doc, text in DOCUMENTS.items() for name in sorted(quoted(text)) if CLASS.fullmatch(name)]


@pytest.mark.parametrize(("document", "path"), [pair for pair in PATHS if pair[1] not in IGNORED])
def test_every_path_exists(document, path):
    assert is_there(path), f"{document} names {path}"


@pytest.mark.parametrize(("document", "name"), DOTTEDS)
def test_every_dotted_name_exists(document, name):
    assert leads_somewhere(name), f"{document} names {name}"


@pytest.mark.parametrize(("document", "name"), CLASSES)
def test_every_class_exists(document, name):
    assert name in classes(), f"{document} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_other_name_is_in_the_code(document):
    names = {name for name in quoted(DOCUMENTS[document]) if re.fullmatch(r"_?[a-z]\w*_\w+|_[A-Z]+", name)}
    assert not {name for name in names if not re.search(rf"\b{name}\b", source())}


def test_the_test_of_names_can_fail():
    assert leads_somewhere("engine.trainer.train")
    assert leads_somewhere("sweep.json")
    assert not leads_somewhere("engine.trainer.trains")
    assert not leads_somewhere("trainer.train")
    assert is_there("testing/kit.py")
    assert not is_there("framework/chainrule/trainer.py")


def test_the_table_of_rooms_is_the_line_of_rooms():
    table = ONBOARDING.partition("| room | duty |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([\w.]+)`", row.split("|")[1]) for row in table.splitlines() if "`" in row]
    assert [set(row) for row in rows] == [set(rooms) for rooms in reversed(LINE)]
    assert {room for row in rows for room in row} == set(LEVEL)


def test_the_picture_names_modules():
    names = set(re.findall(r"\b(?:[a-z]+\.)+[a-z_]+\b", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", FLOW))))
    assert {name for name in names if name in MODULES} >= {
        "runs.prepare",
        "engine.trainer",
        "records.run",
        "sweep.ledger",
    }
    assert not {name for name in names if not leads_somewhere(name)}


def rows() -> list[list[str]]:
    """The rows of the glossary, cell by cell."""
    lines = [line for line in GLOSSARY.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_glossary_is_in_order_and_has_one_row_a_word():
    words = [row[0] for row in rows()]
    assert words == sorted(set(words))


def test_each_class_of_the_glossary_is_in_a_module_beside_it():
    for word, _, where in rows():
        for part in where.split(";"):
            names = quoted(part)
            modules = {name for name in names if name in MODULES}
            for name in {name for name in names if CLASS.fullmatch(name) or name.isupper()}:
                assert classes()[name] & modules, f"{word}: {name} is in none of {modules}"


def test_the_decisions_are_all_listed():
    index = (DOCS / "decisions" / "README.md").read_text()
    pages = {path.name for path in DOCS.glob("decisions/0*.md")}
    assert set(re.findall(r"\]\((0\d{3}-[\w-]+\.md)\)", index)) == pages
    for row in [line.split("|") for line in index.splitlines() if re.match(r"\| \d", line)]:
        link = re.search(r"\[(.*)\]\((.*)\)", row[2])
        title = (DOCS / "decisions" / link[2]).read_text().splitlines()[0]
        assert title == f"# {row[1].strip()}. {link[1]}"

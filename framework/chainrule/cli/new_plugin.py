"""``chainrule new-plugin``: write a package whose components work, are documented and are tested."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jinja2

from chainrule.cli.common import parse, parser
from chainrule.components.contracts import default_name
from chainrule.errors import ConfigurationError, nearest
from chainrule.registry.hookspecs import API_VERSION
from chainrule.registry.kinds import KINDS
from chainrule.registry.registry import found

_TEMPLATES = Path(__file__).parent / "templates"
_WATCHER = "watcher"  # not one of KINDS, because nobody chooses a watcher by name
_DEFAULT = "activation"
_VALUES = {"true", "false", "none", "null", "inf", "nan"}  # what these words mean in Python or in an override

# By kind: the class of the example, and the overrides of a sweep that compares it with a built-in component.
_EXAMPLES = {
    "activation": ("PenalizedTanh", "activation=tanh,"),
    "loss": ("Quantile", "loss=half_squared_error,"),
    "optimizer": ("SignDescent", "optimizer=gradient_descent,"),
    "target": ("Parity", "network.hidden=[8] target="),
    "initializer": ("Orthogonal", "initializer=normal,"),
    "rule": ("ClippedError", "rule=exact,"),
    "schedule": ("SearchThenConverge", "schedule=constant,"),
    "tracker": ("Spreadsheet", "tracking="),
    _WATCHER: ("Bell", ""),
}


@dataclass(frozen=True)
class Part:
    """One module of the package.

    Attributes:
        kind: kind of its component, or ``watcher``.
        cls: name of its class.
        example: name of the class that it begins as a copy of.
    """

    kind: str
    cls: str
    example: str

    @property
    def name(self) -> str:
        """Name by which its component is chosen."""
        return default_name(self.cls)

    @property
    def title(self) -> str:
        """Its kind and its name."""
        return f"{self.kind} {self.name}"

    @property
    def docstring(self) -> str:
        """The docstring of the module."""
        if self.cls == self.example:
            return f"The {self.title}."
        example = default_name(self.example)
        return f"The {self.title}.\n\nIt is a copy of {example}: replace it by your own, here and in the tests.\n"

    @property
    def contract(self) -> str:
        """The class that it derives from."""
        return "Watcher" if self.kind == _WATCHER else KINDS[self.kind].contract.__name__

    @property
    def hook(self) -> str:
        """The hook that registers it."""
        return "chainrule_watchers" if self.kind == _WATCHER else KINDS[self.kind].hook

    @property
    def group(self) -> str:
        """The configuration group that chooses it; empty for a watcher."""
        return "" if self.kind == _WATCHER else KINDS[self.kind].groups[0]

    @property
    def sweep(self) -> str:
        """A command that uses it."""
        options = _EXAMPLES[self.kind][1]
        return f"chainrule -m 'seed=range(5)'{options and f' {options}{self.name}'}"


def kinds() -> list[str]:
    """Return the kinds that have an example."""
    return [kind for kind in _EXAMPLES if kind in {*KINDS, _WATCHER}]


def main(arguments: Sequence[str]) -> None:
    """Write the package of a new plugin, with components that work, are documented and are tested."""
    command = parser(
        "new-plugin",
        main.__doc__,
        epilog="With one kind, the component is called NAME and is a copy of an example. With several "
        "kinds, each component is an example under its own name: "
        + ", ".join(f"{kind} {_example(kind)}" for kind in kinds())
        + ".",
    )
    command.add_argument("name", metavar="NAME", help="letters, digits and hyphens; the package is chainrule-NAME")
    command.add_argument(
        "--kind",
        action="append",
        metavar="KIND",
        help=f"what it provides (default: {_DEFAULT}); may be given several times: {', '.join(kinds())}",
    )
    command.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where chainrule-NAME is made (default: here)",
    )
    given = parse(command, arguments)
    name = _plugin_name(given.name)
    parts = _parts(name, given.kind or [_DEFAULT])
    folder = given.directory / f"chainrule-{name}"
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigurationError(f"{folder} exists and is not empty; nothing was written.")
    for path, content in _files(name, parts).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    print(f"{folder} holds the {_listing(part.title for part in parts)}. Next:\n")
    commands = [f"cd {shlex.quote(str(folder))}", "pip install -e '.[test]'", "pytest", *(part.sweep for part in parts)]
    print("\n".join(f"  {command}" for command in commands))


def _plugin_name(given: str) -> str:
    """Return the normalised name of a plugin, without the prefix ``chainrule-``."""
    name = re.sub(r"[-_.]+", "-", given).lower().removeprefix("chainrule-")
    if not re.fullmatch(r"(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or name in _VALUES:
        raise ConfigurationError(
            f"{given!r} cannot name a plugin: a name has at most 40 letters, digits and hyphens, begins with a letter "
            f"and is none of {', '.join(sorted(_VALUES))}."
        )
    package = _package(name)
    spec = find_spec(package)
    if spec:
        raise ConfigurationError(f"The package {package} exists already, in {spec.origin}; choose another name.")
    return name


def _parts(name: str, wanted: Sequence[str]) -> list[Part]:
    for kind in wanted:
        if kind not in kinds():
            raise ConfigurationError(
                f"{kind!r} is not a kind{nearest(kind, kinds())}; choose from {', '.join(kinds())}."
            )
    chosen = sorted(set(wanted))
    own = "".join(word.capitalize() for word in name.split("-"))
    parts = [Part(kind, own if len(chosen) == 1 else _EXAMPLES[kind][0], _EXAMPLES[kind][0]) for kind in chosen]
    hint = "choose another name" if len(parts) == 1 else "give one kind only, whose component is called like the plugin"
    taken = {(o.kind, o.component.name): plugin.provider for plugin in found().plugins for o in plugin.offers}
    for part in parts:
        if (part.kind, part.name) in taken:
            provider = taken[part.kind, part.name]
            raise ConfigurationError(f"{provider} provides {part.group}={part.name} already: {hint}.")
    return parts


def _files(name: str, parts: Sequence[Part]) -> dict[str, str]:
    """Return the content of each file of the package, by path.

    Raises:
        ConfigurationError: a class has the name of something that its module needs.
    """
    package, author = _package(name), _author()
    sources = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "LICENSE": "LICENSE",
        ".gitignore": "gitignore",
        ".github/workflows/test.yml": "test.yml",
        f"src/{package}/__init__.py": "plugin.py",
        f"src/{package}/py.typed": "py.typed",
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    common = {
        "name": name,
        "package": package,
        "author": author or f"The authors of chainrule-{name}",
        "year": datetime.now(UTC).year,
        "version": version("chainrule"),
        "api": API_VERSION,
    }
    files = {
        path: environment.get_template(f"{source}.jinja").render(common, parts=parts)
        for path, source in sources.items()
    }
    for part in parts:
        module = environment.get_template(f"{part.kind}.py.jinja").render(common, part=part)
        test = environment.get_template(f"test_{part.kind}.py.jinja").render(common, part=part)
        for text in (module, test, files[f"src/{package}/__init__.py"]):
            # All but the import of the class itself.
            others = re.sub(rf"^from ({package})?\.{part.kind} import {part.cls}$", "", text, flags=re.MULTILINE)
            if re.search(rf"^((from|import) .*\b{part.cls}\b|{part.cls}\b)", others, re.MULTILINE):
                raise ConfigurationError(
                    f"the module of the {part.kind} needs {part.cls} for something else; choose another name."
                )
        files[f"src/{package}/{part.kind}.py"], files[f"tests/test_{part.kind}.py"] = module, test
    return files


def _author() -> str:
    """Return git's ``user.name``, or an empty text."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _listing(titles: Iterable[str]) -> str:
    *others, last = titles
    return f"{', '.join(others)} and {last}" if others else last


def _example(kind: str) -> str:
    return default_name(_EXAMPLES[kind][0])


def _package(name: str) -> str:
    return f"chainrule_{name.replace('-', '_')}"

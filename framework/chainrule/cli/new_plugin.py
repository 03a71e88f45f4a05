"""``chainrule new-plugin``: write a package whose components work, are documented and are tested."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jinja2

from chainrule.cli.common import parse, parser
from chainrule.components.contracts import default_name
from chainrule.errors import ConfigurationError, PluginError, listed, nearest
from chainrule.registry.hookspecs import API_VERSION
from chainrule.registry.kinds import KINDS
from chainrule.registry.loaded import found
from chainrule.registry.providers import FileProvider
from chainrule.registry.registry import Registry
from chainrule.registry.watching import Session

_TEMPLATES = Path(__file__).parent / "templates"
_WATCHER = "watcher"  # not one of KINDS, because nobody chooses a watcher by name
_DEFAULT = "activation"
_VALUES = {"true", "false", "none", "null", "inf", "nan"}  # what these words mean in Python or in an override

# By kind: the class of the example, and the overrides of a sweep that compares it with a built-in component.
_EXAMPLES = {
    "activation": ("PenalizedTanh", "activation=tanh,"),
    "loss": ("Expectile", "loss=half_squared_error,"),
    "optimizer": ("SignDescent", "optimizer=gradient_descent,"),
    "transform": ("AdaptiveClip", "transforms=[],"),
    "target": ("Parity", "network.hidden=[8] target="),
    "initializer": ("LecunNormal", "initializer=normal,"),
    "rule": ("ClippedError", "rule=exact,"),
    "schedule": ("SearchThenConverge", "schedule=constant,"),
    "sampling": ("MaskingNoise", "sampling=shuffled,"),
    "tracker": ("Spreadsheet", "tracking="),
    "instrument": ("SparseUnits", ""),
    _WATCHER: ("Bell", ""),
}


@dataclass(frozen=True)
class Part:
    """One component of the package, or its watcher; an example has a module of its own.

    Attributes:
        kind: kind of its component, or ``watcher``.
        cls: name of its class.
        name: name by which its component is chosen.
        example: name of the class that it begins as a copy of; empty if it is in a file that there was.
    """

    kind: str
    cls: str
    name: str
    example: str = ""

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
        """The configuration group that chooses it; empty for what no run has a choice of."""
        return "" if self.kind == _WATCHER else next(iter(KINDS[self.kind].groups), "")

    @property
    def is_component(self) -> bool:
        """Whether it is a component, which has checks."""
        return self.kind != _WATCHER

    @property
    def sweep(self) -> str:
        """A command that uses it."""
        if self.kind == "instrument":
            return "chainrule why optimizer.lr=10"
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
    command.add_argument(
        "--from",
        type=Path,
        dest="file",
        metavar="FILE",
        help="package this file, such as plugins/mine.py, as it is, instead of examples; it is executed",
    )
    given = parse(command, arguments)
    name = _checked(given.name, given.kind or [])
    if given.file and given.kind:
        raise ConfigurationError("--kind chooses an example, and --from takes a file instead: give one of them.")
    files: Mapping[str, str | bytes]
    if given.file:
        provider, parts = _read(given.file)
        files = _files_around(provider, name, parts)
    else:
        parts = _parts(name, given.kind or [_DEFAULT])
        files = _files(name, parts)
    folder = given.directory / f"chainrule-{name}"
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigurationError(f"{folder} exists and is not empty; nothing was written.")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    print(f"{folder} holds the {listed(part.title for part in parts)}. Next:\n")
    # The file goes, because two plugins with one component cannot both be used.
    commands = [f"rm {shlex.quote(str(given.file))}"] if given.file else []
    commands += [f"cd {shlex.quote(str(folder))}", "pip install -e '.[test]'", "pytest"]
    commands += [part.sweep for part in parts]
    print("\n".join(f"  {command}" for command in commands))


def _checked(given: str, wanted: Sequence[str]) -> str:
    """Return the name of a plugin, as :func:`_plugin_name` does, if all kinds that are wanted are kinds, too.

    Raises:
        ConfigurationError: says all that is wrong with the name and the kinds.
    """
    wrong = [f"{kind!r} is not a kind{nearest(kind, kinds())}" for kind in dict.fromkeys(wanted) if kind not in kinds()]
    of_kinds = [f"{'; '.join(wrong)}; choose from {', '.join(kinds())}."] if wrong else []
    try:
        name = _plugin_name(given)
    except ConfigurationError as error:
        raise ConfigurationError(" ".join([str(error), *of_kinds])) from None
    if of_kinds:
        raise ConfigurationError(of_kinds[0])
    return name


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
    chosen = sorted(set(wanted))
    own = "".join(word.capitalize() for word in name.split("-"))
    classes = {kind: own if len(chosen) == 1 else _EXAMPLES[kind][0] for kind in chosen}
    parts = [Part(kind, cls, default_name(cls), _EXAMPLES[kind][0]) for kind, cls in classes.items()]
    hint = "choose another name" if len(parts) == 1 else "give one kind only, whose component is called like the plugin"
    _require_free(parts, hint)
    return parts


def _read(path: Path) -> tuple[FileProvider, list[Part]]:
    """Execute a file that is a plugin, and return where it comes from and what it provides.

    Raises:
        ConfigurationError: it cannot be read, or another plugin provides the same.
        PluginError: it is no plugin, or a broken one.
    """
    try:
        provider = FileProvider.of(path.absolute())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    registry = Registry([], files=[provider])
    (plugin,) = registry.plugins
    if registry.reports:
        raise PluginError(f"{registry.reports[0]}.")
    parts = [Part(offer.kind, offer.component.__name__, offer.component.name) for offer in plugin.offers]
    _require_free(parts, "give its class another name", provider)
    if registry.watchers(Session(interactive=True)):
        parts.append(Part(_WATCHER, "", path.stem))
    return provider, parts


def _require_free(parts: Sequence[Part], hint: str, own: FileProvider | None = None) -> None:
    """Refuse components of which a plugin other than ``own`` has the name."""
    others = [plugin for plugin in found().plugins if plugin.provider != own]
    taken = {(o.kind, o.component.name): plugin.provider for plugin in others for o in plugin.offers}
    for part in parts:
        if (part.kind, part.name) in taken:
            provider = taken[part.kind, part.name]
            raise ConfigurationError(f"{provider} provides {part.group or part.kind}={part.name} already: {hint}.")


def _files(name: str, parts: Sequence[Part]) -> dict[str, str]:
    """Return the content of each file of the package, by path.

    Raises:
        ConfigurationError: a class has the name of something that its module needs.
    """
    package = _package(name)
    render = _renderer(name, package)
    files = {**_surroundings(package, parts, render), f"src/{package}/__init__.py": render("plugin.py", parts=parts)}
    for part in parts:
        module, test = (render(template, part=part) for template in (f"{part.kind}.py", f"test_{part.kind}.py"))
        for text in (module, test, files[f"src/{package}/__init__.py"]):
            # All but the import of the class itself.
            others = re.sub(rf"^from ({package})?\.{part.kind} import {part.cls}$", "", text, flags=re.MULTILINE)
            if re.search(rf"^((from|import) .*\b{part.cls}\b|{part.cls}\b)", others, re.MULTILINE):
                raise ConfigurationError(
                    f"the module of the {part.kind} needs {part.cls} for something else; choose another name."
                )
        files[f"src/{package}/{part.kind}.py"], files[f"tests/test_{part.kind}.py"] = module, test
    return files


def _files_around(provider: FileProvider, name: str, parts: Sequence[Part]) -> Mapping[str, str | bytes]:
    """Return the content of each file of the package of a plugin that is one file, which is copied."""
    package, module = _package(name), re.sub(r"\W", "_", provider.path.stem)
    render = _renderer(name, f"{package}.{module}")
    return {
        **_surroundings(package, parts, render),
        f"src/{package}/__init__.py": render("packaged.py", module=module),
        f"src/{package}/{module}.py": provider.source,
        f"tests/test_{module}.py": render(
            "packaged_test.py", module=module, parts=[part for part in parts if part.is_component]
        ),
    }


def _surroundings(package: str, parts: Sequence[Part], render: Callable[..., str]) -> dict[str, str]:
    sources = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "LICENSE": "LICENSE",
        ".gitignore": "gitignore",
        ".github/workflows/test.yml": "test.yml",
        f"src/{package}/py.typed": "py.typed",
    }
    return {path: render(source, parts=parts) for path, source in sources.items()}


def _renderer(name: str, entry: str) -> Callable[..., str]:
    """Return what fills in a template by name.

    Args:
        name: of the plugin.
        entry: the module that its entry point names.
    """
    author = _author()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    common = {
        "name": name,
        "package": _package(name),
        "entry": entry,
        "author": author or f"The authors of chainrule-{name}",
        "year": datetime.now(UTC).year,
        "version": version("chainrule"),
        "api": API_VERSION,
    }
    return lambda template, **further: environment.get_template(f"{template}.jinja").render(common, **further)


def _author() -> str:
    """Return git's ``user.name``, or an empty text."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _example(kind: str) -> str:
    return default_name(_EXAMPLES[kind][0])


def _package(name: str) -> str:
    return f"chainrule_{name.replace('-', '_')}"

"""Components, values of their parameters, and checks that are expected to fail, as typed."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from chainrule.errors import ChainruleError
from chainrule.registry.preferences import canonical


def parse_components(words: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read components and, after each, values of its parameters: ``target=table target.path=small.csv``.

    Raises:
        ChainruleError: a word is neither.
    """
    component, values = "", dict[str, Any]()
    for word in words:
        key, _, value = word.partition("=")
        kind, _, parameter = key.partition(".")
        if not value or (parameter and kind != component.partition("=")[0]):
            raise ChainruleError(f"{word!r} is neither KIND=NAME nor KIND.PARAMETER=VALUE of the component before it.")
        if parameter:
            values[parameter] = from_yaml(f"value: {value}")["value"]
            continue
        if component:
            yield component, values
        component, values = word, {}
    if component:
        yield component, values


def parse_examples(lines: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Read lines such as ``target=table target.path=small.csv``: values of parameters, by component.

    Raises:
        ChainruleError: a line reads otherwise.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        for component, values in parse_components(shlex.split(line)):
            found.setdefault(component, []).append(values)
    return found


def parse_expected(
    lines: Sequence[str], where: str = "chainrule_expected_failures has the line"
) -> dict[str, dict[str, str]]:
    """Read lines such as ``activation=sign gradient: reason``: the reason, by component and check.

    Raises:
        ChainruleError: a line reads otherwise; the sentence begins with ``where``.
    """
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        match = re.fullmatch(r"(\w+=\w+)\s+(\w+)\s*(?::\s*(.*))?", line)
        if not match:
            raise ChainruleError(f"{where} {line!r}; it reads KIND=NAME CHECK: REASON.")
        component, name, reason = match.groups()
        found.setdefault(component, {})[name] = reason or ""
    return found


def lines_of_project(distribution: str, option: str) -> list[str]:
    """Return the lines of an option of pytest in ``pyproject.toml`` here, if that is the project of a distribution."""
    try:
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
        named, options = project["project"]["name"], project["tool"]["pytest"]["ini_options"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return []
    found = options.get(option, []) if canonical(str(named)) == canonical(distribution) else []
    return [line for line in (found.splitlines() if isinstance(found, str) else found) if line.strip()]


def from_yaml(text: str) -> Any:
    """Return the value of YAML text, read as configuration is."""
    return OmegaConf.to_container(OmegaConf.create(text))

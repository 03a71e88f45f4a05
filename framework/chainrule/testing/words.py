"""Components and values of their parameters, as typed."""

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from chainrule.errors import ChainruleError


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


def from_yaml(text: str) -> Any:
    """Return the value of YAML text, read as configuration is."""
    return OmegaConf.to_container(OmegaConf.create(text))

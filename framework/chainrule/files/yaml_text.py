"""Plain data as YAML text, in OmegaConf's form."""

from typing import Any

import yaml

_MOST = 20_000  # entries in the cache
_texts: dict[tuple[Any, str], str] = {}  # the cache, by key and value: jobs of a sweep share most entries


def dump(content: Any) -> str:
    """Return plain data as the text that ``OmegaConf.to_yaml`` gives, many times faster."""
    if isinstance(content, dict) and content:
        return "".join(_entry(key, value) for key, value in content.items())
    return _written(content)


def _entry(key: Any, value: Any) -> str:
    """Return the lines of one entry of a mapping; they do not depend on the other entries."""
    known = key, repr(value)
    if known not in _texts:
        if len(_texts) >= _MOST:
            _texts.clear()
        _texts[known] = _written({key: value})
    return _texts[known]


def _written(content: Any) -> str:
    options: dict[str, Any] = {"default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    text: str = yaml.dump(content, Dumper=_Fast, **options)
    if "\\" in text or not text.isascii():  # the fast writer escapes other characters
        text = yaml.dump(content, Dumper=_Slow, **options)
    return text


class _Fast(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's writer in C, if PyYAML was built with it."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal parts out each time."""
        return True


class _Slow(yaml.SafeDumper):  # type: ignore[misc]
    """PyYAML's writer in Python, which OmegaConf uses."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal parts out each time."""
        return True


def _text(dumper: Any, data: str) -> Any:
    """Put quotes around text that would be read as something else, as OmegaConf does."""
    quoted = data.lower() in ("y", "yes", "n", "no", "true", "false", "on", "off") or _is_number(data)
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="'" if quoted else None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


for _writer in (_Fast, _Slow):
    _writer.add_representer(str, _text)

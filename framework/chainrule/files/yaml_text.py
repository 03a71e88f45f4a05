"""Plain data as YAML text, in OmegaConf's form."""

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./,=-]*")  # text that stands for itself, unless it is one of these words
_WORDS = frozenset(["y", "yes", "n", "no", "true", "false", "on", "off", "null", "inf", "nan", "infinity"])

_MOST = 20_000  # entries in the cache
_texts: dict[tuple[Any, str], str] = {}  # the cache, by key and value: jobs of a sweep share most sections


def dump(content: Any) -> str:
    """Return plain data as the text that ``OmegaConf.to_yaml`` gives, many times faster."""
    if isinstance(content, dict) and content:
        return "".join(_entry(key, value) for key, value in content.items())
    items = [_scalar(item) for item in content] if isinstance(content, list) and content else [None]
    return _written(content) if None in items else "".join(f"- {item}\n" for item in items)


def text_of(value: str) -> str:
    """Return the text that a single value stands for, as it is written on one line: plain or in quotes.

    Raises:
        ValueError: it is no YAML.
    """
    try:
        return str(yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _entry(key: Any, value: Any) -> str:
    """Return the lines of one entry of a mapping; they do not depend on the other entries."""
    single = None if isinstance(value, dict) else _quick(key, value, "")
    if single is not None:
        return single
    known = key, repr(value)
    if known not in _texts:
        if len(_texts) >= _MOST:
            _texts.clear()
        quick = _quick(key, value, "")
        _texts[known] = _written({key: value}) if quick is None else quick
    return _texts[known]


def _quick(key: Any, value: Any, indent: str) -> str | None:
    """Return what PyYAML would write where that is known without asking it; else None."""
    if not _is_plain(key):
        return None
    head = f"{indent}{key}:"
    if isinstance(value, dict) and value:
        entries = [_quick(inner, own, f"{indent}  ") for inner, own in value.items()]
        return None if None in entries else "".join([f"{head}\n", *filter(None, entries)])
    if isinstance(value, list) and value:
        items = [_scalar(item) for item in value]
        return None if None in items else "".join([f"{head}\n", *(f"{indent}- {item}\n" for item in items)])
    text = _scalar(value)
    return None if text is None else f"{head} {text}\n"


def _scalar(value: Any) -> str | None:
    """Return how a single value is written, if that is known."""
    if type(value) is str:
        return value if _is_plain(value) else f"'{value}'" if value.isascii() and value.isdigit() else None
    if value is None or type(value) is bool:
        return "null" if value is None else str(value).lower()
    return str(value) if type(value) is int else None


def _is_plain(text: Any) -> bool:
    return type(text) is str and _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


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

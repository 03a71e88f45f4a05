"""The page about the steps of a run: its data, its script and its style in one file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from chainrule.reports.page import filled

_HERE = Path(__file__).parent


def page(title: str, answer: str, facts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        title: the run in one line.
        answer: what to know first.
        facts: the settings of the run, by key.
        data: what the script draws, see :func:`chainrule.replay.page.data`.
    """
    # A text with "</script>" in it would end the element, and one with "<!--" could change how its end is found.
    content = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return filled(
        "explained.html.jinja",
        title=title,
        answer=answer,
        failures=[],
        why=None,
        facts=facts,
        style=Markup((_HERE / "explained.css").read_text("utf-8")),
        script=Markup((_HERE / "explained.js").read_text("utf-8")),
        data=Markup(content),
    )

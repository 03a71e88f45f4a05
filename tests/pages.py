"""What tests of reports share: a page of HTML, read strictly."""

import re
from html.parser import HTMLParser

VOID = {"meta", "line", "circle", "polyline", "polygon", "br"}


class Balanced(HTMLParser):
    """Checks that every element is closed, and collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links = [], "", []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += f"{data} "


def parsed(html):
    page = Balanced()
    page.feed(html)
    assert page.open == []
    assert page.links == []
    assert "http" not in html
    return re.sub(r"\s+", " ", page.text)

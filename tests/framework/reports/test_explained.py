"""The page about steps, as a file: its script and style are in it, and its data cannot break out."""

import json
import re

from chainrule.reports.explained import page


def test_data_come_back_as_they_were():
    data = {"words": ["</script><script>alert(1)</script>", "<!-- ü"], "number": 0.1}
    text = page("a < b", "said & done.", {"seed": "0"}, data)
    body = text.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert json.loads(body) == data
    assert "a &lt; b" in text
    assert "alert(1)</script>" not in text


def test_what_the_script_looks_up_is_there():
    text = page("title", "answer", {}, {})
    script = text.rpartition("<script>")[2]
    wanted = set(re.findall(r'by\("(\w+)"\)', script)) | {"data"}
    assert wanted == set(re.findall(r'id="(\w+)"', text.partition("<script>")[0])) - {"explained"}

"""The code that trains a run, and what has changed in it."""

import platform
import re
from importlib.metadata import version

from chainrule.records.environment import processor
from chainrule.registry.loaded import installed
from chainrule.registry.versions import changes, code, label


def test_the_words_may_be_others():
    assert changes({"numpy": "1"}, {"numpy": "2"}, "of ", ("here", "there")) == ["of numpy: here 1, there 2"]


def test_the_code_of_plugins_and_what_they_run_on():
    provider = installed().provider("optimizer", "adam")
    found = code([provider])
    name = label(provider)
    assert name == f"plugin {provider.distribution}:{provider.entry_point}"
    assert list(found) == sorted(["blas", "chainrule", "machine", "numpy", "processor", "python", name])
    assert found["numpy"] == version("numpy")
    assert found["python"] == platform.python_version()
    assert found["machine"] == platform.machine()
    assert {key: found[key] for key in ("processor", "blas")} == processor()
    assert re.fullmatch(rf"{re.escape(version('chainrule'))} [0-9a-f]{{64}}", found["chainrule"])
    assert re.fullmatch(r"\S+ [0-9a-f]{64}", found[name])

"""Where plugins come from."""

import hashlib
import importlib.metadata
import inspect
import pickle
import sys

import distributions
from chainrule.registry.providers import FileProvider
from chainrule.registry.registry import Registry
from distributions import LYNX


def test_the_digest_is_that_of_the_whole_package(install, tmp_path):
    """Also where the entry point names a module in it, which leaves most of the work to others."""
    for name in ("pride", "pride/inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "pride" / "plugin.py").write_text(LYNX)
    (tmp_path / "pride" / "inner" / "core.py").write_text("x = 1\n")
    information = distributions.install(tmp_path, "chainrule-pride", "")
    digests = []
    for value in ("pride.plugin", "pride", "pride.plugin"):
        (information / "entry_points.txt").write_text(f"[chainrule]\npride = {value}\n")
        (entry,) = importlib.metadata.PathDistribution(information).entry_points
        (plugin,) = Registry([entry]).plugins
        digests.append(plugin.provider.digest)
        (tmp_path / "pride" / "inner" / "core.py").write_text("x = 2\n" if len(digests) == 2 else "x = 1\n")
    assert digests[0] == digests[1] != digests[2]
    for name in [name for name in sys.modules if name.partition(".")[0] == "pride"]:
        del sys.modules[name]


def test_the_digest_of_a_file_is_that_of_what_was_executed(tmp_path):
    path = distributions.plugin_folder(tmp_path, mine=LYNX) / "mine.py"
    provider = FileProvider.of(path)
    assert provider.digest == hashlib.sha256(LYNX.encode()).hexdigest()
    path.write_text("raise ArithmeticError")
    assert provider.load().Lynx.name == "lynx"
    assert provider.promised == {("optimizer", "lynx")}
    assert FileProvider.of(path).digest != provider.digest
    assert pickle.loads(pickle.dumps(provider)) == provider
    del sys.modules[provider.module]


def test_a_class_of_a_file_can_be_pickled_and_has_its_source(tmp_path):
    provider = FileProvider.of(distributions.plugin_folder(tmp_path, **{"my-idea": LYNX}) / "my-idea.py")
    cls = provider.load().Lynx
    assert pickle.loads(pickle.dumps(cls(lr=0.5))) == cls(lr=0.5)
    assert inspect.getsource(cls).startswith("@dataclass(frozen=True)\nclass Lynx")
    del sys.modules[provider.module]

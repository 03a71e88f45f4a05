"""Made-up plugins: distributions, installed in a folder for the path, and plugin files."""

LYNX = '''
"""A lynx."""
from dataclasses import dataclass
from typing import Annotated
from annotated_types import Gt, doc
from chainrule import Optimizer, hookimpl

@dataclass(frozen=True)
class Lynx(Optimizer):
    """Descends."""
    lr: Annotated[float, Gt(0), doc("learning rate")] = 1e-4
    def update(self, theta, grad, state, step):
        theta -= self.lr * grad

@hookimpl
def chainrule_optimizers():
    return [Lynx]
'''
CUBED = '''"""A plugin file."""

from dataclasses import dataclass

from chainrule import Activation


@dataclass(frozen=True)
class Cubed(Activation):
    """``a = z^3 / 3``."""

    def forward(self, z):
        return z**3 / 3

    def slope(self, z, a):
        return z**2
'''
BENT = '''
"""My idea."""
from dataclasses import dataclass
import numpy as np
from chainrule import Activation

@dataclass(frozen=True)
class Bent(Activation):
    """``a = z / (1 + |z|)``: softsign."""
    def forward(self, z):
        return z / (1 + np.abs(z))
    def slope(self, z, a):
        return 1 / (1 + np.abs(z)) ** 2
'''
MOODY = '''
from dataclasses import dataclass
from typing import Annotated
import numpy as np
from annotated_types import doc
from chainrule import Activation, hookimpl

@dataclass(frozen=True)
class Moody(Activation):
    """Raises where told."""
    raises: Annotated[float, doc("1: raise")] = 0.0
    def forward(self, z):
        if np.any(self.raises == 1):
            raise ArithmeticError("not in the mood")
        return np.tanh(z)
    def slope(self, z, a):
        return 1 - a * a

@hookimpl
def chainrule_activations():
    return [Moody]
'''


def plugin_folder(folder, **files):
    """Write plugin files into a folder, which is made a working directory for them; return where they lie."""
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    for name, source in files.items():
        (plugins / f"{name}.py").write_text(source)
    return plugins


def install(folder, name, source, version="1.0", entry_point=None):
    """Install a module as a distribution with one entry point; return its folder of metadata."""
    module = name.replace("-", "_")
    information = folder / f"{module}-{version}.dist-info"
    information.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(f"[chainrule]\n{entry_point or module} = {module}\n")
    return information

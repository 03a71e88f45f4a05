"""``@chainrule.plugin``: a class of a notebook or a script becomes a component."""

import sys
from typing import TypeVar

from chainrule.components.contracts import Component
from chainrule.errors import PluginError
from chainrule.registry import vetting
from chainrule.registry.declared import declare
from chainrule.registry.loaded import found
from chainrule.registry.registry import is_loading

_PROGRAM = "__main__"
_C = TypeVar("_C", bound=type[Component])


def plugin(cls: _C) -> _C:
    """Make a class a component of this process, its sweeps and its comparisons: a decorator above ``@dataclass``.

    Declared again, in a cell that is run again, it replaces the earlier one. In a module that is a plugin, installed or
    a file of ``plugins/``, the decorator does nothing: there each public class is a component anyway.

    Raises:
        PluginError: the class breaks its contract, an installed plugin has a component of its name, or its source
            cannot be read.
    """
    if is_loading():
        return cls
    kind = vetting.kind_of(cls)
    if kind is None:
        raise PluginError(
            "@chainrule.plugin is for classes that derive from a contract such as chainrule.Activation, "
            f"not for {cls!r}."
        )
    vetting.require_contract(kind, cls)
    declare(kind.name, cls, sys._getframe(1).f_code.co_filename)
    # In any other module later, because that may be a plugin which is being imported and not yet whole.
    if cls.__module__ == _PROGRAM:
        found()
    return cls

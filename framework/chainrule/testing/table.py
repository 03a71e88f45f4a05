"""A check and when it applies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainrule.testing.subjects import Subject

Function = Callable[[Subject], Mapping[str, float] | None]


@dataclass(frozen=True)
class Check:
    """One demand on a component.

    Attributes:
        function: raises a FindingError where the demand is not met; may return figures. The check has its name;
            the first line of its docstring says what is demanded.
        unless: returns why the check does not apply to a component, or an empty text.
    """

    function: Function
    unless: Callable[[Subject], str] = lambda subject: ""

    @property
    def name(self) -> str:
        """Name of the check."""
        return self.function.__name__

    @property
    def sentence(self) -> str:
        """What is demanded."""
        return (self.function.__doc__ or "").split("\n")[0]

"""The number of a step, as a formula receives it while it is recorded."""

from typing import Any

import numpy as np

from chainrule.compiled.tape import OfStep, Tape
from chainrule.compiled.untraceable import Untraceable


class StepNumber:
    """The number of the step: its comparisons are answered for the present step, and remembered.

    Args:
        tape: what remembers them.
        now: the present step.
        expression: what this number is, if not the step itself.
    """

    def __init__(self, tape: Tape, now: int, expression: OfStep | None = None) -> None:
        self.tape, self._now, self.expression = tape, now, expression or OfStep("step")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        recording = next((each for each in inputs if hasattr(type(each), "known")), None)
        if recording is None:
            raise Untraceable(f"calls np.{ufunc.__name__} of the step alone")
        return recording.__array_ufunc__(ufunc, method, *inputs, **keywords)

    def _with(self, operation: str, other: Any, turned: bool = False) -> Any:
        if isinstance(other, StepNumber):
            other = other.expression
        elif isinstance(other, np.generic):
            other = other.item()
        elif isinstance(other, bool) or not isinstance(other, int | float):
            return NotImplemented
        is_rounded = operation in ("//", "%")
        if is_rounded and not (isinstance(other, int) and other > 0 and not turned and self.expression.is_whole):
            raise Untraceable(f"computes {operation} of something else than two whole numbers, the second positive")
        operands = (other, self.expression) if turned else (self.expression, other)
        return StepNumber(self.tape, self._now, OfStep(operation, operands))

    def _ask(self, comparison: str, other: Any, wanted: bool = True) -> Any:
        if isinstance(
            other, StepNumber
        ):  # as if ``step // 10 * 10 == step``: equal numbers, and no others, differ by 0
            return (self - other)._ask(comparison, 0, wanted)
        if isinstance(other, np.generic):
            other = other.item()
        if not isinstance(other, int | float):
            return NotImplemented
        value = self.expression.at(self._now)
        answer = {"==": value == other, "<": value < other, "<=": value <= other}[comparison]
        self.tape.guards.append((self.expression, comparison, other, answer))
        return answer is wanted

    def __add__(self, other: Any) -> Any:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Any:
        return self._with("+", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Any:
        return self._with("-", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Any:
        return self._with("*", other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("/", other, True)

    def __floordiv__(self, other: Any) -> Any:
        return self._with("//", other)

    def __mod__(self, other: Any) -> Any:
        return self._with("%", other)

    def __eq__(self, other: object) -> Any:
        return self._ask("==", other)

    def __ne__(self, other: object) -> Any:
        return self._ask("==", other, False)

    def __lt__(self, other: Any) -> Any:
        return self._ask("<", other)

    def __ge__(self, other: Any) -> Any:
        return self._ask("<", other, False)

    def __le__(self, other: Any) -> Any:
        return self._ask("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._ask("<=", other, False)

    def __bool__(self) -> bool:
        return bool(self._ask("==", 0, False))

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, *_: Any) -> Any:
        raise Untraceable("computes something from the number of the step that is not +, -, *, /, // or %")

    __float__ = __int__ = __index__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse

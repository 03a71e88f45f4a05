"""Comparing arrays: byte for byte, up to the order of sums, and between dtypes."""

import numpy as np

from chainrule.components.contracts import Array
from chainrule.errors import agreeing, counted
from chainrule.testing.findings import FindingError

_CLOSE = 1e-9  # largest error, as a share of the largest value, where the order of sums may differ
_SINGLE = 2e-4  # largest error in float32, relative to the value or to the usual size of the values
_STEP_IN_SINGLE = 1e-2  # largest error of a step in float32, relative to the step and to the usual step
_MAY_DIFFER = 0.2  # share of the numbers of which that may not hold: a rounding may decide what is done
_FEW = 0.003  # share of the values that may differ more, because rounding takes another way at a kink


def require_same(actual: Array, expected: Array, what: str, advice: str) -> None:
    """Refuse other bytes than expected; ``what`` says what is wrong, ``advice`` what to do."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        raise FindingError(
            f"{what}: {actual.dtype} {actual.shape} instead of {expected.dtype} {expected.shape}; {advice}."
        )
    if actual.tobytes() == expected.tobytes():
        return
    bits = f"u{actual.itemsize}"
    differ = actual.copy(order="C").view(bits) != expected.copy(order="C").view(bits)
    index = tuple(int(i) for i in np.argwhere(differ)[0])
    found, wanted = actual[index].item(), expected[index].item()
    raise FindingError(
        f"{what}: {digits(found, wanted)} instead of {digits(wanted, found)} at {list(index)}, and "
        f"{int(differ.sum())} of {counted(differ.size, 'value')} {agreeing(differ.size, 'differs', 'differ')}; "
        f"{advice}.",
        found=found,
        wanted=wanted,
    )


def require_close(actual: Array, expected: Array, what: str, advice: str) -> None:
    """Refuse values that differ from what is expected by more than rounding."""
    finite = np.abs(expected[np.isfinite(expected)])
    slack = _CLOSE * (finite.max() if finite.size else 1.0)
    equal = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    wrong = ~(np.abs(actual - expected) <= slack) & ~equal
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        found, wanted = float(actual[at]), float(expected[at])
        raise FindingError(
            f"{what}: {digits(found, wanted)} instead of {digits(wanted, found)}; {advice}.", found=found, wanted=wanted
        )


def digits(value: float, other: float) -> str:
    """Return a number with so many digits that it does not look like the other one."""
    if isinstance(value, complex | bytes | str):
        return repr(value)
    texts = (f"{value:.{n}g}" for n in range(6, 18) if f"{value:.{n}g}" != f"{other:.{n}g}")
    return next(texts, f"{value:.17g}")


def require_single(where: str, single: Array, double: Array, doubt: Array, what: str) -> None:
    """Refuse results in float32 that are not those in float64, where rounding does not explain it."""
    usual = np.median(np.abs(double[np.isfinite(double)])) if np.isfinite(double).any() else 0.0
    slack = _SINGLE * (np.abs(double) + usual) + 4 * doubt
    large = ~(np.abs(double) < 1e30)  # it does not fit
    wrong = ~(np.abs(single - double) <= slack) & ~large & np.isfinite(doubt)
    if wrong.sum() > max(1, _FEW * wrong.size):
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise FindingError(
            f"{where} is {float(single[at]):.9g} in float32, but {float(double[at]):.9g} in float64 for the same "
            f"input ({what}); {int(wrong.sum())} of {counted(wrong.size, 'value')} "
            f"{agreeing(wrong.size, 'differs', 'differ')} by more than rounding explains.",
            single=single[at],
            double=double[at],
        )


class StepsInSingle:
    """Steps of parameters in float32, each beside that in float64 from the same place."""

    def __init__(self) -> None:
        self._wrong: list[Array] = []

    def add(self, start: Array, single: Array, double: Array) -> None:
        """Compare where a step from ``start (runs, parameters)`` has led in float32 and in float64."""
        moved, expected = single - start, double - start
        usual = np.median(np.nan_to_num(np.abs(expected), posinf=0.0), axis=1, keepdims=True)
        slack = _STEP_IN_SINGLE * (np.abs(expected) + usual) + 4 * np.finfo(np.float32).eps * np.abs(start)
        self._wrong.append(~(np.abs(moved - expected) <= slack) & np.isfinite(expected))

    def require_few(self, where: str, what: str) -> None:
        """Refuse steps of which more differ than rounding explains; ``what`` took them."""
        if np.mean(self._wrong) > _MAY_DIFFER:
            at = int(np.argmax(np.any(self._wrong, axis=(1, 2)))) + 1
            raise FindingError(
                f"{where} moves {np.mean(self._wrong):.0%} of the parameters otherwise in float32 than in float64 from "
                f"the same state, first at step {at} ({what}); no dtype may decide what is done."
            )


def require_digits_of_steps(where: str, end: Array, nudged: Array, moved: Array) -> None:
    """Refuse steps that feel a change of the gradients of 1e-6 (``moved``), but none of 1e-10 (``nudged``)."""
    feels = np.abs(moved - end) > 5e-11 * np.abs(end)
    if feels.mean() > 0.1 and (nudged == end)[feels].mean() > 0.5:
        raise FindingError(
            f"{where} computes in float32 inside: in float64 a change of 1e-10 of the gradients changes nothing, "
            "though one of 1e-6 does. Keep the dtype of theta."
        )

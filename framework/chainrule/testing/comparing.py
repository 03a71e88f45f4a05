"""Comparing arrays: byte for byte, up to the order of sums, and between dtypes."""

import numpy as np

from chainrule.components.contracts import Array
from chainrule.testing.findings import FindingError

_CLOSE = 1e-9  # largest error, as a share of the largest value, where the order of sums may differ
_SINGLE = 2e-4  # largest error in float32, relative to the value or to the usual size of the values
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
        f"{int(differ.sum())} of {differ.size} values differ; {advice}.",
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
            f"{where} is {float(single[at]):.9g} in float32, but {float(double[at]):.9g} in float64 for the same input "
            f"({what}); {int(wrong.sum())} of {wrong.size} values differ by more than rounding explains.",
            single=single[at],
            double=double[at],
        )

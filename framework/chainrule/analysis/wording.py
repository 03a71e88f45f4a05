"""Statistics as text, the same in the terminal, in reports and in trackers."""

import math

_SMALLEST = 0.001  # smallest p value that is written as a number


def digits(value: float, count: int) -> str:
    """Write a number with so many significant digits, ``0.012`` or ``110``; with an exponent from a million on."""
    return f"{float(f'{value:.{count}g}'):g}"


def percent(share: float) -> str:
    """Write ``78 %``."""
    return f"{100 * share:.0f} %"


def percent_interval(interval: tuple[float, float]) -> str:
    """Write ``70 to 85 %``."""
    return f"{100 * interval[0]:.0f} to {percent(interval[1])}"


def p_value(p: float) -> str:
    """Write ``p < 0.001`` or ``p = 0.02``."""
    return f"p {p_number(p)}" if p < _SMALLEST else f"p = {p_number(p)}"


def p_number(p: float) -> str:
    """Write ``< 0.001`` or ``0.02``, for a column of p values."""
    return f"< {_SMALLEST:g}" if p < _SMALLEST else f"{p:.2g}"


def ratio(value: float, interval: tuple[float, float] | None) -> str:
    """Write ``1.8 (1.2 to 3.1)``, with two digits."""
    return digits(value, 2) + ("" if interval is None else f" ({digits(interval[0], 2)} to {digits(interval[1], 2)})")


def loss(value: float, lost: str = "diverged") -> str:
    """Write a loss with five digits, or ``lost`` if it is not finite."""
    return f"{value:.5g}" if math.isfinite(value) else lost


def loss_interval(interval: tuple[float, float] | None) -> str:
    """Write ``0.0123 to 0.0456``; an infinite end is ``inf``; None, or two of them, is an empty text."""
    if interval is None or all(map(math.isinf, interval)):
        return ""
    return f"{digits(interval[0], 3)} to {digits(interval[1], 3)}"

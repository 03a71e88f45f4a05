"""What trains: NumPy, or machine code."""

import enum


class Engine(enum.StrEnum):
    """What does the steps of a training; the bits are the same."""

    AUTO = "auto"  # machine code where it pays: where there are many steps, and the formulas can be recorded
    NUMPY = "numpy"
    COMPILED = "compiled"  # machine code wherever formulas can be recorded

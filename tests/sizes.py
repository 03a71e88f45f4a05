"""Which cases of a test are tried in every run, and which in CI only, because all of them together take long."""

import pytest


def one_in(count, cases):
    """All cases of a test, of which one in ``count`` is tried in every run; the others are slow."""
    return [_param(case) if number % count == 0 else _slow(_param(case)) for number, case in enumerate(cases)]


def _param(case):
    if hasattr(case, "marks"):
        return case
    return pytest.param(*((case,) if isinstance(case, str) else case))


def _slow(param):
    return pytest.param(*param.values, id=param.id, marks=(*param.marks, pytest.mark.slow))

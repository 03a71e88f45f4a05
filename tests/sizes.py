"""Which cases of a test are tried in every run, in CI only, or only by hand, because all of them together take long."""

import itertools

import pytest


def one_in(count, cases, ci=1):
    """All cases of a test: one in ``count`` is tried in every run, and of the others one in ``ci`` in CI.

    The rest is tried where all tests are, by ``-m ""``.
    """
    others = itertools.cycle(["slow", *["rare"] * (ci - 1)])
    return [_marked(case, *([next(others)] if place % count else [])) for place, case in enumerate(cases)]


def first(few, cases, ci=1):
    """All cases of a test: those that are named are tried in every run, and of the others one in ``ci`` in CI."""
    others = itertools.cycle(["slow", *["rare"] * (ci - 1)])
    return [_marked(case, *([] if case in few else [next(others)])) for case in cases]


def _marked(case, *names):
    if not hasattr(case, "marks"):
        case = pytest.param(*((case,) if isinstance(case, str) else case))
    return pytest.param(*case.values, id=case.id, marks=(*case.marks, *(getattr(pytest.mark, name) for name in names)))

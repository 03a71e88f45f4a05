"""Demands on everything that draws: the generator that it is given is the only source of randomness."""

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from chainrule.components.contracts import Array
from chainrule.testing.comparing import require_same
from chainrule.testing.findings import FindingError

Draws = Callable[[np.random.Generator], dict[str, Array]]


def require_deterministic(where: str, draws: Draws) -> None:
    """Refuse other bytes from an equal generator when the global generators of Python and NumPy have other states.

    The arrays that were returned are overwritten in between: nobody else may hold them.
    """
    with _restored():
        kept: dict[str, Array] = {}
        for attempt, seed in enumerate((1, 1, 2)):
            np.random.seed(seed)  # noqa: NPY002 - it must not be read
            random.seed(seed)
            states = global_states()
            found = draws(np.random.default_rng(5))
            if global_states() != states:
                raise FindingError(
                    f"{where} draws from a global generator, so a run does not follow from its seed; draw from rng."
                )
            for name, array in found.items():
                if attempt:
                    require_same(
                        array,
                        kept[name],
                        f"{where} gives another {name} for an equal rng",
                        "draw from rng only, and return arrays that nobody else holds",
                    )
            kept = kept or {name: array.copy() for name, array in found.items()}
            for array in found.values():
                if array.flags.writeable:
                    array.fill(7)


def uses_generator(draws: Draws) -> bool:
    """Return whether anything is drawn from the generator."""
    rng = np.random.default_rng(5)
    before = repr(rng.bit_generator.state)
    draws(rng)
    return repr(rng.bit_generator.state) != before


def require_no_count(where: str, draws: Draws, times: int) -> None:
    """Refuse other bytes from equal generators after some draws."""
    first = {name: array.copy() for name, array in draws(np.random.default_rng(5)).items()}
    for _ in range(times):
        again = draws(np.random.default_rng(5))
    for name, array in again.items():
        what = f"{where} gives another {name} for an equal rng after {times} draws"
        require_same(array, first[name], what, "draw from rng only, and keep nothing")


def require_other_seeds_to_differ(where: str, draws: Draws, seeds: int = 2) -> None:
    """Refuse equal bytes from generators of all these seeds, and from one generator used as often."""

    def same(generators: list[np.random.Generator]) -> bool:
        found = (tuple(array.tobytes() for array in draws(rng).values()) for rng in generators)
        first = next(found)
        return all(other == first for other in found)

    if same([np.random.default_rng(seed) for seed in range(5, 5 + seeds)]):
        raise FindingError(f"{where} gives the same numbers for every rng; draw from the rng that is given.")
    if same([np.random.default_rng(5)] * seeds):
        raise FindingError(
            f"{where} gives the same numbers when it draws from one rng again; draw from rng, do not copy it."
        )


@contextmanager
def _restored() -> Iterator[None]:
    states = np.random.get_state(), random.getstate()  # noqa: NPY002 - what others may draw from
    try:
        yield
    finally:
        np.random.set_state(states[0])  # noqa: NPY002 - likewise
        random.setstate(states[1])


def global_states() -> str:
    """Return the states of the global generators of NumPy and Python."""
    return f"{pickle.dumps(np.random.get_state())!r} {random.getstate()}"  # noqa: NPY002 - nobody may draw from it

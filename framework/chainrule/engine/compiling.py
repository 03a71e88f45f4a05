"""Machine code for the steps of a machine: records them once, compares the first ones with NumPy's, and goes on."""

from collections.abc import Callable

import numpy as np

from chainrule.compiled.kernel import Bound, Kernel
from chainrule.compiled.tape import Tape
from chainrule.compiled.untraceable import Untraceable
from chainrule.components.contracts import Array
from chainrule.engine.choice import Engine
from chainrule.engine.parts import Part, Parts
from chainrule.engine.recorded import Recorded, record_step, recorded_once, sentence

Plain = Callable[[int, int], None]  # does so many steps of a part by NumPy, from one of its batches on

_COMPARED = 16  # steps of a new kernel that are compared with NumPy's
_AT_ONCE = 4096  # most steps of one call, during which nobody can interrupt
_WORTH, _WORTH_OF_SMALL = 10_000, 1000  # steps from which on a compilation pays; of small networks it is short
SMALL = 64  # parameters


class Compiled:
    """Machine code for the steps of a stack, where its formulas can be recorded.

    Args:
        reason: why there is none, a sentence; "" to begin.

    Attributes:
        reason: why NumPy trains instead, a sentence; "" while machine code does.
        steps: how many steps machine code has done.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.steps = 0
        self._recorded: dict[int, list[Recorded]] = {}  # by the number of samples
        self._compared: dict[tuple[int, int], int] = {}  # steps, by that number and the place among these
        self._kernels: dict[int, tuple[Kernel, Bound, list[Array]]] = {}

    def take(self, runs: Array) -> "Compiled":
        """Return the machine code for the chosen runs, with what was recorded."""
        chosen = Compiled(self.reason)
        chosen.steps = self.steps
        for key, variants in self._recorded.items():
            chosen._recorded[key] = [each.take(runs) for each in variants]
        if len(runs) > 1:  # a single run has other machine code, which is compared anew
            chosen._compared = dict(self._compared)
        return chosen

    def train(self, parts: Parts, part: Part, first: int, steps: int, plain: Plain, epoch: int, done: int = 0) -> None:
        """Do steps with the batches of ``part``, from its first on.

        Args:
            parts: what steps read and change.
            part: the batches.
            first: the number of the first step.
            steps: how many; more than an epoch has only where it has no other batches.
            plain: does steps by NumPy.
            epoch: the place, from 0, of the first epoch among those that are drawn.
            done: how many of these steps are done.
        """
        while done < steps:
            count = self._some(parts, part, first + done, steps - done, plain, done, epoch)
            if not count:
                plain(done, steps - done)
                return
            done += count

    def _some(self, parts: Parts, part: Part, now: int, most: int, plain: Plain, done: int, epoch: int) -> int:
        """Do the next steps that are alike, and return how many; none if they cannot be done."""
        if self.reason:
            return 0
        key, sample = part.samples, epoch * part.of_epoch + part.first + done * part.samples
        try:
            which = self._variant(parts, part, key, now)
            variant = self._recorded[key][which]
            count = _alike(variant.tape, now, min(most, _AT_ONCE))
            bound = None if _is_of_one_step(variant.tape) else self._bound(parts, part, variant)
        except Exception as error:  # whatever a formula does with an array that has no numbers
            self.reason = sentence(error)
            return 0
        if bound is None:
            plain(done, count)
            return count
        compared = self._compared.get((key, which), 0)
        if compared < _COMPARED:
            count = min(count, _COMPARED - compared)
            self._compared[key, which] = compared + count
            if not self._agrees(parts, lambda: bound(now, count, sample), lambda: plain(done, count)):
                self.reason = (
                    f"Machine code gave other numbers than NumPy in step {now} or soon after: a formula depends on "
                    "something else than its arguments, or this library computes in another order."
                )
                return count
        else:
            bound(now, count, sample)
            np.add(parts.evaluations, variant.further[:, None] * count, out=parts.evaluations)
        self.steps += count
        return count

    def _variant(self, parts: Parts, part: Part, key: int, now: int) -> int:
        """Return the place of the recorded step that this one is like; it is recorded if it is the first."""
        variants = self._recorded.setdefault(key, [])
        for which, each in enumerate(variants):
            if bool(each.tape.holds(now)):
                return which
        if len(variants) >= 8:
            raise Untraceable("does something else at each step")
        variants.append(recorded_once(parts, part, "step", lambda: record_step(parts, part, now), now))
        return len(variants) - 1

    def _bound(self, parts: Parts, part: Part, variant: Recorded) -> Bound:
        """Return the kernel of a recorded step with the arrays as they are now."""
        now = [part.x.array, *parts.replaceable()]
        known = self._kernels.get(id(variant))
        if known and all(one is other for one, other in zip(known[2], now, strict=True)):
            return known[1]
        arrays = parts.arrays()
        kernel = known[0] if known else Kernel(variant.tape, len(parts.theta), part.samples == 1, variant.sources)
        given = {number: arrays[place] for number, place in variant.places.items()} | variant.tape.captured
        bound = kernel.bound(given, {variant.x: part.x, variant.y: part.y})
        self._kernels[id(variant)] = kernel, bound, now
        return bound

    def _agrees(self, parts: Parts, bound: Callable[[], None], plain: Callable[[], None]) -> bool:
        """Do steps by machine code and then by NumPy, whose results stay, and say whether all bits are the same."""
        before = {place: array.copy() for place, array in parts.arrays().items()}
        bound()
        mine = {place: array.copy() for place, array in parts.arrays().items()}
        for place, array in parts.arrays().items():
            np.copyto(array, before[place])
        plain()
        return all(same_bits(mine[place], array) for place, array in parts.arrays().items())


def pays(choice: Engine, steps: int, parameters: int) -> bool:
    """Say whether steps are to be done by machine code; it follows from what is to be trained alone."""
    worth = _WORTH_OF_SMALL if parameters <= SMALL else _WORTH
    return choice is Engine.COMPILED or (choice is Engine.AUTO and steps >= worth)


def _alike(tape: Tape, now: int, most: int) -> int:
    """Return how many steps from this one on are like the recorded one."""
    if not tape.guards:
        return most
    holds = tape.holds(np.arange(now, now + most))
    return int(np.argmin(holds)) if not holds.all() else most


def _is_of_one_step(tape: Tape) -> bool:
    """Say whether a recorded step is like no other: compiling it would not pay."""
    return any(op == "==" and answer and expression.operation == "step" for expression, op, _, answer in tape.guards)


def same_bits(one: Array, other: Array) -> bool:
    """Say whether two arrays have the same bits, but for the payloads of NaN."""
    if one.dtype.kind != "f":
        return bool((one == other).all())
    equal = one.view(f"u{one.itemsize}") == other.view(f"u{other.itemsize}")
    return bool((equal | (np.isnan(one) & np.isnan(other))).all())

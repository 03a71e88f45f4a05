"""Machine code for the steps of a machine: records them once, compares the first ones with NumPy's, and goes on."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule.compiled.generate import Source, require_short
from chainrule.compiled.kernel import Batches, Bound, Kernel
from chainrule.compiled.step import Step
from chainrule.compiled.tape import Buffer, Role, Tape
from chainrule.compiled.tracing import Traced, recorded
from chainrule.compiled.untraceable import Refused, Untraceable, where_untraceable
from chainrule.components.contracts import Array, Component
from chainrule.components.stacking import float_fields, structure
from chainrule.engine.backprop import Backprop
from chainrule.engine.choice import Engine
from chainrule.engine.epoch import Epoch
from chainrule.engine.layers import States
from chainrule.engine.network import Pass
from chainrule.engine.stack import Stack
from chainrule.engine.transforms import Transforms
from chainrule.engine.update import planned_update, unread

Place = tuple[Any, ...]  # the name of an array of a machine
Plain = Callable[[int, int], None]  # does so many steps of a part by NumPy, from one of its batches on

_COMPARED = 16  # steps of a new kernel that are compared with NumPy's
_AT_ONCE = 4096  # most steps of one call, during which nobody can interrupt
_WORTH, _WORTH_OF_SMALL = 10_000, 1000  # steps from which on a compilation pays; of small networks it is short
_SMALL = 64  # parameters
_FIELDS = ("norm", "activation", "output", "loss", "transforms", "rule")  # groups whose fields steps read
_DRAWS = "draws random numbers"


@dataclass(frozen=True)
class Part:
    """Batches of one size, which follow each other in an epoch.

    Attributes:
        x, y: what a kernel reads: inputs under a row of ones, and true outputs.
        x_dims, y_dims: of a batch as it is read, without the run axis.
        samples: of each batch.
        role: whether samples are the same in each step, or chosen by numbers; then they come before features.
        first: the place of its first sample in an epoch.
        of_epoch: how many samples an epoch has.
    """

    x: Batches
    y: Batches
    x_dims: tuple[int, int]
    y_dims: tuple[int, int]
    samples: int
    role: Role = Role.CHOSEN
    first: int = 0
    of_epoch: int = 0

    @classmethod
    def whole(cls, x: Array, y: Array) -> "Part":
        """Return the only batch of full-batch training, ``(runs, features, samples)``."""
        return cls(Batches(x), Batches(y), x.shape[1:], y.shape[1:], x.shape[2], Role.DATA)


def parts_of(epoch: Epoch) -> list[Part]:
    """Return the batches that the samplings of an epoch choose, full ones and a partial one."""
    found, first = [], 0
    x, y = (Batches(each, epoch.orders) for each in (epoch.x, epoch.y))
    for batches in epoch.parts:
        size = batches[0][0].shape[2]
        dims = (size, epoch.x.shape[1]), (size, epoch.y.shape[1])
        found.append(Part(x, y, *dims, size, first=first, of_epoch=epoch.orders.shape[2]))
        first += size * len(batches)
    return found


@dataclass(frozen=True)
class Parts:
    """What the steps of a machine read and change.

    Attributes:
        stack: the runs.
        optimizer: that of the steps, whose rate a schedule changes.
        scheduled: the field of the optimizer that a schedule changes; None for none.
        theta, states, state, rule_state, transforms: what steps change.
        evaluations: how often each run has evaluated more than one gradient a step, and losses: ``(2, runs)``.
        differs: whether layers are not the same in training as measured.
    """

    stack: Stack
    optimizer: Any
    scheduled: str | None
    theta: Array
    states: States
    state: dict[str, Array]
    rule_state: dict[str, Array]
    transforms: Sequence[dict[str, Array]]
    evaluations: Array
    differs: bool

    def arrays(self) -> dict[Place, Array]:
        """Return every array that a step may read or change, by its name."""
        found = dict(self._fixed)
        found |= {("state", name): array for name, array in self.state.items()}
        found |= {("rule", name): array for name, array in self.rule_state.items()}
        for number, own in enumerate(self.transforms):
            found |= {("transform", number, name): array for name, array in own.items()}
        for place, arrays in self.states.items():
            found |= {("layer", place, name): array for name, array in arrays.items()}
        return found

    @functools.cached_property
    def _fixed(self) -> dict[Place, Array]:
        """The arrays that nothing replaces: parameters and fields."""
        found: dict[Place, Array] = {("theta",): self.theta}
        for place, component in self.components():
            found |= {(*place, name): getattr(component, name) for name in float_fields(component)}
        return found

    def replaceable(self) -> list[Array]:
        """Return the arrays that components may have put in the place of others."""
        kept = (self.state, self.rule_state, *self.transforms, *self.states.values())
        return [array for arrays in kept for array in arrays.values()]

    def components(self) -> list[tuple[Place, Component]]:
        """Return the components of a step, with their names."""
        found: list[tuple[Place, Component]] = [(("optimizer", 0), self.optimizer)]
        for group in _FIELDS:
            chosen = getattr(self.stack, group)
            each = chosen if isinstance(chosen, tuple) else (chosen,)
            found += [((group, number), one) for number, one in enumerate(each)]
        return found


@dataclass
class Recorded:
    """The steps of a part, recorded.

    Attributes:
        tape: what a step does.
        places: the array of each buffer, by its number.
        x, y: the numbers of the buffers of samples.
        further: how many gradients and losses a step evaluates beside one gradient, ``(2,)``.
        sources: what was generated from the tape, by the number of lanes.
    """

    tape: Tape
    places: dict[int, Place]
    x: int
    y: int
    further: Array
    sources: dict[int, Source] = field(default_factory=dict)

    def take(self, runs: Array) -> "Recorded":
        """Return the same for the chosen runs."""
        captured = {number: rows[runs] for number, rows in self.tape.captured.items()}
        return replace(self, tape=replace(self.tape, captured=captured))


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
            self.reason = _sentence(error)
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
        variants.append(_recorded_before(parts, part, now) or record(parts, part, now))
        _remember(parts, part, variants[-1])
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
        return all(_same_bits(mine[place], array) for place, array in parts.arrays().items())


def pays(choice: Engine, steps: int, parameters: int) -> bool:
    """Say whether steps are to be done by machine code; it follows from what is to be trained alone."""
    worth = _WORTH_OF_SMALL if parameters <= _SMALL else _WORTH
    return choice is Engine.COMPILED or (choice is Engine.AUTO and steps >= worth)


_BEFORE: dict[Any, list[tuple[dict[Place, Any], Recorded]]] = {}  # what this process has recorded, by structure
_MOST = 64  # structures


def _structure(parts: Parts, part: Part) -> Any:
    """Return what a recording depends on, but for values of fields and the number of the step."""
    stack = parts.stack
    components = tuple((place, structure(component)) for place, component in parts.components())
    arrays = tuple((place, array.shape[1:], array.dtype.char) for place, array in parts.arrays().items())
    dropout = stack.dropout is not None
    samples = part.samples, part.x_dims, part.y_dims, part.role
    tuples = tuple(isinstance(getattr(stack, group), tuple) for group in _FIELDS)
    return stack.shape, components, arrays, parts.scheduled, parts.differs, dropout, samples, tuples


def _values(array: Array) -> Any:
    """Return what a formula sees that looks at a field: one value, if all runs have it; else those of all runs."""
    first = array.reshape(-1)[:1]
    return first.tobytes() if (array == first).all() else (len(array), array.tobytes())


def _recorded_before(parts: Parts, part: Part, now: int) -> Recorded | None:
    """Return a step of the same structure that this process has recorded, if fields that it looked at are the same."""
    for looked, each in _BEFORE.get(_structure(parts, part), []):
        arrays = parts.arrays()
        if bool(each.tape.holds(now)) and all(_values(arrays[place]) == value for place, value in looked.items()):
            return each
    return None


def _remember(parts: Parts, part: Part, recorded: Recorded) -> None:
    """Keep a recording for later stacks, unless it has arrays of this one."""
    if recorded.tape.captured:
        return
    if len(_BEFORE) >= _MOST:
        _BEFORE.clear()
    known = _BEFORE.setdefault(_structure(parts, part), [])
    if all(each is not recorded for _, each in known):
        arrays = parts.arrays()
        places = [place for number, place in recorded.places.items() if number in recorded.tape.looked]
        known.append(({place: _values(arrays[place]) for place in places}, recorded))


def why_not(parts: Parts, part: Part) -> str:
    """Return why steps cannot be recorded, a sentence; "" if they can."""
    try:
        require_short(record(parts, part, 2).tape)
    except Exception as error:  # whatever a formula does with an array that has no numbers
        return _sentence(error)
    return ""


def record(parts: Parts, part: Part, now: int) -> Recorded:
    """Record the step of this number.

    Raises:
        Untraceable: a formula does what cannot be recorded.
    """
    tape, runs = Tape(), len(parts.theta)
    arrays, places = parts.arrays(), {}

    def array_of(place: Place, role: Role, known: Array | None = None) -> Any:
        array = arrays[place]
        if array.dtype.kind not in "fb" or not array.flags.c_contiguous:
            raise Untraceable(f"keeps {place[-1]!r} as an array of {array.dtype}")
        buffer = tape.buffer(array.shape[1:], array.dtype, role)
        places[buffer.number] = place
        return Traced(tape, runs, buffer.whole, known, frozenset({buffer.number}))

    def with_fields(place: Place, component: Component) -> Any:
        own = copy.copy(component)
        for name in float_fields(component):
            known = None if place[0] == "optimizer" and name == parts.scheduled else arrays[*place, name]
            object.__setattr__(own, name, array_of((*place, name), Role.FIELD, known))
        return own

    components = {place: with_fields(place, one) for place, one in parts.components()}
    optimizer = components["optimizer", 0]
    groups: dict[str, Any] = {}
    for group in _FIELDS:
        chosen = tuple(one for (name, _), one in components.items() if name == group)
        groups[group] = chosen if isinstance(getattr(parts.stack, group), tuple) else chosen[0]
    states = _kept(array_of, parts)
    stack, offered = parts.stack, {"shape": parts.stack.shape, "rng": Refused(_DRAWS)}
    theta = array_of(("theta",), Role.STATE)
    x, y = (_samples(tape, runs, dims, part.role, parts.theta.dtype) for dims in (part.x_dims, part.y_dims))
    rng: Any = Refused(_DRAWS) if parts.differs else None
    layers = {"norm": groups["norm"], "states": states["layer"], "dropout": stack.dropout}
    forward = Pass(stack.shape, theta, groups["activation"], groups["output"], part.samples, rng, **layers)
    backprop = Backprop(
        forward,
        groups["loss"],
        groups["rule"],
        states["rule"],
        np.empty_like(theta),
        offered["rng"],  # type: ignore[arg-type]
    )
    batch = backprop.batch(x, y)
    lr = getattr(optimizer, str(optimizer.rate), None)
    transforms = Transforms(groups["transforms"], theta, {**offered, "lr": lr}, states["transform"])
    further = np.zeros((2, runs), int)
    given_transforms = transforms if groups["transforms"] else None
    update = planned_update(optimizer, groups["rule"], given_transforms, offered, further, backprop, batch)
    before, earlier = _flat(states), len(tape.buffers)
    with recorded(tape):
        grad = backprop(batch)
        if update(theta, grad, states["state"], Step(tape, now)) is not None:
            raise unread(optimizer)
        _put_back(before, _flat(states), earlier)
    if (further != further[:, :1]).any():
        raise Untraceable("evaluates gradients of some runs only")
    return Recorded(tape, places, x.view.buffer.number, y.view.buffer.number, further[:, 0])


def _kept(array_of: Callable[..., Any], parts: Parts) -> dict[str, Any]:
    """Return traced arrays for what components keep."""
    return {
        "state": {name: array_of(("state", name), Role.STATE) for name in parts.state},
        "rule": {name: array_of(("rule", name), Role.STATE) for name in parts.rule_state},
        "transform": [
            {name: array_of(("transform", number, name), Role.STATE) for name in own}
            for number, own in enumerate(parts.transforms)
        ],
        "layer": {
            place: {name: array_of(("layer", place, name), Role.STATE) for name in own}
            for place, own in parts.states.items()
        },
    }


def _flat(states: Mapping[str, Any]) -> dict[Place, Any]:
    found: dict[Place, Any] = {("state", name): each for name, each in states["state"].items()}
    found |= {("rule", name): each for name, each in states["rule"].items()}
    found |= {("transform", n, name): each for n, own in enumerate(states["transform"]) for name, each in own.items()}
    found |= {("layer", p, name): each for p, own in states["layer"].items() for name, each in own.items()}
    return found


def _put_back(before: Mapping[Place, Traced], after: Mapping[Place, Any], earlier: int) -> None:
    """Record that arrays which a component has put in the place of others are copied there.

    Args:
        before: what components kept.
        after: what they keep now.
        earlier: how many buffers there were before the step.

    Raises:
        Untraceable: they keep an array that changes elsewhere, too, such as the parameters, where only NumPy does so.
    """
    own = {each.view.buffer.number for each in before.values()}
    kept = [each.view.buffer.number for each in after.values() if isinstance(each, Traced)]
    if len(set(kept)) < len(kept) or any(number < earlier and number not in own for number in kept):
        raise Untraceable("keeps an array that is changed elsewhere, and no copy of it")
    changed = {place: each for place, each in after.items() if each is not before[place]}
    copies = {place: each.copy() for place, each in changed.items()}  # first, because they may be exchanged
    for place, each in copies.items():
        before[place][...] = each


def _samples(tape: Tape, runs: int, dims: Sequence[int], role: Role, dtype: Any) -> Any:
    """Return the traced samples of a batch, ``(runs, features, samples)``."""
    buffer: Buffer = tape.buffer(tuple(dims), dtype, role)
    found = Traced(tape, runs, buffer.whole)
    return found.mT if role is Role.CHOSEN else found


def _alike(tape: Tape, now: int, most: int) -> int:
    """Return how many steps from this one on are like the recorded one."""
    if not tape.guards:
        return most
    holds = tape.holds(np.arange(now, now + most))
    return int(np.argmin(holds)) if not holds.all() else most


def _is_of_one_step(tape: Tape) -> bool:
    """Say whether a recorded step is like no other: compiling it would not pay."""
    return any(op == "==" and answer and expression.operation == "step" for expression, op, _, answer in tape.guards)


def _sentence(error: Exception) -> str:
    """Return why a step cannot be recorded, with the line of the formula that cannot."""
    what = str(error) if isinstance(error, Untraceable) else f"fails with {type(error).__name__}: {error}"
    line = where_untraceable(error)
    return f"A step cannot be recorded: it {what}{f' ({line})' if line else ''}."


def _same_bits(one: Array, other: Array) -> bool:
    if one.dtype.kind != "f":
        return bool((one == other).all())
    equal = one.view(f"u{one.itemsize}") == other.view(f"u{other.itemsize}")
    return bool((equal | (np.isnan(one) & np.isnan(other))).all())

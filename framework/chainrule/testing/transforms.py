"""Checks of transforms."""

import copy
import pickle
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.components.arguments import asked, given
from chainrule.components.contracts import Array, Transform
from chainrule.components.random import Random
from chainrule.components.stacking import stack, take
from chainrule.engine.network import Shape
from chainrule.testing import effects, training
from chainrule.testing.comparing import StepsInSingle, require_digits_of_steps, require_same, require_single
from chainrule.testing.findings import FindingError
from chainrule.testing.methods import doubled
from chainrule.testing.randomness import require_deterministic, require_other_seeds_to_differ, uses_generator
from chainrule.testing.steps import STEPS, draw, generators_of, sizes
from chainrule.testing.subjects import DTYPES, RUNS, Subject
from chainrule.testing.table import Check

_METHODS = ("init", "gradient", "penalty", "after")  # which may ask for a shape
_LATE = 64  # steps after which runs must still not know of each other
_DESCENT_STEPS = 1000
_DESCENT = 0.99  # largest share of a loss that may be left after so many steps
_AWAY = 1e-3  # how far from 0, where a penalty may have a kink, its derivative is checked
_STEP = 1e-6  # of differences
_ADVICE = "use elementwise formulas of the run's own row, and let float fields (runs, 1) broadcast"


class Walk:
    """Gradient descent with a transform, along gradients that are drawn; in the buffers of the engine.

    Args:
        transform: stacked for its runs.
        theta: parameters before the first step, which the steps change.
        gradients: ``(steps, runs, parameters)``; None for those of ``theta^2 / 2``.
        shape: where the parameters of layers are; None for a transform that does not ask.
        runs: numbers of the runs, which decide their learning rates and generators; the first ones if None.
        generators: those to go on with; new ones if None.
        state: to go on with; made by ``init`` if None.
    """

    def __init__(
        self,
        transform: Transform,
        theta: Array,
        gradients: Array | None,
        shape: Shape | None,
        runs: Sequence[int] | None = None,
        generators: Sequence[np.random.Generator] | None = None,
        state: dict[str, Array] | None = None,
    ) -> None:
        runs = range(len(theta)) if runs is None else runs
        self.transform, self.theta, self._gradients = transform, theta, gradients
        self.grad, self.before = np.empty_like(theta), np.empty_like(theta)
        self.lr = (0.1 / (1 + np.array(runs)[:, None])).astype(theta.dtype)
        self.generators = generators or generators_of(runs)
        rng = Random(self.generators, theta.dtype)
        self._offered: dict[str, Any] = {"shape": shape, "rng": rng, "lr": self.lr, "before": self.before}
        self.state = self.method("init")(theta) if state is None else state
        self._gradient, self._after = self.method("gradient"), self.method("after")

    def method(self, name: str) -> Any:
        """Return a method of the transform with what it asks for."""
        return given(self.transform, name, **self._offered)

    def step(self, number: int) -> tuple[Any, Any]:
        """Do one step, counted from 1, and return what ``gradient`` and ``after`` return."""
        drawn = self.theta if self._gradients is None else self._gradients[number - 1]
        np.copyto(self.grad, drawn)
        np.copyto(self.before, self.theta)
        gradient = self._gradient(self.grad, self.theta, self.state, number)
        np.copyto(self.grad, gradient)
        self.theta -= self.lr * self.grad
        after = self._after(self.theta, self.state, number)
        np.copyto(self.theta, after)
        return gradient, after

    def steps(self, numbers: Iterable[int]) -> "Walk":
        """Do these steps, which count from 1."""
        for number in numbers:
            self.step(number)
        return self

    def saved(self) -> dict[str, Any]:
        """Return copies of what another walk goes on with."""
        return {"theta": self.theta.copy(), "generators": copy.deepcopy(self.generators), "state": _copied(self.state)}


def state(subject: Subject) -> None:
    """``init`` returns arrays ``(runs, ...)``, floats in the dtype of ``theta``, which keep shape and dtype."""
    size, shape = _sizes(subject)[2]
    for components in subject.stacks:
        for dtype in DTYPES:
            for runs in (1, RUNS):
                theta, gradients = draw(runs, size, dtype)
                before = theta.copy()
                walk = Walk(stack(components[:runs], dtype), theta, gradients, shape)
                require_same(theta, before, f"{subject.where('init')} changes theta", "leave it alone")
                at_first = _described(walk.state)
                for name, array in walk.state.items():
                    if array.shape[:1] != (runs,) or (array.dtype.kind == "f" and array.dtype != dtype):
                        raise FindingError(
                            f"{subject.where('init')} keeps {name!r} as {array.dtype} {array.shape}; its first axis "
                            f"must be the run axis, of length {runs}, and floats have the dtype of theta, "
                            f"{np.dtype(dtype)}."
                        )
                for number in range(1, STEPS + 1):
                    walk.step(number)
                    if _described(walk.state) != at_first:
                        raise FindingError(
                            f"{subject.cls.__qualname__} makes the state {_described(walk.state)} at step {number}, "
                            f"after {at_first} in init; keep names, shapes and dtypes."
                        )


def shapes(subject: Subject) -> None:
    """``gradient``, ``after`` and ``kept`` return arrays like ``theta``, ``penalty`` returns ``(runs, 1)``."""
    size, shape = _sizes(subject)[2]
    for components in subject.stacks:
        for dtype in DTYPES:
            for runs in (1, RUNS):
                theta, gradients = draw(runs, size, dtype)
                walk = Walk(stack(components[:runs], dtype), theta, gradients, shape)
                for number in range(STEPS + 1):  # ``kept`` is asked before the first step, too
                    gradient, after = walk.step(number) if number else (theta, theta)
                    for method, result, wanted in (
                        ("gradient", gradient, theta.shape),
                        ("after", after, theta.shape),
                        ("kept", walk.transform.kept(theta, walk.state), theta.shape),
                        ("penalty", walk.method("penalty")(theta), (runs, 1)),
                    ):
                        _require_like(subject.where(method), result, wanted, dtype)


def pure(subject: Subject) -> None:
    """No method changes ``grad``, ``theta`` or what it asks for; ``kept`` leaves the state alone, too."""
    size, shape = _sizes(subject)[2]
    for components in subject.stacks:
        theta, gradients = draw(RUNS, size, float)
        walk = Walk(stack(components, float), theta, gradients, shape)
        for number in range(1, STEPS + 1):
            for method in ("gradient", "after", "kept", "penalty"):
                np.copyto(walk.grad, gradients[number - 1])
                inputs = {"theta": walk.theta, "grad": walk.grad, "before": walk.before, "lr": walk.lr}
                held = {**inputs, **(walk.state if method in ("kept", "penalty") else {})}
                kept = _copied(held)
                arguments: dict[str, tuple[Any, ...]] = {
                    "gradient": (walk.grad, walk.theta, walk.state, number),
                    "after": (walk.theta, walk.state, number),
                    "kept": (walk.theta, walk.state),
                    "penalty": (walk.theta,),
                }
                walk.method(method)(*arguments[method])
                for name, array in kept.items():
                    what = f"{subject.where(method)} changes {name}"
                    require_same(held[name], array, what, "compute into an array of its own")
            walk.step(number)


def finite(subject: Subject) -> None:
    """From step 1 on, gradients of 0, of 1e-30 and of 1e6 leave every parameter finite, and all that is kept."""
    size, shape = _sizes(subject)[2]
    signs = np.resize([1.0, -1.0, 0.0], (1, size))
    for transform in subject.combinations:
        for dtype in DTYPES:
            for scale in (0.0, 1e-30, 1e6):
                gradients = np.broadcast_to(np.resize(np.array([scale, -scale, scale], dtype), size), (5, 1, size))
                walk = Walk(stack([transform], dtype), signs.astype(dtype), gradients, shape)
                for number in range(1, 6):
                    walk.step(number)
                    for what, array in {
                        "theta": walk.theta,
                        "kept": walk.transform.kept(walk.theta, walk.state),
                    }.items():
                        if not np.isfinite(array).all():
                            raise FindingError(
                                f"{subject.cls.__qualname__} makes {what} {array[0].tolist()} at step {number} with "
                                f"gradients of {scale:g} in {np.dtype(dtype)} ({transform}); steps count from 1, and "
                                "what may be 0 is no denominator.",
                                step=number,
                                gradient=scale,
                            )


def precision(subject: Subject) -> None:
    """A step in float32 is that in float64, up to rounding, and in float64 it has more digits."""
    size, shape = _sizes(subject)[2]
    for components in subject.cases:
        single, double = stack(components, np.float32), doubled(stack(components, np.float32))
        theta, gradients = draw(RUNS, size, np.float32)
        walk, compared = Walk(single, theta, gradients, shape), StepsInSingle()
        for number in range(1, STEPS + 1):
            start = theta.astype(float)
            wide = {
                name: array.astype(float) if array.dtype.kind == "f" else array.copy()
                for name, array in walk.state.items()
            }
            twin = Walk(double, start.copy(), gradients.astype(float), shape, state=wide).steps([number])
            walk.step(number)
            compared.add(start, theta, twin.theta)
            for method, ours, theirs in (
                ("kept", walk.transform.kept(theta, walk.state), double.kept(twin.theta, twin.state)),
                ("penalty", walk.method("penalty")(theta), twin.method("penalty")(twin.theta)),
            ):
                require_single(subject.where(method), ours, theirs, np.zeros(theirs.shape), str(components[-1]))
        compared.require_few(subject.cls.__qualname__, str(components[-1]))
        _require_digits(subject, components, size, shape)


def _require_digits(subject: Subject, components: Sequence[Any], size: int, shape: Shape | None) -> None:
    """Refuse steps that do not feel what float64 can say but float32 cannot."""
    theta, gradients = draw(RUNS, size, float)
    signs = np.random.default_rng(0).choice([-1, 1], gradients.shape)
    ends = [
        Walk(stack(components, float), theta.copy(), gradients * (1 + share * signs), shape)
        .steps(range(1, STEPS + 1))
        .theta
        for share in (0.0, 1e-10, 1e-6)
    ]
    require_digits_of_steps(subject.cls.__qualname__, *ends)


def effective(subject: Subject) -> None:
    """It changes a gradient, the parameters or what is kept, within 64 steps, and so does every parameter."""
    for components in subject.stacks:
        size, shape = _sizes(subject)[2]
        theta, gradients = draw(RUNS, size, float, steps=_LATE)
        walk = Walk(stack(components, float), theta, 10 * gradients, shape)
        plain = theta.copy()
        for number in range(1, _LATE + 1):
            walk.step(number)
            plain -= walk.lr * (10 * gradients[number - 1])
            if any(array.tobytes() != plain.tobytes() for array in (theta, walk.transform.kept(theta, walk.state))):
                break
        else:
            raise FindingError(
                f"{subject.cls.__qualname__} changes nothing in {_LATE} steps ({components[-1]}): gradient and after "
                "return what replaces their first argument."
            )
    if not effects.without_parameters(subject):
        effects.require_effects(subject, lambda transform: _effect(subject, transform))


def _effect(subject: Subject, transform: Any) -> bytes:
    """Return what a training of one run with a transform makes."""
    size, shape = _sizes(subject)[2]
    theta, gradients = draw(1, size, float, steps=_LATE)
    walk = Walk(stack([transform], float), theta, 10 * gradients, shape).steps(range(1, _LATE + 1))
    made = theta, walk.transform.kept(theta, walk.state), walk.method("penalty")(theta)
    return b"".join(array.tobytes() for array in made)


def descends(subject: Subject) -> dict[str, float]:
    """With its defaults and every switch, gradient descent takes at least 1 % off a quadratic loss in 1000 steps."""
    size, shape = _sizes(subject)[2]
    worst = 0.0
    for transform in subject.combinations:
        theta = np.resize([1.0, -1.0, 0.5], (1, size))
        before = float(np.square(theta).sum())
        walk = Walk(stack([transform], float), theta, None, shape).steps(range(1, _DESCENT_STEPS + 1))
        left = float(np.square(walk.transform.kept(theta, walk.state)).sum()) / before
        worst = max(worst, left)
        if not left < _DESCENT:
            raise FindingError(
                f"With {transform} gradient descent leaves {left:.6g} of a quadratic loss after {_DESCENT_STEPS} "
                "steps; it must fall by at least 1 %; look at the sign of what is added.",
                left=left,
            )
    return {"left": worst}


def penalized(subject: Subject) -> dict[str, float]:
    """What ``gradient`` adds is the derivative of ``penalty``."""
    size, shape = _sizes(subject)[2]
    worst = 0.0
    for components in subject.stacks:
        theta, gradients = draw(RUNS, size, float)
        theta += np.copysign(_AWAY, theta)
        walk = Walk(stack(components, float), theta, gradients, shape)
        added = np.array(walk.method("gradient")(gradients[0].copy(), theta, walk.state, 1)) - gradients[0]
        penalty = walk.method("penalty")
        for index in range(size):
            sides = []
            for sign in (1, -1):
                moved = theta.copy()
                moved[:, index] += sign * _STEP
                sides.append(penalty(moved)[:, 0])
            expected = (sides[0] - sides[1]) / (2 * _STEP)
            size_of = np.abs(sides[0]) + np.abs(gradients[0]).max(axis=1) + np.abs(expected) + 1
            distance = np.abs(added[:, index] - expected) / size_of
            worst = max(worst, float(distance.max()))
            if not (distance <= _STEP).all():
                run = int(distance.argmax())
                raise FindingError(
                    f"{subject.where('gradient')} adds {added[run, index]:.9g} to the gradient of parameter {index}, "
                    f"but the penalty has the derivative {expected[run]:.9g} ({components[run]}); correct the wrong "
                    "one.",
                    added=added[run, index],
                    expected=expected[run],
                )
    return {"distance": worst}


def resumes(subject: Subject) -> None:
    """A fresh instance with a copy of the state continues as the old one would."""
    half, (size, shape) = STEPS // 2, _sizes(subject)[2]
    for components in subject.stacks:
        theta, gradients = draw(RUNS, size, float)
        walk = Walk(stack(components, float), theta, gradients, shape).steps(range(1, half + 1))
        saved = walk.saved()
        walk.steps(range(half + 1, STEPS + 1))
        fresh = stack([pickle.loads(pickle.dumps(component)) for component in components], float)
        again = Walk(fresh, gradients=gradients, shape=shape, **saved).steps(range(half + 1, STEPS + 1))
        require_same(
            again.theta,
            theta,
            f"{subject.cls.__qualname__} continues otherwise from a copied state than without a break",
            "keep everything in state, and count with step",
        )


def nothing_kept(subject: Subject) -> None:
    """Two trainings that take turns with one instance end as each does alone."""
    size, shape = _sizes(subject)[2]
    for components in subject.stacks:
        transform = stack(components, float)
        problems = [draw(RUNS, size, float, seed) for seed in (0, 1)]
        alone = [
            Walk(stack(components, float), theta.copy(), gradients, shape).steps(range(1, STEPS + 1))
            for theta, gradients in problems
        ]
        walks = [Walk(transform, theta.copy(), gradients, shape) for theta, gradients in problems]
        for number in range(1, STEPS + 1):
            for walk in walks:
                walk.step(number)
        for walk, expected in zip(walks, alone, strict=True):
            require_same(
                walk.theta,
                expected.theta,
                f"Two trainings that take turns with {subject.cls.__qualname__} disturb each other",
                "keep everything in state: nothing on the instance, the class or the module",
            )


def runs_apart(subject: Subject) -> None:
    """NaN in one run stays in that run."""
    size, shape = _sizes(subject)[2]
    rest = np.arange(RUNS) != 1
    for components in subject.stacks:
        results = []
        for spoilt in (False, True):
            theta, gradients = draw(RUNS, size, float)
            gradients[3:, 1] = np.nan if spoilt else gradients[3:, 1]
            walk = Walk(stack(components, float), theta, gradients, shape).steps(range(1, STEPS + 1))
            results.append([walk.theta, np.array(walk.transform.kept(walk.theta, walk.state))])
        for expected, found in zip(*results, strict=True):
            what = f"{subject.cls.__qualname__} mixes runs: a NaN in run 1 moves others"
            require_same(found[rest], expected[rest], what, _ADVICE)


def stacking(subject: Subject) -> None:
    """A run has the same bytes in a stack, in a stack that others have left, and alone."""
    for components in subject.stacks:
        for dtype in DTYPES:
            for number, (size, shape) in enumerate(_sizes(subject)):
                # Some things happen late, such as a step of slow weights.
                _require_alone(subject, components, dtype, size, shape, _LATE if number == 2 else STEPS)


def seeded(subject: Subject) -> None:
    """Randomness comes from ``rng`` only: equal generators give equal steps, others give others."""
    size, shape = _sizes(subject)[2]
    for components in subject.stacks:

        def draws(rng: np.random.Generator, transform: Any = components[-1]) -> dict[str, Array]:
            theta, gradients = draw(1, size, float)
            walk = Walk(stack([transform], float), theta, gradients, shape, generators=[rng])
            return {"theta": walk.steps(range(1, STEPS + 1)).theta}

        require_deterministic(subject.cls.__qualname__, draws)
        if uses_generator(draws):
            require_other_seeds_to_differ(subject.cls.__qualname__, draws)


def trained(subject: Subject) -> None:
    """A short training has the same bytes in a stack and alone."""
    for components in subject.stacks:
        training.check_alone("transforms", [(component,) for component in components])


def _require_alone(
    subject: Subject, components: Sequence[Any], dtype: DTypeLike, size: int, shape: Shape | None, steps: int
) -> None:
    few, half, where = np.array([RUNS - 2, 1]), steps // 2, subject.cls.__qualname__
    theta, gradients = draw(RUNS, size, dtype, steps=steps)
    start, together = theta.copy(), stack(components, dtype)
    walk = Walk(together, theta, gradients, shape).steps(range(1, half + 1))
    saved = walk.saved()
    left = Walk(
        take(together, few),
        saved["theta"][few],
        gradients[:, few],
        shape,
        few.tolist(),
        [saved["generators"][run] for run in few],
        {name: array[few] for name, array in saved["state"].items()},
    ).steps(range(half + 1, steps + 1))
    walk.steps(range(half + 1, steps + 1))
    what = f"{where} moves runs {few.tolist()} otherwise when the others have left the stack"
    require_same(left.theta, theta[few], what, _ADVICE)
    for run, component in enumerate(components):
        alone, own = stack([component], dtype), start[[run]]
        single = Walk(alone, own, gradients[:, [run]], shape, [run]).steps(range(1, steps + 1))
        what = f"of run {run} in a stack are not those of the run alone ({component}, {size} parameters)"
        require_same(theta[[run]], own, f"{where}: the parameters {what}", _ADVICE)
        for name, array in single.state.items():
            require_same(walk.state[name][[run]], array, f"{where}: {name!r} in the state {what}", _ADVICE)
        for method, ours, theirs in (
            ("kept", alone.kept(own, single.state), together.kept(theta, walk.state)),
            ("penalty", single.method("penalty")(own), walk.method("penalty")(theta)),
        ):
            require_same(theirs[[run]], ours, f"{subject.where(method)}: the values {what}", _ADVICE)


def _sizes(subject: Subject) -> Sequence[tuple[int, Shape | None]]:
    return sizes(subject.cls, _METHODS)


def _copied(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _described(arrays: dict[str, Array]) -> dict[str, str]:
    return {name: f"{array.dtype} {array.shape}" for name, array in arrays.items()}


def _require_like(where: str, result: Any, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """Refuse what is no array of this shape and dtype."""
    got = f"{result.dtype} {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__
    if got != f"{np.dtype(dtype)} {shape}":
        raise FindingError(f"{where} returns {got}, not {np.dtype(dtype)} {shape}.")


def _no_penalty(subject: Subject) -> str:
    return "" if subject.cls.penalty is not Transform.penalty else "it declares no penalty"  # type: ignore[attr-defined]


def _draws(subject: Subject) -> str:
    asks = any("rng" in asked(subject.cls, method) for method in _METHODS)
    return "numbers drawn in float32 are not those drawn in float64" if asks else ""


CHECKS = (
    Check(state),
    Check(shapes),
    Check(pure),
    Check(finite),
    Check(precision, _draws),
    Check(effective),
    Check(descends),
    Check(penalized, _no_penalty),
    Check(resumes),
    Check(nothing_kept),
    Check(runs_apart),
    Check(stacking),
    Check(seeded),
    Check(trained),
)

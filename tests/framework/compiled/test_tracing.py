"""What formulas do with arrays is recorded, and machine code gives the bits of NumPy."""

import math

import numpy as np
import pytest
from scipy import special

from chainrule.compiled.step import StepNumber
from chainrule.compiled.tape import Role, Tape
from chainrule.compiled.tracing import Traced
from chainrule.compiled.untraceable import Untraceable, where_untraceable
from chainrule.components.stacking import sum_units
from chainrule.engine.network import product
from compiling import compiled, names, same
from sizes import one_in

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1e308, 710.0, -746.0, 0.5, 2.0]


def numbers(runs, *dims, seed=0, dtype=float):
    """Random numbers, some of them special."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(runs, *dims)) * 10 ** rng.uniform(-3, 2, (runs, *dims))
    values[rng.random(values.shape) < 0.3] = rng.choice(SPECIAL)
    places = rng.random(values.shape) < 0.3
    values[places] = rng.choice(SPECIAL, places.sum())
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def in_place(x, y):
    out = np.subtract(x, y)
    np.exp(out, out)
    out *= y
    np.add(out, 1.0, out, where=x > 0)
    np.copyto(out, x, where=y < 0)
    out[:, 1:] = x[:, :-1]
    out[x > 2] = 3.0
    return out


def halves(x, y):
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * second, y[:, ::-1]], axis=1)


def into_others(x, y):
    total, largest, mean = (np.empty_like(x[:, :1]) for _ in range(3))
    np.sum(x, axis=1, keepdims=True, out=total)
    np.max(x, axis=(1,), keepdims=True, out=largest)
    x.mean(axis=(1,), keepdims=True, out=mean)
    same = x.astype(x.dtype, copy=False)
    same += y
    return x * total + largest - mean


def of_some_units(x, y):
    x[x[:, :, 0] > 0] = 3.0  # x has more axes, which are the last ones
    return x + y


FORMULAS = {
    "a power of each run": lambda x, y: x + 0.96 ** y[:, :1, :1],
    "into others": into_others,
    "of some units": of_some_units,
    "arithmetic": lambda x, y: (x + y) * (x - y) / (1.5 - y) + -x,
    "roots": lambda x, y: np.sqrt(np.abs(x)) + np.square(y) - np.reciprocal(x),
    "signs": lambda x, y: np.sign(x) * np.fabs(y) + np.positive(x),
    "extremes": lambda x, y: np.maximum(x, 0.0) + np.minimum(x, y) * np.maximum(y, x),
    "comparisons": lambda x, y: np.where((x > y) & ~(x >= 1) | (y < 0) ^ (x <= 2), x, -y),
    "equal": lambda x, y: np.where(np.logical_or(x == y, np.logical_not(x != 0)), 1.0, y),
    "finite": lambda x, y: np.where(np.isfinite(x), x, np.where(np.isnan(y), 2.0, np.where(np.isinf(x), 3.0, y))),
    "functions": lambda x, y: np.exp(x) + np.tanh(y) + np.log1p(np.abs(x)) - np.expm1(np.minimum(y, 3.0)),
    "waves": lambda x, y: np.sin(np.clip(x, -3.0, 3.0)) * np.cos(np.clip(y, -3.0, 3.0)),
    "two inputs": lambda x, y: np.logaddexp(x, 0.0) + np.logaddexp(x, y),
    "of scipy": lambda x, y: special.ndtr(x) + special.erf(y),
    "powers": lambda x, y: x**2 + np.abs(y) ** 0.5 + x**-1 + x**0 + y**1 + np.abs(x) ** 1.7 + 1.1 ** np.minimum(y, 9.0),
    "in place": in_place,
    "halves": halves,
    "sums": lambda x, y: x - x.sum(axis=-2, keepdims=True) + sum_units(y, keepdims=True) + y.mean(axis=-1)[..., None],
    "largest": lambda x, y: np.exp(x - np.maximum.reduce(x, axis=-2, keepdims=True)) + y.max(axis=1, keepdims=True),
    "products": lambda x, y: product(product(x, y.mT), x),
    "shapes": lambda x, y: x.reshape(len(x), -1)[:, None] + y.mT.reshape(len(y), 1, -1),
    "likes": lambda x, y: np.zeros_like(x) + np.ones_like(x) * y + np.full_like(y, 0.25),
    "axes": lambda x, y: np.expand_dims(x, -1)[..., 0] + np.broadcast_to(y[:, :1], y.shape),
    "by the step": lambda x, step: x / step + (step - 1) * x - (step % 3) * (step // 2) + 1 / (step + 1.5),
    "powers of the step": lambda x, step: np.where(x > 0, 0.9 - 0 * np.minimum(np.abs(x), 1.0), 0.5) ** step,
    "asked": lambda x, step: x if step == 1 else 2 * x if step <= 3 else -x,
}


def given(formula, runs, dtype=float):
    arrays = [numbers(runs, 4, 3, seed=seed, dtype=dtype) for seed in range(2)]
    if formula is FORMULAS["products"]:
        arrays = [np.nan_to_num(array, posinf=1, neginf=-1).clip(-9, 9) for array in arrays]
    return arrays[: len([name for name in names(formula) if name != "step"])]


@pytest.mark.parametrize("name", one_in(2, FORMULAS))
@pytest.mark.parametrize("runs", [1, 3, 33])
def test_machine_code_has_the_bits_of_numpy(name, runs):
    formula, single = FORMULAS[name], runs > 1
    arrays = given(formula, runs)
    for step in (1, 2, 3, 5, 40) if "step" in names(formula) else (1,):
        further = [step] if "step" in names(formula) else []
        with np.errstate(all="ignore"):
            expected = formula(*(array.copy() for array in arrays), *further)
            found = compiled(formula, *arrays, step=step, single=single)
        assert same(found, expected), step


@pytest.mark.parametrize(
    "name", ["arithmetic", "extremes", "functions", "in place", "products", "by the step", "waves"]
)
def test_single_precision(name):
    formula = FORMULAS[name]
    arrays = given(formula, 3, np.float32)
    further = [5] if "step" in names(formula) else []
    with np.errstate(all="ignore"):
        expected = formula(*(array.copy() for array in arrays), *further)
        assert same(compiled(formula, *arrays, step=5), expected)


@pytest.mark.parametrize("function", [
    lambda x: x.sum(axis=1), lambda x: x.sum(axis=2), lambda x: x.mean(axis=2), lambda x: x.swapaxes(1, 2).sum(axis=2),
    lambda x: x.max(axis=1), lambda x: x.max(axis=2), lambda x: np.add.accumulate(x, axis=1), sum_units,
])  # fmt: skip
@pytest.mark.parametrize("units", [1, 2, 7, 8, 9, 17, 130])
@pytest.mark.parametrize("single", [False, True])
def test_sums_of_zeros_have_the_sign_of_numpy(function, units, single):
    rng = np.random.default_rng(units)
    for x in (np.full((3, units, 2), -0.0), np.zeros((3, units, 9)), rng.choice([0.0, -0.0], (3, units, 4))):
        assert same(compiled(function, x, single=single), function(x))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 128, 129, 300])
def test_sums_of_numbers_that_lie_together_are_pairwise(count):
    x = np.random.default_rng(count).normal(size=(2, count))
    assert same(compiled(lambda x: x.sum(axis=1, keepdims=True), x), x.sum(axis=1, keepdims=True))
    z = np.random.default_rng(count).normal(size=(2, 3, count))
    assert same(compiled(lambda z: z.mean(axis=-1, keepdims=True), z), z.mean(axis=-1, keepdims=True))


def look(x):
    return x if x.any() else -x


def convert(x):
    return np.asarray(x)


def branch(x):
    return x if x[:, 0] > 0 else -x


def setitem(x, at):
    x[at] = 0
    return x


REFUSED = {
    "looks at a number": (look, "looks at a number that only training gives", "if x.any()"),
    "branches": (branch, "looks at a number that only training gives", "x[:, 0] > 0"),
    "converts": (convert, "looks at a number that only training gives", "np.asarray(x)"),
    "a function": (lambda x: np.linalg.inv(x), "calls numpy.linalg.inv, which is not recorded", "np.linalg.inv(x)"),
    "math": (lambda x: math.exp(x), "looks at a number that only training gives", "math.exp(x)"),
    "some runs": (lambda x: x[1:], "takes some of the runs", "x[1:]"),
    "over runs": (lambda x: x.sum(axis=0), "adds up over several axes, or over runs", "x.sum(axis=0)"),
    "by an array": (lambda x: x[:, [0, 1]], "chooses numbers by an array", "x[:, [0, 1]]"),
    "one by one": (lambda x: list(x), "takes the runs of an array one by one", "list(x)"),
    "of the step": (lambda x, step: x * math.log(step), "computes something from the number", "math.log(step)"),
    "a real rest": (lambda x, step: x * (step / 9 % 1), "computes % of something else than two whole", "step / 9 % 1"),
    "its own array": (lambda x: np.add(x, 1, out=np.zeros(x.shape)), "fills an array that was not made", "np.add(x, 1"),
    "from a number": (lambda x: np.maximum.reduce(x, axis=1, initial=0.0), "in a way that is not", "initial=0.0"),
    "where it is true": (lambda x: np.add.reduce(x, axis=1, where=x > 0), "in a way that is not", "where=x > 0"),
    "in another type": (lambda x: x.sum(axis=1, dtype="f"), "adds up numbers of float64 as float32", 'dtype="f"'),
    "for another type": (lambda x: np.exp(x, dtype="f"), "calls exp of float64 for float32", "np.exp"),
    "by another shape": (lambda x: setitem(x, x[:, 0] > 0), "chooses numbers of an array", "x[at] = 0"),
    "to a power": (lambda x: x ** x[:, :1, :1], "raises to a power that is an array", "x[:, :1, :1]"),
    "to a round power": (lambda x: x ** np.full((1, 1, 1), 0.5), "raises to a power that is an array", "np.full"),
    "whole numbers": (lambda x: x.astype(int), "makes an array of int64", "x.astype(int)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_recorded_is_told_with_its_line(name):
    formula, reason, line = REFUSED[name]
    with pytest.raises(Untraceable) as caught:
        compiled(formula, numbers(3, 4, 3))
    assert reason in str(caught.value)
    assert line in where_untraceable(caught.value)
    assert where_untraceable(caught.value).startswith("test_tracing.py, line ")


def test_fields_may_be_looked_at_because_they_are_known():
    tape = Tape()
    rows = np.array([[0.5], [0.0]])
    field = Traced(tape, 2, tape.buffer((1,), float, Role.FIELD).whole, rows)
    assert isinstance(field, np.ndarray)
    assert field.any()
    assert not field.all()
    assert (1 - field).all()
    assert np.count_nonzero(field) == 1
    assert np.array_equal(np.asarray(2 * field), 2 * rows)
    with pytest.raises(Untraceable, match="fills a field"):
        field *= 2


def test_what_a_formula_has_learned_about_the_step_is_remembered():
    tape = Tape()
    step = StepNumber(tape, 4)
    assert step > 3
    assert not step % 4
    assert step != 1
    assert [tape.holds(k).item() for k in (1, 3, 4, 5, 8)] == [False, False, True, False, True]


def test_the_step_is_compared_with_what_follows_from_it():
    tape = Tape()
    step = StepNumber(tape, 4)
    assert step // 2 * 2 == step
    assert step // 3 * 3 != step
    assert step // 2 < step
    assert [tape.holds(k).item() for k in (0, 2, 4, 5, 6, 8)] == [False, True, True, False, False, True]


@pytest.mark.parametrize("step", [1, 39, 40, 41, 97, 200])
def test_what_follows_from_the_step_is_rounded_as_python_does_when_it_is_negative(step):
    x = numbers(2, 3)

    def formula(x, step):
        return x * ((40 - step) // 7) + x * ((40 - step) % 7)

    with np.errstate(all="ignore"):
        assert same(compiled(formula, x, step=step), formula(x, step))

"""A step in the article's notation: every equation symbol by symbol, with the run's numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.components.contracts import Activation, Array
from chainrule.errors import counted
from chainrule.replay import formulas
from chainrule.replay.explanation import ExplainedStep
from chainrule.replay.formulas import factor, number, value

PROSE = 60  # parameters of the largest network whose equations are all written out
_TERMS = 8  # of a sum that are written out, at most

RIGHT, WRONG, OTHER, UNKNOWN = "right", "wrong", "other", ""


@dataclass(frozen=True)
class Equation:
    """An equation with its numbers.

    Attributes:
        symbol: what it gives, such as ``z_1^(1)``.
        sides: the right sides, from symbols to the number; each is equal to the one before.
        mark: ``right`` where central differences agree, ``wrong`` where they do not, ``other`` where the rule says
            something else than the chain rule; empty where nothing is to be checked.
        note: what else to know, such as what the chain rule says.
        arrow: whether it is a change, ``w <- ...``, rather than an equality.
    """

    symbol: str
    sides: tuple[str, ...]
    mark: str = UNKNOWN
    note: str = ""
    arrow: bool = False

    @property
    def right(self) -> list[str]:
        """The right sides; what says the same twice is left out."""
        return [side for place, side in enumerate(self.sides) if place == 0 or side != self.sides[place - 1]]

    def __str__(self) -> str:
        return " ".join([self.symbol, "<-" if self.arrow else "=", " = ".join(self.right)])


@dataclass(frozen=True)
class Section:
    """Equations that belong together.

    Attributes:
        title: what they are.
        remark: what to know of all of them; empty for nothing.
        equations: in their order.
    """

    title: str
    remark: str
    equations: tuple[Equation, ...]


def is_prose(of: ExplainedStep) -> bool:
    """Say whether a network is small enough for all of its equations to be read."""
    return of.shape.size <= PROSE


def sections(of: ExplainedStep) -> list[Section]:
    """Return the equations of a step: forward pass, loss, deltas, gradients, update."""
    layers = range(1, of.shape.layers + 1)
    return [
        Section(
            "Forward pass, eq. 1 and 2", _about_layers(of), tuple(e for layer in layers for e in _forward(of, layer))
        ),
        Section("Loss, eq. 3", formulas.summary(of.settings.loss), tuple(_loss(of))),
        Section(
            "Deltas, eq. 4 and 5", _about_rule(of), tuple(e for layer in reversed(layers) for e in _deltas(of, layer))
        ),
        Section("Gradients, eq. 6", _about_gradients(of), tuple(e for layer in layers for e in _gradients(of, layer))),
        Section("Update", _about_update(of), tuple(e for layer in layers for e in _updates(of, layer))),
    ]


def weight(layer: int, row: int, column: int, of: ExplainedStep) -> str:
    """Return ``w_12^(1)``; with a comma where a number has two digits. Row and column count from 0."""
    return f"w_{index(row, column, of)}^({layer})"


def index(row: int, column: int, of: ExplainedStep) -> str:
    """Return ``12``, or ``1,12`` where a network has more than nine units in a layer."""
    comma = "," if max(*of.shape.widths, *of.shape.rows) > 9 else ""
    return f"{row + 1}{comma}{column + 1}"


def activation_of(of: ExplainedStep, layer: int) -> Activation:
    """Return the activation of a layer."""
    if layer == of.shape.layers:
        return of.settings.output
    hidden = of.settings.activation
    return hidden[layer - 1] if isinstance(hidden, tuple) else hidden


def norm_of(of: ExplainedStep, layer: int) -> Activation | None:
    """Return what lies before the activation of a layer, or None."""
    norm = of.settings.norm
    chosen = norm[layer - 1] if isinstance(norm, tuple) and layer < of.shape.layers else norm
    if layer == of.shape.layers or isinstance(chosen, tuple) or chosen.is_identity:
        return None
    return chosen


def _input(layer: int, column: int) -> str:
    return f"x_{column + 1}" if layer == 1 else f"a_{column + 1}^({layer - 1})"


def _sum(terms: list[str]) -> str:
    """Return terms with plus signs; the middle of a long sum is left out."""
    if len(terms) > _TERMS:
        terms = [*terms[: _TERMS - 1], "...", terms[-1]]
    return " + ".join(terms)


def _forward(of: ExplainedStep, layer: int) -> Iterator[Equation]:
    W, b = of.weights(of.step.before[0], layer), of.biases(of.step.before[0], layer)
    z, a, inputs = of.of_sample(of.step.z, layer), of.of_sample(of.step.a, layer), of.inputs(layer)
    for row in range(len(z)):
        symbols = [f"b_{row + 1}^({layer})"]
        symbols += [f"{_input(layer, column)} {weight(layer, row, column, of)}" for column in range(len(inputs))]
        numbers = [number(b[row])]
        numbers += [f"{factor(given)}·{factor(w)}" for given, w in zip(inputs, W[row], strict=True)]
        yield Equation(f"z_{row + 1}^({layer})", (_sum(symbols), _sum(numbers), value(z[row])))
    yield from _activated(of, layer, z, a)


def _activated(of: ExplainedStep, layer: int, z: Array, a: Array) -> Iterator[Equation]:
    activation, norm, factors = activation_of(of, layer), norm_of(of, layer), of.exact.factors[layer]
    formula = formulas.of_activation(activation)
    is_simple = of.is_elementwise(layer) and norm is None and len(z) == len(a)
    inner = f"{norm.name}(z^({layer}))" if norm else f"z^({layer})"
    for unit in range(len(a)):
        symbol = f"a_{unit + 1}^({layer})"
        if is_simple:
            sides = [f"g_{layer}(z_{unit + 1}^({layer}))"]
            kept = 1.0 if factors is None else float(factors[unit, of.sample])
            if activation.is_identity and kept == 1.0:
                pass  # z is what stands at the end
            elif formula and kept == 1.0:
                own = {"z": float(z[unit]), "a": float(a[unit])}
                sides += [formulas.substituted(formulas.right_side(formula), own, activation)]
            else:
                sides += [f"{activation.name}({number(z[unit])})" + (f"·{number(kept)}" if kept != 1.0 else "")]
        else:
            sides = [f"{activation.name}_{unit + 1}({inner})"]
        note = ""
        if factors is not None and not factors[unit, of.sample]:
            note = "left out of this step by dropout"
        yield Equation(symbol, (*sides, value(a[unit])), note=note)


def _loss(of: ExplainedStep) -> Iterator[Equation]:
    loss, y_pred = of.settings.loss, of.of_sample(of.step.a, of.shape.layers)
    formula, found = formulas.of_loss(loss), float(of.exact.losses[of.sample])
    sides = [formulas.right_side(formula)] if formula else [f"{loss.name}(y_pred, y_true)"]
    if formula and len(y_pred) == len(of.y):
        pairs = [formulas.loss_symbols(float(t), float(p)) for t, p in zip(of.y, y_pred, strict=True)]
        sides.append(formulas.summed(formulas.right_side(formula), pairs, loss))
    yield Equation("L", (*sides, value(found)))
    if of.samples > 1 or of.weight != 1:
        weighed = ", each times its weight" if of.step.weights is not None else ""
        yield Equation(
            "L of the step",
            (f"mean of {counted(of.samples, 'sample')}{weighed}", value(of.exact.loss)),
        )
    yield Equation("L after the step", (value(of.after),))


def _deltas(of: ExplainedStep, layer: int) -> Iterator[Equation]:
    last = of.shape.layers
    used, exact = of.of_sample(of.step.delta, layer), of.exact.delta[layer][:, of.sample]
    error, jacobian = of.exact.error[layer][:, of.sample], of.jacobians[layer]
    right, used_right = of.delta_right(layer), of.delta_used_right(layer)
    simple = of.is_elementwise(layer) and not of.mixes
    for row in range(len(used)):
        name = f"delta_{row + 1}^({layer})"
        if layer == last and of.is_paired:
            sides = list(_paired(of, row))
        elif simple:
            slope = float(jacobian[row, row])
            before = list(_of_output(of, row)) if layer == last else list(_sum_of_eq_5(of, layer, row))
            symbols, numbers = before
            sides = [f"{symbols}·g_{layer}'(z_{row + 1}^({layer}))", f"{numbers}·{factor(slope)}"]
        else:
            what = "dL/dy_pred" if layer == last else f"dL/da^({layer})"
            sides = [f"sum_j {what}_j da_j/dz_{row + 1}"]
            if not of.mixes:
                sides.append(_sum([f"{factor(e)}·{factor(d)}" for e, d in zip(error, jacobian[:, row], strict=True)]))
        yield _compared(name, sides, float(used[row]), float(exact[row]), bool(right[row]), bool(used_right[row]), of,
                        float(of.delta_differences[layer][row]))  # fmt: skip


def _compared(
    name: str, sides: list[str], used: float, exact: float, right: bool, used_right: bool, of: ExplainedStep,
    difference: float,
) -> Equation:  # fmt: skip
    """Return the equation of a derivative: as the chain rule has it, and beside it what the rule of the run says."""
    mark = UNKNOWN if difference != difference and right is False else RIGHT if right else WRONG
    if used_right or not of.replaces:
        note = "" if right or mark == UNKNOWN else f"central difference {number(difference)}"
        return Equation(name, (*sides, value(used if not of.replaces else exact)), mark, note)
    note = f"rule={of.settings.rule.name} says {value(used)}, which the run uses; exact is {value(exact)}"
    return Equation(name, (*sides, value(exact)), OTHER, note)


def _of_output(of: ExplainedStep, row: int) -> tuple[str, str]:
    """Return ``dL/dy_pred`` in symbols and numbers."""
    loss = of.settings.loss
    y_pred, formula = of.of_sample(of.step.a, of.shape.layers), formulas.of_loss_gradient(loss, False)
    error = float(of.exact.error[of.shape.layers][row, of.sample])
    if formula and len(y_pred) == len(of.y) and of.weight == 1:
        own = formulas.loss_symbols(float(of.y[row]), float(y_pred[row]))
        return formula, formulas.substituted(formula, own, loss)
    return f"dL/dy_pred_{row + 1}", factor(error)


def _paired(of: ExplainedStep, row: int) -> Iterator[str]:
    """Yield the delta of an output whose loss is computed from ``z``."""
    loss, y_pred = of.settings.loss, of.of_sample(of.step.a, of.shape.layers)
    formula = formulas.of_loss_gradient(loss, True)
    yield f"dL/dz_{row + 1}^({of.shape.layers})"
    if formula and of.weight == 1:
        yield formula
        yield formulas.substituted(formula, formulas.loss_symbols(float(of.y[row]), float(y_pred[row])), loss)


def _sum_of_eq_5(of: ExplainedStep, layer: int, unit: int) -> tuple[str, str]:
    """Return the sum in eq. 5 in symbols and numbers, in parentheses."""
    above, W = of.exact.delta[layer + 1][:, of.sample], of.weights(of.step.before[0], layer + 1)
    symbols = [f"delta_{row + 1}^({layer + 1}) {weight(layer + 1, row, unit, of)}" for row in range(len(above))]
    numbers = [f"{factor(delta)}·{factor(w)}" for delta, w in zip(above, W[:, unit], strict=True)]
    return f"({_sum(symbols)})", f"({_sum(numbers)})"


def _gradients(of: ExplainedStep, layer: int) -> Iterator[Equation]:
    inputs, delta = of.inputs(layer), of.exact.delta[layer][:, of.sample]
    place = of.shape.slices()[layer].start
    columns = 1 + len(inputs)
    for row in range(len(delta)):
        for column in range(columns):
            at = place + row * columns + column
            symbols = f"delta_{row + 1}^({layer})"
            numbers = number(delta[row])
            if column:
                symbols = f"{symbols} {_input(layer, column - 1)}"
                numbers = f"{factor(delta[row])}·{factor(inputs[column - 1])}"
            if of.samples > 1:
                part = number(float(delta[row] * (inputs[column - 1] if column else 1)))
                symbols = f"mean of {symbols}"
                before, after = "... + " if of.sample else "", " + ..." if of.sample < of.samples - 1 else ""
                numbers = f"({before}{part}{after})/{of.samples}"
            name = f"dL/d{_parameter(of, layer, row, column)}"
            yield _compared(
                name, [symbols, numbers], float(of.step.grad[0, at]), float(of.exact.grad[at]), bool(of.right[at]),
                bool(of.used_right[at]), of, float(of.differences[at]),
            )  # fmt: skip


def _parameter(of: ExplainedStep, layer: int, row: int, column: int) -> str:
    """Return the bias of column 0, else a weight."""
    return weight(layer, row, column - 1, of) if column else f"b_{row + 1}^({layer})"


def _updates(of: ExplainedStep, layer: int) -> Iterator[Equation]:
    step, start = of.step, of.shape.slices()[layer].start
    columns = 1 + of.shape.widths[layer - 1]
    plain = of.is_plain_descent and step.rate is not None
    for at in range(start, of.shape.slices()[layer].stop):
        row, column = divmod(at - start, columns)
        name = _parameter(of, layer, row, column)
        before, after, grad = (float(each[0, at]) for each in (step.before, step.after, step.grad))
        if plain:
            assert step.rate is not None
            rate = float(step.rate[0])
            sides = (f"{name} - lr dL/d{name}", f"{value(before)} - {number(rate)}·{factor(grad, 9)}", value(after))
            yield Equation(name, sides, arrow=True)
            continue
        yield Equation(name, (f"{value(before)} -> {value(after)}",), note="; ".join(_kept(of, at, grad)), arrow=True)


def _kept(of: ExplainedStep, at: int, grad: float) -> Iterator[str]:
    """Yield what an optimizer keeps of a parameter, before and after the step, and the gradient that it was given."""
    step = of.step
    if step.used is not None and step.used[0, at] != step.grad[0, at]:
        yield f"gradient {number(grad)}, by the transforms {number(float(step.used[0, at]))}"
    for name, array in step.optimizer_after.items():
        if array.shape == step.after.shape and array.dtype.kind == "f":
            yield f"{name} {number(float(step.optimizer_before[name][0, at]))} -> {number(float(array[0, at]))}"


def _about_layers(of: ExplainedStep) -> str:
    layers = range(1, of.shape.layers + 1)
    found = dict.fromkeys(
        f"g_{layer} is {activation_of(of, layer).name}"
        + (f" after {norm.name}" if (norm := norm_of(of, layer)) else "")
        for layer in layers
    )
    formula = dict.fromkeys(
        f"{one.name}: {stated}"
        for layer in layers
        if (stated := formulas.of_activation(one := activation_of(of, layer)))
    )
    dropout = (
        [f"dropout leaves out {of.settings.network.dropout:g} of the units"] if of.settings.network.dropout else []
    )
    return "; ".join([*found, *formula, *dropout])


def _about_rule(of: ExplainedStep) -> str:
    mixes = ["a norm mixes the samples of the step: a delta depends on all of them"] if of.mixes else []
    if not of.replaces:
        return "; ".join(mixes)
    equations = {"error": "eq. 5", "gradient": "eq. 6", "gradients": "eq. 5 and 6"}
    replaced = " and ".join(equations[name] for name in of.replaces)
    said = f"rule={of.settings.rule.name} replaces {replaced}. {formulas.summary(of.settings.rule)}"
    return "; ".join([said, *mixes])


def _about_gradients(of: ExplainedStep) -> str:
    return of.verdict


def _about_update(of: ExplainedStep) -> str:
    settings, step = of.settings, of.step
    formula = formulas.of_optimizer(settings.optimizer)
    rate = "" if step.rate is None else f"lr = {number(float(step.rate[0]))} in this step"
    transforms = ", ".join(transform.name for transform in settings.transforms)
    changed = f"after the transforms {transforms}" if transforms else ""
    return "; ".join(
        filter(None, [f"{settings.optimizer.name}: {formula}" if formula else settings.optimizer.name, rate, changed])
    )

"""Formulas as components state them in their documentation, with numbers in the place of symbols.

The first sentence of a component says what it computes: ``a = 1 / (1 + e^-z)``, ``L = 1/2 sum (y_true - y_pred)^2``,
``theta <- theta - lr g``. So a stranger's component is explained as a built-in one, as far as it says what it does.
"""

import inspect
import re
from collections.abc import Mapping, Sequence

from chainrule.components.contracts import Activation, Component, Loss, Optimizer
from chainrule.components.parameters import plain

_LITERAL = re.compile(r"``([^`]+)``")
_SPLIT = re.compile(r"``( for |, else | else | where | if )``")  # between the cases of one formula


def number(value: float, digits: int = 6) -> str:
    """Return a number for reading."""
    return f"{float(value):.{digits}g}"


def value(result: float) -> str:
    """Return what an equation comes to, with the digits of published examples."""
    return number(result, 9)


def factor(value: float, digits: int = 6) -> str:
    """Return a number as a factor or a term: a negative one in parentheses."""
    text = number(value, digits)
    return f"({text})" if text.startswith("-") else text


def of_activation(activation: Activation) -> str:
    """Return ``a = ...`` as an activation states it; empty if it does not."""
    return _stated(type(activation), r"a(_j|_i|_k)? = ")


def of_loss(loss: Loss) -> str:
    """Return ``L = ...`` as a loss states it; empty if it does not."""
    return _stated(type(loss), r"L = ")


def of_loss_gradient(loss: Loss, is_paired: bool) -> str:
    """Return ``dL/dy_pred``, or ``dL/dz`` of a paired output, as a loss states it; empty if it does not."""
    method = type(loss).paired_delta if is_paired else type(loss).gradient
    found = _LITERAL.search(inspect.getdoc(method) or "")
    base = Loss.paired_delta if is_paired else Loss.gradient
    if found is None or method is base or inspect.getdoc(method) == inspect.getdoc(base):
        return ""
    return found[1].removeprefix("e = ")


def of_optimizer(optimizer: Optimizer) -> str:
    """Return the formula of a step as an optimizer states it; empty if it does not."""
    return _stated(type(optimizer), r".*<- ")


def summary(component: Component) -> str:
    """Return the first paragraph of a component's documentation, in one line, without marks."""
    return _documentation(type(component)).split("\n\n")[0].replace("\n", " ").replace("``", "")


def substituted(formula: str, values: Mapping[str, float], component: Component) -> str:
    """Return a formula with numbers for its symbols, and for the parameters of its component."""
    own = {name: value for name, value in plain(component).items() if isinstance(value, float)}
    known = {**own, **values}
    pattern = r"(?<![\w'])(" + "|".join(map(re.escape, sorted(known, key=len, reverse=True))) + r")(?![\w'(])"
    return re.sub(pattern, lambda found: factor(known[found[1]]), formula) if known else formula


def summed(formula: str, of_outputs: Sequence[Mapping[str, float]], loss: Loss) -> str:
    """Return the right side of a loss with numbers, its sum over outputs written out.

    Args:
        formula: what follows ``L = ``.
        of_outputs: for each output the numbers for its symbols.
        loss: the loss.
    """
    before, is_sum, after = formula.partition("sum ")
    if not is_sum:
        return substituted(formula, of_outputs[0], loss)
    terms = [substituted(after, values, loss) for values in of_outputs]
    if len(terms) == 1:
        return before + terms[0]
    return f"{before}({' + '.join(terms)})"


def loss_symbols(y_true: float, y_pred: float) -> dict[str, float]:
    """Return the symbols by which losses are stated: ``y_pred`` is ``p`` where it is a probability."""
    return {"y_true": y_true, "y": y_true, "y_pred": y_pred, "p": y_pred, "e": y_pred - y_true}


def _stated(cls: type, begin: str) -> str:
    """Return the first literal of a docstring that begins so; empty if there is none."""
    for literal in _LITERAL.findall(_SPLIT.sub(r"\1", _documentation(cls))):
        if re.match(begin, literal):
            return " ".join(literal.split())
    return ""


def _documentation(cls: type) -> str:
    """Return the docstring of a class, not that of its contract."""
    return inspect.cleandoc(vars(cls).get("__doc__") or "")


def right_side(formula: str) -> str:
    """Return what follows the first equals sign."""
    return formula.partition(" = ")[2]

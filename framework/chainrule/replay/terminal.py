"""A step of a run as text in a terminal: equations, or tables and heat maps where the network is too large for them."""

import io
import re
from collections.abc import Iterable

import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from chainrule.components.contracts import Array
from chainrule.errors import counted
from chainrule.replay.equations import OTHER, RIGHT, UNKNOWN, WRONG, Section, is_prose, sections
from chainrule.replay.explanation import ExplainedStep, Explanation
from chainrule.replay.formulas import number

_MARKS = {RIGHT: ("✓", "green"), WRONG: ("✗", "bold red"), OTHER: ("≠", "bold yellow"), UNKNOWN: ("", "")}
_ASCII = str.maketrans({"·": "*", "✓": "v", "✗": "x", "≠": "!", "▀": "#", "…": "."})
_UNITS = 16  # rows of a table, at most
_WIDE, _TALL = 64, 32  # cells of a heat map, at most
_POSITIVE, _NEGATIVE = (0, 114, 178), (213, 94, 0)  # blue and orange, which all eyes tell apart
_LEVELS = (0.1, 0.5)  # shares of the largest value at which the sign without colour changes


def show(explanation: Explanation, console: Console) -> None:
    """Print the step of an explanation."""
    (of,) = explanation.steps
    for line in heading(explanation):
        console.print(Text(line), soft_wrap=True)
    parts = sections(of)
    if not is_prose(of):
        _show_tables(of, parts, console)
        return
    for section in parts:
        _title(section.title, section.remark, console)
        console.print(_equations(section))


def text(explanation: Explanation, width: int = 120) -> str:
    """Return what :func:`show` prints, without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(explanation, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def console_for(encoding: str | None) -> Console:
    """Return the console of the terminal, or for a file or a pipe one that writes plain lines.

    Where the encoding has no other characters, it writes ASCII.
    """
    try:
        "".join(map(chr, _ASCII)).encode(encoding or "ascii")
    except UnicodeEncodeError:
        return _Plain(is_ascii=True)
    console = Console()
    return console if console.is_terminal else _Plain(is_ascii=False)


class _Plain(Console):
    """Writes lines without colours, and without the blanks that fill them up.

    Args:
        is_ascii: whether other characters take the place of those that ASCII lacks.
    """

    def __init__(self, is_ascii: bool) -> None:
        super().__init__(color_system=None, safe_box=True)
        self._is_ascii = is_ascii

    def print(self, *objects: object, **keywords: object) -> None:
        """Print the objects."""
        buffer = Console(file=io.StringIO(), width=self.width, color_system=None, safe_box=True)
        buffer.print(*objects, **keywords)  # type: ignore[arg-type]
        plain = re.sub(r" +$", "", buffer.file.getvalue(), flags=re.MULTILINE)  # type: ignore[attr-defined]
        self.file.write(plain.translate(_ASCII).encode("ascii", "replace").decode() if self._is_ascii else plain)


def heading(explanation: Explanation) -> list[str]:
    """Return what the run is, whether it was trained to the same bits, and which step is shown, in lines."""
    (of,) = explanation.steps
    replay, step = explanation.replay, of.step
    within = (step.number - 1) % replay.per_epoch + 1
    where = f"step {step.number} of {replay.steps}: epoch {step.epoch + 1} of {replay.epochs}, its step {within} of "
    walked = f"{replay.per_epoch}; sample {of.sample + 1} of {of.samples}"
    return [
        of.settings.title,
        explanation.verdict,
        where + walked,
        f"loss of the step {number(of.exact.loss)} -> {number(of.after)}",
    ]


def _title(title: str, remark: str, console: Console) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    if remark:
        console.print(Text(remark, style="dim"))


def _equations(section: Section) -> RenderableType:
    """Return equations below each other: symbol, right sides, mark."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    for equation in section.equations:
        mark, style = _MARKS[equation.mark]
        arrow = "<- " if equation.arrow else "= "
        body = Text("")
        *before, value = equation.right
        for side in before:
            body.append(arrow)
            body.append(side)
            body.append(" ")
            arrow = "= "
        body.append(arrow)
        body.append(value, style="bold cyan")
        if equation.note:
            body.append(f"  [{equation.note}]", style="yellow" if equation.mark == OTHER else "dim")
        table.add_row(Text(equation.symbol), body, Text(mark, style=style))
    return table


def _show_tables(of: ExplainedStep, parts: list[Section], console: Console) -> None:
    """Print the step of a larger network: units of each layer as tables, parameters as heat maps."""
    forward, loss, deltas, gradients, update = parts
    _title(
        "Forward pass and deltas, eq. 1, 2, 4 and 5", "; ".join(filter(None, [forward.remark, deltas.remark])), console
    )
    for layer in range(1, of.shape.layers + 1):
        console.print(_units(of, layer))
    _title(loss.title, loss.remark, console)
    console.print(_equations(loss))
    _title(gradients.title, gradients.remark, console)
    for layer in range(1, of.shape.layers + 1):
        console.print(_layer(of, layer))
    _title("Weights and their gradients", "rows are units, columns what they are given; " + _legend(console), console)
    for layer in range(1, of.shape.layers + 1):
        for name, flat in (("W", of.step.before[0]), ("dL/dW", of.step.grad[0])):
            weights = of.weights(flat, layer)
            console.print(Text(f"{name}^({layer}), {weights.shape[0]} x {weights.shape[1]}, up to {_largest(weights)}"))
            console.print(heat(weights, console.color_system is not None))
    _title(update.title, update.remark, console)
    for layer in range(1, of.shape.layers + 1):
        console.print(Text(_moved(of, layer)))


def _units(of: ExplainedStep, layer: int) -> Table:
    """Return the units of a layer: those with the largest deltas, if there are many."""
    exact, used = of.exact.delta[layer][:, of.sample], of.of_sample(of.step.delta, layer)
    z, a = of.of_sample(of.step.z, layer), of.of_sample(of.step.a, layer)
    rows = range(len(z))
    if len(z) > _UNITS:
        rows = sorted(np.argsort(-np.abs(np.nan_to_num(used)), kind="stable")[:_UNITS].tolist())  # type: ignore[assignment]
    caption = f"layer {layer}: {counted(len(z), 'unit')}"
    caption += f", the {_UNITS} with the largest deltas" if len(z) > _UNITS else ""
    table = Table(title=caption, title_justify="left", title_style="", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("unit", justify="right")
    names = ["z", "a" if len(a) == len(z) else "", "delta", "exact" if of.replaces else "", "central difference"]
    for name in filter(None, names):
        table.add_column(name, justify="right")
    table.add_column("")
    right = of.delta_right(layer) if of.replaces else of.delta_used_right(layer)
    for row in rows:
        values = [z[row], *([a[row]] if len(a) == len(z) else []), used[row], *([exact[row]] if of.replaces else [])]
        difference = of.delta_differences[layer][row]
        mark, style = _MARKS[RIGHT if right[row] else WRONG] if np.isfinite(difference) else _MARKS[UNKNOWN]
        table.add_row(str(row + 1), *map(number, [*values, difference]), Text(mark, style=style))
    return table


def _layer(of: ExplainedStep, layer: int) -> Text:
    """Return how many derivatives of a layer agree with central differences, and how the rule's own compare."""
    place = of.shape.slices()[layer]
    checked, right = of.checked[place], of.right[place]
    used, exact = of.step.grad[0, place].astype(float), of.exact.grad[place]
    line = f"layer {layer}: {int((right & checked).sum())} of {int(checked.sum())} agree; "
    line += f"|dL/dtheta| {number(_norm(used))}"
    if of.replaces:
        with np.errstate(all="ignore"):
            cosine = float(used @ exact / (_norm(used) * _norm(exact)))
        line += (
            f" by rule={of.settings.rule.name}, {number(_norm(exact))} exactly; cosine between them {number(cosine, 3)}"
        )
    return Text(line)


def _moved(of: ExplainedStep, layer: int) -> str:
    place, step = of.shape.slices()[layer], of.step
    before, after = step.before[0, place].astype(float), step.after[0, place].astype(float)
    with np.errstate(all="ignore"):
        moved = after - before
        share = _norm(moved) / _norm(before) if _norm(before) else float("nan")
    return (
        f"layer {layer}: |theta| {number(_norm(before))} -> {number(_norm(after))}; moved by {number(_norm(moved))}, "
        f"{number(100 * share, 3)} % of it"
    )


def heat(values: Array, coloured: bool) -> Text:
    """Return a matrix as a heat map: blue is positive, orange negative, relative to the largest.

    A large one is shown in blocks, each by its entry of the largest size.
    """
    cells = blocks(values)
    with np.errstate(all="ignore"):
        shares = np.clip(np.nan_to_num(cells / _largest_size(cells), nan=0.0), -1, 1)
    found = Text()
    if not coloured:
        for row in shares:
            found.append("".join(map(_sign, row)) + "\n")
        return found
    rows = list(shares)
    for upper, lower in zip(rows[::2], [*rows[1::2], np.zeros(shares.shape[1])], strict=False):
        for one, other in zip(upper, lower, strict=True):
            found.append("▀", style=f"rgb({_colour(one)}) on rgb({_colour(other)})")
        found.append("\n")
    return found


def blocks(values: Array, wide: int = _WIDE, tall: int = _TALL) -> Array:
    """Return a matrix, of a large one the entry of the largest size in each block."""
    rows, columns = (
        np.array_split(np.arange(size), min(size, most)) for size, most in zip(values.shape, (tall, wide), strict=True)
    )
    sizes = np.abs(np.nan_to_num(values.astype(float)))
    found = np.empty((len(rows), len(columns)))
    for one, row in enumerate(rows):
        for other, column in enumerate(columns):
            part = np.ix_(row, column)
            found[one, other] = values[part].ravel()[sizes[part].argmax()]
    return found


def _sign(share: float) -> str:
    low, high = _LEVELS
    if abs(share) < low:
        return "·"
    return ("#" if share > 0 else "=") if abs(share) >= high else ("+" if share > 0 else "-")


def _legend(console: Console) -> str:
    if console.color_system is not None:
        return "blue is positive, orange negative, relative to the largest"
    return "# and + positive, = and - negative, relative to the largest"


def _colour(share: float) -> str:
    full = _POSITIVE if share > 0 else _NEGATIVE
    return ",".join(str(round(128 + (part - 128) * abs(float(share)))) for part in full)


def _largest_size(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def _largest(values: Array) -> str:
    return number(_largest_size(values), 3)


def _norm(values: Iterable[float]) -> float:
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.square(np.asarray(values, float)).sum()))

"""Small drawings for reports, as SVG text; colours come from the page's style sheet."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

from chainrule.analysis.confidence import IN_PERCENT
from chainrule.analysis.wording import percent, percent_interval
from chainrule.errors import counted

Point = tuple[float, float]
_BANDS = 3  # of so many the areas can be told apart; of more only the edges are drawn
_LETTER = 6.5  # width of one in pixels


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map from numbers to pixels.

    Attributes:
        low, high: ends of the numbers; both positive where ``log``.
        start, end: pixels of these.
        log: whether the map is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> "Scale":
        """Return a scale that shows all finite ``values``; logarithmic if they are positive and span two decades."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        log = low > 0 and high / low >= 100
        if low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        return cls(low, high, start, end, log)

    def place(self, value: float) -> float:
        """Return the pixel of a number; the end for one that is not finite, the start for minus infinity."""
        if not math.isfinite(value):
            return self.start if value == -math.inf else self.end
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return about five round numbers along the scale."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            step = max(1, -(-(last - first) // 5))
            return [10.0**power for power in range(first, last + 1, step)]
        size = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if (self.high - self.low) / (size * factor) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [round(number * step, 12) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def strip(
    values: Sequence[float],
    scale: Scale,
    middle: float,
    interval: tuple[float, float] | None,
    runs: int | None = None,
) -> str:
    """Return one row of dots, with the median and its interval; infinite values are hollow dots at their end.

    Args:
        values: of all runs, or of some.
        scale: where they are drawn.
        middle: the median of all runs.
        interval: of the median.
        runs: how many there are in all; None for as many as values.
    """
    height, y = 18, 9
    parts = [f'<line class="rule" x1="{scale.start}" x2="{scale.end}" y1="{y}" y2="{y}"/>']
    if interval:
        ends = [f"{scale.place(value):.1f}" for value in interval]
        parts.append(f'<line class="interval" x1="{ends[0]}" x2="{ends[1]}" y1="{y}" y2="{y}"/>')
    for value in values:
        style = "dot" if math.isfinite(value) else "dot lost"
        parts.append(f'<circle class="{style}" cx="{scale.place(value):.1f}" cy="{y}" r="3"/>')
    x = f"{scale.place(middle):.1f}"
    parts.append(f'<line class="median" x1="{x}" x2="{x}" y1="2" y2="16"/>')
    title = f"{counted(runs or len(values), 'run')}, median {middle:.5g}"
    return svg(scale.end + 6, height, parts, title)


def axis(scale: Scale) -> str:
    """Return the axis of a column of strips: ticks, numbers at all or at every second, third ..., the kind of scale."""
    y, kind = 24, "log scale" if scale.log else "linear scale"
    parts = [f'<text x="{scale.start}" y="9">{kind}</text>']
    parts.append(f'<line class="tick" x1="{scale.start}" x2="{scale.end}" y1="{y + 9}" y2="{y + 9}"/>')
    numbers = []  # where each would be, half of its width, and its text
    for value in scale.ticks():
        x, text = scale.place(value), _number(value)
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{y + 4}" y2="{y + 9}"/>')
        half = _LETTER * len(text) / 2
        numbers.append((min(max(x, half), scale.end + 6 - half), half, text))  # at an end it stays within the drawing
    strides = (numbers[::stride] for stride in range(1, len(numbers) + 1))
    for at, _, text in next(filter(_have_room, strides), []):
        parts.append(f'<text x="{at:.1f}" y="{y}" text-anchor="middle">{text}</text>')
    ends = f"from {_number(scale.low)} to {_number(scale.high)}"
    return svg(scale.end + 6, y + 10, parts, f"{kind} {ends}")


def _have_room(numbers: Sequence[tuple[float, float, str]]) -> bool:
    """Say whether numbers with these middles and half widths have a letter's room between them."""
    return all(at + half + _LETTER <= above - width for (at, half, _), (above, width, _) in pairwise(numbers))


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: for the legend.
        middle: its points.
        low, high: edges of the band around it, none for a line alone.
    """

    name: str
    middle: Sequence[Point]
    low: Sequence[Point] = ()
    high: Sequence[Point] = ()

    @property
    def is_cut(self) -> bool:
        """Whether a part of the line or of its band is infinite, so that it lies outside of every chart."""
        return not all(math.isfinite(y) for part in (self.middle, self.low, self.high) for _, y in part)


def has_areas(series: Sequence[Series]) -> bool:
    """Return whether the bands of lines are drawn as areas; of many, which would cover one another, edges are."""
    return sum(bool(line.low) for line in series) <= _BANDS


def gauge(value: float, interval: tuple[float, float]) -> str:
    """Return a drawing of a probability with its interval, on a scale from 0 to 1 with a mark at one half."""
    scale, y = Scale(0.0, 1.0, 6, 134, log=False), 9
    low, middle, high, half = (f"{scale.place(at):.1f}" for at in (interval[0], value, interval[1], 0.5))
    parts = [
        f'<line class="rule" x1="{scale.start}" x2="{scale.end}" y1="{y}" y2="{y}"/>',
        f'<line class="rule" x1="{half}" x2="{half}" y1="4" y2="14"/>',
        f'<line class="interval" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>',
        f'<line class="median" x1="{middle}" x2="{middle}" y1="2" y2="16"/>',
    ]
    return svg(scale.end + 6, 18, parts, f"{percent(value)}, {IN_PERCENT} interval {percent_interval(interval)}")


def chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    title: str,
    *,
    lines: bool = True,
    dots: bool = False,
    linear: bool = True,
    span: tuple[float, float] | None = None,
    ticks: Sequence[float] = (),
) -> str:
    """Return a chart of lines with bands, or of dots, with axes.

    Infinite points are left out. Of many bands the edges are drawn, dotted. The band of a line goes to the upper edge
    where it is infinite, and has a mark there.

    Args:
        series: what to draw.
        x_label: of the axis across.
        y_label: of the axis upwards.
        title: for those who cannot see it.
        lines: whether points are joined.
        dots: whether points are marked.
        linear: whether the axis across must be linear; if not, :meth:`Scale.over` decides.
        span: ends of the axis upwards; None for those of the points.
        ticks: positive numbers at the axis across, which is then logarithmic; none for round ones.
    """
    width, height = 640, 300
    points = [p for s in series for part in (s.middle, s.low, s.high) for p in part if all(map(math.isfinite, p))]
    across = Scale.over((x for x, _ in points), 64, width - 12)
    if linear or ticks:
        across = Scale(across.low, across.high, across.start, across.end, log=bool(ticks))
    up = Scale.over(span or (y for _, y in points), height - 40, 12)
    are_areas = has_areas(series)
    parts = _axes(across, up, x_label, y_label, width, height, ticks or across.ticks())
    for number, line in enumerate(series):
        colour = f"c{number % 6}"
        if line.low:
            low, high = (_pixels(_within(edge, up), across, up) for edge in (line.low, line.high))
            if are_areas:
                parts.append(f'<polygon class="band {colour}" points="{" ".join([*low, *reversed(high)])}"/>')
            else:
                parts += [f'<polyline class="edge {colour}" points="{" ".join(edge)}"/>' for edge in (low, high)]
            parts += [f'<line class="cut {colour}" {place}/>' for place in _cut(line, across, up)]
        if dots:
            spots = (pixel.split(",") for pixel in _pixels(line.middle, across, up))
            parts += [f'<circle class="spot {colour}" cx="{x}" cy="{y}" r="3"/>' for x, y in spots]
        if lines:
            pixels = " ".join(_pixels(line.middle, across, up))
            parts.append(
                f'<polyline class="line {colour}" points="{pixels}"><title>{escape(line.name)}</title></polyline>'
            )
    return svg(width, height, parts, title)


def _axes(
    across: Scale, up: Scale, x_label: str, y_label: str, width: int, height: int, ticks: Sequence[float]
) -> list[str]:
    parts = []
    for value in up.ticks():
        y = up.place(value)
        parts.append(f'<line class="grid" x1="64" x2="{width - 12}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="58" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in ticks:
        x, text = across.place(value), _number(value)
        at = min(x, width - _LETTER * len(text) / 2)  # at the end it stays within the drawing
        parts.append(f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{height - 40}" y2="{height - 35}"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 22}" text-anchor="middle">{text}</text>')
    parts.append(f'<line class="rule" x1="64" x2="{width - 12}" y1="{height - 40}" y2="{height - 40}"/>')
    middle = (64 + width - 12) / 2
    parts.append(f'<text x="{middle}" y="{height - 4}" text-anchor="middle">{escape(x_label)}</text>')
    turned = f"rotate(-90 12 {(height - 40) / 2})"
    parts.append(
        f'<text x="12" y="{(height - 40) / 2}" text-anchor="middle" transform="{turned}">{escape(y_label)}</text>'
    )
    return parts


def _pixels(points: Sequence[Point], across: Scale, up: Scale) -> list[str]:
    shown = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and not (up.log and y <= 0)]
    return [f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in shown]


def _within(points: Sequence[Point], up: Scale) -> list[Point]:
    """Return points with those that are infinite at the upper edge."""
    return [(x, y if math.isfinite(y) else up.high) for x, y in points]


def _cut(line: Series, across: Scale, up: Scale) -> Iterator[str]:
    """Yield the parts of the upper edge at which the band of a line is cut."""
    for is_cut, points in groupby(line.high, key=lambda point: not math.isfinite(point[1])):
        if is_cut:
            x = [across.place(at) for at, _ in points]
            ends = f'x1="{x[0] - 3:.1f}" x2="{x[-1] + 3:.1f}"'  # a single point is seen, too
            yield f'{ends} y1="{up.end:g}" y2="{up.end:g}"'


def _number(value: float) -> str:
    return f"{value:.10g}"


def svg(width: float, height: float, parts: Iterable[str], title: str) -> str:
    """Return a drawing of so many pixels, with a title for those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )

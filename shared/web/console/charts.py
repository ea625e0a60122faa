"""Charts as plain SVG: no script, no library; what they show is in their description, too."""

from collections.abc import Mapping, Sequence
from itertools import count

from markupsafe import Markup

HEIGHT = 100.0
_GAP = 0.15
"""Of a bar's width, what is left free on either side."""
_SVG = Markup(
    '<svg class="chart" viewBox="0 0 {width} 100" preserveAspectRatio="none" role="img" '
    'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{title}</title>'
    '<desc id="{key}-desc">{description}</desc>{grid}{marks}</svg>'
)
_BAR = Markup(
    '<rect class="series-{series}" x="{x}" y="{y}" width="{width}" height="{height}"><title>{label}</title></rect>'
)
_LINE = Markup('<polyline class="series-{series}" points="{points}" vector-effect="non-scaling-stroke"/>')
_DOT = Markup(
    '<line class="series-{series} dot" x1="{x}" y1="{y}" x2="{x}" y2="{y}" vector-effect="non-scaling-stroke"/>'
)
_SPARK = Markup(
    '<svg class="spark" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{}"><path d="{}"/></svg>'
)
_GRID = Markup('<line class="grid" x1="0" y1="{y}" x2="{width}" y2="{y}" vector-effect="non-scaling-stroke"/>')


def stacked_bars(
    key: str, title: str, description: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], top: float
) -> Markup:
    """A bar for each label, made of the series on top of each other. `key` is unique on the page; `top` is the value
    that reaches the upper edge. Every series has a value for each label.
    """
    marks = []
    for index, label in enumerate(labels):
        below = 0.0
        for number, (name, values) in enumerate(series.items()):
            if value := values[index]:
                height = _scaled(value, top)
                marks.append(
                    _BAR.format(
                        series=number,
                        x=_plain(index + _GAP),
                        y=_plain(HEIGHT - below - height),
                        width=_plain(1 - 2 * _GAP),
                        height=_plain(height),
                        label=f"{label}: {value:,} {name}",
                    )
                )
                below += height
    return _svg(key, title, description, len(labels), marks)


def lines(
    key: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    top: float,
) -> Markup:
    """A line for each series; where a value is None, it is broken. The rest as with `stacked_bars`."""
    marks = []
    for number, values in enumerate(series.values()):
        for stretch in _stretches(values):
            points = [(index + 0.5, HEIGHT - _scaled(value, top)) for index, value in stretch]
            if len(points) == 1:
                ((x, y),) = points
                marks.append(_DOT.format(series=number, x=_plain(x), y=_plain(y)))
            else:
                text = " ".join(f"{_plain(x)},{_plain(y)}" for x, y in points)
                marks.append(_LINE.format(series=number, points=text))
    return _svg(key, title, description, len(labels), marks)


def sparkline(description: str, values: Sequence[float]) -> Markup:
    """Bars as high as a line of text, the highest of all as high as the line; `description` says what they show."""
    top = max(values, default=0)
    # One path of all bars: a page has hundreds of these lines, and markup that is put together takes its time.
    heights = {index: round(max(_scaled(value, top), 4)) for index, value in enumerate(values) if value}
    bars = "".join(f"M{index} {HEIGHT - height:.0f}h.8v{height}h-.8z" for index, height in heights.items())
    return _SPARK.format(len(values), description, bars)


def top_of(most: float) -> float:
    """A round number that is not below `most`: 1, 2 or 5 and zeros."""
    if most <= 0:
        return 1.0
    for power in count(-3):
        for step in (1, 2, 5):
            if (top := step * 10.0**power) >= most:
                return top
    raise AssertionError("there is always a greater one")


def _svg(key: str, title: str, description: str, width: int, marks: Sequence[Markup]) -> Markup:
    grid = Markup("").join(_GRID.format(y=y, width=width) for y in (0, 50, 100))
    return _SVG.format(
        key=key, title=title, description=description, width=width, grid=grid, marks=Markup("").join(marks)
    )


def _scaled(value: float, top: float) -> float:
    return min(value / top, 1.0) * HEIGHT


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _stretches(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Neighbouring values, without the gaps."""
    found: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((index, value))
    return [stretch for stretch in found if stretch]

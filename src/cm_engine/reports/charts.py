"""Charts as inline SVG: they grow with the window while their words keep their size, and take the page's colours.

Each belongs into `figure` of `cm_engine.reports.page`, with its figures as a table beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import NamedTuple

from cm_engine.reports.page import Markup, Meaning

HEIGHT = 220
LABELS_MAX = 6
"""So many words stand along an axis at most, which is what a telephone has room for."""
PHONE_WIDTH, SIGN_WIDTH = 270, 8
"""How wide a picture is on a telephone, and a sign in it at most."""
WHOLE = 1000
"""How far a line goes in its own picture, in either direction; the picture is stretched to the window."""
SERIES_MAX = 4

Spoken = Callable[[float], str]


class Axis(NamedTuple):
    """One axis: its name, how its figures are written, and how far it goes if not as far as what is shown."""

    name: str = ""
    spoken: Spoken = "{:g}".format
    low: float | None = None
    high: float | None = None


PLAIN = Axis()
"""Without a name; figures as they are."""


class Series(NamedTuple):
    """A line: its name and its points, from left to right; with a band, lower and upper bounds at the same places."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]] = ()


class Bar(NamedTuple):
    """One bar: what stands below it, how high it is, and whether it is to stand out."""

    label: str
    value: float
    marked: bool = False


class Reference(NamedTuple):
    """A line at a known figure, such as a limit, with its name."""

    name: str
    at: float


class Visit(NamedTuple):
    """One visit of a strip: its sign, what it means in words, and its colour."""

    sign: str
    says: str
    meaning: Meaning = "neutral"


class _Frame(NamedTuple):
    """What a chart shows: the bounds of both axes."""

    left: float
    right: float
    low: float
    high: float

    def across(self, value: float) -> float:
        """Return where a figure stands, from 0 on the left to 1 on the right."""
        return (value - self.left) / (self.right - self.left)

    def down(self, value: float) -> float:
        """Return where a figure stands, from 0 at the top to 1 at the bottom."""
        return 1 - (value - self.low) / (self.high - self.low)


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    x: Axis = PLAIN,
    y: Axis = PLAIN,
    references: Sequence[Reference] = (),
    step: bool = False,
) -> Markup:
    """Return lines over a common axis, told apart by colour and by dashes; with `step`, each holds until the next point.

    Args:
        title: what is read out instead of the picture.
        series: at most four.
        x, y: the axes; figures go from 0 upwards if nothing else is said.
        references: figures of the y axis that are known beforehand.
        step: a value holds until it changes, as a balance does.

    Raises:
        ValueError: there are more series than can be told apart.

    Example:
        >>> paid = Series("paid", [(1, 10.0), (2, 11.5)])
        >>> "<path" in line_chart("What each visit pays", [paid], references=[Reference("ceiling", 26.5)])
        True
    """
    if len(series) > SERIES_MAX:
        msg = f"series: expected at most {SERIES_MAX} that can be told apart, got {len(series)}; make two charts"
        raise ValueError(msg)
    frame = _frame(series, x, y, references)
    lines = "".join(_line(frame, each, number, step=step) for number, each in enumerate(series, 1))
    stretched = f'<svg viewBox="0 0 {WHOLE} {WHOLE}" preserveAspectRatio="none" width="100%" height="{HEIGHT}">{lines}</svg>'
    ticks = round_steps(frame.left, frame.right)
    marks = _across([(frame.across(each), x.spoken(each)) for each in ticks])
    body = _down(frame, y) + marks + stretched + _references(frame, references)
    return _plot(title, body, x, y, _legend(series) if len(series) > 1 else "")


def bar_chart(
    title: str,
    bars: Sequence[Bar],
    *,
    x: Axis = PLAIN,
    y: Axis = PLAIN,
    references: Sequence[Reference] = (),
    across: Sequence[Reference] = (),
) -> Markup:
    """Return bars side by side, as of a histogram.

    Args:
        title: what is read out instead of the picture.
        bars: from left to right; labels are left out where there is no room.
        x, y: the axes.
        references: figures of the y axis that are known beforehand.
        across: lines across the x axis: 0 is the left edge of the first bar, 1 that of the second, and so on.

    Example:
        >>> bar_chart("Visits", [Bar("Mon", 4), Bar("Tue", 2, marked=True)]).count("<rect")
        2
    """
    high = _high([each.value for each in bars], y, references)
    frame = _Frame(0, max(len(bars), 1), 0, high)
    drawn = "".join(_bar(frame, number, each) for number, each in enumerate(bars))
    every = -(-len(bars) // _labels_max([each.label for each in bars])) or 1
    marks = _across(
        [(frame.across(number + 0.5), each.label) for number, each in enumerate(bars) if number % every == 0]
    )
    upright = "".join(_upright(frame, each) for each in across)
    return _plot(title, _down(frame, y) + marks + drawn + _references(frame, references) + upright, x, y)


def step_line(title: str, series: Sequence[Series], *, x: Axis = PLAIN, y: Axis = PLAIN) -> Markup:
    """Return lines that hold until they change, such as balances over time."""
    return line_chart(title, series, x=x, y=y, step=True)


def strip(title: str, visits: Iterable[Visit]) -> Markup:
    """Return the visits of one target in a row that wraps: a sign each, with its meaning for those who hear it.

    Example:
        >>> print(strip("Visits", [Visit("-", "visit 1: negative", "good")]))
        <ol class=strip aria-label="Visits">
        <li class="good" title="visit 1: negative"><span aria-hidden=true>-</span><span class=unseen>visit 1: negative</span></li>
        </ol>
    """
    made = "".join(
        f'<li class="{each.meaning}" title="{escape(each.says)}"><span aria-hidden=true>{escape(each.sign)}</span>'
        f"<span class=unseen>{escape(each.says)}</span></li>\n"
        for each in visits
    )
    return Markup(f'<ol class=strip aria-label="{escape(title)}">\n{made}</ol>')


def round_steps(low: float, high: float) -> list[float]:
    """Return round figures between two bounds, at most six of them, as an axis names them.

    Example:
        >>> round_steps(0, 26.5)
        [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
        >>> round_steps(1, 36)
        [10.0, 20.0, 30.0]
    """
    width = _round_width((high - low) / LABELS_MAX)
    first = -(-low // width)
    return [width * (first + number) for number in range(int((high + width * 1e-9) // width - first) + 1)]


def _labels_max(labels: Sequence[str]) -> int:
    """Return how many labels stand side by side on a telephone."""
    longest = max(map(len, labels), default=1)
    return max(1, min(LABELS_MAX, PHONE_WIDTH // (SIGN_WIDTH * (longest + 1))))


def _round_width(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, 50 and so on, or of their fractions, that is no less."""
    scale = 1.0
    while scale > least:
        scale /= 10
    while scale * 10 <= least:
        scale *= 10
    return next(scale * each for each in (1, 2, 5, 10) if scale * each >= least * (1 - 1e-9))


def _frame(series: Sequence[Series], x: Axis, y: Axis, references: Sequence[Reference]) -> _Frame:
    places = [place for each in series for place, _ in each.points]
    values = [value for each in series for _, value in each.points] + [
        bound for each in series for pair in each.band for bound in pair
    ]
    left = min(places, default=0.0) if x.low is None else x.low
    right = max(places, default=1.0) if x.high is None else x.high
    low = min(0.0, *values, 0.0) if y.low is None else y.low
    return _Frame(left, right if right > left else left + 1, low, _high(values, y, references, low))


def _high(values: Sequence[float], y: Axis, references: Sequence[Reference], low: float = 0) -> float:
    high = max([*values, *(each.at for each in references)], default=1.0) if y.high is None else y.high
    return high if high > low else low + 1


def _line(frame: _Frame, series: Series, number: int, *, step: bool) -> str:
    points = [_point(frame, *each) for each in series.points]
    band = ""
    if series.band:
        upper = [
            _point(frame, place, high)
            for (place, _), (_, high) in zip(series.points, series.band, strict=True)
        ]
        lower = [
            _point(frame, place, low) for (place, _), (low, _) in zip(series.points, series.band, strict=True)
        ]
        edge = _path(upper, step=step) + "L" + _path(lower[::-1], step=False)[1:]
        band = f'<path class="band series-{number}" style="fill:var(--series-{number})" d="{edge}Z"/>'
    return f'{band}<path class="series-{number}" d="{_path(points, step=step)}"/>'


def _point(frame: _Frame, place: float, value: float) -> tuple[str, str]:
    return f"{frame.across(place) * WHOLE:.1f}", f"{frame.down(value) * WHOLE:.1f}"


def _path(points: Sequence[tuple[str, str]], *, step: bool) -> str:
    if not points:
        return "M0 0"
    first, *others = points
    return f"M{first[0]} {first[1]}" + "".join(
        f"H{across}V{down}" if step else f"L{across} {down}" for across, down in others
    )


def _bar(frame: _Frame, number: int, bar: Bar) -> str:
    width = 100 / frame.right
    top = frame.down(bar.value) * HEIGHT
    kind = "bar marked" if bar.marked else "bar"
    return (
        f'<rect class="{kind}" x="{(number + 0.1) * width:.2f}%" width="{0.8 * width:.2f}%" '
        f'y="{top:.1f}" height="{HEIGHT - top:.1f}"/>'
    )


def _references(frame: _Frame, references: Sequence[Reference]) -> str:
    return "".join(
        f'<line class=reference x1="0" x2="100%" y1="{(down := frame.down(each.at) * HEIGHT):.1f}" y2="{down:.1f}"/>'
        f'<text class=named x="100%" y="{down - 5:.1f}" text-anchor="end">{escape(each.name)}</text>'
        for each in references
    )


def _upright(frame: _Frame, reference: Reference) -> str:
    place = frame.across(reference.at)
    side = "end" if place > 0.5 else "start"  # noqa: PLR2004 - the half that has room for the word
    return (
        f'<line class=reference x1="{place * 100:.2f}%" x2="{place * 100:.2f}%" y1="0" y2="{HEIGHT}"/>'
        f'<text class=named x="{place * 100:.2f}%" y="-4" text-anchor="{side}">{escape(reference.name)}</text>'
    )


def _down(frame: _Frame, y: Axis) -> str:
    """Return the lines across, each with its figure on the left."""
    return "".join(
        f'<line class=grid x1="0" x2="100%" y1="{(down := frame.down(each) * HEIGHT):.1f}" y2="{down:.1f}"/>'
        f'<text x="-8" y="{down + 4:.1f}" text-anchor="end">{escape(y.spoken(each))}</text>'
        for each in round_steps(frame.low, frame.high)
    )


def _across(labels: Sequence[tuple[float, str]]) -> str:
    """Return the words below the picture, and the line they stand under."""
    words = "".join(
        f'<text x="{place * 100:.2f}%" y="{HEIGHT + 18}" text-anchor="middle">{escape(word)}</text>'
        for place, word in labels
    )
    return f'<line class=axis x1="0" x2="100%" y1="{HEIGHT}" y2="{HEIGHT}"/>{words}'


def _plot(title: str, body: str, x: Axis, y: Axis, legend: str = "") -> Markup:
    names = (
        f'<text x="100%" y="{HEIGHT + 38}" text-anchor="end">{escape(x.name)}</text>' if x.name else ""
    ) + (f'<text x="-56" y="-16">{escape(y.name)}</text>' if y.name else "")
    return Markup(
        f'{legend}<div class=plot><svg role=img aria-label="{escape(title)}" height="{HEIGHT}">'
        f"{body}{names}</svg></div>"
    )


def _legend(series: Sequence[Series]) -> str:
    items = "".join(
        f'<li><svg aria-hidden=true><line class="series-{number}" x1="0" x2="100%" y1="50%" y2="50%"/></svg>'
        f"{escape(each.name)}</li>"
        for number, each in enumerate(series, 1)
    )
    return f"<ul class=legend>{items}</ul>\n"

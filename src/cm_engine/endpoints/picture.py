"""Kaplan-Meier curves as a picture."""

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil

from cm_engine.endpoints.survival import Curve

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 64, 24, 56, 56
COLOURS = ("#0b6e4f", "#b3541e", "#3d5a98", "#7a3b69", "#555555", "#997a00")
TICKS = 5


def picture(title: str, curves: Sequence[Curve], unit: str) -> str:
    """Return the curves of all arms as SVG: a step for each event, a tick for each who was last seen.

    Args:
        title: what is told above it.
        curves: of the arms.
        unit: of the times, such as days.
    """
    last = max(1, *(each.moments[-1].time for each in curves))
    drawn = "".join(_drawn(index, curve, last) for index, curve in enumerate(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n'
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>\n{_axes(last, unit)}{drawn}</svg>\n'
    )


def _axes(last: int, unit: str) -> str:
    shares = ((_y(tick / TICKS), 100 * tick // TICKS) for tick in range(TICKS + 1))
    lines = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#dddddd"/>\n'
        f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{percent}%</text>'
        for y, percent in shares
    ]
    times = [
        f'<text x="{_x(time, last)}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{time}</text>'
        for time in range(0, last + 1, ceil(last / TICKS))
    ]
    called = f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 14}" text-anchor="end">{escape(unit)}</text>'
    return "\n".join([*lines, *times, called]) + "\n"


def _drawn(index: int, curve: Curve, last: int) -> str:
    colour = COLOURS[index % len(COLOURS)]
    dashes = "" if index < len(COLOURS) else ' stroke-dasharray="6 4"'
    path, ticks = " ".join(_steps(curve, last)), "".join(_ticks(curve, last, colour))
    told = f"{curve.arm or 'all'}: {curve.events} of {curve.people} had it"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>\n{ticks}'
        f'<text x="{WIDTH - RIGHT - 8}" y="{TOP + 18 + 18 * index}" text-anchor="end" fill="{colour}">'
        f"{escape(told)}</text>\n"
    )


def _steps(curve: Curve, last: int) -> Iterator[str]:
    yield f"M {_x(0, last)} {_y(1)}"
    for each in curve.moments:
        yield f"H {_x(each.time, last)} V {_y(each.survival)}"


def _ticks(curve: Curve, last: int, colour: str) -> Iterator[str]:
    for each in curve.moments:
        if each.censored:
            x, y = _x(each.time, last), _y(each.survival)
            yield f'<line x1="{x}" x2="{x}" y1="{y - 5}" y2="{y + 5}" stroke="{colour}"/>\n'


def _x(time: float, last: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * time / last, 1)


def _y(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

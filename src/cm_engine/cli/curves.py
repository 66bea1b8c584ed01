"""What each visit of a program pays, as a picture: bars with every visit met, dots with one lapse."""

from html import escape

from cm_engine.program import Program
from cm_engine.reports.curve import Curve, curves_of

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 760, 190, 64, 16, 56, 64


def curve(program: Program) -> str:
    """Return a picture of what each visit pays, as SVG: with every visit met, and with one lapse."""
    series = list(curves_of(program))
    height = TOP + len(series) * (PANEL + GAP)
    panels = "".join(_panel(TOP + index * (PANEL + GAP), each) for index, each in enumerate(series))
    title = f"{program.program}: what each visit pays"
    lapse = series[0].lapse if len({each.lapse for each in series}) == 1 else None
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{_legend(title, lapse)}{panels}</svg>\n'
    )


def _legend(title: str, lapse: int | None) -> str:
    which = "one visit" if lapse is None else f"visit {lapse + 1}"
    return (
        f'<text x="{LEFT}" y="20" font-size="15" fill="#1a1a1a">{escape(title)}</text>\n'
        f'<rect x="{LEFT}" y="30" width="14" height="12" fill="#b9d3ea"/>'
        f'<text x="{LEFT + 20}" y="41" fill="#333333">every visit met</text>\n'
        f'<circle cx="{LEFT + 150}" cy="36" r="4" fill="#8a3b12"/>'
        f'<text x="{LEFT + 160}" y="41" fill="#333333">{which} not met, all others met</text>\n'
    )


def _panel(top: int, series: Curve) -> str:
    highest = max(*series.met, *series.lapsed) or 1
    slot = (WIDTH - LEFT - RIGHT) / len(series.met)

    def height(amount: int) -> float:
        return PANEL * amount / highest

    bars = "".join(
        f'<rect x="{LEFT + index * slot + slot * 0.1:.1f}" y="{top + PANEL - height(amount):.1f}" '
        f'width="{slot * 0.8:.1f}" height="{height(amount):.1f}" fill="#b9d3ea"/>'
        for index, amount in enumerate(series.met)
    )
    dots = "".join(
        f'<circle cx="{LEFT + (index + 0.5) * slot:.1f}" cy="{top + PANEL - height(amount):.1f}" '
        f'r="{min(4.0, slot / 2.5):.1f}" fill="#8a3b12"/>'
        for index, amount in enumerate(series.lapsed)
        if index >= series.lapse
    )
    return f"{_axes(top, series, highest, slot)}{bars}\n{dots}\n"


def _axes(top: int, series: Curve, highest: int, slot: float) -> str:
    unit, visits = series.unit, len(series.met)
    every = next(step for step in (1, 2, 5, 10) if visits / step <= 15 or step == 10)  # noqa: PLR2004 - labels
    marks = "".join(
        f'<text x="{LEFT + (number - 0.5) * slot:.1f}" y="{top + PANEL + 18}" text-anchor="middle" '
        f'fill="#555555">{number}</text>'
        for number in range(every, visits + 1, every)
    )
    lines = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{top + PANEL - PANEL * part:.1f}" '
        f'y2="{top + PANEL - PANEL * part:.1f}" stroke="#d9d9d9"/>'
        f'<text x="{LEFT - 8}" y="{top + PANEL - PANEL * part + 4:.1f}" text-anchor="end" fill="#555555">'
        f"{unit.plain(int(highest * part)) if highest * part == int(highest * part) else ''}</text>"
        for part in (0, 0.5, 1)
    )
    name = unit.name if unit.is_money else unit.plural or unit.name
    name = f"{series.target}: {name}" if series.target else name
    return (
        f'{lines}{marks}<text x="{WIDTH - RIGHT}" y="{top + PANEL + 36}" text-anchor="end" fill="#555555">'
        f'visit</text><text x="{LEFT}" y="{top + PANEL + 36}" fill="#555555">{escape(name)}</text>\n'
    )

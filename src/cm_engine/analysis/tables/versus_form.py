"""A comparison of two programs as data for JSON, and in words."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cm_engine.analysis.explored import Explored
from cm_engine.analysis.tables.till import Awards
from cm_engine.analysis.tables.versus import Change, Concerned, First, Versus

RARE = 0.0005
"""A smaller share of participants is left out of what is said in words."""


def versus_form(found: Versus) -> dict[str, Any]:
    """Return a comparison as data for JSON; docs/comparing.md documents it."""
    return {
        "former": _program_form(found.former),
        "latter": _program_form(found.latter),
        "p_met": str(found.met),
        "shared": {
            "visits": dict(Counter(name for name, _ in found.pairs.names)),
            "notes": list(found.notes()),
        },
        "first_difference": _first_form(found, found.first) if found.first else None,
        "units": {each.unit.name: _change_form(each) for each in found.changes},
        "affected": {
            "share": round(found.affected.share, 6),
            "error": round(found.affected.error, 6),
            "by_lapses": [_concerned_form(found, each) for each in found.affected.rows],
        },
    }


def _program_form(explored: Explored) -> dict[str, str]:
    program = explored.program
    return {"program": program.program, "version": program.version, "digest": explored.rules.digest}


def _first_form(found: Versus, first: First) -> dict[str, Any]:
    units = {each.unit.name: each.unit for each in found.changes}
    former, latter = (
        {"awards": {name: units[name].plain(amount) for name, amount in awards}, "waits": waits}
        for awards, waits in zip((first.former, first.latter), first.waits, strict=True)
    )
    return {
        "results": first.words,
        "of": first.seen[-1].of,
        "visit": first.visit,
        "former": former,
        "latter": latter,
    }


def _change_form(change: Change) -> dict[str, Any]:
    plain = change.unit.plain
    endless = {"maximum_endless": dict(zip(("former", "latter"), change.endless, strict=True))}
    sums = {
        name: {
            "former": plain(round(former)),
            "latter": plain(round(latter)),
            "difference": plain(round(latter - former)),
        }
        for name, (former, latter) in (("maximum", change.maximum), ("expected", change.expected))
    }
    return sums | endless if any(change.endless) else sums


def _concerned_form(found: Versus, row: Concerned) -> dict[str, Any]:
    units = {each.unit.name: each.unit for each in found.changes}
    return {
        "least": row.least,
        "most": row.most,
        "share": round(row.share, 6),
        "affected": round(row.affected, 6),
        "mean_difference": {name: units[name].plain(round(more)) for name, more in row.change.items()},
    }


def versus_lines(found: Versus) -> Iterator[str]:
    """Yield a comparison in words, a line each."""
    names = [f"{each.program.program} {each.program.version}" for each in (found.former, found.latter)]
    yield f"{names[0]} and {names[1]}"
    yield from (f"Note: {note}" for note in found.notes())
    yield _first_line(found)
    for change in found.changes:
        yield from _change_lines(change, float(found.met))
    yield from _concerned_lines(found)


def _first_line(found: Versus) -> str:
    first = found.first
    if first is None:
        return "No results were found on which they differ."
    last = first.seen[-1].of
    words = "; ".join(f"{name} {word}" for name, word in first.words.items())
    pays = [
        "waits for another result" if waits else f"pays {_said(found, awards)}"
        for awards, waits in zip((first.former, first.latter), first.waits, strict=True)
    ]
    return f"They differ first on: {words}. For number {first.visit} of {last} the first {pays[0]}, the second {pays[1]}."


def _said(found: Versus, awards: Awards) -> str:
    units = {each.unit.name: each.unit for each in found.changes}
    return " and ".join(units[name].spoken(amount) for name, amount in awards) or "nothing"


def _change_lines(change: Change, met: float) -> Iterator[str]:
    spoken = change.unit.spoken
    if any(change.endless):
        sums = zip(change.maximum, change.endless, strict=True)
        most = ["no upper limit" if endless else spoken(sum_) for sum_, endless in sums]
        yield f"At most: {most[0]} and {most[1]}."
    pairs = (
        ("At most", change.maximum),
        (f"On average, each visit met with a chance of {met:.4g}", change.expected),
    )
    for what, (former, latter) in pairs[1:] if any(change.endless) else pairs:
        yield f"{what}: {spoken(round(former))} and {spoken(round(latter))}, {_more(spoken(abs(round(latter - former))), round(latter - former))}."


def _more(amount: str, difference: int) -> str:
    return "the same" if not difference else f"{amount} {'more' if difference > 0 else 'less'}"


def _concerned_lines(found: Versus) -> Iterator[str]:
    share, error, rows = found.affected
    exact = f", give or take {error:.1%}" if error else ""
    draws = any(each.program.bowls for each in (found.former, found.latter))
    counted = "; here draws count as draws, and not as what they win" if draws else ""
    yield f"Paid differently at some visit: {share:.1%} of participants{exact}{counted}."
    units = {each.unit.name: each.unit for each in found.changes}
    for row in rows:
        if row.share < RARE:
            continue
        changes = [
            _more(units[name].spoken(abs(round(more))), round(more))
            for name, more in row.change.items()
            if round(more)
        ]
        change = f"; on average {' and '.join(changes)}" if changes else ""
        yield f"  {_lapses(row)} ({row.share:.1%} of all): {row.affected:.1%}{change}"


def _lapses(row: Concerned) -> str:
    if not row.most:
        return "no lapse" if row.most == 0 else f"{row.least} lapses and more"
    return "1 lapse" if row.least == row.most == 1 else f"{row.least} to {row.most} lapses"

"""Example timelines of a program, visit by visit: what a lapse, a gap and leaving for good come to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from cm_engine.program.models import Program, Target
from cm_engine.program.units import Unit
from cm_engine.program.values import OUTCOMES, lapse_of
from cm_engine.reports.charts import Visit, strip
from cm_engine.reports.curve import VISITS_SHOWN, paid_by_visit, visit_counts, with_lapse
from cm_engine.reports.in_words import listed
from cm_engine.reports.page import Markup, Meaning, Section, paragraph, part, section
from cm_engine.rules.compiled import compile_rules

MEANINGS: dict[str, Meaning] = {
    "-": "good",
    "+": "bad",
    "o": "bad",
    "r": "bad",
    "e": "neutral",
    "*": "neutral",
}


class _Turn(NamedTuple):
    """One target of an example: how many visits it has, how one is not met, and whether it is the one that a lapse is in."""

    length: int
    lapse: str
    lapses: bool


STORIES: dict[str, Callable[[_Turn], str]] = {
    "Every visit met": lambda turn: "-" * turn.length,
    "One lapse": lambda turn: with_lapse(turn.length, turn.lapse) if turn.lapses else "-" * turn.length,
    "Two visits missed in a row, then back": lambda turn: _replaced(
        "-" * turn.length, turn.length // 3, "oo"
    ),
    "Met and not met in turn": lambda turn: (f"-{turn.lapse}" * turn.length)[: turn.length],
    "Gone for good after a third of the visits": lambda turn: (
        "-" * (turn.length // 3) + "o" * (turn.length - turn.length // 3)
    ),
}


LEAST = {"Two visits missed in a row, then back": 4}
"""How many visits a story takes to be one; 1, if it is not here."""


def examples(program: Program, start: date | None) -> Section:
    """Return what a program pays in some stories of results."""
    lengths = visit_counts(program)
    first = next(iter(lengths))
    turns = {
        name: _Turn(length, lapse_of(program.targets[name].behavior), name == first)
        for name, length in lengths.items()
    }
    shown = [
        _example(program, _story(story, lengths), {name: made(turn) for name, turn in turns.items()}, start)
        for story, made in STORIES.items()
        if max(lengths.values()) >= LEAST.get(story, 1)
    ]
    legend = "Each sign is a visit: - met, + positive or failed, o missed."
    if max(lengths.values()) > VISITS_SHOWN:
        legend += f" The first {VISITS_SHOWN} visits are shown, and the amounts are those of all."
    if events := compile_rules(program).events:
        legend += f" Nothing is reported of {listed(events, 'or')} in them: what comes of that is in none of the amounts."
    return section("Example timelines", legend, *shown)


def _story(story: str, lengths: Mapping[str, int]) -> str:
    """Return what a story is called; of several targets, which one lapses."""
    return f"{story} in {next(iter(lengths))}" if story == "One lapse" and len(lengths) > 1 else story


def _replaced(word: str, place: int, by: str) -> str:
    return word[:place] + by[: len(word) - place] + word[place + len(by) :]


def _example(program: Program, story: str, words: dict[str, str], start: date | None) -> Markup:
    paid = paid_by_visit(program, words, start)
    sums: dict[Unit, int] = {}
    for each in (amounts for visits in paid.values() for amounts in visits):
        for unit, amount in each.items():
            sums[unit] = sums.get(unit, 0) + amount
    total = listed(unit.spoken(amount) for unit, amount in sums.items()) or "nothing"
    strips = [
        strip(
            _strip_name(program, story, name), _visits(program.targets[name], word[:VISITS_SHOWN], paid[name])
        )
        for name, word in words.items()
    ]
    named = (
        [Markup(f"{paragraph(name, 'note')}\n{each}") for name, each in zip(words, strips, strict=True)]
        if len(words) > 1
        else strips
    )
    return part(f"{story}: {total}", *named)


def _strip_name(program: Program, story: str, name: str) -> str:
    return f"{story}, {name}" if len(program.targets) > 1 else story


def _visits(target: Target, word: str, paid: Sequence[dict[Unit, int]]) -> Iterator[Visit]:
    outcomes = OUTCOMES if target.behavior == "abstinence" else {**OUTCOMES, "+": "not met"}
    for number, (symbol, amounts) in enumerate(zip(word, paid, strict=False), 1):
        pays = listed(unit.spoken(amount) for unit, amount in amounts.items() if amount) or "nothing"
        yield Visit(symbol, f"visit {number}: {outcomes[symbol]}, {pays}", MEANINGS.get(symbol, "neutral"))

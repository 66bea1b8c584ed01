"""A participant's statement in plain words: what each amount was for, what there is by now, and what comes next."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple

from cm_engine.acts.recorded import RecordedDecision
from cm_engine.engine import Engine
from cm_engine.log.correction import WITHDRAWN
from cm_engine.log.purse import BANKED, DECLINED, EXPIRED, HANDED_OVER, PAID_OUT, REDEEMED, REFUNDED
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Course
from cm_engine.reports.sheet import Amount, Report, Sheet
from cm_engine.reports.words import Words
from cm_engine.rules.reasons import BonusEarned, Reason, WasReset
from cm_engine.rules.state import Decision
from cm_engine.views.statement import Line
from cm_engine.views.visiting import PlannedVisit


class StatementLine(NamedTuple):
    """One line of a statement."""

    day: str
    what: str
    amount: Amount
    in_all: Amount


OUTCOME_WORDS = {
    "-": "Goal met",
    "+": "Goal not met this time",
    "o": "You did not come",
    "e": "Visit excused: you keep your place",
    "*": "No clear result: you keep your place",
    "r": "No sample was given",
    "_": "No visit was needed",
    WITHDRAWN: "Taken back, because it had been entered by mistake",
    REDEEMED: "You asked for a reward",
    PAID_OUT: "On its way to you",
    HANDED_OVER: "Handed over to you",
    DECLINED: "It did not reach you, so it is owed to you again",
    REFUNDED: "It came back, so it is owed to you again",
    EXPIRED: "It was not collected in time",
}
"""What became of a visit or of a reward, by its outcome."""
SET_BACK_WORDS = {"e": "Visit excused", "*": "No clear result"}
"""The same, where the program sets back who is excused, or whose result is not clear."""
REASON_WORDS = {
    "recovered": "your earlier level is back",
    "limited": "a limit of the program made it less",
    "reset": "the next rewards start again from the first step",
    "milestone": "an extra reward",
    "event": "an extra reward",
}
"""What else a decision did, by the code of its reason."""
VISIT = "Visit {number}"
VISIT_WORDS = {
    "abstinence": "Sample {number}",
    "attendance": "Appointment {number}",
    "medication": "Dose {number}",
    "task": "Task {number}",
}
"""What a visit is called where several behaviors are rewarded, by the behavior; no substance is named."""


def statement_report(engine: Engine, *, enrollment: str, on: date, words: Words | None = None) -> Report:
    """Return a participant's statement.

    Args:
        engine: whose database.
        enrollment: whose.
        on: the day that it says it is made on; what it tells is what there is now.
        words: of its language; left out, English.

    Raises:
        EnrollmentNotFoundError: there is no such enrollment.
    """
    with engine.reading() as still:
        return _made(still, enrollment, on, words or Words())


def _made(engine: Engine, enrollment: str, on: date, say: Words) -> Report:
    payouts = tuple(engine.payouts(enrollment=enrollment))
    course = Course(engine, engine.enrollment(enrollment), payouts, on)
    rows = [_row(course, line, say) for line in course.statement.lines]
    known = say("Statement for {participant}", participant=course.enrollment.participant)
    lead = say(
        "{title}, since {start}. Made on {today}.",
        title=course.statement.title,
        start=say.day(course.enrollment.start),
        today=say.day(on),
    )
    says = say("Each line says what happened, and what it added to what you have earned.")
    sheet = Sheet("lines", say("What each amount was for"), says, StatementLine, rows, columns=_columns(say))
    footer = say("Please ask the staff if anything here does not look right. You may keep this page.")
    return Report("statement", known, lead, (sheet,), tuple(_tiles(engine, course, on, say)), footer)


def _columns(say: Words) -> tuple[str, ...]:
    return say("day"), say("what it was for"), say("added"), say("earned so far")


def _row(course: Course, line: Line, say: Words) -> StatementLine:
    decision = next(each for each in course.decisions if each.number == line.latest)
    day = say.day(line.on) if line.on else ""
    return StatementLine(
        day,
        _what(course, line, decision, say),
        Amount(_spoken(course, line.amounts)),
        Amount(_spoken(course, line.so_far)),
    )


def _what(course: Course, line: Line, decision: RecordedDecision, say: Words) -> str:
    """Return what a line was for, in plain words."""
    first = say(_outcome(line, decision))
    if line.outcome in BANKED:
        return ": ".join(filter(None, [first, ", ".join(_sums(course, decision))]))
    more = [*_more(decision, say), *_drawn(line, say)]
    visit = f"{_visit(course, line, say)}. " if line.visit else ""
    corrected = say("Corrected") + ": " if line.before else ""
    besides = (*_changed(course, line, say), *_settled(course, line, say))
    return ". ".join([f"{corrected}{visit}{'; '.join([first, *more])}", *besides])


def _outcome(line: Line, decision: RecordedDecision) -> str:
    """Return what became of a visit; who is set back does not keep their place."""
    is_set_back = any(isinstance(each, WasReset) and each.restart is not None for each in decision.reasons)
    words = {**OUTCOME_WORDS, **SET_BACK_WORDS} if is_set_back else OUTCOME_WORDS
    return words.get(line.outcome, "Written down")


def _settled(course: Course, line: Line, say: Words) -> Iterator[str]:
    """Yield what of an award settles what was given too much before, or is given too much by now."""
    if settles := _spoken(course, {unit: amount for unit, amount in line.settled.items() if amount > 0}):
        yield say("{what} of it settles what was given too much before", what=settles)
    if leaves := _spoken(course, {unit: -amount for unit, amount in line.settled.items() if amount < 0}):
        yield say("{what} that was given is taken off later rewards", what=leaves)


def _visit(course: Course, line: Line, say: Words) -> str:
    """Return which visit it is, and which behavior's if there are several."""
    targets = course.program.targets
    target = targets.get(line.target) if len(targets) > 1 else None
    if target and target.called:
        one = target.called.one
        return f"{one[:1].upper()}{one[1:]} {line.visit}"
    return say(VISIT_WORDS[target.behavior] if target else VISIT, number=line.visit)


def _drawn(line: Line, say: Words) -> Iterator[str]:
    """Yield what the draws of a first decision won; a correction says it beside what it was before."""
    if line.drawn and not line.before:
        yield say("drawn: {what}", what=", ".join(each or say("nothing") for each in line.drawn))


def _changed(course: Course, line: Line, say: Words) -> Iterator[str]:
    """Yield what a correction changed: what a visit is worth now, and all of it that was otherwise before."""
    if line.before is None:
        return
    worth = _apart(_worth(course, line, say), _worth(course, line.before, say))
    other = _apart(_place(course, line, say), _place(course, line.before, say))
    if line.outcome != WITHDRAWN and (now := ", ".join(filter(None, [each for each, _ in worth]))):
        yield say("Now: {what}", what=now)
    if before := ", ".join(filter(None, [was for _, was in [*other, *worth]])):
        yield say("Before: {what}", what=before)


def _apart(now: Iterable[str], before: Iterable[str]) -> list[tuple[str, str]]:
    return [(each, was) for each, was in zip(now, before, strict=True) if each != was]


def _place(course: Course, line: Line, say: Words) -> Iterator[str]:
    """Yield the day, the visit and the outcome of a line."""
    yield say.day(line.on) if line.on else ""
    yield _visit(course, line, say) if line.visit else ""
    yield say(OUTCOME_WORDS.get(line.outcome, "Written down"))


def _worth(course: Course, line: Line, say: Words) -> Iterator[str]:
    """Yield what a line awards, and what its draws won."""
    yield _spoken(course, line.awards) or say("nothing")
    yield ", ".join(each or say("nothing") for each in line.drawn)


def _more(decision: RecordedDecision, say: Words) -> Iterator[str]:
    limited = decision.prizes.limited if decision.prizes else None
    for reason in (*decision.reasons, *([limited] if limited else [])):
        if isinstance(reason, BonusEarned):
            yield say("a bonus for {count} in a row", count=reason.every)
        elif reason.code in REASON_WORDS and not _sets_nothing_back(reason):
            yield say(REASON_WORDS[reason.code])


def _sets_nothing_back(reason: Reason) -> bool:
    return isinstance(reason, WasReset) and reason.restart is None


def _sums(course: Course, decision: RecordedDecision) -> Iterator[str]:
    """Yield the amounts that what became of a reward is about."""
    for reason in decision.reasons:
        unit, amount = _amount(reason)
        if unit:
            yield course.program.unit(unit).spoken(amount)


def _amount(reason: Reason) -> tuple[str, int]:
    unit = getattr(reason, "unit", None)
    return (unit.name, getattr(reason, "amount", 0)) if unit and hasattr(reason, "amount") else ("", 0)


def _spoken(course: Course, amounts: Mapping[str, Decimal]) -> str:
    units = ((course.program.unit(name), amount) for name, amount in amounts.items() if amount)
    return ", ".join(unit.spoken(unit.minor(amount)) for unit, amount in units)


def _tiles(engine: Engine, course: Course, on: date, say: Words) -> Iterator[Tile]:
    balances, lines = course.statement.balances, course.statement.lines
    zero = course.program.unit(None).spoken(0)
    yield Tile(say("Earned so far"), (_spoken(course, lines[-1].so_far) if lines else "") or zero)
    is_held = course.enrollment.is_frozen
    for name, text in (
        ("issued", "Handed over to you"),
        ("in_flight", "On its way to you, or held back for now" if is_held else "On its way to you"),
        ("owed", "Still owed to you"),
        ("offset", "Given too much, to be taken off later rewards"),
    ):
        found = _spoken(course, {unit: getattr(each, name) for unit, each in balances.items()})
        if found:
            yield Tile(say(text), found)
    if course.is_open:
        yield _next(engine, course, on, say, zero)


def _next(engine: Engine, course: Course, on: date, say: Words, zero: str) -> Tile:
    """Return what the next visit pays if its goal is met, and when it is: of several targets, that which is planned first."""
    ahead = [each["-"] for each in engine.preview(enrollment=course.enrollment.id).values() if "-" in each]
    planned = {
        (each.target, each.number): each for each in course.visits if each.status in {"open", "planned"}
    }
    with_windows = {each.target for each in course.visits}
    known = list[tuple[date, PlannedVisit | None, Decision]]()
    for each in ahead:
        visit, own = planned.get((each.target, each.visit)), None if each.target in with_windows else each.on
        known.append((visit.on if visit else own or date.max, visit, each))
    _, visit, first = min(known, key=itemgetter(0), default=(None, None, None))
    pays = _spoken(course, first.awards) if first else ""
    return Tile(say("Next reward"), pays or zero, _when(visit, on, say))


def _when(visit: PlannedVisit | None, on: date, say: Words) -> str:
    """Say when the goal is to be met: on the planned day, or by the last one that the visit can be kept on, if that is over."""
    days = (("on", visit.on), ("by", visit.closes)) if visit else ()
    texts = {"on": "if you meet the goal on {day}", "by": "if you meet the goal by {day}"}
    told = (say(texts[how], day=say.day(day)) for how, day in days if on <= day)
    return next(told, say("if you meet the goal"))

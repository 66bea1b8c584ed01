"""Where an enrollment stands: all that its next decision depends on, and the same as text."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.ledger.postings import payable
from cm_engine.log.encoding import dumped, pools_from, slips_from
from cm_engine.log.history import Place
from cm_engine.log.rows import EnrollmentRow
from cm_engine.rules.compiled import Rules
from cm_engine.rules.days import initial_state
from cm_engine.rules.prizes import Slips, full_bowl
from cm_engine.rules.shared import Pool, Windows
from cm_engine.rules.state import State
from cm_engine.rules.stored import dump_state, load_state
from cm_engine.rules.windows import AS_PLANNED, Calendar, Pause

NOWHERE: Place = ("", "")
"""The place before the first observation."""


class Enrolled(NamedTuple):
    """An enrollment with the rules of its program and, where it draws prizes, the secret of its draws."""

    row: EnrollmentRow
    rules: Rules
    seed: bytes = b""

    def __repr__(self) -> str:
        """Return the enrollment without the seed, which is a secret."""
        return f"Enrolled({self.row!r})"

    @property
    def pays_into(self) -> str:
        """Return the account that awards are credited to."""
        return payable(self.rules)


class Stand(NamedTuple):
    """Where an enrollment stands after its last observation.

    Attributes:
        state: of the rules.
        place: of the last observation.
        slips: what is in each bowl, by the unit that draws from it.
        own: what each shared pool has received from this enrollment.
        offset: what is still to be taken off later awards, by unit, in minor units.
        counted: the day of the last result that counted for a visit, by target, where targets have windows.
        calendar: what moves the plan.
    """

    state: State
    place: Place = NOWHERE
    slips: Mapping[str, Slips] = {}
    own: Mapping[Pool, Windows] = {}
    offset: Mapping[str, int] = {}
    counted: Mapping[str, str] = {}
    calendar: Calendar = AS_PLANNED


def first_stand(rules: Rules, state: State) -> Stand:
    """Return where an enrollment stands before its first observation."""
    return Stand(state, slips={unit: full_bowl(rules.program, unit) for unit in rules.program.bowls})


def start_of(enrolled: Enrolled) -> State:
    """Return the state before the first observation of an enrollment."""
    row = enrolled.row
    before = {
        target: [Decimal(value) for value in values]
        for target, values in json.loads(row.before or "{}").items()
    }
    return initial_state(enrolled.rules, date.fromisoformat(row.start), before)


def stand_text(stand: Stand) -> str:
    """Return where an enrollment stands, as four lines: the state, the day and moment of its place, and the rest."""
    state, (day, moment), slips, own, offset, counted, calendar = stand
    rest = ""
    if slips or own or offset or counted or calendar != AS_PLANNED:
        fields = {"slips": slips, "own": sorted(own.items()), "offset": offset}
        dated = {"counted": counted, "calendar": _calendar_form(calendar)}
        rest = dumped(fields | {name: value for name, value in dated.items() if value})
    return f"{dump_state(state)}\n{day}\n{moment}\n{rest}"


def stand_from(rules: Rules, text: str) -> Stand:
    """Return what `stand_text` wrote.

    Raises:
        StateError: it is of another layout, or of another program; fold the log again.
    """
    state, day, moment, rest = text.split("\n")
    fields = json.loads(rest or "{}")
    return Stand(
        load_state(rules, state),
        (day, moment),
        {unit: slips_from(slips) for unit, slips in fields.get("slips", {}).items()},
        pools_from(dumped(fields.get("own", []))),
        fields.get("offset", {}),
        fields.get("counted", {}),
        _calendar_from(fields.get("calendar", {})),
    )


def _calendar_form(calendar: Calendar) -> dict[str, Any]:
    moved = [(*visit, day) for visit, day in sorted(calendar.moved.items())]
    form = {
        "pauses": calendar.pauses,
        "moved": moved,
        "last": calendar.last,
        "frozen": calendar.frozen,
    }
    return {name: value for name, value in form.items() if value}


def _calendar_from(form: Mapping[str, Any]) -> Calendar:
    return Calendar(
        tuple(Pause(date.fromisoformat(first), _day(back)) for first, back in form.get("pauses", ())),
        {(target, visit): date.fromisoformat(day) for target, visit, day in form.get("moved", ())},
        _day(form.get("last")),
        form.get("frozen", False),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None

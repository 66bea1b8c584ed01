"""Where an enrollment stands: all that its next decision depends on, and the same as text."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from cm_engine.ledger.postings import payable
from cm_engine.log.encoding import dumped, pools_from, slips_from
from cm_engine.log.entering import Entry, Waiting
from cm_engine.log.history import Place
from cm_engine.log.rows import EnrollmentRow
from cm_engine.rules.compiled import Rules
from cm_engine.rules.days import initial_state
from cm_engine.rules.prizes import Slips, full_bowl
from cm_engine.rules.shared import Pool, Windows, shared_pools
from cm_engine.rules.state import State
from cm_engine.rules.stored import dump_state, load_state
from cm_engine.rules.windows import AS_PLANNED, Calendar, Pause, Stay

NOWHERE: Place = ("", "")
"""The place before the first observation."""


class Enrolled(NamedTuple):
    """An enrollment with the rules of its program and, where it draws prizes, the secret of its draws.

    Attributes:
        rules: those that decide; of the version that it has moved to, if it has.
        versions: of all versions that it has had, by digest; empty if there was one.
    """

    row: EnrollmentRow
    rules: Rules
    seed: bytes = b""
    versions: Mapping[str, Rules] = {}

    def under(self, program: str) -> "Enrolled":
        """Return the enrollment with the rules of a version that it has, by its digest."""
        return self if program == self.rules.digest else self._replace(rules=self.versions[program])

    @property
    def all_rules(self) -> tuple[Rules, ...]:
        """Return the rules of all its versions."""
        return tuple({**self.versions, self.rules.digest: self.rules}.values())

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Return the shared pools that the limits of all its versions count in."""
        if not self.versions:
            return shared_pools(self.rules) if self.rules.shares else ()
        pools = (pool for rules in self.all_rules if rules.shares for pool in shared_pools(rules))
        return tuple(dict.fromkeys(pools))

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
        counted: the last result that counted for a visit, by target, where targets have windows: its day/the visit.
        calendar: what moves the plan.
        waiting: first entries, which wait for a second person.
        moved_to: the versions of its program that it has moved to, in order: the digest, and the first day of each.
        timed: the latest time of collection of a result that was said to count for a day.
        missed: the last visit of a target that was missed under an earlier version of its program, if the one of now plans
            another of that number.
        promised: the visit of a target that a later result counts for instead of an earlier one, and that those between
            are of too; only while a log is folded.
    """

    state: State
    place: Place = NOWHERE
    slips: Mapping[str, Slips] = {}
    own: Mapping[Pool, Windows] = {}
    offset: Mapping[str, int] = {}
    counted: Mapping[str, str] = {}
    calendar: Calendar = AS_PLANNED
    waiting: Waiting = ()
    moved_to: tuple[tuple[str, str], ...] = ()
    timed: str = ""
    missed: Mapping[str, int] = {}
    promised: Mapping[str, int] = {}


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
    state, (day, moment), slips, own, offset, counted, calendar, waiting, moved_to, timed, missed, _ = stand
    rest = ""
    if slips or own or offset or counted or waiting or moved_to or timed or calendar != AS_PLANNED:
        fields = {"slips": slips, "own": sorted(own.items()), "offset": offset}
        dated = {"counted": counted, "calendar": _calendar_form(calendar), "waiting": waiting}
        told = dated | {"moved_to": moved_to, "timed": timed, "missed": missed}
        rest = dumped(fields | {name: value for name, value in told.items() if value})
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
        tuple(Entry(*each) for each in fields.get("waiting", ())),
        tuple((program, day) for program, day in fields.get("moved_to", ())),
        fields.get("timed", ""),
        fields.get("missed", {}),
    )


def _calendar_form(calendar: Calendar) -> dict[str, Any]:
    moved = [(*visit, day) for visit, day in sorted(calendar.moved.items())]
    form = {
        "pauses": calendar.pauses,
        "moved": moved,
        "last": calendar.last,
        "frozen": calendar.frozen,
        "away": calendar.away,
        "stays": calendar.stays,
    }
    return {name: value for name, value in form.items() if value}


def _calendar_from(form: Mapping[str, Any]) -> Calendar:
    return Calendar(
        tuple(Pause(date.fromisoformat(first), _day(back)) for first, back in form.get("pauses", ())),
        {(target, visit): date.fromisoformat(day) for target, visit, day in form.get("moved", ())},
        _day(form.get("last")),
        form.get("frozen", False),
        _day(form.get("away")),
        tuple(_stay(*fields) for fields in form.get("stays", ())),
    )


def _stay(site: str, zone: str, first: str, closed: list[list[str]]) -> Stay:
    days = tuple((date.fromisoformat(one), date.fromisoformat(last)) for one, last in closed)
    return Stay(site, zone, date.fromisoformat(first), days)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None

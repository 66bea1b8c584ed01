"""A plain model of the durable engine: what was observed, decided from scratch after each act, and its books.

Nothing is stored and nothing is cached: the observations that stand are put in order (by day, by moment, by when
they were recorded) and decided by `step`, which is trusted here. Money is counted by observation: what is given stays
given, and what a correction takes away is owed less, borne by the program, or taken off later awards.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine import (
    CmEngineError,
    Decision,
    Observation,
    Program,
    ResultsError,
    Rules,
    State,
    compile_rules,
    initial_state,
    pools,
    prizes,
    step,
    with_pools,
)
from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.acts.register import Register
from cm_engine.engine import Engine
from cm_engine.errors import ReportError
from cm_engine.ledger.balances import Balance
from cm_engine.ports import Clock
from cm_engine.rules.reasons import Refunded, Staked, StakeLost
from cm_engine.rules.shared import Pool

SECRET = bytes(range(32))
ZONE = "America/Los_Angeles"

Kept = Mapping[Pool, Counter[int]]
"""What pools have received, by the number of the window."""


def opened(kind: str, folder: Path, clock: Clock) -> Engine:
    """Open an engine on an empty storage of a kind: memory, or sqlite in a folder."""
    url = "memory:" if kind == "memory" else f"{kind}:///{folder / 'clinic.db'}"
    return Engine.open(url, zone=ZONE, secret=SECRET, clock=clock)


class Fact(NamedTuple):
    """One observation that stands: `record` says when it was recorded, among all acts."""

    record: int
    seen: Observation
    on: date | None
    at: datetime | None
    key: str

    def day(self, zone: str) -> date:
        """The day it counts for: the one given, or that of its moment in the clinic's zone."""
        if self.on:
            return self.on
        assert self.at
        return self.at.astimezone(ZoneInfo(zone)).date()

    def place(self, zone: str) -> tuple[date, bool, float, int]:
        """Where it stands: by day, by moment (none is at the end of the day), by when it was recorded."""
        return self.day(zone), self.at is None, self.at.timestamp() if self.at else 0, self.record


class Told(NamedTuple):
    """What was decided on an observation, and with what of others in the shared pools."""

    decision: Decision
    won: prizes.Prizes | None
    others: Kept

    @property
    def said(self) -> tuple[Decision, prizes.Prizes | None]:
        """What a participant can see of it."""
        return self.decision, self.won


class Books(NamedTuple):
    """One unit: what is owed, what is given (on the way), and what of the given was not awarded in the end."""

    owed: int = 0
    given: int = 0
    absorbed: Mapping[int, int] = {}
    offset: int = 0


@dataclass(frozen=True)
class Course:
    """One enrollment, as it stands."""

    id: str
    participant: str
    rules: Rules
    start: date
    zone: str
    facts: Mapping[int, Fact] = field(default_factory=dict)
    told: Mapping[int, Told] = field(default_factory=dict)
    state: State | None = None
    books: Mapping[str, Books] = field(default_factory=dict)
    own: Kept = field(default_factory=dict)
    acts: int = 1
    decisions: int = 0
    ever: frozenset[int] = frozenset()
    changed: tuple[int, ...] = ()

    @property
    def program(self) -> Program:
        """The program."""
        return self.rules.program

    @property
    def goes_on(self) -> bool:
        """Whether any target has a visit left."""
        assert self.state
        tracks = zip(self.rules.targets, self.state.tracks, strict=True)
        return any(track.visits < len(target.visits) for target, track in tracks)

    def ordered(self, facts: Mapping[int, Fact]) -> list[Fact]:
        """Observations in the order in which they are decided."""
        return sorted(facts.values(), key=lambda fact: fact.place(self.zone))

    def due(self) -> Counter[str]:
        """What the participant is due by the decisions that stand, by unit, in minor units."""
        return added(due_of(self.program, told) for told in self.told.values())

    def awarded(self, until: date = date.max) -> Counter[str]:
        """What the decisions that stand award by the end of a day, by unit, in minor units."""
        told = [each for each in self.told.values() if each.decision.on and each.decision.on <= until]
        return added(awarded_of(each) for each in told)

    def last_day(self) -> date:
        """The last day on which something was observed."""
        return max((fact.day(self.zone) for fact in self.facts.values()), default=self.start)


def added(amounts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Sum amounts by unit; of each unit that occurs, 0 too."""
    found: Counter[str] = Counter()
    for each in amounts:
        for unit, amount in each.items():
            found[unit] += amount
    return found


def awarded_of(told: Told) -> Counter[str]:
    """What a decision awards; what a deposit pays in, or gets back, is the participant's own."""
    found = added([_paid(told), _staked(told)])
    for reason in told.decision.reasons:
        if isinstance(reason, Refunded):
            found[reason.unit.name] -= reason.amount
    return found


def due_of(program: Program, told: Told) -> Counter[str]:
    """What a decision hands over: its awards and a deposit that comes back, without draws, which become prizes."""
    found = added([_paid(told), _staked(told)])
    return Counter({unit: amount for unit, amount in found.items() if unit not in program.bowls})


def _paid(told: Told) -> Counter[str]:
    found = added({award.unit.name: award.amount} for award in told.decision.paid)
    if told.won:
        found[told.won.paid.unit.name] += told.won.paid.amount
    return found


def _staked(told: Told) -> Counter[str]:
    reasons = told.decision.reasons
    return added({each.unit.name: each.amount} for each in reasons if isinstance(each, Staked))


def settled(program: Program, books: Books, changes: Sequence[tuple[int, int]]) -> Books:
    """Books of one unit after the changes of one act: (observation, more or less than it was)."""
    net = sum(amount for _, amount in changes)
    if program.payout.when != "at once":
        return books._replace(owed=books.owed + net)
    if program.payout.overpaid == "offset":
        due = books.given - books.offset + net
        given = max(books.given, due)
        return books._replace(given=given, offset=given - due)
    return _absorbed(books, changes)


def _absorbed(books: Books, changes: Sequence[tuple[int, int]]) -> Books:
    """More first makes up for what its own observation had absorbed, then for less of others."""
    absorbed = Counter(books.absorbed)
    less: list[list[int]] = []
    more = 0
    for record, amount in changes:
        restored = min(max(amount, 0), absorbed[record])
        absorbed[record] -= restored
        more += max(amount - restored, 0)
        if amount < 0:
            less.append([record, -amount])
    for each in less:
        made_up = min(more, each[1])
        more -= made_up
        absorbed[each[0]] += each[1] - made_up
    return books._replace(given=books.given + more, absorbed=absorbed)


def _refuse_twice(course: Course, fact: Fact) -> None:
    """Refuse a second result of a target from one moment: it is one specimen that comes by two ways."""
    for known in course.facts.values():
        of_one = len(course.rules.targets) == 1 or known.seen.target == fact.seen.target
        events = known.seen.event or fact.seen.event
        if fact.at and known.at == fact.at and known.record != fact.record and of_one and not events:
            raise ReportError("collected_at: it is recorded already")


class Model:
    """All enrollments, and the keys that were used."""

    def __init__(self) -> None:
        self.courses: dict[str, Course] = {}
        self._register = Register(SECRET)

    def enroll(self, id_: str, participant: str, program: Program, start: date, zone: str = ZONE) -> None:
        """Add an enrollment."""
        rules = compile_rules(program)
        state = initial_state(rules, start)
        self.courses[id_] = Course(id_, participant, rules, start, zone, state=state)

    def observe(self, id_: str, seen: Observation, on: date | None, at: datetime | None, key: str) -> int:
        """Record an observation of the desk under a key, and return its number."""
        course = self.courses[id_]
        fact = Fact(course.acts, seen, on, at, key)
        _refuse_twice(course, fact)
        self._take(course, {**course.facts, fact.record: fact})
        return fact.record

    def observe_many(
        self, reports: Iterable[tuple[str, Observation, date | None, datetime | None, str]]
    ) -> None:
        """Record all of some observations, or none."""
        before = dict(self.courses)
        try:
            for report in reports:
                self.observe(*report)
        except CmEngineError:
            self.courses = before
            raise

    def amend(
        self, id_: str, record: int, *, seen: Observation, on: date | None = None, at: datetime | None = None
    ) -> None:
        """Correct an observation; what is empty stays."""
        course = self.courses[id_]
        was = course.facts[record]
        about = seen if seen.outcome or seen.event or seen.evidence else was.seen
        about = about._replace(target=seen.target or was.seen.target)
        days = (on, at) if on or at else (was.on, was.at)
        fact = Fact(record, about, *days, was.key)
        if at:
            _refuse_twice(course, fact)
        self._take(course, {**course.facts, record: fact}, about=record)

    def void(self, id_: str, record: int) -> None:
        """Take an observation back."""
        course = self.courses[id_]
        self._take(course, {number: fact for number, fact in course.facts.items() if number != record})

    def asserted(self, id_: str) -> None:
        """Count an act that changes nothing."""
        course = self.courses[id_]
        self.courses[id_] = replace(course, acts=course.acts + 1, changed=())

    def others(self, course: Course) -> Kept:
        """What the other enrollments have received from the pools that this one shares."""
        found: dict[Pool, Counter[int]] = {}
        for other in self.courses.values():
            for pool, windows in other.own.items():
                if other.id != course.id and (
                    pool.scope == "fund" or other.participant == course.participant
                ):
                    found.setdefault(pool, Counter()).update(windows)
        return found

    def state(self, course: Course) -> State:
        """Where an enrollment stands, with what its shared pools have received up to now."""
        assert course.state
        return _with(course.rules, course.state, self.others(course), course.own)

    def _take(self, course: Course, facts: Mapping[int, Fact], about: int | None = None) -> None:
        """Decide everything from scratch, and count what changed by it."""
        untouched = _untouched(course.ordered(course.facts), course.ordered(facts), about)
        told, own, state = self._decided(course, facts, untouched)
        again = set(told) - untouched if course.rules.shares else set()
        changed = [
            each
            for each in told
            if each in again or each not in course.told or told[each].said != course.told[each].said
        ]
        gone = [each for each in course.told if each not in told]
        self.courses[course.id] = replace(
            course,
            facts=facts,
            told=told,
            state=state,
            own=own,
            books=_booked(course, told, [*changed, *gone]),
            acts=course.acts + 1,
            decisions=course.decisions + len(changed) + len(gone),
            ever=course.ever | set(facts),
            changed=(*changed, *gone),
        )

    def _decided(
        self, course: Course, facts: Mapping[int, Fact], untouched: set[int]
    ) -> tuple[dict[int, Told], Kept, State]:
        """What is decided on observations: those before the change with what others had received then."""
        now, told = self.others(course), dict[int, Told]()
        state = initial_state(course.rules, course.start)
        own: dict[Pool, Counter[int]] = {}
        bowls = self._full_bowls(course)
        for fact in course.ordered(facts):
            others = course.told[fact.record].others if fact.record in untouched else now
            state = _with(course.rules, state, others, own)
            seen = fact.seen._replace(on=fact.day(course.zone))
            state, decision = step(course.rules, state, seen)
            state, bowls, won = _won(course, state, decision, bowls, fact.key)
            for pool, windows in pools(course.rules, state).items():
                own[pool] = Counter(dict(windows))
                own[pool].subtract(others.get(pool, Counter()))
            told[fact.record] = Told(decision, won, others)
        return told, own, state

    def _full_bowls(self, course: Course) -> prizes.Bowls:
        names = course.program.bowls
        seed = self._register.seed(course.id) if names else b""
        return prizes.Bowls({name: prizes.full_bowl(course.program, name) for name in names}, seed)


def _untouched(before: Iterable[Fact], after: Iterable[Fact], about: int | None) -> set[int]:
    """The observations before the first that an act changes, or corrects to what it was."""
    pairs = zip(before, after, strict=False)
    return {
        fact.record
        for fact, _ in takewhile(lambda pair: pair[0] == pair[1] and pair[0].record != about, pairs)
    }


def _with(rules: Rules, state: State, others: Kept, own: Kept) -> State:
    """A state that knows what its shared pools have received from all."""
    given: dict[Pool, tuple[tuple[int, int], ...]] = {}
    for pool in pools(rules, state):
        both = Counter(others.get(pool, Counter()))
        both.update(own.get(pool, Counter()))
        given[pool] = tuple(sorted((number, amount) for number, amount in both.items() if amount))
    return with_pools(rules, state, given)


def _won(
    course: Course, state: State, decision: Decision, bowls: prizes.Bowls, key: str
) -> tuple[State, prizes.Bowls, prizes.Prizes | None]:
    """What the draws of a decision win."""
    if not any(award.amount for award in decision.paid if award.unit.name in course.program.bowls):
        return state, bowls, None
    name = sha256(json.dumps(["desk", key], separators=(",", ":")).encode()).hexdigest()[:16]
    return prizes.award_prizes(course.rules, state, decision, bowls, f"{course.id}/{name}")


def _booked(course: Course, told: Mapping[int, Told], changed: Sequence[int]) -> dict[str, Books]:
    books = dict(course.books)
    for unit, changes in _changes(course, told, changed).items():
        books[unit] = settled(course.program, books.get(unit, Books()), changes)
    return books


def _changes(
    course: Course, told: Mapping[int, Told], changed: Sequence[int]
) -> dict[str, list[tuple[int, int]]]:
    """By unit, how much more or less each changed observation is due."""
    found: dict[str, list[tuple[int, int]]] = {}
    for record in changed:
        was, new = (
            due_of(course.program, one[record]) if record in one else Counter[str]()
            for one in (course.told, told)
        )
        for unit in {*was, *new}:
            found.setdefault(unit, []).append((record, new[unit] - was[unit]))
    return found


def exact(program: Program, amounts: Mapping[str, int]) -> dict[str, Decimal]:
    """Amounts as decimals, by unit."""
    return {unit: program.unit(unit).decimal(amount) for unit, amount in amounts.items()}


def nonzero(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Amounts without those of 0."""
    return {unit: amount for unit, amount in amounts.items() if amount}


def own_money(course: Course) -> tuple[int, int]:
    """What a participant paid in, and what lapses took of it."""
    reasons = [reason for told in course.told.values() for reason in told.decision.reasons]
    paid_in = sum(each.amount for each in reasons if isinstance(each, Staked))
    return paid_in, sum(each.amount for each in reasons if isinstance(each, StakeLost))


def stake(state: State) -> int:
    """What is held of a deposit."""
    return state.stake or 0


def previewed(model: Model, course: Course, on: date | None) -> dict[str, dict[str, Decision]]:
    """What each next result of each target would lead to; nothing of a target that has none."""
    state, found = model.state(course), dict[str, dict[str, Decision]]()
    for target in course.rules.targets:
        try:
            found[target.name] = {
                symbol: step(course.rules, state, Observation(symbol, on, target.name))[1]
                for symbol in "-+oe*r_"
            }
        except ResultsError:
            found[target.name] = {}
    return found


class Desk:
    """One enrollment at a clinic's front desk: every act gets a key of its own."""

    def __init__(
        self,
        engine: Engine,
        program: str | Program,
        *,
        participant: str = "p-1",
        start: date = date(2026, 1, 5),
        zone: str = "",
    ) -> None:
        self.engine = engine
        self.start = start
        digest = engine.add_program(program)
        enrolled = engine.enroll(
            participant=participant, program=digest, start=start, by="nurse", zone=zone, again=True
        )
        self.id = enrolled.id

    def _call(self, **more: Any) -> dict[str, Any]:
        key = f"{self.id}/{len(self.engine.history(enrollment=self.id))}"
        return {"enrollment": self.id, "source": "desk", "key": key, "by": "nurse", **more}

    def observe(self, result: str, on: date | None = None, **more: Any) -> Recorded:
        """Record an observation on a day."""
        return self.engine.record(**self._call(result=result, on=on, **more))

    def word(self, word: str) -> list[Recorded]:
        """Record a word of results, each on the day that the plan expects."""
        return [self.observe(symbol, self._expected()) for symbol in word]

    def _expected(self) -> date:
        [row] = self.engine.preview(enrollment=self.id).values()
        on = row["-"].on
        assert on is not None
        return on

    def amend(self, record: int, **more: Any) -> Recorded:
        """Correct an observation."""
        return self.engine.amend(**self._call(record=record, why="the laboratory", **more))

    def void(self, record: int) -> Recorded:
        """Take an observation back."""
        return self.engine.void(**self._call(record=record, why="by mistake"))

    def assert_awarded(self, amount: str, on: date, **more: Any) -> Recorded:
        """Assert what had been awarded by the end of a day."""
        return self.engine.assert_awarded(**self._call(amount=Decimal(amount), on=on, **more))

    def stands(self) -> list[RecordedDecision]:
        """The decisions that stand, in the order of their days and visits."""
        latest = {
            each.record: each for act in self.engine.history(enrollment=self.id) for each in act.decisions
        }
        standing = [each for each in latest.values() if each.outcome != "withdrawn"]
        return sorted(standing, key=lambda each: (each.on or self.start, each.target, each.visit))

    def paid(self, unit: str = "USD") -> list[str]:
        """What each visit that stands awards, in order."""
        return [f"{each.awards[unit]}" for each in self.stands()]

    def balance(self, unit: str = "USD") -> Balance:
        """The balance of a unit."""
        return self.engine.balance(enrollment=self.id)[unit]

    def awarded(self, on: date) -> Decimal:
        """What had been awarded by the end of a day."""
        return self.engine.statement(enrollment=self.id, until=on).awarded["USD"]

    def places(self, unit: str = "USD") -> dict[str, str]:
        """Where all of a unit is, without what is 0."""
        found = self.balance(unit)._asdict()
        return {name: str(amount) for name, amount in found.items() if name != "unit" and amount}

    def text(self) -> str:
        """The statement."""
        return self.engine.statement(enrollment=self.id).text()

"""A clinic's year, made up: three sites, their staff, results, corrections, closures, transfers and payouts with faults.

The same seed makes the same year. python -m examples.clinic_year year.db [PARTICIPANTS] [--reports FOLDER]
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cm_engine import Engine, parse_program
from cm_engine.delivery.dispatcher import Dispatcher
from cm_engine.gateways import Answer, Capabilities, Order, Outcome, Placed
from cm_engine.reports.reading import clinic
from cm_engine.reports.shelf import written

ZONE = "America/Los_Angeles"
FIRST = date(2025, 9, 1)
HURRIED = date(2025, 10, 9)
"""On this day everybody is entered at once, by one of each site."""
SITES = ("north", "south", "west")
PEOPLE = 3
"""So many work at each site."""
PROGRAM = """
program: steady-steps
version: "1"
title: Steady Steps
currency: USD
visits: [{weeks: 1-12, days: [monday, thursday]}]
windows: {before: 1, after: 1, grace: 1}
targets:
  stimulants:
    behavior: abstinence
    schedule:
      - weeks: 1-12
        escalate: {start: 10.00, step: 1.50, every: 2, ceiling: 26.50}
        reset: {on: [positive, missed, refused]}
        recover: {after: 2, paid: next, level: last earned}
        hold: {on: [excused, invalid]}
limits: [{amount: 599.00, per: calendar year, payer: state-medicaid, crossing: truncate}]
people: {second_entry: [positive]}
signals:
  - {name: not-seen, when: {missed: 2}, to: [counselor]}
  - {name: slipped, when: {positive_after: 6}, to: [counselor]}
  - {name: no-reward-yet, when: {no_reward_in_first: 4}, to: [counselor]}
"""


@dataclass
class Clock:
    """Tell a time that is put forward by hand."""

    now: datetime = datetime(2025, 8, 1, 16, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def set(self, day: date, minutes: int) -> None:
        """Put it forward to some minutes after midnight at the clinic; it never goes back."""
        midnight = datetime.combine(day, time(), tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
        self.now = max(self.now + timedelta(seconds=1), midnight + timedelta(minutes=minutes))


CARDS = Capabilities(frozenset({"USD"}))


@dataclass
class Vendor:
    """A vendor of gift cards that now and then fails: it refuses, loses its answer, or asks for patience."""

    chance: Random
    capabilities: Capabilities = CARDS
    orders: dict[str, Order] = field(default_factory=dict)

    def send(self, order: Order) -> Answer:
        """Take an order, mostly."""
        known, drawn = order.id in self.orders, self.chance.random()
        if not known and drawn < 0.03:  # noqa: PLR2004 - the share of faults
            return Answer(Outcome.RETRY_LATER, note="too many calls")
        if not known and drawn < 0.032:  # noqa: PLR2004 - the share of faults
            return Answer(Outcome.REJECTED, note="the vendor refuses it")
        self.orders[order.id] = order
        if drawn > 0.97:  # noqa: PLR2004 - the share of faults
            return Answer(Outcome.UNKNOWN, note="the answer was lost")
        return self._has(order, Outcome.REPLAYED if known else Outcome.CREATED)

    def find(self, id: str) -> Answer | None:  # noqa: A002 - as the port says
        """Return an order that it has."""
        return self._has(self.orders[id], Outcome.REPLAYED) if id in self.orders else None

    def _has(self, order: Order, outcome: Outcome) -> Answer:
        placed = Placed(order.amount, order.unit, order.product)
        return Answer(outcome, reference=f"card {list(self.orders).index(order.id) + 1}", placed=placed)


class Person(NamedTuple):
    """A participant who is made up, and how they do."""

    enrollment: str
    site: str
    start: date
    abstinent: float
    comes: float


@dataclass
class Year:
    """A year at the clinic, as it goes on."""

    engine: Engine
    clock: Clock
    chance: Random
    participants: int
    weeks: int
    seen: dict[str, int] = field(default_factory=dict)
    acts: int = 0

    def told(self, by: str) -> dict[str, Any]:
        """Return who reports something, under a key of its own."""
        self.acts += 1
        return {"source": "front-desk", "key": f"a-{self.acts}", "by": by}

    def open(self) -> None:
        """Open the sites, and say who works and who pays there."""
        self.engine.add_program(parse_program(PROGRAM))
        self.engine.add_staff(staff="boss-1", roles=["supervisor"], by="boss-1")
        for place, site in enumerate(SITES):
            self.engine.open_site(site, zone=ZONE, by="boss-1")
            budget = Decimal(60 * self.participants) if place == 0 else None
            grant: dict[str, Any] = {"budget": budget, "alert": Decimal("0.8")} if budget else {}
            self.engine.add_fund(site, "state grant", **grant, **self.told("boss-1"))
            if budget:
                self.engine.add_fund(site, "settlement fund", **self.told("boss-1"))
            if site != SITES[-1]:
                self.engine.add_gateway(site, "cards", **self.told("boss-1"))
            for number in range(1, PEOPLE + 1):
                roles = ["front-desk", "supervisor"] if number > 1 else ["front-desk"]
                self.engine.add_staff(
                    staff=f"{site}-{number}",
                    roles=roles,
                    sites=[site],
                    trained_on=FIRST,
                    by="boss-1",
                )
        self._stock()

    def _stock(self) -> None:
        site = SITES[-1]
        self.engine.open_stock(site, holds="things", by="boss-1")
        card: dict[str, Any] = {"product": "card", "value": Decimal(10), "holder": f"{site}-1"}
        self.engine.receive_stock(site, count=60, purchase="order-1", **card, **self.told("boss-1"))
        self.engine.count_stock(site, counted=58, **card, **self.told("boss-1"))

    def people(self) -> Iterator[Person]:
        """Yield who is enrolled, in the order of their first days."""
        for number in range(self.participants):
            week = number * max(self.weeks - 8, 1) // self.participants
            site, first = SITES[number % len(SITES)], FIRST + timedelta(weeks=week)
            likely = self.chance.betavariate(4, 1.6)
            yield Person(f"e-{number + 1:04}", site, first, likely, 0.75 + 0.23 * self.chance.random())

    def enroll(self, person: Person) -> None:
        """Enroll somebody."""
        name = person.enrollment.replace("e-", "p-")
        by = f"{person.site}-1"
        self.engine.enroll(
            participant=name,
            program="steady-steps",
            start=person.start,
            by=by,
            id=person.enrollment,
            site=person.site,
        )

    def visit(self, person: Person, day: date) -> None:
        """Let somebody come, or not."""
        drawn, staff = self.chance.random(), 1 if day == HURRIED else self.chance.choice((1, 1, 2, 2, 3))
        by, generous = f"{person.site}-{staff}", person.site == SITES[-1] and staff == PEOPLE
        if drawn > person.comes:
            if self.chance.random() < (0.9 if generous else 0.1):
                self._seen(person, day, "e", by)
            return
        if drawn < 0.01:  # noqa: PLR2004 - the share of specimens that tell nothing
            self._seen(person, day, "*", by)
        else:
            self._seen(person, day, "-" if self.chance.random() < person.abstinent else "+", by)

    def _seen(self, person: Person, day: date, result: str, by: str) -> None:
        collected = self.clock.now - timedelta(minutes=self.chance.randint(4, 40))
        resulted = collected + timedelta(minutes=self.chance.randint(2, 4))
        if result == "e":
            self.engine.excuse(enrollment=person.enrollment, on=day, why="illness", **self.told(by))
            return
        seen: dict[str, Any] = {
            "enrollment": person.enrollment,
            "result": result,
            "collected_at": collected,
            "resulted_at": resulted,
        }
        if result == "+":
            self.engine.enter(**seen, **self.told(by))
            self.clock.now += timedelta(seconds=20 if day == HURRIED else 180)
            by = f"{by[:-1]}{PEOPLE if by[-1] != str(PEOPLE) else 1}"
        done = self.engine.enter(**seen, **self.told(by))
        self.seen[person.enrollment] = done.record
        if person.site == SITES[-1] and done.hand_over:
            self._hand_over(person, done.number, by)

    def _hand_over(self, person: Person, number: int, by: str) -> None:
        """Hand a card over in person: at times by who entered the result."""
        self.clock.now += timedelta(minutes=self.chance.randint(2, 30))
        other = f"{person.site}-1" if by != f"{person.site}-1" else f"{person.site}-2"
        who = by if self.chance.random() < 0.2 else other  # noqa: PLR2004 - the share of those who do both
        self.engine.hand_over(enrollment=person.enrollment, number=number, **self.told(who))

    def correct(self, person: Person) -> None:
        """Correct the last result of somebody, or take it back."""
        record = self.seen.pop(person.enrollment, 0)
        told = {"enrollment": person.enrollment, "record": record, **self.told("boss-1")}
        if record and self.chance.random() < 0.7:  # noqa: PLR2004 - most are misread
            self.engine.amend(**told, result=self.chance.choice("-+"), why="misread at the bench")
        elif record:
            self.engine.void(**told, why="entered for somebody else")

    def day(self, day: date, here: list[Person], dispatcher: Dispatcher) -> None:
        """Let a day pass."""
        came = sorted(here, key=lambda each: each.site) if day == HURRIED else here
        for place, person in enumerate(came):
            self.clock.set(day, 8 * 60 + (0 if day == HURRIED else place * 600 // max(len(here), 1)))
            self.visit(person, day)
            if self.chance.random() < 0.012:  # noqa: PLR2004 - the share of corrections
                self.correct(person)
        self.clock.set(day, 19 * 60)
        dispatcher.deliver()

    def week(self, monday: date, here: list[Person], dispatcher: Dispatcher) -> None:
        """Let a week pass: two days of visits, and what the clinic does besides."""
        if (monday - FIRST).days == 28:  # noqa: PLR2004 - the fifth week
            self.engine.close_days("south", monday, monday, "a holiday", **self.told("boss-1"))
        for day in (monday, monday + timedelta(days=3)):
            open_at = [each for each in here if each.site != "south" or day != FIRST + timedelta(days=28)]
            self.day(day, open_at, dispatcher)
        self.clock.set(monday + timedelta(days=6), 20 * 60)
        self.engine.sweep()
        dispatcher.deliver()

    def stays(self, person: Person, day: date) -> bool:
        """Tell whether somebody goes on; who does not is discharged."""
        if self.chance.random() > 0.01:  # noqa: PLR2004 - the share of those who leave in a week
            return True
        if self.engine.enrollment(person.enrollment).status == "active":
            self.engine.discharge(
                enrollment=person.enrollment, on=day, why="moved away", **self.told("boss-1")
            )
        return False

    def transfer(self, person: Person, day: date) -> Person:
        """Let somebody go on at another site."""
        to = SITES[(SITES.index(person.site) + 1) % len(SITES)]
        self.engine.transfer(enrollment=person.enrollment, to=to, on=day, why="moved", **self.told("boss-1"))
        return person._replace(site=to)


def clinic_year(
    engine: Engine, clock: Clock, *, participants: int = 500, weeks: int = 52, seed: int = 7
) -> None:
    """Let a year pass at a clinic that is made up.

    Args:
        engine: on an empty storage, with the clock.
        clock: is put forward as the year goes on.
        participants: how many are enrolled in all.
        weeks: how long it goes on.
        seed: the same makes the same year.
    """
    year = Year(engine, clock, Random(seed), participants, weeks)  # noqa: S311 - the same year again
    year.open()
    coming = list(year.people())
    dispatcher = engine.dispatcher({"cards": Vendor(year.chance)}, worker="year")
    here: list[Person] = []
    for number in range(weeks):
        monday = FIRST + timedelta(weeks=number)
        clock.set(monday - timedelta(days=1), 9 * 60)
        for person in [each for each in coming if each.start == monday]:
            year.enroll(person)
        here = [each for each in here if each.start > monday - timedelta(weeks=12)]
        here = [each for each in here if year.stays(each, monday - timedelta(days=1))]
        here = [year.transfer(each, monday) if year.chance.random() < 0.012 else each for each in here]  # noqa: PLR2004
        here += [each for each in coming if each.start == monday]
        year.week(monday, here, dispatcher)


def main() -> None:
    """Write a year into a new database, and report on it if a folder is named."""
    asked = _asked()
    clock = Clock()
    with Engine.open(f"sqlite:///{asked.file}", zone=ZONE, clock=clock) as engine:
        clinic_year(engine, clock, participants=asked.participants)
        print(
            f"{len(engine.enrollments())} participants at {len(engine.sites())} sites, until {clock.now:%d %b %Y}."
        )
        if asked.reports:
            with engine.reading() as still:
                today = clock.now.astimezone(ZoneInfo(ZONE)).date()
                count = sum(1 for _ in written(still, clinic(still, today), asked.reports))
            print(f"{count} files in {asked.reports}; begin with {asked.reports / 'index.html'}.")


def _asked() -> Namespace:
    parser = ArgumentParser(description="Make up a clinic's year.")
    parser.add_argument("file", type=Path, help="of the database, a new one")
    parser.add_argument("participants", type=int, nargs="?", default=500, help="500, if left out")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="of the reports on it")
    asked = parser.parse_args()
    if asked.file.exists():
        parser.error(f"{asked.file} is there already: name a new file, or remove it")
    return asked


if __name__ == "__main__":
    main()

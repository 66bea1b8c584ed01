"""A plain model of the participant's bank: what each visit is worth, and where every cent of it is.

Nothing of the engine is used. A visit that was met pays 10, 15, 20, 25, 25, ... as long as no other comes between; every
correction counts all visits again, and moves only what differs.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

FAR = date.max


class RefusedError(Exception):
    """Refuse an act."""


@dataclass
class Heap:
    """A part of the award for a visit: owed, or in a payout."""

    visit: int
    cents: int
    waits_from: date
    kept_from: date
    came_back: bool = False


@dataclass
class Parcel:
    """A payout."""

    cents: int
    place: str
    asked: bool
    heaps: list[Heap]


@dataclass
class Bank:
    """One enrollment, in cents of one currency."""

    when: str
    minimum: int = 0
    kept_days: int = 0
    offsets: bool = False
    visits: dict[int, tuple[date, bool]] = field(default_factory=dict)
    worth: Counter[int] = field(default_factory=Counter)
    owed: list[Heap] = field(default_factory=list)
    parcels: dict[int, Parcel] = field(default_factory=dict)
    expired: Counter[int] = field(default_factory=Counter)
    unexpired: Counter[int] = field(default_factory=Counter)
    spared: Counter[int] = field(default_factory=Counter)
    absorbed: int = 0
    offset: int = 0
    is_frozen: bool = False
    frozen_days: set[date] = field(default_factory=set)

    def places(self) -> dict[str, int]:
        """Where everything is."""
        in_parcels = Counter[str]()
        for parcel in self.parcels.values():
            in_parcels[parcel.place] += parcel.cents
        return {
            "awarded": self.worth.total(),
            "owed": self.owes(),
            "in_flight": in_parcels["in flight"],
            "issued": in_parcels["issued"],
            "expired": self.expired.total(),
            "absorbed": self.absorbed,
            "offset": self.offset,
        }

    def owes(self) -> int:
        """What is owed."""
        return sum(heap.cents for heap in self.owed)

    # Results

    def observed(self, visit: int, on: date, *, met: bool, today: date) -> dict[int, int]:
        """Record or correct a visit; return what goes out at once, by visit."""
        return self._recounted({**self.visits, visit: (on, met)}, today)

    def voided(self, visit: int, today: date) -> dict[int, int]:
        """Take a visit back."""
        return self._recounted({each: seen for each, seen in self.visits.items() if each != visit}, today)

    def _recounted(self, visits: dict[int, tuple[date, bool]], today: date) -> dict[int, int]:
        order = sorted(visits, key=lambda each: (visits[each][0], each))
        worth, run = Counter[int](), 0
        for each in order:
            worth[each] = min(1000 + 500 * run, 2500) if visits[each][1] else 0
            run = run + 1 if visits[each][1] else 0
        order += [each for each in self.worth if each not in visits]
        self.visits, apart = (
            {**self.visits, **visits},
            {each: worth[each] - self.worth[each] for each in order},
        )
        sent = self._moved({each: cents for each, cents in apart.items() if cents}, today)
        self.visits, self.worth = visits, worth
        return sent

    def _moved(self, apart: dict[int, int], today: date) -> dict[int, int]:
        """Move what differs; return what goes out at once."""
        more, fewer = Counter[int](), Counter[int]()
        for visit, cents in apart.items():
            if cents > 0:
                more[visit] = self._made_up(visit, cents)
            else:
                gone = min(-cents, self.expired[visit])
                self.expired[visit] -= gone
                self.unexpired[visit] += gone
                fewer[visit] = -cents - gone
        if self.when == "at once":
            _even_out(more, fewer)
        for visit, cents in more.items():
            taken = min(cents, self.offset)
            self.offset -= taken
            more[visit] -= taken
            if self.when != "at once":
                on = self.visits[visit][0]
                self._owe([Heap(visit, more[visit], on, max(on, today))])
        for visit, cents in fewer.items():
            taken = sum(heap.cents for heap in self._take(cents, first=visit))
            self._borne(visit, cents - taken)
        return {visit: cents for visit, cents in more.items() if cents and self.when == "at once"}

    def _made_up(self, visit: int, cents: int) -> int:
        """What an award that comes back is still owed: less what was borne for it, and what of it had expired."""
        again = min(cents, self.spared[visit], self.absorbed)
        self.spared[visit] -= again
        self.absorbed -= again
        lost = min(cents - again, self.unexpired[visit])
        self.unexpired[visit] -= lost
        self.expired[visit] += lost
        return cents - again - lost

    def _borne(self, visit: int, cents: int) -> None:
        if self.offsets:
            self.offset += cents
        else:
            self.absorbed += cents
            self.spared[visit] += cents

    # What is owed

    def _owe(self, heaps: list[Heap]) -> None:
        self.owed += [heap for heap in heaps if heap.cents]
        self.owed.sort(key=lambda heap: (heap.kept_from, heap.waits_from))

    def _take(self, cents: int, *, first: int = -1, only: list[Heap] | None = None) -> list[Heap]:
        """Take up to so much of what is owed: of one visit first, of the rest the oldest first."""
        taken: list[tuple[int, Heap]] = []
        places = range(len(self.owed))
        for place in sorted(places, key=lambda place: self.owed[place].visit != first):
            heap = self.owed[place]
            part = min(heap.cents, cents) if only is None or heap in only else 0
            cents -= part
            heap.cents -= part
            taken += [(place, Heap(**{**vars(heap), "cents": part}))] if part else []
        self.owed = [heap for heap in self.owed if heap.cents]
        return [heap for _, heap in sorted(taken, key=lambda each: each[0])]

    # Payouts

    def sent_at_once(self, number: int, visit: int, cents: int, today: date) -> None:
        """Note what a decision put on its way."""
        on = self.visits[visit][0]
        self.parcels[number] = Parcel(
            cents, "in flight", asked=False, heaps=[Heap(visit, cents, on, max(on, today))]
        )

    def redeem(self, number: int, cents: int | None) -> None:
        """Put on its way what is asked for."""
        asked = self.owes() if cents is None else cents
        if self.is_frozen or self.when == "set days" or not 0 < asked <= self.owes() or asked < self.minimum:
            raise RefusedError
        self.parcels[number] = Parcel(asked, "in flight", asked=True, heaps=self._take(asked))

    def hand_over(self, number: int) -> None:
        """Confirm a payout."""
        if self.is_frozen:
            raise RefusedError
        self._parcel(number, "in flight").place = "issued"

    def came_back(self, number: int, place: str, today: date) -> None:
        """Note that a payout came back from where it was."""
        parcel = self._parcel(number, place)
        parcel.place = "back"
        settled = min(parcel.cents, self.absorbed)
        self.absorbed -= settled
        offset = min(parcel.cents - settled, self.offset)
        self.offset -= offset
        left = settled + offset
        for heap in parcel.heaps:
            less = min(heap.cents, left)
            left -= less
            heap.cents -= less
            heap.came_back, heap.waits_from = True, today
            if parcel.asked or place == "issued":
                heap.kept_from = today
        self._owe(parcel.heaps)

    def _parcel(self, number: int, place: str) -> Parcel:
        if number not in self.parcels or self.parcels[number].place != place:
            raise RefusedError
        return self.parcels[number]

    # Days

    def due(self, today: date) -> list[Heap]:
        """What has had its pay day: a Friday."""
        if self.is_frozen or self.when != "set days":
            return []
        return [heap for heap in self.owed if friday(heap.waits_from) <= today]

    def pay_due(self, number: int, today: date) -> None:
        """Put it on its way."""
        heaps = self._take(10**9, only=self.due(today))
        self.parcels[number] = Parcel(
            sum(heap.cents for heap in heaps), "in flight", asked=False, heaps=heaps
        )

    def over(self, yesterday: date) -> list[Heap]:
        """What was not collected in time."""
        if self.is_frozen:
            return []
        return [heap for heap in self.owed if self._last_day(heap) <= yesterday]

    def _last_day(self, heap: Heap) -> date:
        if not self.kept_days or not (heap.came_back or self.when == "on request"):
            return FAR
        day, left = friday(heap.kept_from) if self.when == "set days" else heap.kept_from, self.kept_days
        while left or day in self.frozen_days:
            left -= day not in self.frozen_days
            day += timedelta(1)
        return day

    def time_goes_by(self, today: date, days: int) -> None:
        """Note the days on which nothing could be collected."""
        if self.is_frozen:
            self.frozen_days |= {today + timedelta(each) for each in range(days)}

    def expire(self, yesterday: date) -> None:
        """Let it expire: of its own visit, and what that does not cover of others, the oldest first."""
        for heap in self._take(10**9, only=self.over(yesterday)):
            for visit in [heap.visit, *sorted(self.worth)]:
                lost = min(heap.cents, self.worth[visit] - self.expired[visit])
                self.expired[visit] += lost
                heap.cents -= lost
            assert not heap.cents


def friday(day: date) -> date:
    """The first Friday from a day on."""
    return day + timedelta((4 - day.weekday()) % 7)


def _even_out(more: Counter[int], fewer: Counter[int]) -> None:
    """Let more for one visit make up for less of another."""
    for one in more:
        for other in fewer:
            even = min(more[one], fewer[other])
            more[one] -= even
            fewer[other] -= even

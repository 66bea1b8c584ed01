"""The participant's bank: what is asked for, paid out, handed over, declined, returned, and lost in time."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from cm_engine.acts.enrolling import found_enrollment
from cm_engine.acts.recorded import Recorded, as_they_stand
from cm_engine.acts.recording import Act, Recording, whole_log
from cm_engine.acts.reported import Report, act_of_course, awarded_unit, exact, refuse_ahead
from cm_engine.errors import ReportError
from cm_engine.facade.opened import OneByOne, Opened
from cm_engine.ledger.accounts import IN_FLIGHT, ISSUED
from cm_engine.log.bank import Bank
from cm_engine.log.encoding import instant
from cm_engine.log.purse import DECLINED, EXPIRED, HANDED_OVER, PAID_OUT, REDEEMED, REFUNDED, Sent
from cm_engine.log.rows import EnrollmentRow
from cm_engine.log.stand import Enrolled
from cm_engine.people.rights import SELF
from cm_engine.plain import named, one_line, plain_day
from cm_engine.ports import Transaction
from cm_engine.program.rewards import Payout
from cm_engine.sites.office import refuse_unknown

PAGE = 500
"""As many enrollments are looked at in one transaction."""

PARTS = 2
"""How many numbers the id of a payout ends with."""

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SentPayout:
    """A payout: an amount that was put on its way, and what became of it.

    Attributes:
        number, leg: the decision that put it on its way, and its place among the amounts of that decision, from 1.
        on: the day from which it is to be handed over.
        amount: exact.
        product: what was asked for; empty if nothing was said.
        status: in flight, issued, declined or refunded.
        handed_over_on: the day on which it reached the participant, as was confirmed; None if it was not.
        handed_over_by: who confirmed it.
        reference: how it is found again, as was said then.
    """

    enrollment: str
    number: int
    leg: int
    on: date
    unit: str
    amount: Decimal
    product: str
    status: str
    handed_over_on: date | None = None
    handed_over_by: str = ""
    reference: str = ""

    @property
    def id(self) -> str:
        """Return what no other payout is called, for ever: its enrollment, number and leg."""
        return f"{self.enrollment}/{self.number}/{self.leg}"


STATUSES = (IN_FLIGHT, ISSUED, DECLINED, REFUNDED)
"""What may become of a payout, the first being nothing yet."""


class _Sweep(NamedTuple):
    """What the engine does by itself, day by day.

    Attributes:
        kind: of its acts.
        concerns: tells by the policy of a program whether there can be something to do.
        lots: yields what there is to do, up to a day.
        ends_before: how many days before today the last day lies that it can do.
    """

    kind: str
    concerns: Callable[[Payout], bool]
    lots: Callable[[Bank, str], Iterator[Any]]
    ends_before: int


PAYS = _Sweep(PAID_OUT, lambda payout: payout.when == "set days", lambda bank, day: bank.purse.due_on(day), 0)
EXPIRES = _Sweep(
    EXPIRED, lambda payout: bool(payout.expires_after), lambda bank, day: bank.purse.over_by(day), 1
)


class Banking(Opened):
    """The part of an engine that keeps what a participant is owed.

    Example:
        >>> from datetime import UTC, datetime
        >>> from cm_engine import Engine, parse_program
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: datetime(2026, 1, 20, 18, tzinfo=UTC))
        >>> saving = parse_program('''
        ... {program: saving, version: "1", title: Saving, currency: USD, visits: [{weeks: 1-4, per_week: 2}],
        ...  payout: {when: on request, minimum: 10.00, products: [gift card]},
        ...  targets: {visits: {behavior: attendance, schedule: [{weeks: 1-4, fixed: 10.00}]}}}''')
        >>> _ = engine.add_program(saving)
        >>> anna = engine.enroll(participant="p-1", program="saving", start=date(2026, 1, 5), by="nurse-7").id
        >>> for day in (5, 8):
        ...     _ = engine.record(enrollment=anna, result="-", on=date(2026, 1, day), source="desk", key=f"{day}", by="nurse-7")
        >>> asked = engine.redeem(enrollment=anna, amount=Decimal("15.00"), source="desk", key="r-1", by="nurse-7")
        >>> asked.sentence
        '$15.00 asked for (gift card), on the way.'
        >>> given = engine.hand_over(enrollment=anna, number=asked.number, source="desk", key="h-1", by="nurse-7")
        >>> given.sentence
        '$15.00 handed over.'
        >>> engine.balance(enrollment=anna)["USD"].owed
        Decimal('5.00')
    """

    def redeem(
        self,
        *,
        enrollment: str,
        amount: Decimal | None = None,
        unit: str = "",
        product: str = "",
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Put on its way what a participant asks for of what is owed.

        Args:
            amount: exact, such as Decimal("20.00"); left out, all that is owed.
            unit: its name; empty is the program's currency.
            product: what it is asked for as; may be left out for the only product of a program.
            source, key, by: as for `record`.

        Raises:
            ReportError: it is more than is owed or less than the program hands over, or no such product; or the program
                pays on set days, or the enrollment is frozen.
            CmEngineError: as `record`.
        """
        with self._storage.reading() as tx:
            program = self._register.opened(tx, found_enrollment(tx, enrollment)).rules.program
        of = awarded_unit(program, unit)
        body: dict[str, Any] = {"unit": of.name} | ({} if amount is None else {"amount": exact(of, amount)})
        if amount is not None and amount <= 0:
            msg = f"amount: expected more than 0, got {amount}; leave it out to ask for all that is owed"
            raise ReportError(msg)
        if product:
            body["product"] = one_line("product", product)
        return self._recorded(act_of_course(REDEEMED, Report(enrollment, source, key, by), body))

    def hand_over(
        self,
        *,
        enrollment: str,
        number: int,
        leg: int | None = None,
        reference: str = "",
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Confirm that a payout reached the participant.

        Args:
            number: the decision that put it on its way: `number` of the payout.
            leg: which of several amounts of it; left out, all.
            reference: how it is found again: the number of a card, of a receipt. The participant reads it too.
            source, key, by: as for `record`.

        Raises:
            ReportError: there is no such payout, or nothing of it is on its way; or the enrollment is frozen.
            CmEngineError: as `record`.
        """
        more = {"reference": one_line("reference", reference)} if reference else {}
        return self._on_payout(HANDED_OVER, Report(enrollment, source, key, by), number, leg, more)

    def decline(
        self,
        *,
        enrollment: str,
        number: int,
        leg: int | None = None,
        why: str,
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Record that a payout will not reach the participant: it was not wanted, or it failed for good.

        What was earned stays earned: it is owed again, whenever the program pays. What a correction had shown to be too
        much by then is settled with it first.

        Args:
            number, leg: as for `hand_over`.
            why: the reason, for the audit.
            source, key, by: as for `record`.

        Raises:
            ReportError: there is no such payout, or nothing of it is on its way.
            CmEngineError: as `record`.
        """
        return self._on_payout(DECLINED, Report(enrollment, source, key, by), number, leg, {"why": why})

    def refund(
        self,
        *,
        enrollment: str,
        number: int,
        leg: int | None = None,
        why: str,
        source: str,
        key: str,
        by: str,
    ) -> Recorded:
        """Record that what was handed over came back, as a card that is returned: it is owed again.

        Args:
            number, leg: as for `hand_over`.
            why: the reason, for the audit.
            source, key, by: as for `record`.

        Raises:
            ReportError: there is no such payout, or nothing of it was handed over.
            CmEngineError: as `record`.
        """
        return self._on_payout(REFUNDED, Report(enrollment, source, key, by), number, leg, {"why": why})

    def pay_due(self, *, until: date | None = None, enrollment: str = "", by: str = SELF) -> list[Recorded]:
        """Put on its way what is owed and has had its pay day, where a program pays on set days.

        Safe to call as often as one likes, by any number of processes.

        Args:
            until: the last day that counts; left out, today at the clinic.
            enrollment: whose; left out, of all.
            by: who says so.

        Returns:
            What was recorded, an act for each enrollment that was owed something. Those that are frozen wait.

        Raises:
            ReportError: the day has not come yet.
            EnrollmentNotFoundError: there is no such enrollment.
            SomeFailedError: it could not be done for some; it is for all others.
        """
        return self._swept_of(PAYS, until, enrollment, by)

    def expire(self, *, until: date | None = None, enrollment: str = "", by: str = SELF) -> list[Recorded]:
        """Let expire what is owed and was not collected in time, where a program says in how many days.

        What is on its way never expires, nor does a deposit. Safe to call as often as one likes, by any number of
        processes.

        Args:
            until: the last day that is over; left out, yesterday at the clinic.
            enrollment: whose; left out, of all.
            by: who says so.

        Returns:
            What was recorded, an act for each enrollment that lost something. Those that are frozen wait.

        Raises:
            ReportError: the day is not over yet.
            EnrollmentNotFoundError: there is no such enrollment.
            SomeFailedError: it could not be done for some; it is for all others.
        """
        return self._swept_of(EXPIRES, until, enrollment, by)

    def payouts(
        self,
        *,
        enrollment: str = "",
        on_the_way: bool = False,
        site: str = "",
        status: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[SentPayout]:
        """Return payouts, and what became of each, in the order of the ids of their enrollments.

        Enrollments without a payout are passed over; of the others the log is read, and nothing decided again.

        Args:
            enrollment: whose; left out, of all.
            on_the_way: only those that nothing has become of yet: in flight.
            site: of those only who are there today.
            status: only those that are in flight, issued, declined or refunded.
            after: the id of the payout that comes before them, for the next page.
            limit: at most so many.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
            JournalNotFoundError: there is no such site.
            ReportError: there is no such status, or `after` is no id of a payout.

        Example:
            >>> from cm_engine import Engine
            >>> engine = Engine.open("memory:", zone="America/Los_Angeles")
            >>> _ = engine.add_program("california-recovery-incentives")
            >>> for number in (1, 2):
            ...     enrolled = engine.enroll(
            ...         participant=f"p-{number}", program="california-recovery-incentives", start=date(2026, 1, 5),
            ...         by="nurse-7", id=f"e-{number}",
            ...     )
            ...     told = {"enrollment": enrolled.id, "source": "desk", "by": "nurse-7"}
            ...     _ = engine.record(result="-", on=date(2026, 1, 5), key=f"r-{number}", **told)
            >>> [each.id for each in engine.payouts(status="in flight")]
            ['e-1/1/1', 'e-2/1/1']
            >>> [each.id for each in engine.payouts(after="e-1/1/1")]
            ['e-2/1/1']
        """
        if status and status not in STATUSES:
            msg = f"status: expected {', '.join(STATUSES)}, got {status!r}"
            raise ReportError(msg)
        wanted = {status or each for each in STATUSES} & ({IN_FLIGHT} if on_the_way else set(STATUSES))
        found = (each for each in self._all_payouts(enrollment, site, _after(after)) if each.status in wanted)
        return list(islice(found, limit))

    def _all_payouts(self, enrollment: str, site: str, after: tuple[str, int, int]) -> Iterator[SentPayout]:
        """Yield payouts of one enrollment or of all, after one of them, page by page of enrollments."""
        first, *leg = after
        with self._storage.reading() as tx:
            refuse_unknown(tx, site)
            begun = [found_enrollment(tx, enrollment)] if enrollment else [tx.enrollment(first)]
            found = self._payouts_of(tx, filter(None, begun), site)
        yield from (each for each in found if each.enrollment != first or [each.number, each.leg] > leg)
        while not enrollment:
            with self._storage.reading() as tx:
                rows = tx.enrollments(after=first, limit=PAGE)
                found = self._payouts_of(tx, rows, site)
            yield from found
            if len(rows) < PAGE:
                return
            first = rows[-1].id

    def _payouts_of(self, tx: Transaction, rows: Iterable[EnrollmentRow], site: str) -> list[SentPayout]:
        """Return the payouts of enrollments that have any, and are at a site if one is asked for."""
        some = [row for row in rows if tx.payouts(row.id)]
        if site:
            stand = as_they_stand(tx, self._register, some, instant(self._now()))
            some = [row for row, each in zip(some, stand, strict=True) if each.site == site]
        return [each for row in some for each in self._payouts_in(tx, row.id)]

    def _payouts_in(self, tx: Transaction, enrollment: str) -> list[SentPayout]:
        bank = Bank.of(self._standing(tx, enrollment), whole_log(tx, enrollment))
        given = dict(_handed_over(bank))
        return [
            _sent_payout(bank, sent, *given.get(place, ())) for place, sent in sorted(bank.purse.sent.items())
        ]

    def _on_payout(
        self, kind: str, report: Report, number: int, leg: int | None, more: dict[str, str]
    ) -> Recorded:
        body = {"number": _place("number", number)} | ({} if leg is None else {"leg": _place("leg", leg)})
        return self._recorded_payout(act_of_course(kind, report, {**body, **more}))

    def _recorded_payout(self, act: Act) -> Recorded:
        """Record what becomes of payouts; who sends them through gateways looks where they are."""
        return self._recorded(act)

    def _swept_of(self, sweep: _Sweep, until: date | None, enrollment: str, by: str) -> list[Recorded]:
        """Do what there is to do up to a day, in an act for each enrollment that has something."""
        named("by", by)
        if until is not None:
            plain_day("until", until)
        refuse_ahead("until", until, self._now())
        each_one, done = OneByOne(sweep.kind, enrollment), list[Recorded]()
        banks = list(self._banks(sweep, enrollment, each_one))
        days = [self._until(bank, sweep, until) for bank in banks]
        for bank, day in zip(banks, days, strict=True):
            with each_one.doing(bank.enrolled.row.id):
                if any(True for _ in sweep.lots(bank, day)):
                    done.append(self._recorded(_act_of_sweep(sweep, bank, day, by)))
        found = [each for each in done if each.decisions]
        each_one.refuse_failures(found)
        return found

    def _until(self, bank: Bank, sweep: _Sweep, until: date | None) -> str:
        """Return the last day that counts.

        Raises:
            ReportError: it has not come yet, or is not over.
        """
        today = date.fromisoformat(bank.day_of(instant(self._now())))
        last = today - sweep.ends_before * ONE_DAY
        if until is not None and until > last:
            msg = f"until: expected {last} or before, as it is {today} at the clinic, got {until}"
            raise ReportError(msg)
        return (until or last).isoformat()

    def _banks(self, sweep: _Sweep, enrollment: str, each_one: OneByOne) -> Iterator[Bank]:
        """Yield what enrollments are owed that a sweep concerns, one or all, page by page."""
        after = ""
        while True:
            with self._storage.reading() as tx:
                one = [found_enrollment(tx, enrollment)] if enrollment else []
                rows = one or tx.enrollments(after=after, limit=PAGE)
                found = list[Bank]()
                for row in rows:
                    with each_one.doing(row.id):
                        each = self._standing(tx, row.id)
                        if sweep.concerns(each.rules.payout):
                            found.append(Bank.of(each, whole_log(tx, row.id)))
            yield from (each for each in found if each.calendar.away is None and not each.calendar.frozen)
            if enrollment or len(rows) < PAGE:
                return
            after = rows[-1].id

    def _standing(self, tx: Transaction, enrollment: str) -> Enrolled:
        """Return an enrollment with the rules that it has by now."""
        return Recording(tx, self._register, "", locked=False).standing(enrollment)[0]


def _act_of_sweep(sweep: _Sweep, bank: Bank, until: str, by: str) -> Act:
    """Return an act with a key that all processes give it: of several of one day the second has a number too."""
    enrollment, body = bank.enrolled.row.id, {"until": until}
    before = sum(record.kind == sweep.kind and json.loads(record.body) == body for record in bank.log.records)
    key = f"{enrollment}/{sweep.kind}/{until}{f'/{before + 1}' if before else ''}"
    return act_of_course(sweep.kind, Report(enrollment, SELF, key, by), body)


def _place(name: str, number: object) -> int:
    if type(number) is not int or number < 1:
        msg = f"{name}: expected a number from 1, got {number!r}"
        raise ReportError(msg)
    return number


def _after(payout: str) -> tuple[str, int, int]:
    """Return the enrollment, number and leg of the id of a payout; empty comes before all.

    Raises:
        ReportError: it is no such id.
    """
    enrollment, *leg = payout.rsplit("/", 2) if payout else ("", "0", "0")
    if len(leg) < PARTS or not all(each.isdecimal() for each in leg):
        msg = f"after: expected the id of a payout, such as e-1/5/1, got {payout!r}"
        raise ReportError(msg)
    return enrollment, int(leg[0]), int(leg[1])


def _handed_over(bank: Bank) -> Iterator[tuple[tuple[int, int], tuple[date, str, str]]]:
    """Yield the number and leg of each payout that was handed over, with the day, who confirmed it, and its reference."""
    by = {record.seq: record.actor for record in bank.log.records if record.kind == HANDED_OVER}
    for row in bank.log.decisions:
        for form in json.loads(row.reasons) if row.outcome == HANDED_OVER else ():
            told = (date.fromisoformat(row.day), by[row.record], form.get("reference", ""))
            yield (form["number"], form["leg"]), told


def _sent_payout(bank: Bank, sent: Sent, *given: Any) -> SentPayout:  # noqa: ANN401 - a day, and two texts
    amount = bank.unit(sent.unit).decimal(sent.amount)
    which = (bank.enrolled.row.id, sent.number, sent.leg, date.fromisoformat(sent.day))
    return SentPayout(*which, sent.unit, amount, sent.product, sent.place, *given)

"""What is said of rewards that expire: of those that are owed, as they stand now. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from cm_engine.ledger.accounts import OWED
from cm_engine.log.bank import Bank
from cm_engine.log.purse import Lot
from cm_engine.log.rows import EntryRow, Subject
from cm_engine.messages.composing import DECISION, expiry_draft
from cm_engine.messages.draft import Draft
from cm_engine.messages.policy import MessagePolicy
from cm_engine.rules.payout import last_day

ONE_DAY = timedelta(days=1)


def expiring_drafts(
    bank: Bank, today: str, recipients: Iterable[str], policy: MessagePolicy
) -> Iterator[Draft]:
    """Yield what is said of awards that expire within the days of the policy.

    What was said with the decision that awarded it is the same message, and kept once. What came back has other days, and
    so has what a freeze put off; a correction, or a part that was collected, leaves another amount.

    Args:
        bank: of the enrollment.
        today: at the clinic.
        recipients: who is told, if a consent allows it.
        policy: how many days before it is said.
    """
    first = _first_decisions(bank)
    ahead = date.fromisoformat(today) + (max(policy.expiry_days, default=0) + 1) * ONE_DAY
    found: dict[tuple[int, str, str], list[Lot]] = {}
    for lot, last in bank.purse.over_by(ahead.isoformat()):
        if last >= today:
            days = _other_days(bank, lot, date.fromisoformat(last))
            found.setdefault((first[lot.subject], last, days), []).append(lot)
    for recipient in recipients:
        for (number, last, days), lots in found.items():
            about = f"{DECISION}{number}{days}{_other_amounts(bank, number, lots)}"
            amounts = _spoken(bank, _sums(lots))
            yield from expiry_draft(
                bank.enrolled.row, about, date.fromisoformat(last), amounts, recipient, policy
            )


def _first_decisions(bank: Bank) -> dict[Subject, int]:
    """Return the number of the decision that awarded each thing first."""
    return {row.subject: row.number for row in reversed(bank.log.decisions)}


def _other_days(bank: Bank, lot: Lot, last: date) -> str:
    """Return which day it is kept until, where its decision told another one."""
    if lot.sent:
        return f", back, until {last}"
    told = last_day(bank.enrolled.rules.payout, date.fromisoformat(lot.since))
    return "" if last == told else f", until {last}"


def _other_amounts(bank: Bank, number: int, lots: Iterable[Lot]) -> str:
    """Return how much of an award is kept, where its decision told another amount."""
    told = _sums(each for each in bank.log.entries if each.number == number and each.credit == OWED)
    kept = _sums(lots)
    return "" if kept == told else f", of {' and '.join(_spoken(bank, kept))}"


def _sums(amounts: Iterable[Lot | EntryRow]) -> Counter[str]:
    """Return what amounts add up to, by unit."""
    found = Counter[str]()
    for each in amounts:
        found[each.unit] += each.amount
    return found


def _spoken(bank: Bank, sums: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(bank.unit(name).spoken(amount) for name, amount in sums.items())


def is_still_kept(bank: Bank, day: str, amounts: Iterable[str]) -> bool:
    """Tell whether an award is still owed that expires after a day: else it was collected, changed, or has other days.

    What its days are by the end of a freeze that lasts, nobody knows yet.
    """
    kept: dict[tuple[Subject, bool], list[Lot]] = {}
    for lot, last in bank.purse.over_by(day):
        if last == day:
            kept.setdefault((lot.subject, lot.sent), []).append(lot)
    said = sorted(amounts)
    return bank.calendar.frozen or any(sorted(_spoken(bank, _sums(lots))) == said for lots in kept.values())

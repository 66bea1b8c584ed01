"""What is said of rewards that expire: of those that are owed, as they stand now. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from cm_engine.log.bank import Bank
from cm_engine.log.purse import Lot
from cm_engine.log.rows import Subject
from cm_engine.messages.composing import expiry_draft
from cm_engine.messages.draft import Draft
from cm_engine.messages.policy import MessagePolicy
from cm_engine.rules.payout import last_day

ONE_DAY = timedelta(days=1)


def expiring_drafts(
    bank: Bank, today: str, recipients: Iterable[str], policy: MessagePolicy
) -> Iterator[Draft]:
    """Yield what is said of awards that expire within the days of the policy.

    What was said with the decision that awarded it is the same message, and kept once; what came back has other days, and
    so has what a freeze put off.

    Args:
        bank: of the enrollment.
        today: at the clinic.
        recipients: who is told, if a consent allows it.
        policy: how many days before it is said.
    """
    first = _first_decisions(bank)
    ahead = date.fromisoformat(today) + (max(policy.expiry_days, default=0) + 1) * ONE_DAY
    lots = [(lot, date.fromisoformat(last)) for lot, last in bank.purse.over_by(ahead.isoformat())]
    for recipient in recipients:
        for lot, last in lots:
            if last.isoformat() >= today:
                about = f"decision {first[lot.subject]}{_other_days(bank, lot, last)}"
                yield from expiry_draft(bank.enrolled.row, about, last, _spoken(bank, lot), recipient, policy)


def _first_decisions(bank: Bank) -> dict[Subject, int]:
    """Return the number of the decision that awarded each thing first."""
    return {row.subject: row.number for row in reversed(bank.log.decisions)}


def _other_days(bank: Bank, lot: Lot, last: date) -> str:
    """Return which day it is kept until, where its decision told another one."""
    if lot.sent:
        return f", back, until {last}"
    told = last_day(bank.enrolled.rules.payout, date.fromisoformat(lot.since))
    return "" if last == told else f", until {last}"


def _spoken(bank: Bank, lot: Lot) -> tuple[str, ...]:
    return (bank.unit(lot.unit).spoken(lot.amount),)


def is_still_kept(bank: Bank, day: str) -> bool:
    """Tell whether something is still owed that expires after a day: else it was collected, taken away, or has other days.

    What its days are by the end of a freeze that lasts, nobody knows yet.
    """
    return bank.calendar.frozen or any(last == day for _, last in bank.purse.over_by(day))

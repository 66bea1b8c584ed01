"""What an act, or the day, gives reason to say: drafts, each with an id that is the same however often it is made. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from cm_engine.acts.recorded import Recorded, RecordedDecision
from cm_engine.log.correction import content, latest
from cm_engine.log.history import OBSERVED, SWEPT
from cm_engine.log.rows import DecisionRow
from cm_engine.messages.draft import Draft, Value, draft
from cm_engine.messages.kinds import EXPIRING, MISSED_VISIT, PARTICIPANT, REMINDER, MessageKind
from cm_engine.messages.policy import MessagePolicy
from cm_engine.rules.reasons import MilestoneReached, Next, PaidOut, Recovered, WasReset

ONE_DAY = timedelta(days=1)
DECISION = "decision "
MISSED = "o"
DEFAULT = MessagePolicy()


class ExpectedVisit(Protocol):
    """A visit that is planned; `PlannedVisit` of the engine is one."""

    @property
    def enrollment(self) -> str:
        """Return the enrollment."""

    @property
    def participant(self) -> str:
        """Return the participant."""

    @property
    def target(self) -> str:
        """Return the target."""

    @property
    def number(self) -> int:
        """Return which visit of the target it is."""

    @property
    def on(self) -> date:
        """Return the day on which it is planned."""

    @property
    def status(self) -> str:
        """Return decided, open, overdue, planned or paused."""


class Ours(Protocol):
    """An enrollment, as far as messages need it; the log's own is one."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def participant(self) -> str:
        """Return whose it is."""

    @property
    def zone(self) -> str:
        """Return the clinic's zone."""


class Episode(NamedTuple):
    """An enrollment, as far as messages need it."""

    id: str
    participant: str
    zone: str


def compose(
    done: Recorded,
    participant: str,
    zone: str,
    recipients: Iterable[str] = (PARTICIPANT,),
    policy: MessagePolicy = DEFAULT,
) -> tuple[Draft, ...]:
    """Return what an act gives reason to say.

    One message for each decision: recovery reached, or reward earned, or encouragement after a lapse, or what the next
    reward is. Visits that nobody came to are said to be missed, and rewards that expire some days before. A repeat gives
    nothing, nor does a correction or another version of the program: a person tells of it. Of an award that settles what was given too much before no
    amount is said, as not all of it is to be had.

    Args:
        done: what `record` and others return.
        participant: of the enrollment.
        zone: the clinic's, which days of expiry are of.
        recipients: who is told, if a consent allows it: the participant, and supporters.
        policy: when expiry is said.
    """
    if done.replayed or done.kind not in {OBSERVED, SWEPT}:
        return ()
    of = Episode(done.enrollment, participant, zone)
    decisions = [*done.missed, *([done.decision] if done.decision else [])]
    return tuple(
        each
        for recipient in recipients
        for decision in decisions
        for each in _drafts(done, decision, of, recipient, policy)
    )


def _drafts(
    done: Recorded, decision: RecordedDecision, of: Episode, recipient: str, policy: MessagePolicy
) -> Iterator[Draft]:
    """Yield what a decision gives reason to say to somebody."""
    about = f"{DECISION}{decision.number}"
    kind = _kind(decision)
    if kind:
        values = _values(decision, () if done.settles(decision) else _amounts(decision, decision.awards))
        yield draft(kind, of.participant, of.id, about, values, recipient=recipient)
    owed = _amounts(decision, done.owed(decision))
    for last_day in _expiring(decision) if owed else ():
        yield from expiry_draft(of, about, last_day, owed, recipient, policy)


def expiry_draft(  # noqa: PLR0913, PLR0917 - what is said, of whom, and when
    of: Ours,
    about: str,
    last_day: date,
    amounts: tuple[str, ...],
    recipient: str,
    policy: MessagePolicy,
) -> Iterator[Draft]:
    """Yield what is said of an award that expires, some days before; each until the next one is due.

    Args:
        of: the enrollment.
        about: which award it is.
        last_day: on which it can be collected.
        amounts: as they are spoken.
        recipient: who is told.
        policy: how many days before, and at what time.
    """
    values: dict[str, Value] = {"award": amounts, "last_day": last_day.isoformat()}
    late = _end_of(last_day, of.zone)
    for days in sorted(set(policy.expiry_days)):
        due = _moment(last_day - days * ONE_DAY, policy.remind_at, of.zone)
        yield draft(
            EXPIRING,
            of.participant,
            of.id,
            f"{about}, {days} days before",
            values,
            recipient=recipient,
            not_before=due,
            useless_after=late,
        )
        late = due


def _kind(decision: RecordedDecision) -> MessageKind | None:
    """Return which message a decision gives reason for, or None."""
    reasons = decision.reasons
    if decision.outcome == MISSED:
        return MISSED_VISIT
    if any(isinstance(each, Recovered) for each in reasons):
        return "recovery reached"
    if any(decision.awards.values()):
        return "reward earned"
    if any(isinstance(each, WasReset) for each in reasons):
        return "encouragement"
    return "next reward" if _next(decision) else None


def _values(decision: RecordedDecision, awards: tuple[str, ...]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if decision.on:
        found["visit_day"] = decision.on.isoformat()
    if awards:
        found["award"] = awards
    if following := _next(decision):
        found["next"] = (following,)
    says = [each.says for each in decision.reasons if isinstance(each, MilestoneReached)]
    return {**found, "milestone": says[0]} if says else found


def _amounts(decision: RecordedDecision, awards: Mapping[str, Decimal]) -> tuple[str, ...]:
    unit = decision.rules.program.unit
    return tuple(unit(name).spoken(unit(name).minor(amount)) for name, amount in awards.items() if amount)


def _next(decision: RecordedDecision) -> str:
    """Return the next reward as it is spoken; empty if none is promised."""
    promised = (each for each in decision.reasons if isinstance(each, Next) and each.amount)
    return next((each.unit.spoken(each.amount) for each in promised), "")


def _expiring(decision: RecordedDecision) -> Iterator[date]:
    """Yield the last day on which an award can be collected, if there is one."""
    return (each.expires for each in decision.reasons if isinstance(each, PaidOut) and each.expires)


def reminders(
    visits: Iterable[ExpectedVisit],
    zone: str,
    recipients: Sequence[str] = (PARTICIPANT,),
    policy: MessagePolicy = DEFAULT,
) -> Iterator[Draft]:
    """Yield the reminders of planned visits, each due some days before, at the time of the day of the policy.

    A visit that is moved has another day, so its reminder is another one; `is_still_due` refuses the former.

    Args:
        visits: as the engine plans them; those decided, missed or paused are left out.
        zone: where the participant is.
        recipients: who is reminded, if a consent allows it.
        policy: how many days before, and at what time.

    Example:
        >>> from types import SimpleNamespace
        >>> visit = SimpleNamespace(
        ...     enrollment="e-1", participant="p-104", target="stimulants", number=3, on=date(2026, 3, 8), status="planned"
        ... )
        >>> [made] = reminders([visit], "America/Los_Angeles")
        >>> made.not_before, made.values["visit_day"], made.useless_after
        ('2026-03-07T18:00:00.000000+00:00', '2026-03-08', '2026-03-09T07:00:00.000000+00:00')
    """
    for visit in visits:
        if visit.status not in {"planned", "open"}:
            continue
        for recipient in recipients:
            for days in policy.remind_days:
                yield draft(
                    REMINDER,
                    visit.participant,
                    visit.enrollment,
                    _about(visit, days),
                    {"visit_day": visit.on.isoformat()},
                    recipient=recipient,
                    not_before=_moment(visit.on - days * ONE_DAY, policy.remind_at, zone),
                    useless_after=_end_of(visit.on, zone),
                )


def is_of_decision(made: Draft) -> bool:
    """Tell whether a draft says what one decision came to."""
    return made.about.startswith(DECISION) and made.kind != EXPIRING


def is_still_decided(made: Draft, decisions: Iterable[DecisionRow]) -> bool:
    """Tell whether what a draft says of a decision still stands: a correction may have put another in its place.

    Args:
        made: a draft of a decision.
        decisions: of its enrollment, in order.
    """
    rows = [*decisions]
    told = next((row for row in rows if made.about == f"{DECISION}{row.number}"), None)
    return told is not None and _told_by(told, made) == _told_by(latest(rows)[told.subject], made)


def _told_by(row: DecisionRow, made: Draft) -> tuple[object, ...]:
    """Return what of a decision makes a message true: of a missed visit that it was, of all others what they say."""
    return (row.outcome, row.day) if made.kind == MISSED_VISIT else tuple(content(row))


def is_still_due(made: Draft, visits: Iterable[ExpectedVisit]) -> bool:
    """Tell whether a draft is still true: a reminder, if its visit is still planned on its day; others always are.

    Args:
        made: a draft.
        visits: of its enrollment, as they are planned now.
    """
    if made.kind != REMINDER:
        return True
    of = (
        each for each in visits if each.enrollment == made.enrollment and each.status in {"planned", "open"}
    )
    return any(made.about.startswith(_about(each)) for each in of)


def _about(visit: ExpectedVisit, days: int | None = None) -> str:
    found = f"visit {visit.number} of {visit.target} on {visit.on}, "
    return found if days is None else f"{found}{days} days before"


def _moment(day: date, at: time, zone: str) -> datetime:
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


def _end_of(day: date, zone: str) -> datetime:
    return _moment(day + ONE_DAY, time(), zone)

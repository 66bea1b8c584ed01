"""What a page shows of an enrollment: the decisions that stand, and what they add up to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from examples.clinic.clinic import Clinic
from examples.clinic.tables import Participant

from cm_engine import Decision, Enrollment, Program, Recorded, RecordedDecision, WaitingEntry

WITHDRAWN = "withdrawn"
UNPLACED, NOT_COUNTED = "unplaced", "not counted"
MET = "-"

Amounts = Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One enrollment as it stands.

    Attributes:
        acts: everything that was done to it, in order.
        standing: the decision on each observation that was not voided, in the order of the visits.
        ahead: what each next result would lead to, by target and symbol.
        waiting: what one person entered, and another has to enter too.
    """

    enrollment: Enrollment
    participant: Participant
    program: Program
    program_name: str
    acts: tuple[Recorded, ...]
    standing: tuple[RecordedDecision, ...]
    ahead: Mapping[str, Mapping[str, Decision]]
    waiting: tuple[WaitingEntry, ...]

    @property
    def counted(self) -> tuple[RecordedDecision, ...]:
        """Return the decisions that count: without results that fit no visit, or are not the first of theirs."""
        return tuple(each for each in self.standing if each.outcome not in {UNPLACED, NOT_COUNTED})

    @property
    def last(self) -> int:
        """Return the number of the last act: what a form has seen."""
        return self.acts[-1].record if self.acts else 0

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the targets that a result can be entered for."""
        return tuple(name for name, results in self.ahead.items() if results)

    def decision_on(self, record: int) -> RecordedDecision | None:
        """Return the decision that stands on an observation, None if it was voided or never was."""
        return next((each for each in self.standing if record and each.record == record), None)

    def act(self, record: int) -> Recorded | None:
        """Return an act by its number."""
        return next((act for act in self.acts if act.record == record), None)

    def reported(self, record: int) -> str:
        """Return the result that stands on an observation as it was reported, or corrected since."""
        about = [act for act in self.acts if act.record == record or act.reported.get("of") == record]
        found = [str(act.reported["result"]) for act in about if act.reported.get("result")]
        return found[-1] if found else ""

    @property
    def unplaced(self) -> tuple[RecordedDecision, ...]:
        """Return the results that fit no visit: somebody has to correct their day, or to withdraw them."""
        return tuple(each for each in self.standing if each.outcome == UNPLACED)

    def waits(self, record: int) -> WaitingEntry | None:
        """Return what waits under a number, None if nothing does."""
        return next((each for each in self.waiting if each.record == record), None)

    def with_key(self, source: str, key: str) -> Recorded | None:
        """Return the act that was recorded under a key."""
        return next((act for act in self.acts if (act.source, act.key) == (source, key)), None)


def chart_of(clinic: Clinic, enrollment: str) -> Chart:
    """Return an enrollment as it stands.

    Raises:
        EnrollmentNotFoundError: there is none.
    """
    found = clinic.engine.enrollment(enrollment)
    acts = clinic.engine.history(enrollment=enrollment)
    return Chart(
        enrollment=found,
        participant=participant_of(clinic, found.participant),
        program=clinic.programs[found.program],
        program_name=program_name(clinic, found.program),
        acts=acts,
        standing=standing(acts),
        ahead=clinic.engine.preview(enrollment=enrollment),
        waiting=tuple(clinic.engine.waiting(enrollment=enrollment)),
    )


def participant_of(clinic: Clinic, participant: str) -> Participant:
    """Return a participant; one that another system enrolled has its id for a label."""
    with clinic.reading() as session:
        return session.get(Participant, participant) or Participant(id=participant, label=participant)


def program_name(clinic: Clinic, program: str) -> str:
    """Return the id and version of a program by its digest."""
    names = {digest: name for name, digest in clinic.engine.programs().items()}
    return names[program]


def standing(acts: Iterable[Recorded]) -> tuple[RecordedDecision, ...]:
    """Return the last decision on each observation and on each missed visit, without those that were withdrawn."""
    known = list(acts)
    seen = {act.record for act in known if act.kind == "observed"} | {0}
    latest = {place(each): each for act in known for each in act.decisions if each.record in seen}
    found = [each for each in latest.values() if each.outcome != WITHDRAWN]
    return tuple(sorted(found, key=lambda each: (str(each.on), each.target, each.visit)))


def place(decision: RecordedDecision) -> tuple[int, str, int]:
    """Return what a decision is on: an observation, or a visit that nobody came to."""
    return (decision.record, "", 0) if decision.record else (0, decision.target, decision.visit)


def entered_by(act: Recorded) -> str:
    """Return who entered what an act reports: of a result that two people entered, both."""
    first = act.reported.get("entered")
    return f"{first['by']}, {act.by}" if first else act.by


def worth(decision: RecordedDecision | None) -> dict[str, Decimal]:
    """Return what a decision awards by unit, with what its draws won."""
    if decision is None:
        return {}
    prizes = decision.prizes
    won = {prizes.paid.unit.name: prizes.paid.unit.decimal(prizes.paid.amount)} if prizes else {}
    return total([decision.awards, won])


def promised(decision: Decision) -> dict[str, Decimal]:
    """Return what the next reward is after a decision, if the target is met."""
    found = [each for each in decision.reasons if each.code == "next"]
    return {each.unit.name: each.unit.decimal(each.amount) for each in found}


def difference(before: Amounts, after: Amounts) -> dict[str, Decimal]:
    """Return what is awarded more, or less, by unit."""
    names = dict.fromkeys([*before, *after])
    zero = Decimal(0)
    found = {name: after.get(name, zero) - before.get(name, zero) for name in names}
    return {name: amount for name, amount in found.items() if amount}


def total(amounts: Iterable[Amounts]) -> dict[str, Decimal]:
    """Return the sums by unit.

    Example:
        >>> total([{"USD": Decimal("1.50")}, {"USD": Decimal("2.00"), "draw": Decimal(1)}])
        {'USD': Decimal('3.50'), 'draw': Decimal('1')}
    """
    found: dict[str, Decimal] = {}
    for each in amounts:
        for name, amount in each.items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one decision was, and how it is after a correction."""

    visit: int
    target: str
    record: int
    before: RecordedDecision | None
    after: RecordedDecision | None

    @property
    def difference(self) -> dict[str, Decimal]:
        """Return what is awarded more, or less."""
        return difference(worth(self.before), worth(self.after))


def changes(before: tuple[RecordedDecision, ...], done: Recorded) -> tuple[Change, ...]:
    """Return what an act changed, compared with the decisions that stood before it."""
    former = {place(each): each for each in before}
    return tuple(_change(former.get(place(each)), each) for each in done.decisions)


def _change(before: RecordedDecision | None, after: RecordedDecision) -> Change:
    which = after if after.visit else before or after
    stays = after if after.outcome != WITHDRAWN else None
    return Change(visit=which.visit, target=which.target, record=which.record, before=before, after=stays)

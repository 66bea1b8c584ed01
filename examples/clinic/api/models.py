"""What systems send and get: every amount is a decimal string, every time has its zone."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from examples.clinic.addresses import ID, ID_OR_NOTHING
from examples.clinic.facts import Fact
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from cm_engine import Evidence

FIRST, LAST = date(1990, 1, 1), date(2190, 1, 1)


def _in_our_time(day: date) -> date:
    """Refuse days that no clinic can mean."""
    if not FIRST <= day <= LAST:
        raise ValueError(f"expected a day from {FIRST} to {LAST}")
    return day


def _moment_in_our_time(moment: datetime) -> datetime:
    _in_our_time(moment.date())
    return moment


Id = Annotated[str, Field(pattern=ID)]
Day = Annotated[date, AfterValidator(_in_our_time)]
Moment = Annotated[AwareDatetime, AfterValidator(_moment_in_our_time)]
Number = Annotated[int, Field(ge=1, le=1_000_000_000)]
Line = Annotated[str, Field(min_length=1, max_length=200)]
Symbol = Literal["", "-", "+", "o", "e", "*", "r", "_"]
Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="a decimal, as text")]
Amounts = Annotated[dict[str, Amount], Field(description="by the name of the unit: USD, draw, ...")]


class Sent(BaseModel):
    """What a system sends: a name that is not known is refused, so that none is misspelt unseen."""

    model_config = ConfigDict(extra="forbid")


class Page(Sent):
    """Which enrollments are asked for."""

    participant: Annotated[str, Field(pattern=ID_OR_NOTHING, description="whose; left out, all")] = ""
    after: Annotated[str, Field(pattern=ID_OR_NOTHING, description="the id that comes before the page")] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Ahead(Sent):
    """Which day a preview is for."""

    on: Annotated[Day | None, Field(description="the day of the next visit; left out, the planned one")] = (
        None
    )


class Upto(Sent):
    """How far a statement goes."""

    until: Annotated[Day | None, Field(description="the last day that counts; left out, all")] = None


class NewEnrollment(Sent):
    """Whom to enroll."""

    participant: Annotated[Id, Field(description="your own opaque id; never a name", examples=["p-104"])]
    program: Annotated[Line, Field(examples=["california-recovery-incentives"])]
    start: Annotated[Day, Field(description="the first day of program week 1", examples=["2026-01-05"])]
    by: Annotated[Id, Field(description="who enrolls", examples=["nurse-7"])]


class NewEvidence(Sent):
    """What else was seen, where an outcome is to be read from it."""

    panel: Annotated[dict[Line, Literal["-", "+"]], Field(description="the result of each analyte")] = {}
    prescribed: Annotated[list[Line], Field(description="analytes that a prescription explains")] = []
    presumptive: Annotated[bool, Field(description="the result is not confirmed yet")] = False
    value: Annotated[Decimal | None, Field(max_digits=18, decimal_places=6, allow_inf_nan=False)] = None
    conditions: Annotated[list[Line], Field(description="dilute, late, rescheduled, ...")] = []
    excuse: Annotated[str, Field(max_length=200)] = ""

    def evidence(self) -> Evidence:
        """Return it as the engine takes it."""
        return Evidence(
            panel=tuple(self.panel.items()),
            prescribed=tuple(self.prescribed),
            presumptive=self.presumptive,
            value=self.value,
            conditions=tuple(self.conditions),
            excuse=self.excuse,
        )


class Seen(Sent):
    """What was seen, and when."""

    result: Annotated[
        Symbol,
        Field(description="- met, + not met, o missed, e excused, * unclear, r refused, _ not required"),
    ] = ""
    target: Annotated[str, Field(max_length=200, description="may be left out where there is one")] = ""
    event: Annotated[str, Field(max_length=200, description="instead of a result")] = ""
    evidence: NewEvidence | None = None
    collected_at: Annotated[Moment | None, Field(description="when it was, with its zone")] = None
    on: Annotated[Day | None, Field(description="the day it counts for, if it is another one")] = None
    resulted_at: Annotated[Moment | None, Field(description="when the result came, with its zone")] = None
    by: Annotated[Id, Field(description="who reports it", examples=["nurse-7"])]


class NewObservation(Seen):
    """A result, evidence or an event, with `collected_at` or `on`."""

    note: Annotated[str, Field(max_length=2000, description="a chart note; it commits with the act")] = ""


class NewAmendment(Seen):
    """What is right instead; what is left out stays as it was."""

    record: Annotated[Number, Field(description="the act that reported it")]
    why: Line


class NewVoiding(Sent):
    """Which observation, or which entry that waits, is taken back."""

    record: Annotated[Number, Field(description="the act that reported it")]
    why: Line
    by: Id


class OnDay(Sent):
    """Which day is looked at."""

    on: Annotated[Day | None, Field(description="the day; left out, today at the clinic")] = None


class Whose(Sent):
    """Whose questions, or entries that wait, are asked for."""

    enrollment: Annotated[str, Field(pattern=ID_OR_NOTHING, description="left out, all")] = ""


class Ways(Sent):
    """Which payouts are asked for."""

    on_the_way: Annotated[bool, Field(description="only those that nothing has become of yet")] = False


class NewSweep(Sent):
    """Up to which day the visits that nobody came to are decided."""

    enrollment: Annotated[str, Field(pattern=ID_OR_NOTHING, description="left out, all")] = ""
    until: Annotated[Day | None, Field(description="the last day that is over; left out, yesterday")] = None
    by: Id


class NewExcuse(Sent):
    """Which absence is excused, and why."""

    on: Annotated[Day, Field(description="the day of the visit")]
    why: Annotated[Line, Field(description="the reason, as the program names it", examples=["illness"])]
    target: Annotated[str, Field(max_length=200, description="may be left out where there is one")] = ""
    by: Id


class NewHandOver(Sent):
    """Which payout reached the participant."""

    number: Annotated[Number, Field(description="the decision that put it on its way")]
    leg: Annotated[Number | None, Field(description="which of several amounts of it; left out, all")] = None
    reference: Annotated[str, Field(max_length=200, description="the number of a card or a receipt")] = ""
    by: Id


class NewDecline(Sent):
    """Which payout will not reach the participant, and why."""

    number: Annotated[Number, Field(description="the decision that put it on its way")]
    leg: Annotated[Number | None, Field(description="which of several amounts of it; left out, all")] = None
    why: Line
    by: Id


class NewRedemption(Sent):
    """What is asked for of what is owed."""

    amount: Annotated[
        Decimal | None,
        Field(gt=0, max_digits=15, allow_inf_nan=False, description="exact; left out, all that is owed"),
    ] = None
    unit: Annotated[str, Field(max_length=200, description="left out, the program's currency")] = ""
    product: Annotated[str, Field(max_length=200, description="what it is asked for as")] = ""
    by: Id


class Waiting(BaseModel):
    """An entry that waits until another person has entered the same."""

    enrollment: str
    record: Annotated[int, Field(description="its number in the history: what a withdrawal names")]
    by: str
    entered_at: datetime
    target: str
    on: Annotated[str, Field(description="the time or the day that it counts for")]


class Program(BaseModel):
    """A program that participants can be enrolled in."""

    id: str
    version: str
    title: str
    digest: str
    targets: list[str]


class Enrollment(BaseModel):
    """One participant in one program."""

    id: str
    participant: str
    program: str
    digest: str
    start: date
    zone: str
    commitment: Annotated[
        str, Field(description="of the prize draws: publish it when the participant enrolls")
    ]


class Drawn(BaseModel):
    """A draw from a bowl."""

    key: str
    number: int
    slip: str
    value: Amount


class Decision(BaseModel):
    """What an observation led to."""

    number: int
    record: int
    target: str
    visit: int
    week: int
    on: date | None
    outcome: str
    awards: Amounts
    drawn: list[Drawn]
    sentence: str
    reasons: list[dict[str, Fact]]
    hash: str


class Act(BaseModel):
    """One act in the log of an enrollment, with the decisions that it led to."""

    enrollment: str
    record: int
    kind: str
    source: str
    key: str
    by: str
    recorded_at: datetime
    reported: dict[str, object]
    replayed: Annotated[bool, Field(description="it was recorded before; nothing was written now")]
    hand_over: Annotated[Amounts, Field(description="what to hand over now; nothing for a repeat")]
    payable: Annotated[
        Amounts, Field(description="what is due more by it; of a repeat, what was the first time")
    ]
    decision: Decision | None
    missed: Annotated[list[Decision], Field(description="decisions on visits that nobody came to")]
    corrected: Annotated[list[Decision], Field(description="decisions on other observations that it changed")]
    hash: str


class Visit(BaseModel):
    """A planned visit of a program with windows."""

    enrollment: str
    participant: str
    target: str
    number: int
    week: int
    on: Annotated[date, Field(description="the planned day, after closures, pauses and moves")]
    opens: date
    closes: date
    status: Literal["decided", "open", "overdue", "planned", "paused"]
    decision: Annotated[Decision | None, Field(description="once it is decided; not on the day's list")]


class Question(BaseModel):
    """A result that fits no visit: amend its day, or take it back."""

    enrollment: str
    decision: Decision


class Payout(BaseModel):
    """An amount that was put on its way, and what became of it."""

    enrollment: str
    number: int
    leg: int
    on: date
    unit: str
    amount: Amount
    product: str
    status: str


class Foreseen(BaseModel):
    """What a result would lead to."""

    awards: Amounts
    sentence: str
    reasons: list[dict[str, Fact]]


class Preview(BaseModel):
    """What each next result would lead to, by target and symbol; nothing for a target without a next visit."""

    targets: dict[str, dict[str, Foreseen]]


class StatementLine(BaseModel):
    """One line of a statement."""

    number: int
    on: date | None
    target: str
    visit: int
    week: int
    outcome: str
    corrects: int
    awards: Amounts
    instead_of: Amounts
    drawn: list[str]
    amounts: Amounts
    so_far: Amounts
    sentence: str


class Balance(BaseModel):
    """What was awarded of a unit, and where it is."""

    awarded: Amount
    owed: Amount
    in_flight: Amount
    issued: Amount
    expired: Amount
    absorbed: Amount
    offset: Amount
    deposit: Amount
    drawn: Amount
    paid_in: Amount
    forfeited: Amount


class Statement(BaseModel):
    """What an enrollment earned, line by line, and what it adds up to."""

    enrollment: str
    participant: str
    title: str
    start: date
    until: date | None
    lines: list[StatementLine]
    awarded: Amounts
    balances: dict[str, Balance]


class Difference(BaseModel):
    """Where what is stored first differs from what it should be."""

    enrollment: str
    where: str
    what: str


class Verification(BaseModel):
    """What an audit found."""

    clean: bool
    enrollments: int
    records: int
    decisions: int
    differences: list[Difference]
    other_rules: list[Difference]

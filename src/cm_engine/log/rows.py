"""The rows of the log: immutable values, as every storage keeps them.

Days and times are text in ISO 8601, times in UTC with microseconds, so that they sort as they follow one another.
Amounts are integers in minor units. Whatever has a form of its own is JSON without white space.
"""

from typing import NamedTuple

RESERVED = "@"
"""What the names of journals begin with, and no id of an enrollment does."""


DELIVERY = f"{RESERVED}delivery"
"""The source of acts by which a gateway's answer becomes part of the log; nobody else can give it."""

TASK, DUE = "task", f"{RESERVED}due"
"""The kind of work that comes again and again, and the name that it stands under, as it is of no enrollment."""

WAITING, OVER = "waiting", "over"
"""The states of work that is to be done, and of work with which nothing is to be done any more."""

Subject = tuple[int, str, int]
"""What a decision is about: an observation by its act, or a visit that nothing was recorded of: 0, target, number.

For 0 stands -1 where the version of the program that the enrollment moved to first counts another visit by a number that was
missed before, -2 under the next version.
"""


class ProgramRow(NamedTuple):
    """A program as it was registered: its digest, its id and version, and its canonical text."""

    digest: str
    program: str
    version: str
    text: str


class EnrollmentRow(NamedTuple):
    """One participant in one program from a start date, on: what never changes of an episode.

    Attributes:
        id: of the enrollment, opaque.
        participant: an opaque id of the host's.
        program: the digest of the program.
        start: the first day of program week 1, in the clinic's zone.
        zone: the clinic's time zone by its IANA name; it decides which day a time falls on.
        before: values measured before the plan, as JSON: a list of digits by target; empty without any.
        commitment: the SHA-256 of the seed of prize draws, empty for a program without a bowl.
    """

    id: str
    participant: str
    program: str
    start: str
    zone: str
    before: str
    commitment: str


class RecordRow(NamedTuple):
    """One act: what was reported, by whom, and when we learned of it.

    Attributes:
        enrollment: whose log it is in; or the journal's name, as `@trial/cocaine-2026`.
        seq: its place in the log of the enrollment; 0 is the enrollment itself.
        kind: enrolled, observed, amended, voided or asserted.
        source, key: what makes it the same act however often it is reported.
        actor: who did it.
        body: what was reported, as JSON.
        shared: what pools shared with other enrollments had received from them by then; empty without such pools.
        hash: over this row and the hash before it.
    """

    enrollment: str
    seq: int
    kind: str
    source: str
    key: str
    actor: str
    recorded_at: str
    body: str
    shared: str
    hash: str


class DecisionRow(NamedTuple):
    """One decision on one observation; a later one of the same observation takes its place.

    Attributes:
        number: its place among the decisions of the enrollment, from 1.
        record: the act that led to it.
        observation: the act that it decides: the same one, or an earlier one that a correction decides anew; 0 or
            less for a visit that nothing was recorded of until its time was over, as in `Subject`.
        day: the day it counts for.
        outcome: what the observation was read as; empty for an event, `withdrawn` for a voided one.
        awards: pairs of a unit and minor units.
        reasons: with their codes and fields.
        said: how the participant reads of it.
        prizes: what its draws won; empty without draws.
        rules: the version of the rules that decided.
        hash: over this row and the hash before it.
    """

    enrollment: str
    number: int
    record: int
    observation: int
    target: str
    visit: int
    week: int
    day: str
    outcome: str
    awards: str
    reasons: str
    said: str
    prizes: str
    rules: int
    hash: str

    @property
    def subject(self) -> Subject:
        """Return what the decision is about."""
        about = ("", 0) if self.observation > 0 else (self.target, self.visit)
        return (self.observation, *about)


class EntryRow(NamedTuple):
    """One posting, from the account it debits to the one it credits; both legs in one row, so that it balances.

    Attributes:
        number: the decision that it is of.
        leg: its place among the postings of that decision, from 1.
    """

    enrollment: str
    number: int
    leg: int
    unit: str
    amount: int
    debit: str
    credit: str


class PayoutRow(NamedTuple):
    """An instruction to hand over what a posting put in flight, from a day on."""

    enrollment: str
    number: int
    leg: int
    day: str


class WorkRow(NamedTuple):
    """Something that is to be done once its time has come: a payout to be sent, a message, a task that comes again.

    Attributes:
        enrollment: whose; or a journal's name, or that of the tasks of all.
        kind: payout, message or task.
        name: what tells it apart from others of its kind.
        state: waiting, until it is done; then what became of it.
        due: when it may be done next, in UTC; while somebody does it, when they have given up.
        tries: how often somebody began to do it.
        worker: who did last.
        body: what is known of it, as JSON.
        note: what stood in the way, as a person reads it.
    """

    enrollment: str
    kind: str
    name: str
    state: str
    due: str
    tries: int
    worker: str
    body: str
    note: str


class StandingRow(NamedTuple):
    """Where an enrollment stands, or a journal: a cache of the fold over its log, and the head of its hash chain.

    Attributes:
        enrollment: its id, or the journal's name.
        seq: the last act.
        number: the last decision.
        head: the hash of the last of them.
        recorded_at: of the last act; the next one is not before it, whatever a clock says.
        state: what the next decision depends on.
    """

    enrollment: str
    seq: int
    number: int
    head: str
    recorded_at: str
    state: str


class PoolRow(NamedTuple):
    """What a pool has received, that several enrollments share.

    Attributes:
        holder: the participant where a payer's limit counts, empty where a fund's does.
        windows: pairs of the number of a window and minor units.
    """

    holder: str
    scope: str
    name: str
    unit: str
    per: str
    windows: str


class Batch(NamedTuple):
    """All rows that one transaction writes.

    Attributes:
        heads: the head that each enrollment had when its rows were made; it must still have it.
        standings: new ones for these enrollments, or first ones.
        pools: pairs of what a pool's row was read as, empty if there was none, and what it becomes.
    """

    enrollments: tuple[EnrollmentRow, ...] = ()
    records: tuple[RecordRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    entries: tuple[EntryRow, ...] = ()
    payouts: tuple[PayoutRow, ...] = ()
    work: tuple[WorkRow, ...] = ()
    standings: tuple[StandingRow, ...] = ()
    heads: tuple[str, ...] = ()
    pools: tuple[tuple[str, PoolRow], ...] = ()

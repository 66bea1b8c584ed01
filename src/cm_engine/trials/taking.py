"""The acts on a trial, each in one transaction: it is opened, allocates and enrolls at once, and is closed."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cm_engine.acts.enrolling import new_id, program_called, refuse_other_content
from cm_engine.acts.recorded import Enrollment
from cm_engine.acts.recording import Recording
from cm_engine.acts.register import Register
from cm_engine.errors import AllocationError, ProgramNotAddedError
from cm_engine.journal import Asked, Journal, Taken
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import EnrollmentRow, ProgramRow
from cm_engine.ports import Transaction
from cm_engine.program import canonical, digest
from cm_engine.rules.prizes import commitment
from cm_engine.trials.allocation import Allocation, allocation, stratum_of
from cm_engine.trials.fold import ALLOCATED, TrialState
from cm_engine.trials.kind import TRIAL, allocation_of, committed_seed, seed_of
from cm_engine.trials.loading import program_named
from cm_engine.trials.model import Trial
from cm_engine.trials.record import TrialRecord


class Office(NamedTuple):
    """Where trials are run: in one transaction, with the engine's secret, at a time."""

    tx: Transaction
    register: Register
    now: str

    def journal(self, trial: str) -> Journal[TrialState]:
        """Return the journal of a trial."""
        return Journal(TRIAL, trial, self.tx, self.now)


class Allocated(NamedTuple):
    """A participant who is allocated, and enrolled in the program of the arm.

    Attributes:
        trial: the id of the trial.
        participant: the host's opaque id.
        arm: by its name.
        enrollment: what `record` and all others ask for.
        stratum: the levels of all factors, such as age=under-30,site=boston.
        place: the place in the stratum, from 1.
        replayed: it was allocated before, and nothing was written now.
    """

    trial: str
    participant: str
    arm: str
    enrollment: Enrollment
    stratum: str
    place: int
    replayed: bool


def open_trial(office: Office, trial: Trial, folder: Path, asked: Asked, nonce: str) -> Taken[TrialState]:
    """Open a trial: pin its programs, and commit to its seed.

    Args:
        office: where.
        trial: the trial.
        folder: where the files stand that its arms name.
        asked: the act.
        nonce: what tells its seed from any other's.
    """
    journal = office.journal(trial.trial)
    if known := journal.known(asked):
        return known
    seed = seed_of(office.register, journal.name, nonce)
    programs = {arm: _pinned(office.tx, each.program, folder) for arm, each in sorted(trial.arms.items())}
    led_to = {"programs": programs, "nonce": nonce, "commitment": commitment(seed)}
    return journal.open(asked, led_to)


def _pinned(tx: Transaction, name: str, folder: Path) -> str:
    """Return the digest of a program, which is registered if it is not yet."""
    try:
        return program_called(tx.programs(), name).digest
    except ProgramNotAddedError:
        found = program_named(name, folder)
    row = ProgramRow(digest(found), found.program, found.version, canonical(found))
    refuse_other_content(tx.programs(program=row.program), row)
    tx.add_program(row)
    return row.digest


def allocate(office: Office, trial: str, asked: Asked) -> Allocated:
    """Allocate a participant, and enroll in the program of the arm: both, or neither.

    Nobody knows the arm before the participant is in the trial for good: what is rolled back gives the same arm to
    whoever comes next, and the arm is told only with the enrollment.

    Raises:
        AllocationError: the participant is allocated already, or the trial is closed.
        ReportError: the strata are not those of the trial.
        SecretError: the engine has no secret, or another one.
    """
    journal = office.journal(trial)

    def decide(state: TrialState) -> Mapping[str, object]:
        _refuse_again(office.tx, journal, asked)
        seed = committed_seed(office.register, journal.name, state)
        stratum = stratum_of(state.trial, asked.body["strata"])
        place = state.allocated.get(stratum, 0) + 1
        arm = allocation(state.trial, seed, stratum, place)
        _enroll(office, journal.name, asked, state.programs[arm], enrollment := new_id())
        return {"stratum": stratum, "place": place, "arm": arm, "enrollment": enrollment}

    return allocated_by(office.tx, journal.take(asked, decide))


def _refuse_again(tx: Transaction, journal: Journal[TrialState], asked: Asked) -> None:
    """Refuse a participant who is in the trial: the key of the enrollment is the participant's id, for ever."""
    participant = asked.body["participant"]
    state, key = journal.state(), (journal.name, participant)
    if state.is_closed:
        raise AllocationError(state.trial.trial, "the trial is closed")
    if key not in tx.look_up([], [key]).records:
        return
    acts = (act for act in journal.acts() if act.kind == ALLOCATED)
    known = next(act for act in acts if act.body["participant"] == participant)
    stored = dumped({"source": known.source, "key": known.key, **known.body, **known.led_to})
    raise AllocationError(state.trial.trial, f"participant {participant!r} is allocated already", stored)


def _enroll(office: Office, source: str, asked: Asked, program: str, enrollment: str) -> None:
    """Enroll a participant in the program of an arm, in the same transaction."""
    body = asked.body
    row = EnrollmentRow(
        enrollment, body["participant"], program, body["start"], body["zone"], body.get("before", ""), ""
    )
    recording = Recording(office.tx, office.register, office.now, locked=True)
    recording.enroll(row, source, row.participant, asked.by)


def allocated_by(tx: Transaction, taken: Taken[TrialState]) -> Allocated:
    """Return what an act of allocation led to."""
    act, made = taken.act, allocation_of(taken.act)
    row = tx.enrollment(act.led_to["enrollment"])
    if row is None:
        msg = "the enrollment of this allocation is missing; look at `verify`"
        raise AllocationError(taken.state.trial.trial, msg, dumped(act.led_to))
    return Allocated(
        trial=taken.state.trial.trial,
        participant=made.participant,
        arm=made.arm,
        enrollment=Enrollment.of(row),
        stratum=made.stratum,
        place=made.place,
        replayed=taken.replayed,
    )


def unblinded(office: Office, trial: str) -> tuple[Allocation, ...]:
    """Return who was allocated to which arm, in the order of their allocation."""
    return tuple(allocation_of(act) for act in office.journal(trial).acts() if act.kind == ALLOCATED)


def revealed(office: Office, trial: str) -> TrialRecord:
    """Return the record of a trial that is closed, with its seed.

    Raises:
        AllocationError: it is not; whoever has the seed foresees every arm.
        SecretError: the engine has no secret, or another one.
    """
    journal = office.journal(trial)
    state = journal.state()
    if not state.is_closed:
        why = "its seed is revealed once it is closed: whoever has it foresees every arm to come"
        raise AllocationError(trial, why)
    seed = committed_seed(office.register, journal.name, state)
    return TrialRecord(state.trial, state.commitment, seed, unblinded(office, trial))

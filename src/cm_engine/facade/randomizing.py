"""Randomized trials in an engine: opened, allocated in one transaction with the enrollment, closed, and revealed."""

from collections.abc import Callable, Mapping
from datetime import date
from os import PathLike
from typing import TypeVar

from cm_engine.acts.enrolling import new_nonce
from cm_engine.errors import AllocationError
from cm_engine.facade.opened import Opened
from cm_engine.rules.days import Before
from cm_engine.trials.allocation import Allocation
from cm_engine.trials.asking import Candidate, asked_to_allocate, asked_to_close, asked_to_open, opened_file
from cm_engine.trials.model import Trial
from cm_engine.trials.record import TrialRecord
from cm_engine.trials.standing import TrialStanding, all_trials
from cm_engine.trials.taking import Allocated, Office, allocate, open_trial, revealed, unblinded

Made = TypeVar("Made")


class Randomizing(Opened):
    """The part of an engine that runs randomized trials.

    Example:
        >>> from cm_engine import Engine, parse_trial
        >>> arms = "{prizes: {program: va-prize}, vouchers: {program: higgins-1994-voucher}}"
        >>> engine = Engine.open("memory:", zone="America/New_York", secret=bytes(range(32)))
        >>> trial = parse_trial(f"{{trial: rewards, title: Rewards, arms: {arms}, blocks: [4, 6]}}")
        >>> len(engine.open_trial(trial, by="pi-1").commitment)
        64
        >>> told = engine.allocate(
        ...     trial="rewards", participant="p-1", start=date(2026, 1, 5), by="nurse-7", source="redcap", key="1"
        ... )
        >>> told.arm in trial.arms, told.enrollment.participant, engine.trial("rewards").allocated
        (True, 'p-1', {'all': 1})
    """

    def open_trial(
        self, trial: str | PathLike[str] | Trial, *, by: str, source: str = "trial", key: str = ""
    ) -> TrialStanding:
        """Open a trial: pin its arms' programs, and commit to the seed that it allocates with.

        The seed is derived from the engine's secret, and stored nowhere: nobody without the secret can tell an arm to
        come, with the whole database either. Programs that are not registered yet are.

        Args:
            trial: the path of a trial file, or a trial; paths of programs stand beside the file.
            by: who opens it.
            source: who gives the key.
            key: what makes it the same opening; if left out, the id of the trial.

        Raises:
            TrialError: the file is wrong.
            ProgramNotFoundError: an arm names a program that is nowhere.
            ProgramError: the file of an arm's program is wrong.
            SecretError: the engine has no secret.
            KeyConflictError: the trial was opened as another one.
            ReportError: something is missing, or it was opened under another key.
        """
        found, folder = opened_file(trial)
        asked = asked_to_open(found, source=source, key=key, by=by)
        nonce = new_nonce()
        taken = self._run(lambda office: open_trial(office, found, folder, asked, nonce))
        return TrialStanding.of(taken.state)

    def allocate(
        self,
        *,
        trial: str,
        participant: str,
        strata: Mapping[str, str] | None = None,
        start: date,
        by: str,
        source: str,
        key: str,
        zone: str = "",
        before: Before | None = None,
    ) -> Allocated:
        """Allocate a participant to an arm by chance, and enroll in its program: in one transaction, once for ever.

        Nobody knows the arm before the participant is enrolled (CONSORT 2010, item 9: doi:10.1136/bmj.c332). In a
        transaction of the host's, which could be undone once the arm is known, it is refused. Keeps INV-12.

        Args:
            trial: its id.
            participant: an opaque id of the host's; never a name.
            strata: the level of each factor of the trial.
            start: the first day of program week 1, in the clinic's zone.
            by: who allocates.
            source: who gives the key.
            key: what makes it the same allocation, however often it is asked for.
            zone: the clinic's time zone, if it is not that of the engine.
            before: values measured before the plan, by target, where all arms take them.

        Raises:
            JournalNotFoundError: the trial was never opened.
            AllocationError: the participant is allocated already, the trial is closed, or the transaction the host's.
            ReportError: something is missing, or the strata are not those of the trial.
            KeyConflictError: the key was used for something else; the error shows both.
            SecretError: the engine has no secret, or another one than the trial was opened with.
        """
        if self._storage.joined:
            raise AllocationError(trial, "allocate in a transaction of its own, which nobody can undo")
        who = Candidate(participant, strata or {}, start, zone or self._zone, before)
        asked = asked_to_allocate(who, source=source, key=key, by=by)
        return self._run(lambda office: allocate(office, trial, asked))

    def close_trial(
        self, *, trial: str, why: str, by: str, source: str = "trial", key: str = ""
    ) -> TrialStanding:
        """Close a trial for ever: nobody is allocated any more, and its seed may be revealed.

        Args:
            trial: its id.
            why: the reason, such as that all participants are in.
            by: who closes it.
            source: who gives the key.
            key: what makes it the same closing; if left out, the id of the trial.

        Raises:
            JournalNotFoundError: the trial was never opened.
            AllocationError: it is closed already, under another key.
            KeyConflictError: it is closed already, for another reason.
            ReportError: something is missing.
        """
        asked = asked_to_close(trial, why, source=source, key=key, by=by)
        return TrialStanding.of(self._run(lambda office: office.journal(trial).take(asked)).state)

    def trial(self, trial: str) -> TrialStanding:
        """Return how far a trial is: how many participants each stratum has, and nothing of arms.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        return TrialStanding.of(self._looked(lambda office: office.journal(trial).state()))

    def trials(self) -> list[TrialStanding]:
        """Return all trials, in the order of their ids."""
        return self._looked(lambda office: list(map(TrialStanding.of, all_trials(office))))

    def unblinded(self, trial: str) -> tuple[Allocation, ...]:
        """Return the arm of every participant: the list of the statistician, which nobody else should have.

        Who enrolls and has it can count the block that is being filled, and may guess what comes next.

        Raises:
            JournalNotFoundError: the trial was never opened.
        """
        return self._looked(lambda office: unblinded(office, trial))

    def reveal(self, trial: str) -> TrialRecord:
        """Return the record of a closed trial with its seed, by which a stranger can allocate everybody again.

        Raises:
            JournalNotFoundError: the trial was never opened.
            AllocationError: it is not closed; whoever has the seed foresees every arm.
            SecretError: the engine has no secret, or another one than the trial was opened with.
        """
        return self._looked(lambda office: revealed(office, trial))

    def _run(self, work: Callable[[Office], Made]) -> Made:
        return self._written(lambda tx, now, _: work(Office(tx, self._register, now)), lock=True)

    def _looked(self, work: Callable[[Office], Made]) -> Made:
        with self._storage.reading() as tx:
            return work(Office(tx, self._register, ""))

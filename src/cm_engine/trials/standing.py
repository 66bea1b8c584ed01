"""How far a trial is: what those who run it may see, by stratum and never by arm."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cm_engine.journal import all_journals
from cm_engine.trials.fold import TrialState
from cm_engine.trials.kind import TRIAL
from cm_engine.trials.model import Trial
from cm_engine.trials.taking import Office


@dataclass(frozen=True)
class TrialStanding:
    """A trial that was opened, and how many participants it has; nothing in it tells the arm of anybody.

    Attributes:
        id: of the trial.
        trial: the trial, as it was opened.
        digest: of the trial: what the allocations are pinned to.
        programs: the digests of the arms' programs, by arm.
        commitment: the SHA-256 of its seed, to be published before the first participant.
        allocated: how many participants each stratum has, all strata included.
        is_closed: nobody is allocated any more.
    """

    id: str
    trial: Trial
    digest: str
    programs: Mapping[str, str]
    commitment: str
    allocated: Mapping[str, int]
    is_closed: bool

    @property
    def total(self) -> int:
        """Return how many participants the trial has."""
        return sum(self.allocated.values())

    @classmethod
    def of(cls, state: TrialState) -> "TrialStanding":
        """Return how far a trial is, from its state."""
        counts = {stratum: state.allocated.get(stratum, 0) for stratum in state.trial.all_strata()}
        trial = state.trial
        return cls(
            trial.trial, trial, state.digest, state.programs, state.commitment, counts, state.is_closed
        )


def all_trials(office: Office) -> Iterator[TrialState]:
    """Yield where all trials stand, in the order of their ids."""
    for row in all_journals(office.tx, TRIAL.name):
        yield office.journal(row.enrollment.removeprefix(TRIAL.journal(""))).state()

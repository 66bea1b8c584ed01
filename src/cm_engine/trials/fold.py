"""What the acts of a trial come to: a pure fold, which knows no seed and no arm of anybody to come."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from cm_engine.errors import AllocationError, TrialError
from cm_engine.journal import Act
from cm_engine.log.encoding import dumped
from cm_engine.trials.allocation import stratum_of
from cm_engine.trials.loading import parse_trial
from cm_engine.trials.model import Trial, canonical_trial, trial_digest

ALLOCATED, CLOSED = "allocated", "closed"


class TrialState(NamedTuple):
    """Where a trial stands.

    Attributes:
        trial: as it was opened.
        digest: of the trial.
        programs: the digests of the arms' programs, by arm.
        nonce: what tells its seed from that of any other trial, of whatever database; no secret.
        commitment: the SHA-256 of its seed.
        allocated: how many participants each stratum has.
        is_closed: nobody is allocated any more.
    """

    trial: Trial
    digest: str
    programs: dict[str, str]
    nonce: str
    commitment: str
    allocated: dict[str, int]
    is_closed: bool = False


def fold(state: TrialState | None, act: Act) -> TrialState:
    """Return where a trial stands after an act.

    Raises:
        AllocationError: the act is none that a trial takes where it stands.
        ReportError: the strata are not those of the trial.
        TrialError: the trial itself is wrong.
    """
    if state is None:
        return _opened(act)
    if state.is_closed:
        raise AllocationError(state.trial.trial, "the trial is closed")
    if act.kind == ALLOCATED:
        return _allocated(state, act)
    if act.kind == CLOSED:
        return state._replace(is_closed=True)
    raise AllocationError(state.trial.trial, f"a trial takes no act of the kind {act.kind!r}")


def _opened(act: Act) -> TrialState:
    trial = _trial(dumped(act.body["trial"]))
    if act.body["digest"] != trial_digest(trial):
        raise AllocationError(trial.trial, "the digest is not that of the trial", act.body["digest"])
    led_to = act.led_to
    return TrialState(
        trial, trial_digest(trial), led_to["programs"], led_to["nonce"], led_to["commitment"], {}
    )


def _allocated(state: TrialState, act: Act) -> TrialState:
    stratum, place, arm = (act.led_to[name] for name in ("stratum", "place", "arm"))
    expected = stratum_of(state.trial, act.body["strata"])
    after = state.allocated.get(expected, 0) + 1
    if (stratum, place) != (expected, after) or arm not in state.trial.arms:
        why = f"it is not the next allocation, which is that of participant {after} of {expected}"
        raise AllocationError(state.trial.trial, why, dumped(act.led_to))
    return state._replace(allocated={**state.allocated, stratum: after})


def dump(state: TrialState) -> str:
    """Return where a trial stands, as text."""
    form = state._asdict() | {"trial": json.loads(canonical_trial(state.trial))}
    return dumped(form | {"allocated": dict(sorted(state.allocated.items()))})


def load(text: str) -> TrialState:
    """Return what `dump` wrote.

    Raises:
        ValueError: another release wrote it, whose trials this one does not read.
    """
    form: dict[str, Any] = json.loads(text)
    try:
        return TrialState(**{**form, "trial": _trial(dumped(form["trial"]))})
    except TrialError as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=100)
def _trial(text: str) -> Trial:
    return parse_trial(text, name="trial")

"""What a caller asks of a trial, looked at before anything is written: complete, and attributed."""

import json
from collections.abc import Mapping
from datetime import date
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from cm_engine.acts.enrolling import before_text, zone_name
from cm_engine.errors import ReportError
from cm_engine.journal import OPENED, Asked, asked
from cm_engine.plain import one_line, opaque, plain_day
from cm_engine.rules.days import Before
from cm_engine.trials.fold import ALLOCATED, CLOSED
from cm_engine.trials.loading import load_trial
from cm_engine.trials.model import Trial, canonical_trial, trial_digest


def opened_file(trial: str | PathLike[str] | Trial) -> tuple[Trial, Path]:
    """Return a trial, and the folder in which the files of its programs stand."""
    if isinstance(trial, Trial):
        return trial, Path()
    return load_trial(trial), Path(trial).parent


def asked_to_open(trial: Trial, *, source: str, key: str, by: str) -> Asked:
    """Return the act that opens a trial."""
    body = {"trial": json.loads(canonical_trial(trial)), "digest": trial_digest(trial)}
    return asked(OPENED, source=source, key=key or f"{trial.trial}/opened", by=by, body=body)


class Candidate(NamedTuple):
    """Who is to be allocated, and what the enrollment needs to know."""

    participant: str
    strata: Mapping[str, str]
    start: date
    zone: str
    before: Before | None


def asked_to_allocate(who: Candidate, *, source: str, key: str, by: str) -> Asked:
    """Return the act that allocates a participant.

    Raises:
        ReportError: it lacks something, or says what does not go together.
    """
    if not isinstance(who.strata, Mapping):
        msg = f"strata: expected the level of each factor, such as {{'site': 'boston'}}, got {who.strata!r}"
        raise ReportError(msg)
    measured = before_text(who.before)
    body = {
        "participant": opaque("participant", who.participant),
        "strata": {one_line("strata", name): one_line("strata", level) for name, level in who.strata.items()},
        "start": plain_day("start", who.start),
        "zone": zone_name(who.zone),
        **({"before": measured} if measured else {}),
    }
    return asked(ALLOCATED, source=source, key=key, by=by, body=body)


def asked_to_close(trial: str, why: str, *, source: str, key: str, by: str) -> Asked:
    """Return the act that closes a trial."""
    return asked(
        CLOSED, source=source, key=key or f"{trial}/closed", by=by, body={"why": one_line("why", why)}
    )

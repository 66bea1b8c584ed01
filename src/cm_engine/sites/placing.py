"""The acts of sites on enrollments: who is enrolled at one, goes to another, or follows its closures."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from cm_engine.acts.recording import Act, Beginning, Done, Recording
from cm_engine.errors import KeyConflictError, SiteClosedError
from cm_engine.log.encoding import dumped
from cm_engine.log.rows import EnrollmentRow
from cm_engine.log.sited import PLACED, REPLANNED, ROOT, TRANSFERRED, Days, replanned
from cm_engine.people.rights import SELF
from cm_engine.rules.windows import Calendar
from cm_engine.sites.kind import SITE
from cm_engine.sites.office import Office, Standing
from cm_engine.sites.spending import refuse_stopped
from cm_engine.sites.state import SiteState, closed_from

SAYS = ("site", "on", "why")
"""The keys of a transfer that somebody reports; the others say how the site stands by then."""


class Newcomer(NamedTuple):
    """Who is to be enrolled, under which key, and by whom."""

    row: EnrollmentRow
    source: str
    key: str
    by: str


def enrolled_at(office: Office, site: str, given: Newcomer) -> Done:
    """Enroll at a site: the enrollment and where it is, both or neither; the same again is the stored one.

    Raises:
        JournalNotFoundError: there is no such site.
        SiteClosedError: it takes no new enrollments.
        KeyConflictError: the enrollment is stored, and began at another site or at none.
    """
    root = office.tx.records(SITE.journal(site))[0].hash

    def also(enrollment: str) -> list[Act]:
        state = office.site(site)
        if state.is_closed:
            raise SiteClosedError(site, "it is closed for new enrollments")
        refuse_stopped(office, state)
        body = {**_how(state, given.row), "on": given.row.start, ROOT: root}
        key = (SITE.journal(site), f"{enrollment}/{PLACED}")
        return [Act(enrollment, PLACED, *key, given.by, body, dumped(body))]

    recording = Recording(office.tx, office.register, office.now, locked=True)
    done = recording.enroll(*given, Beginning(root, also))
    if done.replayed:
        _refuse_elsewhere(office, done, site)
    return done


def _refuse_elsewhere(office: Office, done: Done, site: str) -> None:
    """Refuse to take an enrollment for another one, that began elsewhere."""
    record = done.record
    second = next(iter(office.tx.records(record.enrollment, after=record.seq)), None)
    began = json.loads(second.body)["site"] if second and second.kind == PLACED else ""
    if began != site:
        stored, asked = (f"{record.body} at site {each!r}" for each in (began, site))
        raise KeyConflictError(record.source, record.key, stored, asked)


def transferred(office: Office, act: Act) -> Done:
    """Transfer an enrollment to another site; the same again is the stored one.

    Args:
        office: where.
        act: what was reported; its body says the site, the day and the reason.
    """
    key = (act.source, act.key)
    record = office.tx.look_up([], [key]).records.get(key)
    if record and record.kind == TRANSFERRED and said(json.loads(record.body)) == act.body:
        act = act._replace(body=json.loads(record.body), text=record.body)
    else:
        state = office.site(act.body["site"])
        row = office.tx.enrollment(act.enrollment)
        body = {**act.body, **(_how(state, row) if row else {})}
        act = act._replace(body=body, text=dumped(body))
    return Recording(office.tx, office.register, office.now, locked=True).take([act])[0]


def said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody reported of a transfer."""
    return {name: body[name] for name in SAYS}


def followed(office: Office, site: str, enrollment: str) -> Done | None:
    """Let an enrollment follow the closures of a site that it is at, or was; None if it does already.

    The engine does so itself: who closed the site is in the journal of the site, at the act that is named.
    """
    state, standing = office.site(site), office.standing(enrollment)
    if standing is None or not is_behind(state, standing):
        return None
    key = (SITE.journal(site), f"{enrollment}/{standing.row.seq + 1}")
    body = _closures(state, standing.enrolled.row)
    act = Act(enrollment, REPLANNED, *key, SELF, body, dumped(body))
    return Recording(office.tx, office.register, office.now, locked=True).take([act])[0]


def is_behind(state: SiteState, standing: Standing) -> bool:
    """Tell whether an enrollment does not follow the closures of a site; after its end none concerns it."""
    calendar = standing.stand.calendar
    if calendar.away or all(stay.site != state.site for stay in calendar.stays):
        return False
    return _concern(calendar) != _concern(replanned(calendar, _closures(state, standing.enrolled.row)))


def _concern(calendar: Calendar) -> list[tuple[Days, ...]]:
    """Return the closures that concern an enrollment, stay by stay."""
    last = calendar.last
    return [tuple(days for days in stay.closed if last is None or days[0] <= last) for stay in calendar.stays]


def _how(state: SiteState, row: EnrollmentRow) -> dict[str, Any]:
    """Return how a site stands, as an act on an enrollment says it."""
    return {"zone": state.zone, **_closures(state, row)}


def _closures(state: SiteState, row: EnrollmentRow) -> dict[str, Any]:
    """Return when a site is closed, as an act on an enrollment says it, and by which act of the site."""
    return {"site": state.site, "closed": closed_from(state, row.start), "as_of": state.seq}

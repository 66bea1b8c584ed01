"""What an audit looks at beside the fold: that an enrollment was told what its sites said by then."""

import json
from collections.abc import Iterator, Sequence

from cm_engine.errors import CmEngineError
from cm_engine.journal import act_of
from cm_engine.log.moves import IMPORTED
from cm_engine.log.rows import EnrollmentRow, RecordRow
from cm_engine.log.sited import PLACED, REPLANNED, SITED
from cm_engine.ports import Transaction
from cm_engine.sites.kind import SITE
from cm_engine.sites.state import SiteState, closed_from

Known = dict[str, list[SiteState]]
"""Where sites stood after each of their acts, by their ids."""


def site_difference(
    tx: Transaction, known: Known, row: EnrollmentRow, records: Sequence[RecordRow]
) -> tuple[str, str] | None:
    """Return the first act of a site on an enrollment that does not say what the site said by then, or None.

    What came from another database with the enrollment is of the sites there.

    Args:
        tx: what is looked at.
        known: the sites that were looked at before; those looked at now are added.
        row: the enrollment.
        records: its acts.
    """
    arrived = max((record.seq for record in records if record.kind == IMPORTED), default=-1)
    here = (record for record in records if record.kind in SITED and record.seq > arrived)
    return next(_differences(tx, known, row, here), None)


def _differences(
    tx: Transaction, known: Known, row: EnrollmentRow, records: Iterator[RecordRow]
) -> Iterator[tuple[str, str]]:
    for record in records:
        body = json.loads(record.body)
        states = known.setdefault(body["site"], _states(tx, body["site"]))
        where, as_of = f"record {record.seq}", body["as_of"]
        if as_of not in range(len(states)):
            yield where, f"it follows act {as_of} of site {body['site']!r}, which is not there"
            return
        zone = states[as_of].zone if record.kind != REPLANNED else None
        told, said = (body.get("zone"), body["closed"]), (zone, closed_from(states[as_of], row.start))
        if told != said:
            yield where, f"it says of site {body['site']!r} {told}, and the site said {said}"
        if record.kind == PLACED and row.zone != body["zone"]:
            yield where, f"the site is in {body['zone']}, and the enrollment in {row.zone}"


def _states(tx: Transaction, site: str) -> list[SiteState]:
    """Return where a site stood after each of its acts, as far as they can be folded."""
    states: list[SiteState] = []
    try:
        for record in tx.records(SITE.journal(site)):
            states.append(SITE.fold(states[-1] if states else None, act_of(record)))
    except (CmEngineError, ValueError, KeyError, TypeError, AttributeError):
        pass  # the audit of the journal says what is wrong with it
    return states

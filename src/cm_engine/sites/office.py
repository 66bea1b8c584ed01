"""Where sites are kept, in one transaction: where they stand, and which enrollments are or were at them."""

from collections.abc import Iterator
from typing import NamedTuple

from cm_engine.acts.register import Register
from cm_engine.journal import Journal, all_journals
from cm_engine.log.rows import StandingRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.ports import Transaction
from cm_engine.sites.kind import SITE
from cm_engine.sites.state import SiteState

PAGE = 500
"""As many enrollments are read at a time."""


def refuse_unknown(tx: Transaction, site: str) -> None:
    """Refuse the id of a site that was never opened; empty is none.

    Raises:
        JournalNotFoundError: it is one.
    """
    if site:
        Journal(SITE, site, tx).state()


class Standing(NamedTuple):
    """An enrollment, where it stands, and the row that says so."""

    enrolled: Enrolled
    stand: Stand
    row: StandingRow


class Office(NamedTuple):
    """One transaction, with the engine's secret, at a time."""

    tx: Transaction
    register: Register
    now: str

    def journal(self, site: str) -> Journal[SiteState]:
        """Return the journal of a site."""
        return Journal(SITE, site, self.tx, self.now)

    def site(self, site: str) -> SiteState:
        """Return where a site stands; in a transaction begun with `lock`, nobody changes it until the end.

        Who changes an enrollment by what its site says asks for the site first, and then for the enrollment: a
        closure that comes at the same time waits, and then finds the enrollment.

        Raises:
            JournalNotFoundError: it was never opened.
        """
        journal = self.journal(site)
        self.tx.look_up([journal.name], [])
        return journal.state()

    def sites(self) -> Iterator[SiteState]:
        """Yield where all sites stand, in the order of their ids."""
        for row in all_journals(self.tx, SITE.name):
            yield self.journal(row.enrollment.removeprefix(SITE.journal(""))).state()

    def standing(self, enrollment: str) -> Standing | None:
        """Return where an enrollment stands, or None."""
        row = self.tx.look_up([enrollment], []).standings.get(enrollment)
        if row is None:
            return None
        return Standing(*self.register.stand(self.tx, row), row)

    def standings(self, participant: str = "", after: str = "") -> Iterator[Standing]:
        """Yield where all enrollments stand, in the order of their ids, after one, of one participant or of all.

        They are only read: nobody waits for them.
        """
        while rows := self.tx.enrollments(participant=participant, after=after, limit=PAGE):
            for row in filter(None, (self.tx.standing(each.id) for each in rows)):
                yield Standing(*self.register.stand(self.tx, row), row)
            after = rows[-1].id

    def members(self) -> dict[str, list[Standing]]:
        """Return the enrollments that are at each site, or ever were, in the order of their ids."""
        found: dict[str, list[Standing]] = {}
        for each in self.standings():
            for site in {stay.site for stay in each.stand.calendar.stays}:
                found.setdefault(site, []).append(each)
        return found

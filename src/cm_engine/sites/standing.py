"""A site as people look at it, and what closing it has led to."""

from typing import NamedTuple

from cm_engine.sites.state import Closure, Fund, SiteState


class Site(NamedTuple):
    """A site.

    Attributes:
        id: as it was opened.
        zone: its time zone, for ever: it decides which day a time falls on.
        closures: when it is closed, in the order of their days.
        funds: in the order in which they pay.
        gateways: by which rewards are handed over, in order.
        is_closed: nobody is enrolled there any more.
    """

    id: str
    zone: str
    closures: tuple[Closure, ...]
    funds: tuple[Fund, ...]
    gateways: tuple[str, ...]
    is_closed: bool

    @classmethod
    def of(cls, state: SiteState) -> "Site":
        """Return a site from its state."""
        gateways = tuple(each.name for each in state.gateways)
        return cls(state.site, state.zone, state.closures, state.funds, gateways, state.is_closed)


class Followed(NamedTuple):
    """A site whose closures changed, and the enrollments that follow them now.

    Attributes:
        site: as it stands now.
        replanned: the enrollments whose plan was told of it now; those that knew are not among them.
        refused: those that cannot follow, each with the reason; nothing is changed of them.
        replayed: the site was closed so before, and nothing was written of it now.
    """

    site: Site
    replanned: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    replayed: bool = False

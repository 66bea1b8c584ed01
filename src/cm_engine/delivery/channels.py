"""Whether the gateways of a site are what the programs ask for that are paid there: one rule, asked wherever they meet."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date

from cm_engine.errors import ChannelError, ReportError
from cm_engine.gateways import Capabilities, declared, needed, unmet
from cm_engine.log.episode import READMITTED
from cm_engine.log.history import MIGRATED
from cm_engine.log.moves import IMPORTED
from cm_engine.log.rows import RESERVED, Batch
from cm_engine.log.sited import PLACED, TRANSFERRED
from cm_engine.ports import PayoutGateway
from cm_engine.program import Program
from cm_engine.program.checks.base import awarded
from cm_engine.rules.windows import Calendar
from cm_engine.sites.fold import GATEWAY
from cm_engine.sites.kind import SITE
from cm_engine.sites.office import Office
from cm_engine.sites.state import SiteState

Able = Mapping[str, Capabilities]
"""What gateways can do, by the names that sites call them."""

SITES = SITE.journal("")
"""What the names of the journals of sites begin with."""
PLACES = frozenset({PLACED, TRANSFERRED, READMITTED, MIGRATED, IMPORTED})
"""The kinds of acts by which a program comes to a site."""


def able_of(gateways: Mapping[str, PayoutGateway]) -> dict[str, Capabilities]:
    """Return what gateways can do.

    Raises:
        ReportError: one is a class of gateways, and no gateway.
    """
    for name, gateway in gateways.items():
        if isinstance(gateway, type):
            msg = f"gateways: {name}: expected a gateway, got the class {gateway.__name__}; make one of it"
            raise ReportError(msg)
    return {name: gateway.capabilities for name, gateway in gateways.items()}


def paid_in(program: Program) -> list[str]:
    """Return what a gateway has to hand over for a program: draws and names in a hat are only won with.

    Example:
        >>> from cm_engine import catalogue
        >>> paid_in(catalogue.program("va-prize"))
        ['USD']
    """
    only_won_with = {*program.bowls, *([program.hat.unit] if program.hat else [])}
    won = {program.currency} if program.bowls and program.currency else set()
    return sorted((set(awarded(program)) - only_won_with) | won)


def mismatch(program: Program, state: SiteState, able: Able) -> str:
    """Return how the gateways of a site are not what a program asks for; empty if they are.

    Of several gateways one has to be, for each thing that the program pays. A site without any hands over in person, and
    of one with a gateway that is not known here nobody can tell.
    """
    names, channel = [each.name for each in state.gateways], program.payout.channel
    if not names or not {*able} >= {*names}:
        return ""
    fit = [able[name].units for name in names if not unmet(able[name], channel)]
    unpaid = [unit for unit in paid_in(program) if not any(unit in units for units in fit)]
    if not unpaid:
        return ""
    wanted = f" by a gateway that {needed(channel)}" if channel else ""
    have = "; ".join(f"{name} {declared(able[name])}" for name in names)
    called = f"program {program.program}@{program.version}"
    return f"{called} at site {state.site!r} has to be paid in {', '.join(unpaid)}{wanted}: {have}"


def refuse_mismatches(office: Office, able: Able, sites: Iterable[SiteState]) -> None:
    """Refuse gateways that are not what programs ask for by which somebody is paid at sites.

    Raises:
        ChannelError: it says which.
    """
    wrong = {
        (state.site, row.digest): told
        for state in sites
        for row in office.tx.programs()
        if state.gateways
        and (told := mismatch(office.register.rules(office.tx, row.digest).program, state, able))
    }
    found = {wrong[pair] for pair in _paid_at(office) if pair in wrong} if wrong else set()
    if found:
        raise ChannelError(sorted(found))


def _paid_at(office: Office) -> Iterator[tuple[str, str]]:
    """Yield each site at which somebody is paid, or will be, with the digest of the program."""
    for each in office.standings():
        for site in _sites_ahead(each.stand.calendar, office.now):
            yield site, each.enrolled.rules.digest


def _sites_ahead(calendar: Calendar, now: str) -> set[str]:
    """Return where an enrollment is, and where it will be; nowhere once it is over."""
    today = date.fromisoformat(now[:10])
    if calendar.away or (calendar.last and calendar.last < today):
        return set()
    begun = [stay for stay in calendar.stays if stay.first <= today]
    return {stay.site for stay in (*begun[-1:], *calendar.stays[len(begun) :])}


def refuse_written(office: Office, able: Able, batches: Iterable[Batch]) -> None:
    """Refuse what was written if somebody would be paid by gateways that are not what their program asks for.

    Raises:
        ChannelError: it says which.
    """
    came = (each for each in _told(batches, PLACES) if not each.startswith(RESERVED))
    if found := [told for each in came for told in _mismatches(office, able, each)]:
        raise ChannelError(found)
    journals = (each for each in _told(batches, {GATEWAY}) if each.startswith(SITES))
    refuse_mismatches(office, able, [office.journal(each.removeprefix(SITES)).state() for each in journals])


def _told(batches: Iterable[Batch], kinds: Collection[str]) -> Iterable[str]:
    """Return whose logs have an act of some kinds among what was written."""
    return dict.fromkeys(row.enrollment for batch in batches for row in batch.records if row.kind in kinds)


def _mismatches(office: Office, able: Able, enrollment: str) -> Iterator[str]:
    """Yield how the gateways of the sites of an enrollment are not what its program asks for."""
    standing = office.standing(enrollment)
    known = {state.site: state for state in office.sites()}
    for site in sorted(_sites_ahead(standing.stand.calendar, office.now)) if standing else ():
        if (
            standing
            and site in known
            and (told := mismatch(standing.enrolled.rules.program, known[site], able))
        ):
            yield told

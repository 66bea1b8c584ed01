"""What a program asks of the people who run it, each rule one function that refuses. Pure."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from cm_engine.errors import NotAllowedError
from cm_engine.log.bank import Bank
from cm_engine.log.correction import Log
from cm_engine.log.entering import CONFIRMS, seen_of
from cm_engine.log.history import AMENDED, OBSERVED
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled
from cm_engine.people.fold import StaffState
from cm_engine.people.rights import Rights, may, roles_with
from cm_engine.program.people import PeopleRules


class Doing(NamedTuple):
    """Who does what: the act by the right that it needs, and on which enrollment or journal."""

    by: str
    act: str
    on: str

    def refused(self, rule: str, why: str) -> NotAllowedError:
        """Return the refusal of it."""
        return NotAllowedError(*self, rule, why)


def refuse_without_right(rights: Rights, staff: StaffState, doing: Doing) -> None:
    """Refuse what none of somebody's roles may do."""
    if may(rights, staff.roles, doing.act):
        return
    who = roles_with(rights, doing.act)
    todo = f"ask somebody with the role {' or '.join(who)}" if who else "no role has it"
    raise doing.refused(
        f"right {doing.act}", f"their roles ({', '.join(staff.roles)}) do not have it; {todo}"
    )


def refuse_absent(staff: StaffState, day: str, doing: Doing, rule: str) -> None:
    """Refuse somebody who does not work here on a day."""
    if why := staff.absence(day):
        raise doing.refused(rule, why)


def refuse_elsewhere(
    staff: StaffState, sites: Collection[str], doing: Doing, rule: str, what: str = "the enrollment is"
) -> None:
    """Refuse somebody who works at other sites than those that an act concerns; without sites, one works at all."""
    if staff.sites and sites and not set(staff.sites) & set(sites):
        why = f"they work at {', '.join(staff.sites)}, and {what} at {' and '.join(sorted(sites))}"
        raise doing.refused(rule, f"{why}; ask somebody there, or change_staff(sites=...)")


def refuse_untrained(people: PeopleRules, staff: StaffState, day: str, doing: Doing) -> None:
    """Refuse somebody whose training does not hold on a day."""
    within = people.trained_within
    if within and (why := staff.untrained(day, within)):
        raise doing.refused(people.named("trained_within"), why)


def refuse_alone(people: PeopleRules, body: Mapping[str, Any], doing: Doing) -> None:
    """Refuse what one person records, and two have to enter."""
    if CONFIRMS not in body and people.wants_two(*seen_of(body)):
        todo = "two people enter it: engine.enter(...) with the same arguments, once each"
        raise doing.refused(people.named("second_entry"), todo)


def refuse_correcting_oneself(people: PeopleRules, reported_by: Collection[str], doing: Doing) -> None:
    """Refuse to correct what one entered oneself, first or second."""
    if people.second_entry and doing.by in reported_by:
        todo = f"{' and '.join(sorted(reported_by))} entered it; another person has to correct it"
        raise doing.refused(people.named("second_entry"), todo)


def refuse_release(
    people: PeopleRules | None, *, by: str, on: str, reported_by: Collection[str], act: str = "release"
) -> None:
    """Refuse to hand over what a result pays to whoever recorded it, if the program wants another person.

    Args:
        people: what the program asks; None asks nothing.
        by: who hands it over.
        on: the enrollment.
        reported_by: who recorded the result that pays it; `who_reported` finds them.
        act: what handing it over is called.

    Raises:
        NotAllowedError: it was the same person.

    Example:
        >>> asks = PeopleRules(release="another person")
        >>> refuse_release(asks, by="cashier-1", on="e-1", reported_by={"nurse-7"})
        >>> try:
        ...     refuse_release(asks, by="nurse-7", on="e-1", reported_by={"nurse-7"})
        ... except NotAllowedError as error:
        ...     print(error.rule)
        people.release: another person
    """
    if people and people.release and by in reported_by:
        why = "they recorded the result that pays it; another person has to hand it over"
        raise Doing(by, act, on).refused(people.named("release"), why)


def paid_for(enrolled: Enrolled, log: Log, record: RecordRow) -> frozenset[str]:
    """Return who reported what a payout pays for: one that an act sends on its way, or says to be handed over.

    Args:
        enrolled: the enrollment.
        log: its whole log, with what the act writes.
        record: the act.
    """
    body = json.loads(record.body)
    numbers = {row.number for row in log.decisions if row.record == record.seq} | {body.get("number")}
    sent = (each for each in Bank.of(enrolled, log).purse.sent.values() if each.number in numbers)
    lots = [lot for each in sent if body.get("leg") in {None, each.leg} for lot in each.lots]
    return frozenset[str]().union(*(who_reported(log.records, lot.subject[0]) for lot in lots))


def who_reported(records: Iterable[RecordRow], observation: int) -> frozenset[str]:
    """Return who reported an observation: who recorded it, who entered it first, and who amended it.

    Args:
        records: the log of the enrollment, or what of it comes after the observation and with it.
        observation: its act; nobody reported a visit that nobody came to, which is 0.
    """
    found: set[str] = set()
    for record in records:
        if record.kind == OBSERVED and record.seq == observation:
            found |= {record.actor, *_first_of(record)}
        elif record.kind == AMENDED and json.loads(record.body)["of"] == observation:
            found.add(record.actor)
    return frozenset(found)


def who_entered(record: RecordRow) -> frozenset[str]:
    """Return who entered an observation: one person, or two."""
    return frozenset({record.actor, *_first_of(record)})


def _first_of(record: RecordRow) -> list[str]:
    first = json.loads(record.body).get(CONFIRMS)
    return [str(first["by"])] if first else []

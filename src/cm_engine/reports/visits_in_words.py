"""When visits are kept and how they are read, in plain words: the rules beside the amounts that decide about money."""

from cm_engine.program.evidence import Quota, ReadAs, Reads, Retest
from cm_engine.program.models import Program, Target
from cm_engine.program.plan import VisitBlock
from cm_engine.program.windows import Windows
from cm_engine.reports.in_words import listed

OF_QUOTA = {
    "excused": "excused absences",
    "rescheduled": "visits put off",
    "makeup": "visits made good",
    "late": "late visits",
    "invalid": "results that show nothing",
}
PER = {"week": "in a program week", "month": "in a calendar month", "episode": "in the whole program"}
OVERPAID = {
    "absorbed": "What a correction shows to have been given too much is borne by the program.",
    "offset": "What a correction shows to have been given too much is taken off later awards.",
}


def visit_words(program: Program, name: str) -> list[str]:
    """Return when the visits of a target are kept, and how they are read, a sentence each.

    Example:
        >>> from cm_engine import catalogue
        >>> for said in visit_words(catalogue.program("va-prize"), "abstinence")[:2]:
        ...     print(said)
        Results count in their order, whatever their day; an absence counts once it is recorded.
        A dilute specimen is read as invalid, a substituted or adulterated one as refused, a late one as missed.
    """
    target = program.targets[name]
    found = [_days(program.plan(target)), _kept(program.windows_of(target))]
    found += [_reads(target.reads)] if target.behavior == "abstinence" else []
    found += [_excuses(target), *map(_quota, target.quotas), _retest(target.retest)]
    return [each for each in found if each]


def beside_words(program: Program) -> list[str]:
    """Return what becomes of visits while a participant is away or the clinic is closed, a sentence each."""
    pauses = {
        "not required": "Visits planned in a pause are not required.",
        "later": "After a pause all visits come as much later.",
    }
    closed = "Visits of days on which the clinic is closed move to the next day on which it is open."
    return [pauses[program.pauses], *([closed] if program.closures or program.open_on else [])]


def _days(plan: tuple[VisitBlock, ...]) -> str:
    days = {block.days for block in plan}
    if len(days) != 1 or not plan[0].days:
        return ""
    return f"On {listed(day.capitalize() for day in plan[0].days)}."


def _kept(windows: Windows | None) -> str:
    if windows is None:
        return "Results count in their order, whatever their day; an absence counts once it is recorded."
    where = "on any day of its week" if windows.within == "week" else _around(windows)
    good = f", and made good for {_counted(windows.makeup)} more" if windows.makeup else ""
    grace = f", or within {_counted(windows.grace)} more," if windows.grace else ""
    return f"A visit can be kept {where}{good}; who has not come by then{grace} has missed it."


def _around(windows: Windows) -> str:
    before = f"from {_counted(windows.before)} before it " if windows.before else ""
    after = f"to {_counted(windows.after)} after it" if windows.after else ""
    if not (before or after):
        return "on its planned day"
    return (
        f"on its planned day, {before}{after}".rstrip()
        if after
        else f"on its planned day, {before}on".rstrip()
    )


def _reads(reads: Reads) -> str:
    spoiled = (
        f"a substituted or adulterated one {_as(reads.substituted)}"
        if reads.substituted == reads.adulterated
        else f"a substituted one {_as(reads.substituted)}, an adulterated one {_as(reads.adulterated)}"
    )
    return f"A dilute specimen is read {_as(reads.dilute)}, {spoiled}, a late one {_as(reads.late)}."


def _as(read: ReadAs) -> str:
    return {"as tested": "as it was tested", "open": "as none yet"}.get(read, f"as {read}")


def _excuses(target: Target) -> str:
    return f"Only these excuse an absence: {listed(target.excuses)}." if target.excuses else ""


def _quota(quota: Quota) -> str:
    most = f"At most {quota.at_most}" if quota.at_most else "No"
    beyond = (
        f"; each one beyond counts as {quota.then}" if quota.at_most else f"; each counts as {quota.then}"
    )
    return f"{most} {OF_QUOTA[quota.of]} {PER[quota.per]}{beyond}."


def _retest(retest: Retest | None) -> str:
    if retest is None:
        return ""
    often = "once" if retest.at_most == 1 else f"up to {retest.at_most} times"
    return f"After a result that is {listed(retest.on, 'or')} the visit stays open for another specimen, {often}."


def _counted(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"

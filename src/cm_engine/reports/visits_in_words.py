"""When visits are kept and how they are read, in plain words: the rules beside the amounts that decide about money."""

from collections.abc import Iterator

from cm_engine.program.evidence import Quota, ReadAs, Reads, Retest
from cm_engine.program.models import Program, Target
from cm_engine.program.plan import VisitBlock
from cm_engine.program.windows import Windows
from cm_engine.reports.in_words import listed
from cm_engine.spelling import counted, days_long

OF_QUOTA = {
    "excused": ("excused absence", "excused absences"),
    "rescheduled": ("visit put off", "visits put off"),
    "makeup": ("visit made good", "visits made good"),
    "late": ("late visit", "late visits"),
    "invalid": ("result that shows nothing", "results that show nothing"),
}
PER = {"week": "in a program week", "month": "in a calendar month", "episode": "in the whole program"}
SPECIMENS = {
    "first": "the first counts",
    "last": "the last counts",
    "worst": "the worst counts: a positive, else a refused, else an invalid, else a negative one",
}
PRESUMPTIVE = {
    "counts": "",
    "positive waits": "A positive counts once it is confirmed, and the visit waits for that.",
    "waits": "A result counts once it is confirmed, and the visit waits for that.",
}
OVERPAID = {
    "absorbed": "What a correction shows to have been given too much is borne by the program.",
    "offset": "What a correction shows to have been given too much is taken off later awards.",
}


CLOSED = {
    True: "Visits of days on which the clinic is closed move to the next day on which it is open.",
    False: "An absence of a day on which the clinic is closed is of a visit that was not required.",
}
"""What becomes of visits while the clinic is closed, by whether their days say which they are."""


def visit_words(program: Program, name: str) -> list[str]:
    """Return when the visits of a target are kept, and how they are read, a sentence each.

    Example:
        >>> from cm_engine import catalogue
        >>> for said in visit_words(catalogue.program("va-prize"), "abstinence")[:2]:
        ...     print(said)
        Results count in their order, whatever their day; an absence counts once it is recorded.
        A dilute specimen is read as invalid, a substituted or adulterated one as refused.
    """
    target, windows = program.targets[name], program.windows_of(program.targets[name])
    found = [_days(program.plan(target)), _kept(windows, target.reads), *_several(windows)]
    found += [_flawed(target.reads)] if target.behavior == "abstinence" else []
    found += [_out_of_time(target.reads), PRESUMPTIVE[target.evidence.presumptive] if target.evidence else ""]
    found += [_excuses(target), *map(_quota, target.quotas), _retest(target.retest)]
    return [each for each in found if each]


def beside_words(program: Program) -> list[str]:
    """Return what becomes of visits while a participant is away or the clinic is closed, a sentence each."""
    pauses = {
        "not required": "Visits planned in a pause are not required.",
        "later": "After a pause all visits come as much later.",
    }
    has_windows = any(map(program.windows_of, program.targets.values()))
    is_closed = bool(program.closures or program.open_on)
    return [
        *([pauses[program.pauses]] if has_windows else []),
        *([_closed(program, has_windows=has_windows)] if is_closed else []),
    ]


def _closed(program: Program, *, has_windows: bool) -> str:
    """Return what becomes of visits of a closed day, and which weekdays they move to where not all will do."""
    if not (has_windows and program.open_on):
        return CLOSED[has_windows]
    days = listed((day.capitalize() for day in program.open_on), "or")
    return f"Visits of days on which the clinic is closed move to the next {days} on which it is open."


def _days(plan: tuple[VisitBlock, ...]) -> str:
    days = {block.days for block in plan}
    if len(days) != 1 or not plan[0].days:
        return ""
    return f"On {listed(day.capitalize() for day in plan[0].days)}."


def _kept(windows: Windows | None, reads: Reads) -> str:
    if windows is None:
        return "Results count in their order, whatever their day; an absence counts once it is recorded."
    where = "on any day of its program week" if windows.within == "week" else _around(windows)
    good = _made_good(windows.makeup, reads) if windows.makeup else ""
    grace = (
        f" That is decided {days_long(windows.grace)} later, as results may be on their way."
        if windows.grace
        else ""
    )
    return f"A visit can be kept {where}{good}; who has not come by then has missed it.{grace}"


def _made_good(days: int, reads: Reads) -> str:
    if reads.makeup == "as tested":
        return f", and made good for {days_long(days)} more"
    after = "on the day" if days == 1 else f"in the {days} days"
    return f"; what comes {after} after that is read {_as(reads.makeup)}"


def _around(windows: Windows) -> str:
    if not (windows.before or windows.after):
        return "on its planned day"
    first = f"{days_long(windows.before)} before its planned day" if windows.before else "its planned day"
    last = f"{days_long(windows.after)} after it" if windows.after else "that day"
    return f"from {first} to {last}"


def _several(windows: Windows | None) -> Iterator[str]:
    """Yield which of several results counts, and which results are of one visit."""
    if windows is None:
        return
    yield f"Of several results of one visit {SPECIMENS[windows.specimens]}."
    if windows.apart > 1:
        yield (
            f"Results less than {days_long(windows.apart)} apart are of one visit, if its days last so long, but for one on the "
            "planned day of the next."
        )
    if windows.unscheduled == "counted":
        yield "A result that was not planned counts for the visit of its day."


def _flawed(reads: Reads) -> str:
    spoiled = (
        f"a substituted or adulterated one {_as(reads.substituted)}"
        if reads.substituted == reads.adulterated
        else f"a substituted one {_as(reads.substituted)}, an adulterated one {_as(reads.adulterated)}"
    )
    return f"A dilute specimen is read {_as(reads.dilute)}, {spoiled}."


def _out_of_time(reads: Reads) -> str:
    """Return how visits are read that are said to be out of their time."""
    late, put_off = (_as(read, "as what it shows") for read in (reads.late, reads.rescheduled))
    return f"What is recorded as late is read {late}, what is put off beforehand {put_off}."


def _as(read: ReadAs, tested: str = "as it was tested") -> str:
    return {"as tested": tested, "open": "as none yet"}.get(read, f"as {read}")


def _excuses(target: Target) -> str:
    if not target.excuses:
        return ""
    return f"Of reasons that are named, only these excuse an absence: {listed(target.excuses)}."


def _quota(quota: Quota) -> str:
    one, many = OF_QUOTA[quota.of]
    if not quota.at_most:
        return f"No {many} {PER[quota.per]}; each counts as {quota.then}."
    return f"At most {counted(quota.at_most, one, many)} {PER[quota.per]}; each one beyond counts as {quota.then}."


def _retest(retest: Retest | None) -> str:
    if retest is None:
        return ""
    often = "once" if retest.at_most == 1 else f"up to {retest.at_most} times"
    return f"After a result that is {listed(retest.on, 'or')} the visit stays open for another specimen, {often}."

"""The fidelity report: whether the program was run as it is written."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from cm_engine.acts.recorded import Recorded
from cm_engine.audit.auditing import Verification
from cm_engine.log.entering import CONFIRMS
from cm_engine.log.history import AMENDED, OBSERVED, VOIDED
from cm_engine.log.purse import HANDED_OVER
from cm_engine.reports.page import Tile
from cm_engine.reports.reading import Clinic, Course, moment, percent
from cm_engine.reports.sheet import Report, Sheet
from cm_engine.views.visiting import PlannedVisit

STAGES = ("test to result", "result to decision", "decision to hand-over")


class Audited(NamedTuple):
    """What the engine's own audit found when it took every act again."""

    enrollments: int
    acts: int
    decisions: int
    differences: int
    by_other_rules: int


class Found(NamedTuple):
    """Where what is stored differs from what the program says."""

    enrollment: str
    where: str
    what: str


class Delay(NamedTuple):
    """How long one stage took at a site, in hours: the middle one, that of nine out of ten, and the longest."""

    site: str
    stage: str
    seen: int
    median_hours: Decimal
    nine_in_ten_hours: Decimal
    longest_hours: Decimal


class OnPlan(NamedTuple):
    """What became of planned visits at a site."""

    site: str
    decided: int
    on_the_day: int
    in_the_window: int
    missed: int
    excused: int
    overdue: int
    due: int
    kept_percent: Decimal | None


class Turns(NamedTuple):
    """Which rules applied at a site, in the decisions that stand."""

    site: str
    decisions: int
    resets: int
    recoveries: int
    limited: int


class Excuses(NamedTuple):
    """How often one of the staff recorded an excuse."""

    site: str
    staff: str
    results: int
    excused: int
    excused_percent: Decimal | None


class Correction(NamedTuple):
    """A correction, and what it was of."""

    enrollment: str
    record: int
    kind: str
    of: int
    by: str
    at: str
    why: str


class SecondEntry(NamedTuple):
    """Results that take two people: how many there are, how many two people entered, and what waits."""

    site: str
    results: int
    by_two: int
    by_one: int
    waiting: int


def fidelity_report(clinic: Clinic) -> Report:
    """Return the fidelity report."""
    verified = clinic.verified()
    delays, plan = clinic.kept(_delays(clinic)), clinic.kept(_on_plan(clinic))
    sheets = (
        Sheet("audit", "Pay equals protocol", AUDIT, Audited, [_audited(verified)]),
        Sheet(
            "differences",
            "Differences",
            "The first one of each enrollment.",
            Found,
            list(_differences(clinic)),
        ),
        Sheet("delays", "From test to reward", DELAYS, Delay, delays),
        Sheet("visits", "Visits on plan", PLAN, OnPlan, plan),
        Sheet("turns", "Resets and recoveries", TURNS, Turns, clinic.kept(_turns(clinic))),
        Sheet("excuses", "Excuses by staff", EXCUSES, Excuses, clinic.kept(excuses(clinic))),
        Sheet(
            "corrections",
            "Corrections",
            "Every amendment and every result that was taken back, with the time at the clinic.",
            Correction,
            list(_corrections(clinic)),
            columns=("enrollment", "record", "kind", "corrects record", "by", "at", "why"),
        ),
        Sheet("second-entry", "Second entry", SECOND, SecondEntry, clinic.kept(_second(clinic))),
    )
    return Report(
        "fidelity",
        "Fidelity report",
        f"{clinic.scope}, as of {clinic.on:%d %b %Y}.",
        sheets,
        _tiles(clinic, plan),
    )


AUDIT = (
    "Every act was taken again by the rules of its program, and every decision, posting and hash compared."
)
DELAYS = (
    "Of results that were reported with their times, and of rewards that reached the participant. Half of all took no "
    "longer than the median, nine in ten no longer than the next figure."
)
PLAN = (
    "Planned visits by their planned day's site. On the day: decided for the planned day; in the window: for any day of it, "
    "which the days for making a visit good are not; missed and excused: as decided; overdue: nothing recorded yet. Due are all of them but the excused and those that were not required; kept, %, is in the window of these."
)
TURNS = "Decisions that stand, on visits, and how many of them applied a reset, a recovery, or a limit."
EXCUSES = "Of the results that stand and that a person recorded. What a sweep decided has no recorder."
SECOND = "Results that stand and that the program wants entered by two people, and whether two did; entries that wait."


def _differences(clinic: Clinic) -> Iterator[Found]:
    """Yield what the audit found, of those whom the reports name; what is of no enrollment is everybody's."""
    elsewhere = {course.enrollment.id for course in clinic.courses} - {
        course.enrollment.id for course in clinic.here
    }
    for each in clinic.verified().differences:
        if each.enrollment not in elsewhere:
            yield Found(*each)


def _audited(found: Verification) -> Audited:
    return Audited(
        found.enrollments, found.records, found.decisions, len(found.differences), len(found.other_rules)
    )


def _delays(clinic: Clinic) -> Iterator[Delay]:
    found: defaultdict[tuple[str, int], list[timedelta]] = defaultdict(list)
    for course in clinic.courses:
        for site, stage, took in _stages(course):
            found[site, stage].append(took)
    for (site, stage), taken in sorted(found.items()):
        middle, most = _ranked(taken, 50), _ranked(taken, 90)
        yield Delay(site, STAGES[stage], len(taken), hours(middle), hours(most), hours(max(taken)))


def _stages(course: Course) -> Iterator[tuple[str, int, timedelta]]:
    """Yield how long each stage of a result took, with its site."""
    given = dict(handed_over_at(course))
    for act in course.acts:
        if act.kind != OBSERVED or act.decision is None:
            continue
        site = course.site(act.decision.on)
        seen, resulted = moment(act, "at"), moment(act, "resulted_at")
        if seen and resulted:
            yield site, 0, resulted - seen
            yield site, 1, act.recorded_at - resulted
        if act.decision.number in given:
            yield site, 2, given[act.decision.number] - act.recorded_at


def handed_over_at(course: Course) -> Iterator[tuple[int, datetime]]:
    """Yield when what a decision pays reached the participant, by the number of the decision."""
    issued = {paid.number for paid in course.payouts if paid.handed_over_on}
    for act in course.acts:
        if act.kind == HANDED_OVER and act.reported["number"] in issued:
            yield act.reported["number"], act.recorded_at


def _ranked(taken: Sequence[timedelta], share: int) -> timedelta:
    """Return the shortest time that so many percent do not exceed."""
    return sorted(taken)[-(-len(taken) * share // 100) - 1]


def hours(took: timedelta) -> Decimal:
    """Return how long something took, in hours with two decimals.

    Example:
        >>> hours(timedelta(minutes=90))
        Decimal('1.50')
    """
    return (Decimal(took // timedelta(milliseconds=1)) / 3_600_000).quantize(Decimal("0.01"))


def _on_plan(clinic: Clinic) -> Iterator[OnPlan]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for course in clinic.courses:
        for visit in course.visits:
            counted, decision = found[course.site(visit.on)], visit.decision
            if decision is None:
                counted[visit.status] += 1
                continue
            came = decision.outcome not in {"o", "e", "_"} and decision.on is not None
            counted["decided"] += 1
            counted[decision.outcome] += 1
            counted["day"] += came and decision.on == visit.on
            counted["window"] += came and visit.opens <= (decision.on or visit.on) <= _window_closes(
                course, visit
            )
    for site, counted in sorted(found.items()):
        decided, missed, excused, overdue = (counted[name] for name in ("decided", "o", "e", "overdue"))
        due, kept = decided + overdue - excused - counted["_"], counted["window"]
        yield OnPlan(site, decided, counted["day"], kept, missed, excused, overdue, due, percent(kept, due))


def _window_closes(course: Course, visit: PlannedVisit) -> date:
    """Return the last day of a visit's window: what comes later makes the visit good, and does not keep it."""
    windows = course.program.windows_of(course.program.targets[visit.target])
    return visit.closes - timedelta(days=windows.makeup if windows else 0)


def _turns(clinic: Clinic) -> Iterator[Turns]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for course in clinic.courses:
        for each in course.standing:
            counted = found[course.site(each.on)]
            counted["all"] += each.visit > 0
            counted.update({reason.code for reason in each.reasons})
    for site, counted in sorted(found.items()):
        yield Turns(site, counted["all"], counted["reset"], counted["recovered"], counted["limited"])


def excuses(clinic: Clinic) -> Iterator[Excuses]:
    """Yield how often each of the staff recorded an excuse, by site."""
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for course in clinic.courses:
        for each in course.standing:
            if each.visit and each.record:
                by = course.by_record[each.record].by
                found[course.site(each.on), by][each.outcome] += 1
    for (site, by), counted in sorted(found.items()):
        yield Excuses(site, by, counted.total(), counted["e"], percent(counted["e"], counted.total()))


def _corrections(clinic: Clinic) -> Iterator[Correction]:
    for course in clinic.here:
        for act in course.acts:
            if act.kind in {AMENDED, VOIDED}:
                at = course.clock(act.recorded_at)
                yield Correction(
                    act.enrollment, act.record, act.kind, act.reported["of"], act.by, at, act.reported["why"]
                )


def _second(clinic: Clinic) -> Iterator[SecondEntry]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for course in clinic.courses:
        for act, on in _wanting_two(course):
            found[course.site(on)]["two" if CONFIRMS in act.reported else "one"] += 1
    at = {course.enrollment.id: course.site(clinic.on) for course in clinic.courses}
    found_waiting = Counter(at[each.enrollment] for each in clinic.waiting if each.enrollment in at)
    for site in sorted({*found, *found_waiting}):
        two, one = found[site]["two"], found[site]["one"]
        yield SecondEntry(site, two + one, two, one, found_waiting[site])


def _wanting_two(course: Course) -> Iterator[tuple[Recorded, date | None]]:
    people = course.program.people
    for each in course.standing:
        act = course.by_record.get(each.record)
        if act is None or people is None:
            continue
        result, event = act.reported.get("result") or each.outcome, act.reported.get("event", "")
        if people.wants_two(result, event):
            yield act, each.on


def _tiles(clinic: Clinic, plan: Iterable[OnPlan]) -> tuple[Tile, ...]:
    found, lines = clinic.verified(), list(plan)
    kept, due = sum(each.in_the_window for each in lines), sum(each.due for each in lines)
    word = (
        "as protocol"
        if found.is_clean
        else f"{len(found.differences)} difference{'s' * (len(found.differences) > 1)}"
    )
    share = f"{percent(kept, due)} %" if due else "none"
    return (
        Tile("Decisions taken again", f"{found.decisions:,}", word),
        Tile("Visits kept in their window", share, f"{kept:,} of {due:,} due"),
    )

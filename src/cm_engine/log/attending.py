"""From a dated report to the visits that it decides: those that it shows to be missed, and the one that it is of.

A miss takes its place by the days of its visit, and not by who tells of it: it stands after all that came while the visit
and its days of grace lasted, and before all that came after them. So it counts for the same in a milestone or a limit of
several targets, whatever is recorded first, and whenever somebody says that days are over.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from operator import itemgetter

from cm_engine.log.deciding import Finding, Others, decided
from cm_engine.log.history import END_OF_DAY, Seen, day_in, zones_of
from cm_engine.log.rows import Subject
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.rules.compiled import TargetRules
from cm_engine.rules.plan import Visit
from cm_engine.rules.reasons import Another, Reason, Unplaced, Unscheduled, Waiting
from cm_engine.rules.state import Decision, Observation
from cm_engine.rules.windows import ABSENCES, Counted, Passed, Place, Plan

UNPLACED, NOT_COUNTED = "unplaced", "not counted"
"""The outcomes of what fits no visit, and of what does not count for the one that it fits."""

UNSCHEDULED, MAKEUP = "unscheduled", "makeup"
"""The conditions of a specimen that was not planned, and of one that makes a visit good."""

GRAVITY = "+r*-"
"""The outcomes of specimens, the gravest first."""

Shared = Callable[[Subject], Others]
"""What shared pools have received from others when something is decided."""

Found = tuple[Stand, Sequence[Finding]]
"""Where an enrollment stands then, and what was found on the way."""

Over = Iterable[tuple[TargetRules, Passed]]
"""Visits whose time is over."""


def attended(enrolled: Enrolled, stand: Stand, seen: Seen, later: Sequence[Seen], shared: Shared) -> Found:
    """Return all that a report leads to, and where the enrollment stands then.

    Where targets have windows, a report first shows which visits are over that nobody came to. Then, if its own target has
    some, it counts for the visit that has its day, or is another one for it, or is kept and asked about. Else it is of the
    next visit.

    Args:
        enrolled: the enrollment.
        stand: where it stands before.
        seen: the report, or that days are over.
        later: the reports after it: one of them may count for its visit instead.
        shared: what shared pools have received from others.
    """
    if not (enrolled.rules.has_windows or seen.closes):
        return _of_the_next_visit(enrolled, stand, seen, shared)
    report, plan = _Report(enrolled, seen, later, shared), _plan_of(enrolled, stand, seen)
    if plan and _is_beside(plan, seen):
        return report.beside(stand, plan)
    place = _place(enrolled, plan, stand, seen) if plan else None
    stand, before = missed(enrolled, stand, seen, _shown(enrolled, stand, seen, place), shared)
    after, found = report.decided(stand, plan, place)
    return after, (*before, *found)


def _of_the_next_visit(enrolled: Enrolled, stand: Stand, seen: Seen, shared: Shared) -> Found:
    """Return what a report leads to that is an event, or whose number decides which visit it is of."""
    after, finding = decided(enrolled, stand, seen, shared(seen.subject))
    return after, (finding,)


def leaves_the_past(enrolled: Enrolled, stand: Stand, seen: Seen) -> bool:
    """Tell whether a report that comes after all others leaves the decisions on them as they are.

    One that takes the place of another does not.
    """
    plan = plan_for(enrolled, stand, seen)
    return not plan or _place(enrolled, plan, stand, seen).how != "another"


def _shown(enrolled: Enrolled, stand: Stand, seen: Seen, place: Place | None) -> Over:
    """Return the visits that a report shows to be over, in the order in which they are decided.

    Of its own target, those before the visit that it is of; of others, those whose days of grace are over, too. They are
    decided in the order in which their time ended.
    """
    if not enrolled.rules.has_windows:
        return ()
    target = enrolled.rules.target(seen.observation.target) if place else None
    own = [(target, each) for each in place.passed] if target and place else []
    day = seen.day + timedelta(days=1) if seen.closes else _known(enrolled, stand, seen)
    others = (each for each in _over(enrolled, stand, day) if each[0] is not target)
    return _in_order([*own, *others], day)


def _in_order(over: Over, day: date) -> list[tuple[TargetRules, Passed]]:
    """Return visits in the order in which their time ended; those of one target as they are planned."""
    ended, found = dict[int, date](), list[tuple[date, int, tuple[TargetRules, Passed]]]()
    for target, passed in over:
        last = max(ended.get(target.index, date.min), min(passed.last, day))
        ended[target.index] = last
        found.append((last, target.index, (target, passed)))
    return [each for _, _, each in sorted(found, key=itemgetter(0, 1))]


def missed(enrolled: Enrolled, stand: Stand, seen: Seen, over: Over, shared: Shared) -> Found:
    """Decide visits that a report shows to be over: each on its planned day, whatever was decided since."""
    findings = []
    for target, (visit, planned, outcome, _) in over:
        last = stand.state.last or planned
        then = stand._replace(state=stand.state._replace(last=min(last, planned)))
        expected = Observation(outcome, planned, target.name)
        again = len(stand.moved_to) if visit.number <= stand.missed.get(target.name, 0) else 0
        nothing = Seen(-again, seen.place, expected, visit=visit.number)
        stand, finding = decided(enrolled, then, nothing, shared(nothing.subject))
        reached = max(last, min(planned, seen.day))
        stand = stand._replace(state=stand.state._replace(last=reached))
        findings.append(finding._replace(shown_by=seen.record))
    return stand, findings


def as_found(
    enrolled: Enrolled, stand: Stand, target: TargetRules, day: date, others: Others
) -> Stand | None:
    """Return where an enrollment stands as a result of a day would find it, None if no visit is open to it."""
    seen = Seen(0, (day.isoformat(), END_OF_DAY), Observation(on=day, target=target.name))
    place = _place(enrolled, plan_of(enrolled, stand, target), stand, seen) if target.windows else None
    if place and place.how != "counts":
        return None
    return missed(enrolled, stand, seen, _shown(enrolled, stand, seen, place), lambda _: others)[0]


def plan_of(enrolled: Enrolled, stand: Stand, target: TargetRules) -> Plan:
    """Return the visits of a target as they are planned for an enrollment."""
    return Plan(enrolled.rules, target, date.fromisoformat(enrolled.row.start), stand.calendar)


def is_over(enrolled: Enrolled, stand: Stand, until: date) -> bool:
    """Tell whether some visit is over by the end of a day, that nothing was recorded of."""
    return any(True for _ in _over(enrolled, stand, until + timedelta(days=1)))


def _over(enrolled: Enrolled, stand: Stand, day: date) -> Iterator[tuple[TargetRules, Passed]]:
    """Yield the visits of all targets that are over before a day, with their days of grace."""
    for target in enrolled.rules.targets:
        if target.windows:
            plan, done = plan_of(enrolled, stand, target), stand.state.tracks[target.index].visits
            for passed in plan.over(done, day, grace=True):
                yield target, passed


def _plan_of(enrolled: Enrolled, stand: Stand, seen: Seen) -> Plan | None:
    """Return the plan that a report finds its visit in, None for an event, for days, and where its number decides."""
    if not enrolled.rules.has_windows or seen.closes or seen.observation.event:
        return None
    target = enrolled.rules.target(seen.observation.target)
    return plan_of(enrolled, stand, target) if target.windows else None


def plan_for(enrolled: Enrolled, stand: Stand, seen: Seen) -> Plan | None:
    """Return the plan of a report that may count for a visit of it, None for all else."""
    plan = _plan_of(enrolled, stand, seen)
    return None if plan is None or _is_beside(plan, seen) else plan


def _is_beside(plan: Plan, seen: Seen) -> bool:
    """Tell whether a report was not planned, and counts for nothing."""
    return seen.has(UNSCHEDULED) and plan.windows.unscheduled == "not counted"


def _place(enrolled: Enrolled, plan: Plan, stand: Stand, seen: Seen) -> Place:
    done = stand.state.tracks[plan.target.index].visits
    is_promised = stand.promised.get(plan.target.name) == done + 1
    if is_promised and (found := plan.promised(done + 1, seen.day)):
        return found
    return plan.place(done, _counted(stand, plan.target), seen.day, _known(enrolled, stand, seen))


def _counted(stand: Stand, target: TargetRules) -> Counted | None:
    """Return the last result of a target that counted."""
    if not (text := stand.counted.get(target.name)):
        return None
    day, visit = text.split("/")
    return Counted(date.fromisoformat(day), int(visit))


def _known(enrolled: Enrolled, stand: Stand, seen: Seen) -> date:
    """Return the day at the clinic when something was reported, if it is dated ahead of that; else its own day."""
    _, at = seen.told
    if not at or seen.place[0] < at[:10]:
        return seen.day
    return date.fromisoformat(min(seen.place[0], day_in(at, zones_of(enrolled.row.zone, stand.calendar))))


@dataclass(frozen=True, slots=True)
class _Report:
    """A report that finds its visit by its day."""

    enrolled: Enrolled
    seen: Seen
    later: Sequence[Seen]
    shared: Shared

    def beside(self, stand: Stand, plan: Plan) -> Found:
        """Return that it was not planned, and counts for nothing."""
        return self._kept(stand, plan, NOT_COUNTED, Unscheduled())

    def decided(self, stand: Stand, plan: Plan | None, place: Place | None) -> Found:
        """Return what it leads to itself, once the visits are decided that it shows to be missed."""
        if self.seen.closes:
            return stand, ()
        if plan is None or place is None:
            return _of_the_next_visit(self.enrolled, stand, self.seen, self.shared)
        if place.visit is None:
            return self._kept(stand, plan, UNPLACED, Unplaced(self._following(stand, plan)))
        if place.how == "counts":
            counts = self._counting(stand, plan, place.visit)
            if counts is self.seen:
                return self._counted(stand, plan, place.visit, is_makeup=place.is_makeup)
            stand = stand._replace(promised={**stand.promised, plan.target.name: place.visit.number})
        another = Another(place.visit.number, plan.windows.specimens)
        return self._kept(stand, plan, NOT_COUNTED, another, place.visit)

    def _counted(self, stand: Stand, plan: Plan, visit: Visit, *, is_makeup: bool) -> Found:
        came = self.seen.observation.outcome not in ABSENCES
        conditions = {MAKEUP} if is_makeup and came else set[str]()
        seen = self.seen.with_conditions(add=conditions, less={UNSCHEDULED})
        after, finding = decided(self.enrolled, stand, seen, self.shared(seen.subject))
        counted = {**stand.counted, plan.target.name: f"{seen.place[0]}/{visit.number}"}
        promised = {name: number for name, number in stand.promised.items() if name != plan.target.name}
        return after._replace(counted=counted, promised=promised), (finding,)

    def _kept(
        self, stand: Stand, plan: Plan, outcome: str, reason: Reason, visit: Visit | None = None
    ) -> Found:
        """Keep a report that decides nothing."""
        target, number, week = plan.target, visit.number if visit else 0, visit.week if visit else 0
        words = target.visits[0].phase.words
        decision = Decision(target.name, number, week, self.seen.day, outcome, (), (reason,), words)
        kept = Finding(self.seen, decision, None, self.seen.record)
        return stand._replace(place=self.seen.place), (kept,)

    def _following(self, stand: Stand, plan: Plan) -> date | None:
        """Return the day of the next visit."""
        window = plan.expected_next(stand.state.tracks[plan.target.index].visits)
        return window.planned if window else None

    def _counting(self, stand: Stand, plan: Plan, visit: Visit) -> Seen:
        """Return which of the reports that are of one visit counts for it: no absence, if somebody came."""
        of_target = (each for each in self.later if self._is_of(plan, each))
        same = takewhile(lambda each: plan.shares_visit(visit, self.seen.day, each.day), of_target)
        group = [self.seen, *same]
        came = [each for each in group if each.observation.outcome not in ABSENCES]
        if not came:
            return group[-1]
        if len(came) == 1 or plan.windows.specimens == "first":
            return came[0]
        read = {each.record: self._as_if_it_counted(stand, each) for each in came}
        settled = [each for each in came if not _asks_again(read[each.record])] or came
        if plan.windows.specimens == "last":
            return settled[-1]
        return min(settled, key=lambda each: _gravity(read[each.record]))

    def _is_of(self, plan: Plan, other: Seen) -> bool:
        if other.closes or other.observation.event or _is_beside(plan, other):
            return False
        return self.enrolled.rules.target(other.observation.target) is plan.target

    def _as_if_it_counted(self, stand: Stand, seen: Seen) -> Decision:
        """Return the decision on a specimen, had it alone been given."""
        read = seen.with_conditions(less={UNSCHEDULED})
        return decided(self.enrolled, stand, read, self.shared(self.seen.subject))[1].decision


def _asks_again(decision: Decision) -> bool:
    """Tell whether a decision leaves its visit open for another specimen."""
    return any(isinstance(reason, Waiting) for reason in decision.reasons)


def _gravity(decision: Decision) -> int:
    """Return how grave a decision on a specimen is; 0 is the gravest."""
    return GRAVITY.find(decision.outcome or "-") % len(GRAVITY)

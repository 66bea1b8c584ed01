"""From what was seen at a visit to the one outcome that the ladder takes: each rule of reading is one function.

A reading goes through the rules in order; each takes it and returns it, changed or not.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from cm_engine.errors import ResultsError
from cm_engine.program.evidence import CONDITIONS
from cm_engine.program.values import OUTCOMES, unknown_result
from cm_engine.rules.compiled import OPEN, SYMBOLS, Rules, TargetRules
from cm_engine.rules.criteria import Measured, Memory, checked_value, judge, remember
from cm_engine.rules.limits import window
from cm_engine.rules.occasion import Occasion
from cm_engine.rules.panels import checked_panel, explained_by, outcome_of_panel
from cm_engine.rules.reasons import (
    BeyondQuota,
    Explained,
    GroupMet,
    Judged,
    NextBar,
    NotExcused,
    NotProvided,
    ReadAs,
    Reason,
    Wait,
    Waiting,
)
from cm_engine.rules.state import Evidence, Observation, Received, State
from cm_engine.spelling import nearest

NOTHING = Evidence()


class Reading(NamedTuple):
    """How far an observation is read.

    Attributes:
        outcome: one symbol, or nothing as long as it is not known.
        effect: the symbol that the ladder takes, where a group or another target decides; else the outcome.
        memory: the values that the criteria of the target look back on.
        counted: what each quota has counted.
        waits: what the visit stays open for; nothing if it is decided.
        variant: which of several rewards a success pays.
        put_off: the visit is to stay open for another day, if the quota allows it.
    """

    outcome: str
    memory: Memory
    counted: tuple[Received, ...]
    waits: Wait = ""
    variant: int = 0
    put_off: bool = False
    effect: str = ""
    reasons: tuple[Reason, ...] = ()


def read(look: Occasion, observation: Observation) -> Reading:
    """Return how an observation is read by the program.

    Raises:
        ResultsError: there is nothing to read an outcome from, or what is there does not fit the program.
    """
    before = look.track.memory
    if look.visit.opens_phase and before.bar is not None:
        before = before._replace(bar=None)
    reading = Reading(observation.outcome, before, look.state.counted, variant=look.visit.phase.usual)
    seen = observation.evidence or NOTHING
    for rule in RULES:
        reading = rule(look, seen, reading)
        if reading.waits:
            break
    return reading._replace(effect=reading.effect or reading.outcome)


def panel(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Read the analytes of a specimen."""
    if not seen.panel:
        return reading
    evidence, panel = look.target.evidence, checked_panel(look.target.evidence, seen.panel)
    outcome = outcome_of_panel(evidence, panel, seen.prescribed)
    explained = explained_by(evidence, panel, seen.prescribed)
    reasons: tuple[Reason, ...] = (Explained(explained),) if explained else ()
    return _agreeing(reading, outcome, "the panel")._replace(reasons=reading.reasons + reasons)


def _agreeing(reading: Reading, outcome: str, what: str) -> Reading:
    if reading.outcome not in {"", outcome}:
        msg = f"the result is given as {reading.outcome}, but {what} shows {outcome}; give one of them"
        raise ResultsError(msg)
    return reading._replace(outcome=outcome)


def confirmation(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Wait for a result that has to be confirmed."""
    policy = look.target.evidence.presumptive
    waits = policy == "waits" or (policy == "positive waits" and reading.outcome == "+")
    if not (seen.presumptive and waits):
        return reading
    return _waiting(reading, "confirmation")


def _waiting(reading: Reading, what: Wait) -> Reading:
    return reading._replace(waits=what, reasons=(*reading.reasons, Waiting(what)))


def value(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Judge a measured value by the criterion of the phase."""
    measured, criterion = seen.value, look.visit.phase.criterion
    if measured is None:
        return reading
    checked_value(measured)
    if reading.outcome == "_":
        return reading
    if criterion is None:
        msg = f"target {look.target.name!r} has no criterion for a measured value in weeks {look.visit.phase.weeks}"
        raise ResultsError(msg)
    met, bar = judge(criterion, reading.memory, Measured(measured, look.when.day))
    how, limit = bar or ("", None)
    judged = Judged(measured, how, limit, met, look.target.evidence.measure or "")
    return _agreeing(reading, "-" if met else "+", "the value")._replace(reasons=(*reading.reasons, judged))


def some_outcome(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Refuse an observation that shows nothing."""
    if reading.outcome in look.visit.phase.effects:
        return reading
    reads = [look.target.reads.get(condition, "") for condition in seen.conditions]
    if not reading.outcome and any(reads):
        return reading
    given = reading.outcome
    msg = unknown_result(given) or f"expected one result, a panel or a value, got {given!r}"
    raise ResultsError(msg)


def condition(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Read a flawed specimen, or one out of its time, as the program says; the gravest flaw decides."""
    for flaw in seen.conditions:
        if flaw not in CONDITIONS:
            msg = f"{flaw!r} is no condition of a specimen{nearest(flaw, CONDITIONS)}; expected {', '.join(CONDITIONS)}"
            raise ResultsError(msg)
    for flaw in sorted(seen.conditions, key=CONDITIONS.index):
        if look.target.reads[flaw] == OPEN:
            return reading._replace(outcome="e", put_off=True)
        if symbol := look.target.reads[flaw]:
            return _as(reading, flaw, symbol)
    return reading


def _as(reading: Reading, seen: str, symbol: str) -> Reading:
    return reading._replace(outcome=symbol, reasons=(*reading.reasons, ReadAs(seen, OUTCOMES[symbol])))


def excuse(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Look whether the program accepts the reason of an absence."""
    reason, accepted = seen.excuse, look.target.excuses
    if reading.outcome != "e" or not reason or not accepted or reason in accepted:
        return reading
    reasons = (*reading.reasons, NotExcused(reason))
    return reading._replace(outcome="o", put_off=False, reasons=reasons)


def closure(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Expect nothing of anybody on a day on which the clinic is closed."""
    if reading.outcome in {"o", "e"} and look.on in look.rules.closed:
        return _as(reading, "closed", "_")._replace(put_off=False)
    return reading


def quota(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Count excuses and reschedules, and read those beyond the quota as it says."""
    for index, rule in look.target.quotas if reading.outcome != "_" else ():
        name = "" if reading.put_off else OUTCOMES.get(reading.outcome)
        if rule.of != name and rule.of not in seen.conditions:
            continue
        number = window(rule.per, look.when)
        used = reading.counted[index].in_window(number)
        if used >= rule.at_most:
            beyond = BeyondQuota(rule.of, rule.at_most, rule.per, rule.then)
            reasons = (*reading.reasons, beyond)
            return reading._replace(outcome=SYMBOLS[rule.then], put_off=False, reasons=reasons)
        counted = [*reading.counted]
        counted[index] = counted[index].plus(number, 1)
        reading = reading._replace(counted=tuple(counted))
    return reading


def retest(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Leave the visit open for another specimen, or for another day."""
    rule = look.target.retest
    if reading.put_off:
        return _waiting(reading, "reschedule")
    if rule is None or OUTCOMES[reading.outcome] not in rule.on or look.track.attempts >= rule.at_most:
        return reading
    return _waiting(reading, "retest")


def memory(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Remember a value that counts."""
    measured = seen.value
    is_flawed = any(look.target.reads[flaw] for flaw in seen.conditions)
    if measured is None or is_flawed or reading.outcome not in "-+_":
        return reading
    value = Measured(measured, look.when.day)
    criterion = None if reading.outcome == "_" else look.visit.phase.criterion
    kept = remember(criterion, reading.memory, value, reading.outcome == "-", look.target.looks_back)
    return reading._replace(memory=kept, reasons=(*reading.reasons, *_next_bar(look, kept)))


def _next_bar(look: Occasion, kept: Memory) -> Iterator[NextBar]:
    """Yield what a moving goal asks for next, if there is a next visit with it."""
    following = look.target.visits[look.visit.number : look.visit.number + 1]
    if kept.bar is not None and any(
        visit.phase.criterion is look.visit.phase.criterion for visit in following
    ):
        yield NextBar("at least", Fraction(kept.bar), look.target.evidence.measure or "")


def group(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Let the results of a group decide, and how many of them met the target."""
    if seen.group is None or reading.outcome == "_":
        return reading
    met, (size, need, paid) = seen.group, _group_of(look)
    own = reading.outcome == "-"
    if met > size or (paid == "who met" and not own <= met <= size - (not own)):
        msg = f"{met} members met the target, of a group of {size} in which this one's result is {reading.outcome}"
        raise ResultsError(msg)
    effect = reading.outcome
    if met >= need and paid == "all":
        effect = "-"
    elif met < need and own:
        effect = "+"
    variant = max(0, met - 1) if look.visit.phase.together else reading.variant
    reasons = (*reading.reasons, GroupMet(met, size, need))
    return reading._replace(effect=effect, variant=variant, reasons=reasons)


def _group_of(look: Occasion) -> tuple[int, int, str]:
    """Return the size of a group, how many of it are needed, and who is paid then."""
    phase = look.visit.phase
    if phase.group:
        return phase.group.size, phase.group.need, phase.group.paid
    if phase.together:
        return len(phase.variants), 1, "who met"
    msg = f"target {look.target.name!r} is no group's in weeks {phase.weeks}"
    raise ResultsError(msg)


def choice(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Take the reward that was chosen, or the first."""
    chosen, options = seen.choice, look.visit.phase.options
    if not chosen:
        return reading
    if chosen not in options:
        known = f"expected one of {', '.join(options)}" if options else "there is nothing to choose"
        msg = f"{chosen!r} is no reward of weeks {look.visit.phase.weeks}{nearest(chosen, options)}; {known}"
        raise ResultsError(msg)
    return reading._replace(variant=options.index(chosen))


def provided(look: Occasion, seen: Evidence, reading: Reading) -> Reading:
    """Count nothing where another target had to be met at the same visit, and was not."""
    index = look.visit.phase.provided
    if index is None or (reading.effect or reading.outcome) != "-":
        return reading
    if _of_same_visit(look, index) == "-":
        return reading
    reasons = (*reading.reasons, NotProvided(look.rules.targets[index].name))
    return reading._replace(effect="_", reasons=reasons)


def is_provided(rules: Rules, state: State, target: TargetRules) -> bool:
    """Tell whether the next visit of a target can pay, as far as that depends on another one."""
    number = state.tracks[target.index].visits + 1
    visit = target.visits[number - 1] if number <= len(target.visits) else None
    if visit is None or visit.phase.provided is None:
        return True
    other = state.tracks[visit.phase.provided]
    back = other.visits - number
    return not 0 <= back < len(other.outcomes) or other.outcomes[-1 - back] == "-"


def _of_same_visit(look: Occasion, index: int) -> str:
    """Return the outcome of another target at the same visit."""
    other, name = look.state.tracks[index], look.rules.targets[index].name
    back = other.visits - look.visit.number
    if back < 0:
        msg = f"decide {name!r} first: visit {look.visit.number} of {look.target.name!r} needs it"
        raise ResultsError(msg)
    if back >= len(other.outcomes):
        msg = f"visit {look.visit.number} of {name!r} is {back} visits ago, and no longer known here; decide them together"
        raise ResultsError(msg)
    return other.outcomes[-1 - back]


RULES = (
    panel,
    confirmation,
    value,
    some_outcome,
    condition,
    excuse,
    closure,
    quota,
    retest,
    memory,
    group,
    choice,
    provided,
)
"""The rules of reading, in the order in which they look."""

"""A program in plain words, for those who decide about it: funders, ethics boards, clinicians."""

from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal

from cm_engine.program.evidence import Criterion
from cm_engine.program.ladders import Descend, Escalate, Phase, Recover
from cm_engine.program.models import Program, Target
from cm_engine.program.parts import RESET_BY_DEFAULT
from cm_engine.program.plan import VisitBlock, visit_count
from cm_engine.rules.words import words_of
from cm_engine.spelling import counted

Spoken = Callable[[Decimal], str]

BEHAVIORS = {
    "abstinence": "abstinence",
    "attendance": "attendance",
    "medication": "medication taken",
    "task": "a task done",
}


def amount_words(program: Program, unit: str | None, amount: Decimal) -> str:
    """Return an amount as it is spoken: $11.50, 3 draws."""
    named = program.unit(unit)
    return named.spoken(named.minor(amount))


def target_words(program: Program, name: str) -> list[str]:
    """Return what a target asks for and how it pays, a sentence or two for each of its phases.

    Example:
        >>> from cm_engine import catalogue
        >>> for said in target_words(catalogue.program("budney-2006-voucher"), "cannabis"):
        ...     print(said)
        Abstinence: 24 visits in 12 weeks.
        Weeks 1-12: the first negative test pays $1.50, and each one after it $1.50 more. Every 2 negative tests in a \
row add $10.00. What is positive, missed or refused pays nothing and takes the reward back to its start.
    """
    target = program.targets[name]
    return [_asked(program, target), *(_phase(program, target, phase) for phase in target.schedule)]


def _asked(program: Program, target: Target) -> str:
    plan = program.plan(target)
    return f"{BEHAVIORS[target.behavior].capitalize()}{_shown_by(target)}: {rhythm(plan)}."


def _shown_by(target: Target) -> str:
    evidence = target.evidence
    if evidence is None or not (evidence.specimen or evidence.measure):
        return ""
    looked_for = f" for {listed(evidence.analytes)}" if evidence.analytes else ""
    measured = f" in {evidence.measure}" if evidence.measure else ""
    return f", shown by {evidence.specimen or 'a measurement'}{looked_for}{measured}"


def rhythm(plan: tuple[VisitBlock, ...]) -> str:
    """Return how many visits a plan has, in how many weeks."""
    last, count = plan[-1].weeks, visit_count(plan)
    if last.is_endless:
        return "visits without an end"
    return f"{counted(count, 'visit')} in {counted(last.last, 'week')}"


def _phase(program: Program, target: Target, phase: Phase) -> str:
    parts = [f"{_weeks(phase)}: {_reward(program, target, phase)}", *_conditions(target, phase)]
    parts += [*_bonus(program, target, phase), *_reset(target, phase), *_recovery(target, phase)]
    return " ".join(f"{part}." for part in parts)


def _weeks(phase: Phase) -> str:
    if phase.weeks.is_endless:
        return f"From week {phase.weeks.first} on"
    return f"Week{'s' if phase.weeks.first != phase.weeks.last else ''} {phase.weeks}"


def _reward(program: Program, target: Target, phase: Phase) -> str:
    """Return what a phase pays, by the one key that says it."""
    one, _ = _success(target, phase)

    def spoken(amount: Decimal) -> str:
        return amount_words(program, phase.unit, amount) + an_hour(phase)

    if phase.escalate:
        return _rising(phase.escalate, one, spoken)
    if phase.descend:
        return _falling(phase.descend, one, spoken)
    if phase.weekly:
        some = f", and {spoken(phase.weekly.some)} if only some were met" if phase.weekly.some else ""
        return f"a week in which every visit was met pays {spoken(phase.weekly.all)}{some}"
    if phase.choice:
        options = (
            f"{name} ({amount_words(program, option.unit, option.amount)}{an_hour(phase)})"
            for name, option in phase.choice.items()
        )
        return f"each {one} pays what the participant chooses: {listed(options, 'or')}"
    if phase.together:
        return f"each {one} pays by how many of the group had one: {', '.join(map(spoken, phase.together))}"
    return f"each {one} pays {spoken(phase.fixed or Decimal(0))}"


def an_hour(phase: Phase) -> str:
    """Return that an amount is paid for each hour of a visit, if a visit has several."""
    return " an hour" if phase.hours > 1 else ""


def _success(target: Target, phase: Phase) -> tuple[str, str]:
    """Return what a success is called, once and several times."""
    words = words_of(target, phase, "gain")
    return words.met, words.mets


def _rising(ladder: Escalate, one: str, spoken: Spoken) -> str:
    top = f", up to {spoken(ladder.ceiling)}" if ladder.ceiling is not None else ""
    if ladder.begins == "ceiling" and ladder.ceiling is not None:
        again = f"{_every(ladder.every)} {spoken(ladder.step)} more, up to {spoken(ladder.ceiling)}"
        return f"each {one} pays {spoken(ladder.ceiling)}; after a reset the first one pays {spoken(ladder.start)}, and {again}"
    return f"the first {one} pays {spoken(ladder.start)}, and {_every(ladder.every)} {spoken(ladder.step)} more{top}"


def _falling(ladder: Descend, one: str, spoken: Spoken) -> str:
    floor = f", down to {spoken(ladder.floor)}" if ladder.floor else ""
    return f"the first {one} pays {spoken(ladder.start)}, and {_every(ladder.every)} {spoken(ladder.step)} less{floor}"


def _every(every: int | str) -> str:
    if every == "week":
        return "after each week in which every visit was met"
    return "each one after it" if every == 1 else f"after every {every} of them"


def _conditions(target: Target, phase: Phase) -> Iterator[str]:
    one, many = _success(target, phase)
    if phase.require:
        first, *later = phase.require
        takes = counted(first, one, many)
        if later:
            then = "".join(f", then {each} more" for each in later[:-1])
            yield f"The first reward of a run takes {takes}{_in_a_row(phase)}{then}, then {later[-1]} more for each one"
        else:
            yield f"Each reward takes {takes}{_in_a_row(phase)}"
    if phase.carry:
        yield "The steps of the reward go on from where the weeks before left them, at the amounts of these weeks"
    if phase.hours > 1:
        yield f"A visit has {phase.hours} hours"
    if phase.provided:
        yield f"It counts only where {phase.provided} was met at the same visit"
    if phase.group and (phase.group.need > 1 or phase.group.paid == "all"):
        paid = "all its members" if phase.group.paid == "all" else "those of them"
        yield f"Of a group of {phase.group.size}, {phase.group.need} have to meet it for {paid} to be paid; with fewer nobody's counts"
    if phase.criterion:
        yield f"A {one} is {criterion_words(phase.criterion)}"


def criterion_words(criterion: Criterion) -> str:
    """Return what a measured value has to be."""
    if criterion.fall:
        share, since = criterion.fall.share * 100, criterion.fall.since
        daily = " for each day between" if criterion.fall.daily else ""
        found = f"a value at least {share.normalize():f} % below the {since} one{daily}"
    elif criterion.percentile:
        side = criterion.percentile.direction
        found = f"a value {side} rank {criterion.percentile.k} of the participant's own last {criterion.percentile.window}"
    elif criterion.goal:
        found = (
            f"a value that reaches a goal, which begins at {criterion.goal.start} and rises with each success"
        )
    else:
        found = ""
    bound = criterion.always or criterion.threshold
    limits = {"at_most": "at most", "below": "below", "at_least": "at least", "above": "above"}
    sure = [
        f"a value {word} {value}"
        for key, word in limits.items()
        if bound and (value := getattr(bound, key)) is not None
    ]
    return listed(filter(None, [found, *sure]), "or")


def _bonus(program: Program, target: Target, phase: Phase) -> Iterator[str]:
    if phase.bonus:
        one, many = _success(target, phase)
        once = phase.bonus.every == 1
        every = f"Each {one} adds" if once else f"Every {phase.bonus.every} {many}{_in_a_row(phase)} add"
        yield f"{every} {amount_words(program, phase.unit, phase.bonus.amount)}{an_hour(phase)}"


def _in_a_row(phase: Phase) -> str:
    """Return that successes follow one another; nothing where something in between ends no run."""
    return " in a row" if phase.resetting.issuperset(RESET_BY_DEFAULT) else ""


OUTCOMES = ("positive", "missed", "refused", "excused", "invalid")


def outcome_words(outcomes: Collection[str], behaviors: Collection[str]) -> str:
    """Return some outcomes, of targets that reward some behaviors.

    Example:
        >>> outcome_words({"missed", "positive"}, {"abstinence"}), outcome_words({"positive"}, {"attendance"})
        ('positive or missed', 'failed')
    """
    called = {"positive": "positive" if "abstinence" in behaviors else "failed"}
    return listed((called.get(outcome, outcome) for outcome in OUTCOMES if outcome in outcomes), "or")


def _reset(target: Target, phase: Phase) -> Iterator[str]:
    if phase.weekly:  # what is not met is no visit of a week with all met, and no run begins anew
        return
    if phase.resetting:
        unless = ", unless enough of the group met it" if phase.group and phase.group.paid == "all" else ""
        back = (
            "takes the reward back to its start"
            if phase.escalate or phase.descend
            else "begins the count anew"
        )
        yield f"What is {outcome_words(phase.resetting, {target.behavior})} pays nothing and {back}{unless}"
    elif phase.escalate or phase.bonus or phase.require:
        yield "Nothing takes the reward back"


def _recovery(target: Target, phase: Phase) -> Iterator[str]:
    if phase.recover:
        yield _back(phase.recover, _success(target, phase), _in_a_row(phase))


def _back(recover: Recover, success: tuple[str, str], in_a_row: str) -> str:
    level = "the reward last paid" if recover.level == "last earned" else "the reward that was next"
    most = " (after several resets, the highest of these)" if recover.saved == "highest" else ""
    if recover.after == 1:
        when = "itself" if recover.paid == "nth" else "for the one after it"
        return f"After a reset, the next {success[0]} brings back {level}{most}, {when}"
    when = "with the last of them" if recover.paid == "nth" else "from the one after them on"
    return f"After a reset, {recover.after} {success[1]}{in_a_row} bring back {level}{most}, {when}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return words as a list in a sentence.

    Example:
        >>> listed(["positive", "missed", "refused"], "or")
        'positive, missed or refused'
    """
    *first, final = [*words] or [""]
    return f"{', '.join(first)} {last} {final}" if first else final

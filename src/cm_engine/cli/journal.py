"""What the log says, as JSON for programs, whose keys are a contract, and as text for people."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cm_engine.acts.recorded import Enrollment, Recorded, RecordedDecision
from cm_engine.audit.auditing import Difference, Verification
from cm_engine.cli.forms import amounts, reason_form
from cm_engine.cli.tables import COPIED, spoken
from cm_engine.log.attending import NOT_COUNTED, UNPLACED
from cm_engine.log.correction import WITHDRAWN
from cm_engine.log.encoding import instant
from cm_engine.log.entering import ENTERED, ENTRY_WITHDRAWN
from cm_engine.log.episode import COURSE, RELEASED
from cm_engine.log.history import AMENDED, ASSERTED, MIGRATED, VOIDED
from cm_engine.log.purse import BANKED
from cm_engine.log.sited import PLACED, REPLANNED, SITED, TRANSFERRED
from cm_engine.program.units import Unit, unit_named
from cm_engine.program.values import OUTCOMES
from cm_engine.rules import Award, Decision, Rules
from cm_engine.rules.prizes import Prizes
from cm_engine.rules.sentences import sentence
from cm_engine.rules.words import WORDS
from cm_engine.spelling import counted
from cm_engine.views.previewing import Preview
from cm_engine.views.statement import Line, Statement

UNDECIDED: Mapping[str, Any] = {
    **dict.fromkeys(("number", "target", "visit", "week", "date", "result")),
    "awards": {},
    "reasons": [],
    "sentence": "",
    "prizes": None,
}
"""What stands in the place of a decision where an act led to none."""

LATER = {"set days": "on a pay day", "on request": "saved until it is asked for"}
"""When an award is handed over that is not handed over at once."""


SITES = {PLACED: " at", TRANSFERRED: " to", REPLANNED: " by the closures of"}
"""How an act of a site is told, before the site."""


def one_line(form: object) -> str:
    """Return data as JSON on a line of its own."""
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")) + "\n"


def act_form(done: Recorded) -> dict[str, Any]:
    """Return an act as data: the decision on what it is about, and what it changed besides.

    `record` is its own number; what it corrects, and why, stands in `reported`.
    """
    return {
        "enrollment": done.enrollment,
        "record": done.record,
        "kind": done.kind,
        **(recorded_form(done.decision) if done.decision else UNDECIDED),
        "payable": _digits(done.payable),
        "hand_over": _digits(done.hand_over),
        "frozen": done.is_frozen,
        "missed": [recorded_form(each) for each in done.missed],
        "corrected": [{"record": each.record, **recorded_form(each)} for each in done.corrected],
        "replayed": done.replayed,
        "recorded_at": instant(done.recorded_at),
        "by": done.by,
        "source": done.source,
        "key": done.key,
        "reported": done.reported,
    }


def history_form(enrollment: str, acts: Iterable[Recorded]) -> dict[str, Any]:
    """Return all acts on an enrollment as data."""
    return {"enrollment": enrollment, "acts": [{**act_form(done), "hash": done.hash} for done in acts]}


def _is_asserted(done: Recorded) -> bool:
    return done.kind == ASSERTED


def _asserted_unit(done: Recorded) -> Unit:
    """Return the unit of an assertion; what is no currency is a thing, whatever the program calls many of it."""
    name = done.reported["unit"]
    return unit_named(name, {name: name})


def recorded_form(decision: RecordedDecision) -> dict[str, Any]:
    """Return a decision of the log as data."""
    prizes = decision.prizes
    form = {"number": decision.number, **_decision_form(_decided(decision))}
    return {**form, "sentence": decision.sentence, "prizes": _prizes_form(prizes) if prizes else None}


def _decision_form(decision: Decision) -> dict[str, Any]:
    return {
        "target": decision.target,
        "visit": decision.visit,
        "week": decision.week,
        "date": decision.on.isoformat() if decision.on else None,
        "result": decision.outcome,
        "awards": amounts(decision.paid),
        "reasons": [reason_form(reason, decision.words) for reason in decision.reasons],
    }


def _prizes_form(prizes: Prizes) -> dict[str, Any]:
    unit = prizes.paid.unit
    return {
        "drawn": [{**each._asdict(), "value": unit.plain(each.value)} for each in prizes.drawn],
        "paid": amounts([prizes.paid]),
        "limited": reason_form(prizes.limited, WORDS["task"]) if prizes.limited else None,
    }


def _decided(decision: RecordedDecision) -> Decision:
    """Return a decision of the log as the rules made it."""
    rules, unit = decision.rules, decision.rules.program.unit
    visits = rules.target(decision.target).visits if decision.visit else ()
    return Decision(
        decision.target,
        decision.visit,
        decision.week,
        decision.on,
        decision.outcome,
        tuple(Award(unit(name), unit(name).minor(amount)) for name, amount in decision.awards.items()),
        decision.reasons,
        visits[decision.visit - 1].phase.words if visits else WORDS["task"],
    )


def _digits(sums: Mapping[str, Decimal]) -> dict[str, str]:
    """Return exact amounts, which have all the decimals of their unit, as digits."""
    return {name: f"{amount:f}" for name, amount in sums.items()}


def enrollment_form(enrollment: Enrollment, programs: Mapping[str, str]) -> dict[str, Any]:
    """Return an enrollment as data.

    Args:
        enrollment: the enrollment.
        programs: the digests of programs, by id and version.
    """
    program, _, version = _name_of(enrollment.program, programs).partition("@")
    return {
        "enrollment": enrollment.id,
        "participant": enrollment.participant,
        "program": program,
        "version": version,
        "digest": enrollment.program,
        "start": enrollment.start.isoformat(),
        "zone": enrollment.zone,
        "commitment": enrollment.commitment,
        "site": enrollment.site or None,
        "status": enrollment.status,
        "frozen": enrollment.is_frozen,
        "discharged_on": enrollment.discharged_on.isoformat() if enrollment.discharged_on else None,
        "last_record": enrollment.last_record,
    }


def preview_form(enrollment: str, preview: Preview) -> dict[str, Any]:
    """Return what each next result would pay, as data: by target, then by symbol."""
    targets = {
        target: {symbol: _decision_form(decision) for symbol, decision in decisions.items()}
        for target, decisions in preview.items()
    }
    return {"enrollment": enrollment, "targets": targets}


def offset_form(statement: Statement) -> dict[str, str]:
    """Return what is to be taken off later awards, as data by unit."""
    return _digits({unit: each.offset for unit, each in statement.balances.items() if each.offset})


def statement_form(statement: Statement) -> dict[str, Any]:
    """Return a statement as data."""
    balances = {
        name: {place: f"{amount:f}" for place, amount in balance._asdict().items() if place != "unit"}
        for name, balance in statement.balances.items()
    }
    return {
        "enrollment": statement.enrollment,
        "participant": statement.participant,
        "title": statement.title,
        "start": statement.start.isoformat(),
        "lines": [_line_form(line) for line in statement.lines],
        "balances": balances,
    }


def _line_form(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        "latest": line.latest,
        "record": line.record or None,
        "date": line.on.isoformat() if line.on else None,
        "target": line.target,
        "visit": line.visit,
        "week": line.week,
        "result": line.outcome,
        "corrects": line.corrects or None,
        "awards": _digits(line.awards),
        "instead_of": _digits(line.instead_of) if line.corrects else None,
        "drawn": list(line.drawn),
        "amounts": _digits(line.amounts),
        "so_far": _digits(line.so_far),
        "settled": _digits(line.settled),
        "sentence": line.sentence,
    }


def verification_form(found: Verification) -> dict[str, Any]:
    """Return what an audit found, as data."""
    return {
        "clean": found.is_clean,
        "enrollments": found.enrollments,
        "records": found.records,
        "decisions": found.decisions,
        "journals": found.journals,
        "differences": [each._asdict() for each in found.differences],
        "other_rules": [each._asdict() for each in found.other_rules],
    }


def act_text(done: Recorded, by: Sequence[str] = ()) -> Iterator[str]:
    """Yield what an act led to: what was decided, what to hand over, or by which gateways it goes, and what else is corrected."""
    yield _head(done)
    if done.decision:
        yield decision_text(done.decision)
        yield from _drawn(done.decision)
    elif done.kind == ENTERED:
        yield "It waits until another person has entered it too."
    elif not (_is_asserted(done) or done.kind in {*COURSE, MIGRATED, *BANKED, ENTRY_WITHDRAWN}):
        yield "Its decision stays as it was."
    if done.kind in BANKED:
        yield from _of_bank(done, by)
    else:
        yield _asserted(done) if _is_asserted(done) else _payable(done, by)
    if done.missed:
        yield f"It shows {counted(len(done.missed), 'visit')} to be over:"
        yield from (f"  {decision_text(each)}" for each in done.missed)
    if done.corrected:
        yield f"It corrects {counted(len(done.corrected), 'other decision')}:"
        yield from (f"  {_about(each)}{decision_text(each)}" for each in done.corrected)


def _about(decision: RecordedDecision) -> str:
    """Say which record a decision is on; a visit that nobody came to has none."""
    return f"record {decision.record}: " if decision.record else ""


def _head(done: Recorded) -> str:
    of = done.reported.get("of")
    what = {
        AMENDED: f"Record {of} is amended by record {done.record}",
        VOIDED: f"Record {of} is voided by record {done.record}",
        ASSERTED: f"Asserted as record {done.record}",
        ENTERED: f"Entered as record {done.record}",
        ENTRY_WITHDRAWN: f"Record {of} is withdrawn by record {done.record}",
        **{kind: f"{kind.capitalize()} as record {done.record}" for kind in (*COURSE, MIGRATED, *BANKED)},
    }.get(done.kind, f"Recorded as record {done.record}")
    again = "; it came before, and nothing is written now" if done.replayed else ""
    return f"{what} of {done.enrollment}{again}."


def _asserted(done: Recorded) -> str:
    unit = _asserted_unit(done)
    amount = unit.spoken(unit.minor(Decimal(done.reported["awarded"])))
    return f"By the end of {date.fromisoformat(done.reported['on']):%a %d %b %Y} {amount} had been awarded."


def decision_text(recorded: RecordedDecision) -> str:
    """Return a decision in a line: what it is on, what that was read as, and what the participant reads."""
    decision = _decided(recorded)
    if recorded.outcome in BANKED:
        return f"{recorded.outcome.capitalize()}{_on(decision.on)}: {recorded.sentence}"
    where = f"{_which(decision, recorded.rules)}{_on(decision.on)}: {_result(decision)}"
    return f"{where}. {recorded.sentence}".rstrip()


def _which(decision: Decision, rules: Rules) -> str:
    if not (decision.visit or decision.target):
        return "Event"
    target = f"{decision.target}, " if len(rules.targets) > 1 else ""
    which = f"{target}visit {decision.visit}, week {decision.week}" if decision.visit else f"{target}no visit"
    return which[:1].upper() + which[1:]


def _on(day: date | None) -> str:
    return f", {day:%a %d %b %Y}" if day else ""


def _result(decision: Decision) -> str:
    """Return what a result is called: only a test is positive."""
    if decision.outcome in {WITHDRAWN, UNPLACED, NOT_COUNTED}:
        return decision.outcome
    if not decision.visit:
        return "reported"
    if decision.outcome == "+" and not decision.words.is_test:
        return "not met"
    return OUTCOMES[decision.outcome]


def _drawn(decision: RecordedDecision) -> Iterator[str]:
    if decision.prizes is None:
        return
    drawn, paid, limited = decision.prizes
    slips = (f"{each.slip or 'nothing'} ({paid.unit.spoken(each.value)})" for each in drawn)
    yield f"Drawn: {', '.join(slips)}; won: {paid.unit.spoken(paid.amount)}"
    if limited:
        yield sentence(limited, WORDS["task"])


def _of_bank(done: Recorded, by: Sequence[str]) -> Iterator[str]:
    """Yield what is to be done about what went on its way."""
    if by:
        yield _on_its_way(by)
    elif done.hand_over:
        yield f"Hand it over, and confirm it: cm-engine hand-over {done.enrollment} --number {done.number}"


def _on_its_way(by: Sequence[str]) -> str:
    """Say that a gateway hands it over, and so nobody else."""
    return f"Handed over by {' or '.join(by)}, not by you"


def _released(done: Recorded, by: Sequence[str]) -> str:
    """Return what is handed over now that a freeze held back."""
    units = {name: unit_named(name, {name: name}) for name in done.hand_over}
    held = spoken({units[name]: units[name].minor(amount) for name, amount in done.hand_over.items()})
    handed = f"{_on_its_way(by)}," if by else "Hand over now"
    return f"{handed} what the freeze held back: {held}"


def _payable(done: Recorded, by: Sequence[str]) -> str:
    """Return what an act changes of what is due, and what of it is handed over now."""
    if done.kind == RELEASED or (done.hand_over and not done.payable):
        return _released(done, by)
    due = dict(_due(done))
    more = {unit: amount for unit, amount in due.items() if amount > 0}
    less = {unit: -amount for unit, amount in due.items() if amount < 0}
    later = LATER.get(done.decisions[0].rules.program.payout.when) if due else None
    later = "held back, as the enrollment is frozen" if due and done.is_frozen else later
    now = spoken({} if later or done.replayed else more)
    rest = [f"{later}: {spoken(more)}"] if more and later else []
    if more and done.replayed and not later:
        rest = [f"{spoken(more)} the first time"]
    handed = _on_its_way(by) if by else "Hand over now"
    return "; ".join([f"{handed}: {now}", *rest, *([f"no longer due: {spoken(less)}"] if less else [])])


def _due(done: Recorded) -> Iterator[tuple[Unit, int]]:
    for name, amount in done.payable.items():
        unit = done.decisions[0].rules.program.unit(name)
        if amount:
            yield unit, unit.minor(amount)


def history_text(acts: Iterable[Recorded]) -> Iterator[str]:
    """Yield each act, with who did it and when, and below it what it decided."""
    for done in acts:
        who = f"by {done.by}, {done.source}/{done.key}"
        yield f"{done.record:4}  {done.recorded_at:%d %b %Y %H:%M} UTC  {_what(done)} ({who})"
        if _is_asserted(done):
            yield f"      {_asserted(done)}"
        for each in done.decisions:
            about = "" if each.record == done.record else _about(each)
            yield f"      {about}{decision_text(each)}"


def _what(done: Recorded) -> str:
    told = done.reported
    if done.kind == ENTERED:
        return f"entered {told.get('result') or told.get('event') or 'evidence'} of {told.get('on') or told['at']}"
    if "of" in told:
        return f"{done.kind} record {told['of']}: {told['why']}"
    if done.kind in BANKED:
        return f"{done.kind}{': ' if 'why' in told else ''}{told.get('why', '')}"
    if done.kind in SITED:
        return f"{done.kind}{SITES[done.kind]} {told['site']}{_from(told)}"
    day = told.get("to") or told.get("until") or told["on"] if done.kind in {*COURSE, MIGRATED} else ""
    visit = f" visit {told['visit']} to" if "visit" in told else ""
    why = f": {told['why']}" if day and "why" in told else ""
    return f"{done.kind}{visit} {day}{why}".rstrip()


def _from(told: Mapping[str, Any]) -> str:
    """Return from which day on somebody is at a site, and why."""
    return (f", {told['on']}" if "on" in told else "") + (f": {told['why']}" if "why" in told else "")


def enrolled_text(enrollment: Enrollment, programs: Mapping[str, str]) -> Iterator[str]:
    """Yield who is enrolled in what, and the commitment that has to be published."""
    name = _name_of(enrollment.program, programs)
    where = f"{name}, from {enrollment.start:%a %d %b %Y}, {enrollment.zone}"
    yield f"{enrollment.participant} is enrolled as {enrollment.id}: {where}"
    if enrollment.commitment:
        yield f"Publish the commitment of the prize draws now: {enrollment.commitment}"


def enrollments_table(enrollments: Sequence[Enrollment], programs: Mapping[str, str]) -> Group:
    """Return one line an enrollment, as it stands today; sites have a column if there are any."""
    sites = ["Site"] if any(each.site for each in enrollments) else []
    table = _table("Id", "Participant", "Program", "Start", *sites, "Zone", "Status")
    for each in enrollments:
        name = _name_of(each.program, programs)
        where = [each.site, each.zone] if sites else [each.zone]
        table.add_row(each.id, each.participant, name, f"{each.start:%d %b %Y}", *where, _status(each))
    return Group(table, Text(counted(len(enrollments), "enrollment")))


def _status(enrollment: Enrollment) -> str:
    """Return how an enrollment stands, in words."""
    last, frozen = enrollment.discharged_on, ", frozen" if enrollment.is_frozen else ""
    until = "on" if enrollment.status == "discharged" else "until"
    return f"{enrollment.status}{f' {until} {last:%d %b %Y}' if last else ''}{frozen}"


def _name_of(digest: str, programs: Mapping[str, str]) -> str:
    """Return the id and version of a program, or else the beginning of its digest."""
    return next((name for name, each in programs.items() if each == digest), digest[:12])


def preview_table(preview: Preview) -> Group:
    """Return one line a result that the next visit may have, for each target."""
    return Group(*(each for target in preview.items() for each in _target_table(*target)))


def offset_text(statement: Statement) -> Iterator[str]:
    """Yield what of the next awards is taken off, as it was given too much before."""
    for name, balance in statement.balances.items():
        if balance.offset:
            unit = statement.units[name]
            yield f"{unit.spoken(unit.minor(balance.offset))} of what comes next is taken off, as it was given too much before."


def _target_table(target: str, decisions: Mapping[str, Decision]) -> Iterator[Table | Text]:
    if not decisions:
        yield Text(f"{target}: every visit of the plan is decided")
        return
    first = next(iter(decisions.values()))
    yield Text(f"{target}: visit {first.visit}, week {first.week}{_on(first.on)}")
    table = _table("Result", "Award", "Why")
    for symbol, decision in decisions.items():
        name = "not met" if symbol == "+" and not decision.words.is_test else OUTCOMES[symbol]
        table.add_row(f"{symbol} {name}", spoken(dict(decision.paid)), decision.sentence)
    yield table


def verification_text(found: Verification) -> Iterator[str]:
    """Yield what was looked at, and each difference on a line."""
    counts = ("enrollment", found.enrollments), ("record", found.records), ("decision", found.decisions)
    journals = [("journal", found.journals)] if found.journals else []
    looked_at = ", ".join(counted(number, noun) for noun, number in (*counts, *journals))
    many = counted(len(found.differences), "difference") if found.differences else "no difference"
    yield f"Looked at {looked_at}: {many}"
    yield from map(str, found.differences)
    yield from (_of_other_rules(each) for each in found.other_rules)


def _of_other_rules(found: Difference) -> str:
    return f"{found}; another release's rules made it, which this one cannot check"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in COPIED)
    return table

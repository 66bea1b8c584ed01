"""From the engine's values to what systems get."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from examples.clinic.api import models
from examples.clinic.clinic import Clinic
from examples.clinic.facts import facts
from examples.clinic.view import program_name

import cm_engine


def amounts(found: Mapping[str, Decimal]) -> dict[str, str]:
    """Return exact decimals as text."""
    return {unit: f"{amount:f}" for unit, amount in found.items()}


def program(digest: str, found: cm_engine.Program) -> models.Program:
    """Return a registered program."""
    return models.Program(
        id=found.program,
        version=found.version,
        title=found.title,
        digest=digest,
        targets=list(found.targets),
    )


def enrollment(clinic: Clinic, found: cm_engine.Enrollment) -> models.Enrollment:
    """Return an enrollment, with its program by name and by digest."""
    return models.Enrollment(
        id=found.id,
        participant=found.participant,
        program=program_name(clinic, found.program),
        digest=found.program,
        start=found.start,
        zone=found.zone,
        commitment=found.commitment,
    )


def act(done: cm_engine.Recorded) -> models.Act:
    """Return an act with what it led to."""
    return models.Act(
        enrollment=done.enrollment,
        record=done.record,
        kind=done.kind,
        source=done.source,
        key=done.key,
        by=done.by,
        recorded_at=done.recorded_at,
        reported=dict(done.reported),
        replayed=done.replayed,
        hand_over=amounts(done.hand_over),
        payable=amounts(done.payable),
        decision=decision(done.decision) if done.decision else None,
        missed=[decision(each) for each in done.missed],
        corrected=[decision(each) for each in done.corrected],
        hash=done.hash,
    )


def decision(found: cm_engine.RecordedDecision) -> models.Decision:
    """Return a decision that stands in the log."""
    return models.Decision(
        number=found.number,
        record=found.record,
        target=found.target,
        visit=found.visit,
        week=found.week,
        on=found.on,
        outcome=found.outcome,
        awards=amounts(found.awards),
        drawn=_drawn(found),
        sentence=found.sentence,
        reasons=[facts(each) for each in found.reasons],
        hash=found.hash,
    )


def waiting(found: cm_engine.WaitingEntry) -> models.Waiting:
    """Return an entry that waits, without its result: whoever enters it again has not seen it."""
    reported = found.reported
    return models.Waiting(
        enrollment=found.enrollment,
        record=found.record,
        by=found.by,
        entered_at=found.entered_at,
        target=reported.get("target", ""),
        on=reported.get("at") or reported["on"],
    )


def visit(found: cm_engine.PlannedVisit) -> models.Visit:
    """Return a planned visit."""
    return models.Visit(
        enrollment=found.enrollment,
        participant=found.participant,
        target=found.target,
        number=found.number,
        week=found.week,
        on=found.on,
        opens=found.opens,
        closes=found.closes,
        status=found.status,
        decision=decision(found.decision) if found.decision else None,
    )


def payouts(engine: cm_engine.Engine, enrollment: str, *, on_the_way: bool) -> list[models.Payout]:
    """Return payouts, in order."""
    return [
        models.Payout(
            enrollment=each.enrollment,
            number=each.number,
            leg=each.leg,
            on=each.on,
            unit=each.unit,
            amount=f"{each.amount:f}",
            product=each.product,
            status=each.status,
        )
        for each in engine.payouts(enrollment=enrollment, on_the_way=on_the_way)
    ]


def _drawn(found: cm_engine.RecordedDecision) -> list[models.Drawn]:
    if found.prizes is None:
        return []
    plain = found.prizes.paid.unit.plain
    return [
        models.Drawn(key=each.key, number=each.number, slip=each.slip, value=plain(each.value))
        for each in found.prizes.drawn
    ]


def preview(ahead: Mapping[str, Mapping[str, cm_engine.Decision]]) -> models.Preview:
    """Return what each next result would lead to."""
    return models.Preview(
        targets={
            target: {symbol: _foreseen(each) for symbol, each in results.items()}
            for target, results in ahead.items()
        }
    )


def _foreseen(found: cm_engine.Decision) -> models.Foreseen:
    return models.Foreseen(
        awards=amounts(found.awards),
        sentence=found.sentence,
        reasons=[facts(each) for each in found.reasons],
    )


def statement(found: cm_engine.Statement) -> models.Statement:
    """Return a statement."""
    return models.Statement(
        enrollment=found.enrollment,
        participant=found.participant,
        title=found.title,
        start=found.start,
        until=found.until,
        lines=[_line(each) for each in found.lines],
        awarded=amounts(found.awarded),
        balances=balances(found.balances),
    )


def _line(found: cm_engine.Line) -> models.StatementLine:
    return models.StatementLine(
        number=found.number,
        on=found.on,
        target=found.target,
        visit=found.visit,
        week=found.week,
        outcome=found.outcome,
        corrects=found.corrects,
        awards=amounts(found.awards),
        instead_of=amounts(found.instead_of),
        drawn=list(found.drawn),
        amounts=amounts(found.amounts),
        so_far=amounts(found.so_far),
        sentence=found.sentence,
    )


def balances(found: Mapping[str, cm_engine.Balance]) -> dict[str, models.Balance]:
    """Return balances by unit."""
    return {unit: _balance(each) for unit, each in found.items()}


def _balance(found: cm_engine.Balance) -> models.Balance:
    places = {name: f"{value:f}" for name, value in found._asdict().items() if isinstance(value, Decimal)}
    return models.Balance(**places)


def verification(found: cm_engine.Verification) -> models.Verification:
    """Return what an audit found."""
    return models.Verification(
        clean=found.is_clean,
        enrollments=found.enrollments,
        records=found.records,
        decisions=found.decisions,
        differences=_differences(found.differences),
        other_rules=_differences(found.other_rules),
    )


def _differences(found: Iterable[cm_engine.Difference]) -> list[models.Difference]:
    return [models.Difference(enrollment=each.enrollment, where=each.where, what=each.what) for each in found]

"""Several targets, milestones, deposits and shared limits: what holds whatever is observed."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm_engine import (
    Decision,
    Evidence,
    Observation,
    Program,
    ResultsError,
    Rules,
    State,
    catalogue,
    compile_rules,
    decide,
    dump_state,
    forecast,
    initial_state,
    load_state,
    parse_program,
    pools,
    prizes,
    step,
    with_pools,
)
from cm_engine.program.rewards import Limit
from cm_engine.rules.reasons import Limited, Next, Refunded
from cm_engine.rules.timeline import fold

START = date(2026, 1, 5)
SYMBOLS = st.sampled_from("-+oe*r_")
PROGRAMS = [
    program_id
    for program_id in catalogue.program_ids()
    if len(catalogue.program(program_id).targets) > 1 or catalogue.program(program_id).milestones
]


@st.composite
def seen(draw: st.DrawFn, program: Program) -> list[Observation]:
    """Observations of all targets in any order that keeps `provided` satisfied, and events among them."""
    rules = compile_rules(program)
    left = {target.name: len(target.visits) for target in rules.targets}
    found: list[Observation] = []
    for _ in range(draw(st.integers(0, 25))):
        if rules.events and draw(st.integers(0, 4)) == 0:
            event = draw(
                st.sampled_from([event for event in rules.events if event != "deposit"] or rules.events[:1])
            )
            value = draw(st.none() | st.integers(0, 30).map(Decimal))
            found.append(
                Observation(event=event, evidence=Evidence(value=value) if value is not None else None)
            )
            continue
        found.extend(one_visit(draw, program, left))
    return found


def one_visit(draw: st.DrawFn, program: Program, left: dict[str, int]) -> Iterator[Observation]:
    """A visit of the targets that share a plan with one of them, in the order of the file."""
    chosen = draw(st.sampled_from(list(program.targets)))
    plan = program.plan(program.targets[chosen])
    for name, target in program.targets.items():
        if program.plan(target) == plan and left[name]:
            left[name] -= 1
            yield Observation(draw(SYMBOLS), target=name)


def events_once(observations: list[Observation]) -> list[Observation]:
    """A deposit is paid in once, and first of all."""
    others = [each for each in observations if each.event != "deposit"]
    return [Observation(event="deposit"), *others] if len(others) < len(observations) else others


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_timeline_split_anywhere_and_resumed_from_its_stored_state_gives_the_same_decisions(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    start = initial_state(rules, START)
    whole = fold(rules, start, observations)
    cut = data.draw(st.integers(0, len(observations)))
    first = fold(rules, start, observations[:cut])
    rest = fold(rules, load_state(rules, dump_state(first.state)), observations[cut:])
    assert first.decisions + rest.decisions == whole.decisions
    assert rest.state == whole.state


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_next_success_pays_what_was_promised_milestones_included(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    state = fold(rules, initial_state(rules, START), observations).state
    for target in rules.targets:
        promised = forecast(rules, state, target.name)
        if not isinstance(promised, Next) or is_provided(rules, state, target.name):
            continue
        seen_met = [Observation("-", target=target.name)] * promised.after
        *unpaid, last = fold(rules, state, seen_met).decisions
        back = sum(reason.amount for reason in last.reasons if isinstance(reason, Refunded))
        assert dict(last.paid).get(promised.unit, 0) - back == promised.amount
        assert all(dict(each.paid).get(promised.unit, 0) == 0 for each in unpaid)


def is_provided(rules: Rules, state: State, name: str) -> bool:
    """Tell whether a success would depend on another target, which is not decided yet."""
    target = rules.target(name)
    index = state.tracks[target.index].visits
    return index < len(target.visits) and target.visits[index].phase.provided is not None


@st.composite
def limited_programs(draw: st.DrawFn) -> Program:
    """Two targets, an event that pays each time, draws from a bowl, and limits of every kind of window."""
    amounts = st.integers(1, 30)
    windows = ["reward", "day", "week", "month", "calendar year", "rolling days", "episode"]
    limits = [
        {
            "amount": draw(st.integers(1, 60)),
            "per": per,
            **({"days": draw(st.integers(1, 20))} if per == "rolling days" else {}),
            "crossing": "truncate"
            if per in {"reward", "rolling days"}
            else draw(st.sampled_from(["truncate", "withhold", "stop"])),
        }
        for per in draw(st.lists(st.sampled_from(windows), min_size=1, max_size=3, unique=True))
    ]
    plans = [[{"weeks": "1-6", "per_week": draw(st.integers(1, 3))}] for _ in range(2)]
    rewards: list[dict[str, Any]] = [
        {"fixed": draw(amounts)},
        draw(st.sampled_from([{"fixed": 7}, {"fixed": 2, "unit": "draw"}])),
    ]
    targets = {
        name: {"behavior": "task", "visits": plan, "schedule": [{"weeks": "1-6", **reward}]}
        for name, plan, reward in zip(("one", "other"), plans, rewards, strict=True)
    }
    draws = {"draw": {"slips": {"small": {"count": 1, "value": 3}, "large": {"count": 1, "value": 11}}}}
    milestones = {
        "news": {"says": "News", "when": {"event": "news"}, "amount": draw(amounts), "repeats": True},
        "two": {"says": "Two", "when": {"run": 2}, "amount": draw(amounts), "repeats": True},
    }
    head = {"program": "limited", "version": "1", "title": "Limited", "currency": "USD"}
    bowls = {"bowls": draws} if "unit" in rewards[1] else {}
    return parse_program(
        json.dumps({**head, "targets": targets, "milestones": milestones, "limits": limits, **bowls})
    )


@settings(max_examples=300)
@given(data=st.data(), program=limited_programs())
def test_what_a_window_received_is_never_more_than_its_limit_whoever_pays_and_in_whatever_order(
    data: st.DataObject, program: Program
) -> None:
    """Ladders, milestones, events and prizes of two targets, summed from outside by window."""
    rules = compile_rules(program)
    state = initial_state(rules, START)
    bowls = prizes.Bowls({unit: prizes.full_bowl(program, unit) for unit in program.bowls}, b"seed")
    paid: list[tuple[date, int, int]] = []
    for number, observation in enumerate(data.draw(seen(program))):
        state, decision = step(rules, state, observation)
        state, bowls, won = prizes.award_prizes(rules, state, decision, bowls, f"{number}")
        assert decision.on is not None
        week = decision.week or (decision.on - START).days // 7 + 1
        parts = [amount for unit, amount in (*decision.paid, won.paid) if unit.name == "USD"]
        paid += [(decision.on, week, amount) for amount in parts if amount]
    for limit in program.limits:
        if limit.per != "reward":
            most = max(sums_by_window(limit, paid).values(), default=0)
            assert most <= limit.amount.changes[0][1] * 100


def sums_by_window(limit: Limit, paid: list[tuple[date, int, int]]) -> Counter[Any]:
    sums = Counter[Any]()
    for on, week, amount in paid:
        windows: dict[str, list[Any]] = {
            "day": [on],
            "week": [week],
            "month": [(on.year, on.month)],
            "calendar year": [on.year],
            "episode": [0],
            "rolling days": [on + timedelta(days=ahead) for ahead in range(limit.days or 0)],
        }
        for window in windows[limit.per]:
            sums[window] += amount
    return sums


@pytest.mark.parametrize("program_id", PROGRAMS)
@settings(max_examples=40)
@given(data=st.data())
def test_no_award_is_negative_but_a_deposit_and_every_decision_says_why(
    program_id: str, data: st.DataObject
) -> None:
    program = catalogue.program(program_id)
    rules, observations = compile_rules(program), data.draw(seen(program).map(events_once))
    for decision in fold(rules, initial_state(rules, START), observations).decisions:
        staked = any(reason.code == "staked" for reason in decision.reasons)
        assert staked or all(award.amount >= 0 for award in decision.paid)
        assert decision.sentence.endswith(".")
        assert len({unit for unit, _ in decision.paid}) == len(decision.paid)
        assert is_accounted_for(decision)


def is_accounted_for(decision: Decision) -> bool:
    """What was paid and what limits took is what was earned, staked and refunded, in each unit."""
    for unit, amount in decision.paid:
        ours = [reason for reason in decision.reasons if getattr(reason, "unit", None) == unit]
        earned = sum(
            reason.amount
            for reason in ours
            if reason.code in {"earned", "bonus", "week", "milestone", "refunded"}
        )
        staked = sum(reason.amount for reason in ours if reason.code == "staked")
        lost = sum(reason.lost for reason in ours if isinstance(reason, Limited))
        if amount != earned - staked - lost:
            return False
    return True


def test_targets_of_one_day_are_decided_in_the_order_of_the_file() -> None:
    program = catalogue.program("miedar-prize")
    names = [decision.target for decision in decide(program, dict.fromkeys(program.targets, "---")).decisions]
    assert names == [*program.targets] * 3


def test_which_target_was_seen_has_to_be_said_where_there_are_several() -> None:
    program = catalogue.program("miedar-prize")
    with pytest.raises(ResultsError, match="say which target was seen \\(known: stimulants, other-drugs"):
        decide(program, "--")
    with pytest.raises(ResultsError, match="there is no target 'stimulant'; did you mean 'stimulants'"):
        decide(program, {"stimulant": "--"})


def one_of(payer: str, reward: int, per: str = "calendar year", **others: Any) -> Program:
    limit = {"amount": 599, "per": per, "payer": payer, "crossing": "truncate", **others}
    document = {
        "program": f"pays-{reward}",
        "version": "1",
        "title": "One of several",
        "currency": "USD",
        "visits": [{"weeks": "1-12", "per_week": 1}],
        "targets": {"t": {"behavior": "attendance", "schedule": [{"weeks": "1-12", "fixed": reward}]}},
        "limits": [limit],
    }
    return parse_program(json.dumps(document))


def test_a_limit_of_a_payer_counts_what_another_of_its_programs_paid() -> None:
    first, second = compile_rules(one_of("medi-cal", 100)), compile_rules(one_of("medi-cal", 50))
    earlier = fold(first, initial_state(first, START), [Observation("-")] * 4).state
    state = with_pools(second, initial_state(second, START), pools(first, earlier))
    paid = [decision.awards["USD"] for decision in fold(second, state, [Observation("-")] * 5).decisions]
    assert paid == [50, 50, 50, 49, 0]


def test_a_limit_of_another_payer_or_of_the_next_year_begins_anew() -> None:
    first, other = compile_rules(one_of("medi-cal", 100)), compile_rules(one_of("county", 100))
    earlier = fold(first, initial_state(first, START), [Observation("-")] * 6).state
    for rules, start in ((other, START), (first, date(2027, 1, 4))):
        state = with_pools(rules, initial_state(rules, start), pools(first, earlier))
        assert step(rules, state, Observation("-"))[1].awards["USD"] == 100


def test_grant_years_that_begin_on_other_days_are_other_pools() -> None:
    one, other = (one_of("fund", 1, "grant year", begins=day) for day in ("10-01", "07-01"))
    found = [set(pools(rules, initial_state(rules, START))) for rules in map(compile_rules, (one, other))]
    assert not found[0] & found[1]


def test_a_program_with_its_targets_in_another_order_is_another_program() -> None:
    text = {
        "program": "two",
        "version": "1",
        "title": "Two",
        "currency": "USD",
        "visits": [{"weeks": "1-2", "per_week": 1}],
        "limits": [{"amount": 15, "per": "episode", "crossing": "truncate"}],
    }
    targets = {
        name: {"behavior": "task", "schedule": [{"weeks": "1-2", "fixed": 10}]} for name in ("one", "other")
    }
    turned = dict(reversed(targets.items()))
    programs = [parse_program(json.dumps({**text, "targets": each})) for each in (targets, turned)]
    assert programs[0] != programs[1]
    assert compile_rules(programs[0]).digest != compile_rules(programs[1]).digest
    paid = [
        {each.target: each.awards["USD"] for each in decide(program, {"one": "-", "other": "-"}).decisions}
        for program in programs
    ]
    assert paid == [{"one": 10, "other": 5}, {"other": 10, "one": 5}]


def test_a_late_result_of_last_year_does_not_open_a_pool_again() -> None:
    rules = compile_rules(one_of("medi-cal", 300))
    december, january = date(2025, 12, 15), date(2026, 1, 5)
    first = fold(rules, initial_state(rules, december), [Observation("-")] * 2).state
    second = with_pools(rules, initial_state(rules, january), pools(rules, first))
    second = fold(rules, second, [Observation("-")] * 2).state
    first = with_pools(rules, first, pools(rules, second))
    first, late = step(rules, first, Observation("-", on=date(2025, 12, 30)))
    assert late.awards["USD"] == 0
    second = with_pools(rules, second, pools(rules, first))
    assert step(rules, second, Observation("-"))[1].awards["USD"] == 0


def test_one_enrollment_that_has_stopped_does_not_stop_another_of_its_payer() -> None:
    stopping = one_of("medi-cal", 40, crossing="stop", amount=50)
    first, second = compile_rules(stopping), compile_rules(one_of("medi-cal", 40))
    stopped = fold(first, initial_state(first, START), [Observation("-")] * 2).state
    state = with_pools(second, initial_state(second, START), pools(first, stopped))
    assert step(second, state, Observation("-"))[1].awards["USD"] == 40


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (
            Evidence(panel=(("cocaine", "positive"),)),
            "the result of cocaine is 'positive'; expected - or \\+",
        ),
        (Evidence(panel=(("cocaine", "+"), ("cocaine", "-"))), "cocaine is in the panel twice"),
        (
            Evidence(panel=(("cocain", "-"),)),
            "'cocain' is none of the analytes that count; did you mean 'cocaine'",
        ),
        (Evidence(value=Decimal(-1)), "expected a measured value as a Decimal of 0 or more"),
        (Evidence(value=Decimal("NaN")), "expected a measured value as a Decimal of 0 or more"),
        (Evidence(value=0.5), "expected a measured value as a Decimal of 0 or more"),  # type: ignore[arg-type]
    ],
)
def test_evidence_that_is_none_is_refused(evidence: Evidence, said: str) -> None:
    rules = compile_rules(catalogue.program("template-integrated-care"))
    with pytest.raises(ResultsError, match=said):
        step(rules, initial_state(rules, START), Observation(target="stimulants", evidence=evidence))


def test_an_event_that_comes_with_a_result_is_refused_and_neither_is_lost() -> None:
    rules = compile_rules(catalogue.program("template-integrated-care"))
    with pytest.raises(ResultsError, match="comes with what only a visit has"):
        step(rules, initial_state(rules, START), Observation("-", event="intake", target="stimulants"))


def test_a_retest_moves_no_bar_and_no_memory() -> None:
    program = with_criterion({"goal": {"start": 2000, "step": 500}}, retest={"on": ["positive"]})
    seen_values = [Observation(evidence=Evidence(value=Decimal(value))) for value in (2000, 1500, 2100)]
    decisions = decide(program, seen_values).decisions
    assert [each.awards["USD"] for each in decisions] == [10, 0, 0]
    assert [each.outcome for each in decisions] == ["-", "+", "+"]


def with_criterion(criterion: dict[str, Any], **others: Any) -> Program:
    target = {
        "behavior": "task",
        "schedule": [{"weeks": "1-12", "fixed": 10, "criterion": criterion}],
        **others,
    }
    document = {
        "program": "measured",
        "version": "1",
        "title": "Measured",
        "currency": "USD",
        "visits": [{"weeks": "1-12", "per_week": 1}],
        "targets": {"t": target},
    }
    return parse_program(json.dumps(document))


def grouped(**others: Any) -> Program:
    target = {
        "behavior": "abstinence",
        "schedule": [{"weeks": "1-12", "fixed": 10, "group": {"size": 3, "need": 2, **others}}],
    }
    document = {
        "program": "grouped",
        "version": "1",
        "title": "Grouped",
        "currency": "USD",
        "visits": [{"weeks": "1-12", "per_week": 1}],
        "targets": {"t": target},
    }
    return parse_program(json.dumps(document))


@pytest.mark.parametrize(
    ("paid", "own", "met", "said"),
    [
        ("all", "+", 2, "2 of 3 in the group made it, and 2 had to. Group goal met: $10.00."),
        ("all", "o", 2, "2 of 3 in the group made it, and 2 had to. Group goal met: $10.00."),
        ("who met", "-", 1, "1 of 3 in the group made it, and 2 had to. Not met: no reward."),
        ("who met", "+", 2, "2 of 3 in the group made it, and 2 had to. Not met: no reward."),
    ],
)
def test_a_member_keeps_its_own_result_and_reads_what_the_group_made_of_it(
    paid: str, own: str, met: int, said: str
) -> None:
    [decision] = decide(grouped(paid=paid), [Observation(own, evidence=Evidence(group=met))]).decisions
    assert decision.outcome == own
    assert decision.sentence.startswith(said)
    assert decision.sentence.endswith(
        "Next group goal met: what it pays depends on how many of the group make it."
    )


def weekly_limited(**others: Any) -> Program:
    """$10 a visit, at most $10 a week; news pay $1 each."""
    document = {
        "program": "weekly",
        "version": "1",
        "title": "Weekly",
        "currency": "USD",
        "visits": [{"weeks": "1-4", "per_week": 2}],
        "targets": {
            name: {"behavior": "task", "schedule": [{"weeks": "1-4", "fixed": 10}]} for name in ("a", "b")
        },
        "milestones": {"news": {"says": "News", "when": {"event": "news"}, "amount": 1, "repeats": True}},
        "limits": [{"amount": 10, "per": "week", "crossing": "truncate"}],
        **others,
    }
    return parse_program(json.dumps(document))


@pytest.mark.parametrize("start", [None, START])
def test_an_event_counts_for_the_week_of_the_visit_before_it(start: date | None) -> None:
    week_1, week_2 = [Observation("-", target="a")] * 2, [Observation("-", target="a")]
    news = [Observation(event="news")]
    decisions = decide(
        weekly_limited(), [*week_1[:1], *news, *week_1[1:], *week_2, *news], start=start
    ).decisions
    assert [each.awards["USD"] for each in decisions] == [10, 0, 0, 10, 0]


@pytest.mark.parametrize("start", [None, START])
def test_an_event_finds_the_room_of_its_own_week(start: date | None) -> None:
    program = weekly_limited(limits=[{"amount": 21, "per": "week", "crossing": "truncate"}])
    visit, news = Observation("-", target="a"), Observation(event="news")
    paid = [
        each.awards["USD"]
        for each in decide(program, [visit, visit, news, news, visit], start=start).decisions
    ]
    assert paid == [10, 10, 1, 0, 10]
    assert decide(program, [visit, visit, news, visit, news], start=start).decisions[-1].awards["USD"] == 1


def test_a_target_that_lags_finds_its_week_as_it_left_it() -> None:
    seen_order = [Observation("-", target=name) for name in "aaaba"]
    paid = [each.awards["USD"] for each in decide(weekly_limited(), seen_order).decisions]
    assert paid == [10, 0, 10, 0, 0]


def test_a_deposit_is_lost_and_said_so_once_nothing_can_return_it() -> None:
    program = weekly_limited(
        limits=[],
        deposit={"stake": 150, "loss": 20},
        milestones={
            "two": {"says": "Two weeks", "when": {"targets": ["a"], "end_of": "1-2"}, "refunds": True}
        },
    )
    lapses = [Observation(event="deposit"), *[Observation("+", target="a")] * 4]
    last = decide(program, lapses).decisions[-1]
    assert "$70.00 of your deposit is lost, and nothing is left of it." in last.sentence
    with pytest.raises(ResultsError, match="nothing can return a deposit any more"):
        decide(program, [*lapses[1:], lapses[0]])


def test_a_reward_and_a_milestone_of_one_visit_are_cut_one_after_the_other() -> None:
    program = weekly_limited(
        milestones={"two": {"says": "Two", "when": {"targets": ["a"], "count": 2}, "amount": 20}},
        limits=[{"amount": 25, "per": "episode", "crossing": "withhold"}],
    )
    decisions = decide(program, [Observation("-", target="a")] * 3).decisions
    assert [each.awards["USD"] for each in decisions] == [10, 10, 0]
    assert decisions[1].sentence.startswith(
        "Second task completed: $10.00. Two, worth $20.00. The limit of $25.00 over the whole program does not"
    )

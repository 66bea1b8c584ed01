"""Laws that hold for every schedule and every timeline; the ids are those of docs/invariants.md."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cm_engine import (
    Decision,
    Observation,
    Rules,
    compile_rules,
    decide,
    dump_state,
    initial_state,
    load_state,
    step,
)
from cm_engine.rules.reasons import (
    Earned,
    Limited,
    Next,
    PlanEnded,
    Recoverable,
    Recovered,
    WasReset,
    WeekPaid,
)
from cm_engine.rules.state import State
from cm_engine.rules.timeline import fold
from tests.oracle import Schedule, in_force, moments, shares
from tests.programs import program_of, schedules, words


def steps(schedule: Schedule, word: str) -> list[tuple[State, Decision, State]]:
    """Every step of a timeline: the state before, the decision, the state after."""
    rules = compile_rules(program_of(schedule))
    state, taken = initial_state(rules, schedule["start"]), []
    for outcome in word:
        after, decision = step(rules, state, Observation(outcome))
        taken.append((state, decision, after))
        state = after
    return taken


@st.composite
def timelines(draw: st.DrawFn, *, limits: bool = True) -> tuple[Schedule, str]:
    schedule = draw(schedules(limits=limits))
    return schedule, draw(words(schedule))


def seen(word: str) -> list[Observation]:
    return [Observation(symbol) for symbol in word]


def rules_of(schedule: Schedule) -> Rules:
    return compile_rules(program_of(schedule))


@given(timelines())
def test_inv_1_no_award_is_negative_and_nothing_but_successes_and_weeks_of_them_is_paid(
    timeline: tuple[Schedule, str],
) -> None:
    for _, decision, _ in steps(*timeline):
        [award] = decision.paid
        weeks_met = sum(reason.met for reason in decision.reasons if isinstance(reason, WeekPaid))
        assert award.amount >= 0
        assert award.amount == 0 or decision.outcome == "-" or weeks_met


@given(timelines())
def test_inv_2_no_ladder_pays_above_its_ceiling(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    rules = rules_of(schedule)
    for _, decision, _ in steps(schedule, word):
        ceiling = rules.targets[0].visits[decision.visit - 1].phase.ceiling
        for reason in decision.reasons:
            if isinstance(reason, Earned) and ceiling is not None:
                assert reason.amount <= ceiling


@given(timelines())
def test_inv_3_what_a_window_received_is_never_more_than_its_limit(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    times, decisions = moments(schedule), [decision for _, decision, _ in steps(schedule, word)]
    for limit in schedule["limits"]:
        paid = [decision.awards.get(limit["unit"], Decimal(0)) for decision in decisions]
        for index, award in enumerate(paid):
            before = [paid[n] for n in range(index) if shares(limit, times[index], times[n])]
            assert not award or award + sum(before) <= in_force(limit, times[index].day)


@given(st.data(), timelines())
def test_inv_4_a_timeline_split_anywhere_and_resumed_from_its_stored_state_gives_the_same_decisions(
    data: st.DataObject, timeline: tuple[Schedule, str]
) -> None:
    schedule, word = timeline
    rules = rules_of(schedule)
    whole = fold(rules, initial_state(rules, schedule["start"]), seen(word))
    cut = data.draw(st.integers(0, len(word)))
    first = fold(rules, initial_state(rules, schedule["start"]), seen(word[:cut]))
    rest = fold(rules, load_state(rules, dump_state(first.state)), seen(word[cut:]))
    assert first.decisions + rest.decisions == whole.decisions
    assert rest.state == whole.state


@given(timelines())
def test_inv_5_an_outcome_that_holds_moves_no_rung_no_run_and_no_sum(timeline: tuple[Schedule, str]) -> None:
    for before, decision, after in steps(*timeline):
        if decision.reasons[0].code in {"held", "not required"} and not opens_phase(timeline[0], decision):
            kept = before.tracks[0].ladder._replace(week_met=0, week_unmet=0)
            moved = after.tracks[0].ladder._replace(week_met=0, week_unmet=0)
            assert moved == kept or week_ended_well(timeline[0], decision, before)
            assert after.received == before.received or decision.reasons[1].code == "week"


def opens_phase(schedule: Schedule, decision: Decision) -> bool:
    return rules_of(schedule).targets[0].visits[decision.visit - 1].opens_phase


def week_ended_well(schedule: Schedule, decision: Decision, before: State) -> bool:
    """A visit not required may be the last of a week that was met as far as it was due."""
    visit = rules_of(schedule).targets[0].visits[decision.visit - 1]
    return decision.outcome == "_" and visit.closes_week and before.tracks[0].ladder.week_met > 0


@given(timelines())
def test_inv_6_the_next_success_pays_what_was_promised(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    rules = rules_of(schedule)
    for _, decision, after in steps(schedule, word):
        promised = decision.reasons[-1]
        if isinstance(promised, PlanEnded):
            assert decision.visit == len(rules.targets[0].visits)
            continue
        assert isinstance(promised, Next)
        *unpaid, following = fold(rules, after, seen("-" * promised.after)).decisions
        assert following.paid == ((promised.unit, promised.amount),)
        assert all(each.paid[0].amount == 0 for each in unpaid)


@given(timelines(limits=False))
def test_inv_7_a_longer_run_never_earns_less_at_the_next_visit(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    visits = rules_of(schedule).targets[0].visits
    earned = [
        (visits[decision.visit - 1].phase, reason)
        for _, decision, _ in steps(schedule, word)
        for reason in decision.reasons
        if isinstance(reason, Earned)
    ]
    for (phase, before), (next_phase, after) in pairwise(earned):
        if phase is next_phase and after.run > before.run and phase.step >= 0:
            assert after.amount >= before.amount
            assert phase.carries or after.amount - before.amount == after.change


@given(timelines())
def test_inv_8_a_decision_depends_only_on_what_was_observed_before_it(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    program = program_of(schedule)
    whole = decide(program, word, start=schedule["start"]).decisions
    for end in range(len(word)):
        assert decide(program, word[:end], start=schedule["start"]).decisions == whole[:end]


@given(timelines())
def test_inv_9_awards_and_losses_to_limits_add_up_to_what_was_earned(timeline: tuple[Schedule, str]) -> None:
    for _, decision, _ in steps(*timeline):
        [award] = decision.paid
        earned = sum(
            getattr(r, "amount", 0) for r in decision.reasons if r.code in {"earned", "bonus", "week"}
        )
        losses = [reason.lost for reason in decision.reasons if isinstance(reason, Limited)]
        assert all(loss > 0 for loss in losses)
        lost = sum(losses)
        assert earned == award.amount + lost


@given(timelines())
def test_inv_11_what_is_promised_after_a_lapse_comes_true(timeline: tuple[Schedule, str]) -> None:
    schedule, word = timeline
    rules = rules_of(schedule)
    for _, decision, after in steps(schedule, word):
        for reason in decision.reasons:
            match reason:
                case Recoverable():
                    rest = fold(rules, after, seen("-" * (reason.after + (not reason.paid_nth))))
                    assert earned_by(rest.decisions[-1]) == reason.amount
                    assert is_paid_in_full(rest.decisions[-1]) or any(limit.since for limit in rules.limits)
                case WasReset() if reason.restart is not None:
                    promised = decision.reasons[-1]
                    assert isinstance(promised, Next)
                    rest = fold(rules, after, seen("-" * promised.after))
                    assert earned_by(rest.decisions[-1]) == reason.restart
                case Recovered() if earned_by(decision) != reason.amount:
                    assert earned_by(fold(rules, after, seen("-")).decisions[0]) == reason.amount


def is_paid_in_full(decision: Decision) -> bool:
    return not any(isinstance(reason, Limited) for reason in decision.reasons)


def earned_by(decision: Decision) -> int:
    [earned] = [reason for reason in decision.reasons if isinstance(reason, Earned)]
    return earned.amount


@given(timelines())
def test_inv_10_every_decision_says_why_in_words(timeline: tuple[Schedule, str]) -> None:
    for _, decision, _ in steps(*timeline):
        assert decision.reasons[-1].code in {"next", "plan ended"}
        assert decision.sentence.endswith(".")
        assert len(decision.sentence.split(". ")) >= len(decision.reasons) - 1

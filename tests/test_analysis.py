"""A program explored says what `step` says: its states, its figures, and their limits."""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import comb, isclose
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cm_engine import (
    Observation,
    Program,
    catalogue,
    compile_rules,
    decide,
    initial_state,
    parse_program,
    step,
)
from cm_engine.analysis import (
    Behavior,
    Explored,
    Moments,
    analyze,
    distribution,
    dropping_out,
    estimated,
    explore,
    markov,
    maximum,
    minimum,
    moments,
    reached,
    visitwise,
)
from cm_engine.analysis.actions import Action
from cm_engine.analysis.behavior import chance_of
from cm_engine.analysis.form import analysis_form, rounded
from cm_engine.analysis.joint import Joint
from cm_engine.analysis.parts import start_of
from cm_engine.analysis.purse import FreePurse, LimitedPurse
from cm_engine.errors import ResultsError, TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.program.values import Dated
from cm_engine.rules.essence import essence
from tests.programs import document_of, program_of, schedules, words

LARGE = "template-integrated-care"
"""The one program of the catalogue that has too many states to look at all of its targets together."""
PROGRAMS = catalogue.program_ids()


def a_program(visits: int, schedule: dict[str, Any], **more: Any) -> Program:
    phase = {"weeks": f"1-{visits}", **schedule}
    return parse_program(
        json.dumps(
            {
                "program": "a-test",
                "version": "1",
                "title": "A test",
                "currency": "USD",
                "visits": [{"weeks": f"1-{visits}", "per_week": 1}],
                "targets": {"target": {"behavior": "abstinence", "schedule": [phase]}},
                **more,
            }
        )
    )


ESCALATING = {
    "escalate": {"start": "2.00", "step": "1.50", "every": 1, "ceiling": "8.00"},
    "bonus": {"amount": "3.00", "every": 2},
    "reset": {"on": ["positive", "missed", "refused"]},
    "recover": {"after": 2, "paid": "next", "level": "next step"},
}
FIXED = {"fixed": "10.00"}


def paid(program: Program, word: str, unit: Unit) -> int:
    return decide(program, word).sums.get(unit, 0)


def attended() -> Program:
    """Return a program of four sessions whose reward rises, and is set back by those that nobody came to only."""
    target = {
        "behavior": "attendance",
        "schedule": [{"weeks": "1-4", **ESCALATING, "reset": {"on": ["missed"]}}],
    }
    return a_program(4, ESCALATING, targets={"counselling": target})


def weights(behavior: Behavior, visits: int) -> Iterator[tuple[str, Fraction]]:
    """Yield every word that a behavior can show, with its chance: by going through the moods one by one."""
    ways = [("", mood, chance) for mood, chance in enumerate(behavior.start) if chance]
    for visit in range(visits):
        ways = [
            (word + turn.symbol, turn.to, chance * turn.chance)
            for word, mood, chance in ways
            for turn in behavior.at(visit)[mood]
        ]
    yield from ((word, chance) for word, _, chance in ways)


def walked(explored: Explored, actions: dict[tuple[int, int], list[Action]], unit: Unit) -> list[int]:
    """Return what each decision pays, from the tables alone."""
    found: dict[tuple[int, str], list[int]] = {}
    for cluster in explored.clusters_of(unit):
        purse = (LimitedPurse if cluster.is_limited else FreePurse)(explored, unit)
        joint, held = Joint(explored, cluster), 0
        key = joint.start
        for number, place in cluster.order:
            slot = joint.automata[number].slots[place]
            for action in actions[cluster.automata[number], place]:
                moved = joint.turns(number, place, key)[action]
                (way,) = purse.ways(held, moved.part, purse.like(explored.when(slot)))
                held, key = way.to, joint.after(number, place, key, moved)
                found.setdefault((slot.target, slot.event), []).append(way.paid)
                if not moved.stays:
                    break
    return [amount for occasion in sorted(found) for amount in found[occasion]]


def seen(explored: Explored, random: Random) -> dict[tuple[int, int], list[Action]]:
    """Return some actions for each slot, more than one where a specimen may have to be given again."""
    shown = {}
    for index, automaton in enumerate(explored.automata):
        for place in range(len(automaton.slots)):
            known = automaton.table(place).actions
            likely = [each for each in known if each.symbol == "-"]
            shown[index, place] = [
                random.choice(likely or known) if random.random() < 0.6 else random.choice(known)
            ] * 9
    return shown


def observed(explored: Explored, actions: dict[tuple[int, int], list[Action]], unit: Unit) -> list[int]:
    """Return what each decision pays by `step`, in the order in which the slots are decided."""
    rules = explored.rules
    state, found = initial_state(rules, explored.start), dict[tuple[int, str], list[int]]()
    slots = [
        (slot, index, place)
        for index, automaton in enumerate(explored.automata)
        for place, slot in enumerate(automaton.slots)
    ]
    for slot, index, place in sorted(slots, key=lambda each: (each[0], each[1])):
        for action in actions[index, place]:
            name = "" if slot.event else rules.targets[slot.target].name
            observation = action.observation(name, slot.event)
            amount = 0
            if observation:
                state, decision = step(rules, state, observation)
                amount = sum(award.amount for award in decision.paid if award.unit == unit)
            found.setdefault((slot.target, slot.event), []).append(amount)
            if slot.event or state.tracks[slot.target].visits > slot.visit:
                break
    return [amount for occasion in sorted(found) for amount in found[occasion]]


class TestTheEssenceOfAState:
    @settings(max_examples=60)
    @given(st.data())
    def test_inv_18_gets_the_same_awards_and_leads_to_the_same_essence(self, data: st.DataObject) -> None:
        schedule = data.draw(schedules())
        program = program_of(schedule)
        rules = compile_rules(program)
        start = schedule.get("start")
        state = initial_state(rules, start)
        short = essence(rules, state)
        for symbol in data.draw(words(schedule)):
            state, decision = step(rules, state, Observation(symbol))
            short, same = step(rules, short, Observation(symbol), foretell=False)
            assert same.paid == decision.paid
            short = essence(rules, short)
            assert short == essence(rules, state)

    def test_forgets_what_pays_alike(self) -> None:
        rules = compile_rules(a_program(8, FIXED))
        after = {essence(rules, decided(rules, word)) for word in ("--", "+-", "-+", "o_")}
        assert len(after) == 1

    def test_says_nothing_of_later_visits_and_pays_the_same(self) -> None:
        rules = compile_rules(catalogue.program("higgins-1994-voucher"))
        full = step(rules, initial_state(rules), Observation("-"))
        short = step(rules, initial_state(rules), Observation("-"), foretell=False)
        assert short[0] == full[0]
        assert short[1].paid == full[1].paid
        assert [each.code for each in short[1].reasons] == ["earned"]


def decided(rules: Any, word: str) -> Any:
    state = initial_state(rules)
    for symbol in word:
        state, _ = step(rules, state, Observation(symbol))
    return state


@pytest.mark.parametrize("name", PROGRAMS)
def test_tables_of_a_published_program_pay_what_step_pays(name: str) -> None:
    explored = explore(catalogue.program(name))
    random = Random(name)  # noqa: S311 - the same timelines each time
    units = [unit for unit in explored.units if unit != explored.money or not explored.program.bowls]
    for _ in range(6):
        actions = seen(explored, random)
        for unit in units:
            assert walked(explored, actions, unit) == observed(explored, actions, unit)


@settings(max_examples=25)
@given(st.data())
def test_tables_of_any_program_pay_what_step_pays(data: st.DataObject) -> None:
    schedule = data.draw(schedules())
    program = program_of(schedule)
    if start_of(program, schedule.get("start")) is None and compile_rules(program).needs_start:
        return
    explored = explore(program, start=schedule.get("start"))
    actions = seen(explored, data.draw(st.randoms(use_true_random=False)))
    for unit in explored.units:
        assert walked(explored, actions, unit) == observed(explored, actions, unit)


class TestTheStatesOfAProgram:
    def test_are_few_though_the_plan_lasts_for_years(self) -> None:
        explored = explore(catalogue.program("chutuape-1999-take-home"))
        assert len(explored.automata[0].slots) == 3120
        assert len(explored.automata[0].states) < 10

    def test_are_of_one_automaton_where_a_milestone_ties_targets_together(self) -> None:
        explored = explore(catalogue.program("template-relapse-prevention-skills"))
        assert [explored.called(each) for each in explored.automata] == ["session, homework", "plan written"]

    def test_are_of_automata_of_their_own_where_nothing_does(self) -> None:
        explored = explore(catalogue.program("template-medication-adherence"))
        assert [len(each.targets) for each in explored.automata] == [1, 1, 1]
        assert not any(cluster.is_limited for cluster in explored.clusters)

    def test_share_a_cluster_where_a_limit_looks_at_them_together(self) -> None:
        program = catalogue.program("project-hope-multi-target")
        assert [len(cluster.automata) for cluster in explore(program).clusters] == [1] * 8
        [limit] = program.limits
        lower = limit.model_copy(update={"amount": Dated(((None, Decimal(100)),))})
        explored = explore(program.model_copy(update={"limits": (lower,)}))
        assert [len(cluster.automata) for cluster in explored.clusters] == [8]

    def test_that_are_too_many_are_refused_with_where_and_how_many(self) -> None:
        with pytest.raises(TooManyStatesError, match=f"program {LARGE} has too many states") as refused:
            explore(catalogue.program(LARGE), most=5_000)
        assert 0 < refused.value.slot < refused.value.slots == 36
        assert "simulate it" in str(refused.value)


class TestFiguresAgainstAllSequences:
    """Every word of a short plan, each decided by `step`, is the oracle."""

    PROGRAMS = (
        a_program(5, ESCALATING),
        a_program(5, ESCALATING, limits=[{"amount": "12.00", "per": "episode", "crossing": "truncate"}]),
        a_program(5, ESCALATING, limits=[{"amount": "9.00", "per": "episode", "crossing": "withhold"}]),
        a_program(5, ESCALATING, limits=[{"amount": "9.00", "per": "episode", "crossing": "stop"}]),
        a_program(
            5,
            ESCALATING,
            limits=[
                {"amount": "15.00", "per": "rolling days", "days": 21, "crossing": "truncate"},
                {"amount": "5.00", "per": "reward", "crossing": "truncate"},
            ],
        ),
        a_program(
            5,
            ESCALATING,
            milestones={
                "three": {"says": "three met", "when": {"count": 3}, "amount": "5.00", "repeats": True}
            },
        ),
    )

    @pytest.mark.parametrize("program", PROGRAMS)
    def test_the_most_and_the_least_are_those_of_some_word(self, program: Program) -> None:
        explored = explore(program)
        unit = explored.units[0]
        totals = {"".join(word): paid(program, "".join(word), unit) for word in product("-+oe", repeat=5)}
        most, least = maximum(explored, unit), minimum(explored, unit)
        assert most.amount == max(totals.values())
        assert least.amount == min(totals.values())
        assert paid(program, most.seen.words["target"], unit) == most.amount
        assert paid(program, least.seen.words["target"], unit) == least.amount

    @pytest.mark.parametrize("program", PROGRAMS)
    @pytest.mark.parametrize(
        "behavior",
        [
            visitwise("0.7"),
            visitwise("0.7", otherwise={"+": "1/2", "o": "1/4", "e": "1/4"}),
            visitwise(["0.9", "0.5", "0.2"]),
            markov("0.2", "0.4"),
            dropping_out(markov("0.2", "0.4", otherwise={"o": 1}), "0.1"),
            estimated(["--+-o", "-----", "o+-"]),
        ],
        ids=lambda behavior: behavior.says[:30],
    )
    def test_the_distribution_is_that_of_all_words(self, program: Program, behavior: Behavior) -> None:
        explored = explore(program)
        unit = explored.units[0]
        exact: Counter[int] = Counter()
        for word, chance in weights(behavior, 5):
            exact[paid(program, word, unit)] += chance  # type: ignore[assignment]
        found = distribution(explored, behavior, unit)
        assert list(found.sums) == sorted(amount for amount, chance in exact.items() if chance)
        assert all(
            isclose(chance, exact[int(amount)], rel_tol=1e-9)
            for amount, chance in zip(found.sums, found.chances, strict=True)
        )
        mean = sum(amount * chance for amount, chance in exact.items())
        variance = sum(amount**2 * chance for amount, chance in exact.items()) - mean**2
        spread = moments(explored, behavior, unit)
        assert isclose(spread.mean, mean, rel_tol=1e-12)
        assert isclose(spread.variance, variance, rel_tol=1e-9)
        if not program.limits:
            assert spread == Moments(Fraction(mean), Fraction(variance))

    @pytest.mark.parametrize("program", [each for each in PROGRAMS if each.limits])
    def test_a_limit_is_reached_as_often_as_it_is_in_all_words(self, program: Program) -> None:
        chances = [Fraction(0)] * len(program.limits)
        for word, chance in weights(visitwise("0.7"), 5):
            said = {
                (each.limit, each.per)
                for decision in decide(program, word).decisions
                for each in decision.reasons
                if each.code == "limited"
            }
            for index, limit in enumerate(compile_rules(program).limits):
                chances[index] += chance * ((limit.amounts[0], limit.name) in said)
        assert all(
            isclose(found, exact, rel_tol=1e-9, abs_tol=1e-12)
            for found, exact in zip(reached(explore(program), visitwise("0.7")), chances, strict=True)
        )

    @settings(max_examples=15)
    @given(st.data())
    def test_the_mean_of_any_short_program_is_that_of_all_words(self, data: st.DataObject) -> None:
        schedule = data.draw(schedules())
        document = document_of(schedule)
        document["visits"] = [{**document["visits"][0], "weeks": "1-2", "per_week": 2}]
        document["targets"]["target"]["schedule"] = [
            {**document["targets"]["target"]["schedule"][0], "weeks": "1-2"}
        ]
        phase = document["targets"]["target"]["schedule"][0]
        document["limits"] = [limit for limit in document["limits"] if limit["unit"] == phase["unit"]]
        program = parse_program(json.dumps(document))
        assume(not compile_rules(program).needs_start)
        explored = explore(program)
        for unit in explored.units:
            mean = sum(chance * paid(program, word, unit) for word, chance in weights(visitwise("0.6"), 4))
            assert isclose(moments(explored, visitwise("0.6"), unit).mean, mean, rel_tol=1e-12, abs_tol=1e-9)


class TestClosedForms:
    def test_higgins_pays_997_50_to_whom_never_lapses(self) -> None:
        explored = explore(catalogue.program("higgins-1994-voucher"))
        dollars = explored.units[0]
        assert maximum(explored, dollars).amount == 99_750
        assert moments(explored, visitwise(1), dollars).mean == 99_750

    def test_the_bowl_of_the_veterans_pays_363_752_on_average_to_whom_never_lapses(self) -> None:
        explored = explore(catalogue.program("va-prize"))
        money, draws = explored.units
        assert moments(explored, visitwise(1), draws).mean == 164
        assert moments(explored, visitwise(1), money).mean == Fraction(36_375_2, 10)
        assert isclose(distribution(explored, visitwise(1), money).mean, 36_375.2, rel_tol=1e-12)

    def test_a_fixed_reward_is_a_binomial(self) -> None:
        explored = explore(a_program(20, FIXED))
        found = distribution(explored, visitwise("0.3"), explored.units[0])
        assert list(found.sums) == [1000 * met for met in range(21)]
        assert all(
            isclose(chance, comb(20, met) * 0.3**met * 0.7 ** (20 - met), rel_tol=1e-9)
            for met, chance in enumerate(found.chances)
        )

    def test_california_pays_just_as_much_as_its_limit_of_a_year_and_never_more(self) -> None:
        explored = explore(catalogue.program("california-recovery-incentives"))
        assert maximum(explored, explored.units[0]).amount == 59_900
        assert reached(explored, visitwise(1)) == (0.0,)

    def test_a_limit_is_surely_reached_where_it_is_less_than_what_is_earned(self) -> None:
        limited = a_program(5, FIXED, limits=[{"amount": "49.99", "per": "episode", "crossing": "truncate"}])
        assert reached(explore(limited), visitwise(1)) == (1.0,)

    def test_a_deposit_can_be_lost(self) -> None:
        explored = explore(catalogue.program("halpern-2015-deposit"))
        least = minimum(explored, explored.units[0])
        assert (least.amount, least.seen.events) == (-15_000, ("deposit",))


class TestQuantiles:
    def test_are_the_least_sum_that_so_many_do_not_exceed(self) -> None:
        explored = explore(a_program(1, FIXED))
        found = distribution(explored, visitwise("0.5"), explored.units[0])
        assert [found.quantile(share) for share in (0.0, 0.5, 0.51, 1.0)] == [0, 0, 1000, 1000]

    def test_and_chances_below_a_sum_agree(self) -> None:
        explored = explore(catalogue.program("silverman-1996-voucher"))
        found = distribution(explored, visitwise("0.8"), explored.units[0])
        for share in (0.05, 0.5, 0.95):
            assert found.at_most(found.quantile(share)) >= share
            assert found.at_most(found.quantile(share) - 1) < share
        assert found.at_most(-1) == 0.0
        assert found.at_most(10**9) == pytest.approx(1)


class TestModelsOfBehavior:
    @pytest.mark.parametrize("wrong", ["1.2", "-0.1", "many", "1/0", 0.5])
    def test_refuse_what_is_no_chance(self, wrong: Any) -> None:
        with pytest.raises(ResultsError, match="expected a chance from 0 to 1"):
            chance_of(wrong)

    def test_refuse_shares_that_are_not_one_in_all(self) -> None:
        with pytest.raises(ResultsError, match=r"are 0\.9 in all, not 1"):
            visitwise("0.5", otherwise={"+": "0.5", "o": "0.4"})

    def test_refuse_a_lapse_that_never_comes_and_never_goes(self) -> None:
        with pytest.raises(ResultsError, match="the first visit decides all"):
            markov(0, 0)

    def test_learn_from_words_how_often_a_lapse_follows(self) -> None:
        learned = estimated(["-+-", "--+", "_-e-"])
        assert learned.rate == Fraction(6, 8)
        assert {turn.symbol: turn.chance for turn in learned.turns[1][0]} == {
            "-": Fraction(2, 4),
            "+": Fraction(2, 4),
        }

    def test_who_has_left_misses_every_visit(self) -> None:
        words = dict(weights(dropping_out(visitwise(1), "0.5"), 3))
        assert words == {
            "---": Fraction(1, 8),
            "ooo": Fraction(1, 2),
            "-oo": Fraction(1, 4),
            "--o": Fraction(1, 8),
        }

    @pytest.mark.parametrize("model", [visitwise("0.6"), markov("0.3", "0.5")], ids=["visitwise", "markov"])
    def test_who_does_not_meet_what_is_attended_has_not_come(self, model: Behavior) -> None:
        program = attended()
        unit, came = program.unit(None), list(weights(model, 4))
        mean = sum(chance * paid(program, word.replace("+", "o"), unit) for word, chance in came)
        assert mean != sum(chance * paid(program, word, unit) for word, chance in came)
        explored = explore(program)
        assert moments(explored, model, unit).mean == mean
        assert moments(explored, dropping_out(model, 0), unit).mean == mean

    def test_who_is_said_to_be_seen_and_not_to_meet_it_is_taken_at_the_word(self) -> None:
        program, said = attended(), visitwise("0.6", otherwise={"+": 1})
        unit = program.unit(None)
        mean = sum(chance * paid(program, word, unit) for word, chance in weights(said, 4))
        assert moments(explore(program), said, unit).mean == mean

    def test_an_event_has_its_own_chance(self) -> None:
        explored = explore(catalogue.program("template-telehealth-check-in"))
        behavior = visitwise(0)
        sure = Behavior(
            behavior.says, behavior.start, behavior.turns, behavior.rate, {"device set up": Fraction(1)}
        )
        assert moments(explored, sure, explored.units[0]).mean == 500


def test_a_program_with_too_many_states_is_simulated_with_a_stated_error() -> None:
    program = a_program(5, ESCALATING)
    exact, found = analyze(program, visitwise("0.7")), analyze(program, visitwise("0.7"), most=3)
    assert exact.explored
    assert not exact.simulation
    assert found.simulation
    assert not found.explored
    form = analysis_form(found)
    assert (form["exact"], form["states"], form["simulated"]) == (False, None, 2_000)
    error = found.figures[0].moments.sd / 2_000**0.5
    assert form["units"]["USD"]["error"] == rounded(found.figures[0].unit, error)
    assert abs(found.figures[0].moments.mean - exact.figures[0].moments.mean) < 4 * error
    assert found.figures[0].maximum.amount == exact.figures[0].maximum.amount
    assert [each.rate for each in found.earnings(found.figures[0].unit)] == [Fraction(n, 5) for n in range(6)]


def test_all_figures_come_together() -> None:
    found = analyze(catalogue.program("california-recovery-incentives"), visitwise("0.8"))
    assert found.figures[0].moments.mean == pytest.approx(found.figures[0].distribution.mean)
    assert found.limits[0].limit.amounts == (59_900,)


class TestWhatARetestLeavesOpen:
    PROGRAM = parse_program(
        json.dumps(
            {
                "program": "a-test",
                "version": "1",
                "title": "A test",
                "currency": "USD",
                "visits": [{"weeks": "1-2", "per_week": 2}],
                "targets": {
                    "use": {
                        "behavior": "abstinence",
                        "retest": {"on": ["invalid"], "at_most": 1},
                        "schedule": [{"weeks": "1-2", "fixed": "10.00"}],
                    }
                },
                "limits": [{"amount": "15.00", "per": "week", "crossing": "truncate"}],
            }
        )
    )

    def test_still_counts_in_the_window_of_its_week(self) -> None:
        explored = explore(self.PROGRAM)
        most = maximum(explored, explored.units[0])
        assert most.amount == 3_000
        assert paid(self.PROGRAM, most.seen.words["use"], explored.units[0]) == most.amount


def test_a_deposit_comes_before_the_event_that_returns_it() -> None:
    program = a_program(
        3,
        FIXED,
        deposit={"stake": "20.00", "loss": "5.00", "on": ["positive"]},
        milestones={"back": {"says": "Back", "when": {"event": "came to the end"}, "refunds": True}},
    )
    explored = explore(program)
    assert [slot.event for slot in explored.automata[0].slots[:2]] == ["deposit", "came to the end"]
    assert maximum(explored, explored.units[0]).amount == 3_000
    assert minimum(explored, explored.units[0]).amount == -2_000


class TestWhatTakesTooMuchRoom:
    def test_sums_far_apart_are_counted_one_by_one(self) -> None:
        phases = [{"weeks": 1, "fixed": "999999999.99"}, {"weeks": "2-4", "fixed": "1.01"}]
        program = a_program(4, FIXED, targets={"target": {"behavior": "abstinence", "schedule": phases}})
        explored = explore(program)
        found = distribution(explored, visitwise("0.5"), explored.units[0])
        assert len(found.sums) == 8
        assert found.chances.max() == pytest.approx(3 / 16)

    def test_more_draws_than_can_be_added_up_are_refused(self) -> None:
        bowl = {"slips": {"least": {"count": 1, "value": "0.01"}, "large": {"count": 1, "value": "999.99"}}}
        program = a_program(4, {"unit": "draw", "fixed": 5_000}, bowls={"draw": bowl})
        explored = explore(program)
        assert moments(explored, visitwise(1), explored.units[0]).mean == 20_000 * 50_000
        with pytest.raises(TooManyStatesError):
            distribution(explored, visitwise("0.9"), explored.units[0])

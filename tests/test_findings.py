"""What is proved of a program holds for every sequence, and what fails is shown by the shortest; findings are as they say."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cm_engine import Program, ProgramError, catalogue, compile_rules, decide, parse_program
from cm_engine.analysis import explore
from cm_engine.analysis.parts import start_of
from cm_engine.analysis.proofs.ahead import Comparison, Parting, against_leaving, alike, results
from cm_engine.analysis.proofs.course import first_paid, most_within, never_paid, uninterrupted
from cm_engine.analysis.proofs.evidence import lines, texts
from cm_engine.analysis.proofs.finding import CounterExample, Finding
from cm_engine.analysis.proofs.findings import findings, findings_unexplored, load_silences
from cm_engine.analysis.proofs.pitfalls import of_words
from cm_engine.analysis.proofs.proving import ORDERS, grounds_of, proved
from cm_engine.analysis.proofs.reaching import exceeded, overshot, unreached
from cm_engine.analysis.purse import Held
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.limits import When, compile_limit
from cm_engine.rules.milestones import Progress
from cm_engine.rules.state import Received, State
from tests.finding_tables import FOUND_IN_ALL, PAGE, TABLES, found_in_catalogue
from tests.programs import document_of, schedules

SYMBOLS = "-+oe*r"
VISITS = 4
"""Of the plans that are held against all of their words."""
LADDER = {"escalate": {"start": "1.00", "step": "1.00"}}
RECOVERY = {"after": 2, "paid": "next", "level": "last earned"}


def a_program(visits: int, /, *phases: dict[str, Any], behavior: str = "abstinence", **more: Any) -> Program:
    """Return a program with one visit a week; phases cover all of its weeks unless they say which."""
    schedule = [{"weeks": f"1-{visits}", **phase} for phase in phases]
    return parse_program(
        json.dumps(
            {
                "program": "a-test",
                "version": "1",
                "title": "A test",
                "currency": "USD",
                "visits": [{"weeks": f"1-{visits}", "per_week": 1}],
                "targets": {"target": {"behavior": behavior, "schedule": schedule}},
                **more,
            }
        )
    )


def found(program: Program, rule: str) -> Finding:
    """Return what a rule finds in a program."""
    return next(each for each in proved(explore(program)) if each.rule == rule)


def rules_of(program: Program) -> set[str]:
    return {each.rule for each in proved(explore(program))}


def paid(program: Program, word: str, unit: Unit) -> int:
    """Return what a word pays in the end, if all visits after it are missed."""
    return in_minor(totals(program, word), unit)


def totals(program: Program, word: str) -> Mapping[str, Decimal]:
    """Return what a word pays in the end of each unit, if all visits after it are missed."""
    word += "o" * program.visit_count
    return decide(program, word, start=start_of(program, None), truncate=True).totals


def in_minor(sums: Mapping[str, Decimal], unit: Unit) -> int:
    return unit.minor(sums.get(unit.name, unit.decimal(0)))


def ways(program: Program) -> dict[str, Mapping[str, Decimal]]:
    """Return what each word of the whole plan pays."""
    words = map("".join, product(SYMBOLS, repeat=program.visit_count))
    return {word: totals(program, word) for word in words}


def shortest(sums: dict[str, int], visits: int, better: str, worse: str) -> int | None:
    """Return the least length of two words of which the one with the worse result pays more; tried one by one."""
    for length in range(1, visits + 1):
        for word in map("".join, product(SYMBOLS, repeat=length)):
            for at in (at for at in range(length) if word[at] in better):
                rest = "o" * (visits - length)
                for other in worse:
                    second = word[:at] + other + word[at + 1 :]
                    if sums[second + rest] > sums[word + rest]:
                        return length
    return None


def shortest_of_leaving(sums: dict[str, int], visits: int) -> int | None:
    """Return the least length of a word that pays less than one with its end missed; tried one by one."""
    for length in range(1, visits + 1):
        for word in map("".join, product(SYMBOLS, repeat=length)):
            rest = "o" * (visits - length)
            if any(sums[word[:at] + "o" * (visits - at)] > sums[word + rest] for at in range(length)):
                return length
    return None


class TestWhatIsProvedAgainstAllSequences:
    @settings(max_examples=12, deadline=None)
    @given(st.data())
    def test_orders_hold_and_fail_as_they_do_in_all_words(self, data: st.DataObject) -> None:
        program = parse_program(json.dumps(shortened(document_of(data.draw(schedules())))))
        assume(not compile_rules(program).needs_start)
        pays = ways(program)
        for ground in grounds_of(explore(program)):
            assert ground.upto is None
            sums = {word: in_minor(each, ground.unit) for word, each in pays.items()}
            for order in ORDERS:
                comparison = Comparison(ground.board, Parting(results(order.better, order.worse, {0}), alike))
                length = shortest(sums, VISITS, order.better, order.worse)
                assert comparison.fails() is (length is not None)
                if length:
                    assert len(comparison.shortest().first) == length
            leaving = Comparison(ground.board, Parting(against_leaving, against_leaving))
            length = shortest_of_leaving(sums, VISITS)
            assert leaving.fails() is (length is not None)
            assert length is None or len(leaving.shortest().first) == length

    @pytest.mark.parametrize("more", ["withhold", "truncate", "milestone"])
    def test_two_targets_are_held_against_all_of_their_words(self, more: str) -> None:
        program = two_targets(more)
        explored = explore(program)
        dollars = explored.units[0]
        pairs = list(product(map("".join, product(SYMBOLS, repeat=2)), repeat=2))
        sums = {pair: paid_of_two(program, pair, dollars) for pair in pairs}
        for order in ORDERS:
            fails = any(
                sums[second] > sums[first]
                for first in pairs
                for second in worsened(first, order.better, order.worse)
            )
            parting = Parting(results(order.better, order.worse, {0, 1}), alike)
            assert fails is any(Comparison(each.board, parting).fails() for each in grounds_of(explored))

    @pytest.mark.parametrize("name", catalogue.program_ids())
    def test_a_counter_example_of_a_published_program_pays_what_it_says(self, name: str) -> None:
        program = catalogue.program(name)
        for each in found_in_catalogue(name):
            example = each.counter_example
            if example is None or example.worse is None or len(program.targets) > 1:
                continue
            assert example.paid == tuple(replayed(program, example))


QUOTAS = ("template-integrated-care", "lapse-beats-excuse")
"""Of a quota a month, an excuse that is used up is missing later: a lapse instead of it may come to more in the end."""


def test_no_program_of_the_catalogue_rewards_a_lapse_or_leaving() -> None:
    worse = {
        "lapse-pays",
        "lapse-beats-excuse",
        "staying-away-pays",
        "leaving-pays",
        "recovery-fails",
        "limit-broken",
    }
    names = catalogue.program_ids()
    found = [(name, each.rule) for name in names for each in found_in_catalogue(name) if each.rule in worse]
    assert found == [QUOTAS]


def shortened(document: dict[str, Any]) -> dict[str, Any]:
    """Return a program of two weeks, with the first phase of another or with its first two."""
    target = document["targets"]["target"]
    phases = target["schedule"][:2]
    weeks = ["1-1", "2-2"] if len(phases) == 2 else ["1-2"]
    units = {phase["unit"] for phase in phases}
    return {
        **document,
        "visits": [{"weeks": "1-2", "per_week": VISITS // 2}],
        "targets": {
            "target": {
                **target,
                "schedule": [{**phase, "weeks": each} for phase, each in zip(phases, weeks, strict=True)],
            }
        },
        "limits": [limit for limit in document["limits"] if limit["unit"] in units],
    }


def two_targets(more: str) -> Program:
    """Return a program of two targets with two visits each, tied together by a limit or by a milestone."""
    document = json.loads(json.dumps(DOCUMENT_OF_TWO))
    if more == "milestone":
        week = {"says": "All of a week", "when": {"week": "all"}, "amount": "5.00", "repeats": True}
        return parse_program(json.dumps({**document, "milestones": {"week": week}}))
    limit = {"amount": "8.00", "per": "episode", "crossing": more}
    return parse_program(json.dumps({**document, "limits": [limit]}))


DOCUMENT_OF_TWO = {
    "program": "a-test",
    "version": "1",
    "title": "A test",
    "currency": "USD",
    "visits": [{"weeks": "1-2", "per_week": 1}],
    "targets": {
        "one": {
            "behavior": "abstinence",
            "schedule": [{"weeks": "1-2", "escalate": {"start": "3.00", "step": "2.00"}, "reset": {}}],
        },
        "other": {"behavior": "attendance", "schedule": [{"weeks": "1-2", "fixed": "2.00"}]},
    },
}


def paid_of_two(program: Program, words: tuple[str, ...], unit: Unit) -> int:
    return in_minor(decide(program, dict(zip(("one", "other"), words, strict=True))).totals, unit)


def worsened(words: tuple[str, ...], better: str, worse: str) -> Iterator[tuple[str, ...]]:
    """Yield the words with one better result made a worse one."""
    for place, word in enumerate(words):
        for at in (at for at in range(len(word)) if word[at] in better):
            for other in worse:
                changed = word[:at] + other + word[at + 1 :]
                yield (*words[:place], changed, *words[place + 1 :])


def replayed(program: Program, example: CounterExample) -> Iterator[int]:
    assert example.worse
    assert example.unit
    for seen in (example.better, example.worse):
        [word] = seen.words.values()
        yield paid(program, word, example.unit)


GROUP = {"size": 2, "need": 1, "paid": "all"}
UP_TO_8 = {"amount": "8.00", "per": "episode"}
RISING = {"escalate": {"start": "3.00", "step": "2.00"}, "reset": {}}
LATEST = {"after": 3, "paid": "next", "level": "next step", "saved": "latest"}
CAME = {"says": "Three visits", "when": {"visits": 3}, "amount": "5.00"}
TWO = {"says": "Two", "when": {"count": 2}, "amount": "5.00", "resets_on": ["excused"]}

BROKEN: dict[str, tuple[Program, str, str, tuple[str, str]]] = {
    "a falling reward that a lapse brings back to its start": (
        a_program(8, {"descend": {"start": "8.00", "step": "1.00"}, "reset": {}}),
        "lapse-pays",
        "error",
        ("------", "-+----"),
    ),
    "a requirement that grows, and begins anew after a lapse": (
        a_program(8, {"fixed": "10.00", "require": [1, 4], "reset": {}}),
        "lapse-pays",
        "error",
        ("---", "-+-"),
    ),
    "a recovery to the latest level lost, which a success on the way down makes lower": (
        a_program(13, {**LADDER, "reset": {}, "recover": LATEST}),
        "lapse-pays",
        "warning",
        ("----+-+-----", "----+++-----"),
    ),
    "a limit that withholds the reward that would cross it": (
        a_program(4, RISING, limits=[{**UP_TO_8, "crossing": "withhold"}]),
        "lapse-pays",
        "warning",
        ("-+--", "++--"),
    ),
    "a limit that stops with the reward that would cross it": (
        a_program(4, RISING, limits=[{**UP_TO_8, "crossing": "stop"}]),
        "lapse-pays",
        "warning",
        ("-+--", "++--"),
    ),
    "a ladder that only a positive resets": (
        a_program(4, {**LADDER, "reset": {"on": ["positive"]}}),
        "staying-away-pays",
        "warning",
        ("-+-", "-o-"),
    ),
    "an invalid specimen that holds what a positive resets": (
        a_program(4, {**LADDER, "reset": {}}),
        "invalid-beats-positive",
        "note",
        ("-+-", "-*-"),
    ),
    "a count of kept visits, which an excused one is not": (
        a_program(4, {"fixed": "1.00"}, milestones={"came": CAME}),
        "lapse-beats-excuse",
        "note",
        ("e--", "+--"),
    ),
    "a count that an excuse begins anew": (
        a_program(6, {"fixed": "1.00"}, milestones={"two": TWO}),
        "lapse-beats-excuse",
        "note",
        ("-e-", "-+-"),
    ),
    "a group that pays those who stay away": (
        a_program(4, {**LADDER, "reset": {"on": ["positive"]}, "group": GROUP}),
        "leaving-pays",
        "warning",
        ("-+-", "ooo"),
    ),
}
"""Programs broken on purpose: the rule that finds it, how grave it is, and the shortest words that show it."""


class TestABrokenProgram:
    @pytest.mark.parametrize("name", BROKEN)
    def test_is_shown_by_its_shortest_sequence(self, name: str) -> None:
        program, rule, severity, words = BROKEN[name]
        finding = found(program, rule)
        example = finding.counter_example
        assert finding.severity == severity
        assert example
        assert example.worse
        assert (example.better.words["target"], example.worse.words["target"]) == words
        assert example.paid[1] > example.paid[0]

    @pytest.mark.parametrize("name", [name for name in BROKEN if "group" not in name])
    def test_pays_what_its_sequence_says(self, name: str) -> None:
        program, rule, _, _ = BROKEN[name]
        example = found(program, rule).counter_example
        assert example
        assert example.paid == tuple(replayed(program, example))

    def test_says_at_which_visit_and_how_much(self) -> None:
        program = BROKEN["a falling reward that a lapse brings back to its start"][0]
        assert found(program, "lapse-pays").message == (
            "Visit 2 of target: a positive leads to $1.00 more in the end than a success, with the same results after it."
        )

    def test_gives_its_sequence_as_plain_values(self) -> None:
        program = BROKEN["a requirement that grows, and begins anew after a lapse"][0]
        assert json.loads(json.dumps(found(program, "lapse-pays").form()["counter_example"])) == {
            "better": {"words": {"target": "---"}, "paid": "10.00"},
            "worse": {"words": {"target": "-+-"}, "paid": "20.00"},
            "unit": "USD",
        }


class TestASoundProgram:
    def test_has_no_findings_at_all(self) -> None:
        sound = {**LADDER, "reset": {"on": ["positive", "missed", "refused", "invalid"]}}
        assert not rules_of(a_program(8, {**sound, "recover": RECOVERY}))

    def test_may_reset_for_an_invalid_specimen_or_reward_no_specimens_at_all(self) -> None:
        assert not rules_of(a_program(6, {**LADDER, "reset": {}}, behavior="attendance"))

    def test_keeps_its_order_under_a_limit_that_only_cuts_the_sum(self) -> None:
        limit = {"amount": "30.00", "per": "episode", "crossing": "truncate"}
        program = a_program(12, {**LADDER, "reset": {}}, behavior="attendance", limits=[limit])
        assert not rules_of(program)


class TestWhatNeverComesIntoPlay:
    def test_a_bonus_that_takes_more_visits_than_there_are(self) -> None:
        program = a_program(6, {**LADDER, "bonus": {"amount": "5.00", "every": 10}, "reset": {}})
        assert found(program, "bonus-unreached").message == (
            "The bonus in weeks 1-6 of target is never paid: there are too few visits for 10 in a row."
        )

    def test_a_ceiling_above_what_the_plan_has_visits_for(self) -> None:
        program = a_program(6, {"escalate": {**LADDER["escalate"], "ceiling": "20.00"}, "reset": {}})
        assert found(program, "rung-unreached").message == (
            "The ladder in weeks 1-6 of target never gets to $20.00: even if every visit is met, it ends at $6.00."
        )

    def test_a_ceiling_that_the_last_visit_pays_is_reached(self) -> None:
        program = a_program(6, {"escalate": {**LADDER["escalate"], "ceiling": "6.00"}, "reset": {}})
        assert "rung-unreached" not in rules_of(program)

    def test_a_ceiling_is_reached_though_a_phase_that_carries_on_goes_higher(self) -> None:
        phases = (
            {
                "weeks": f"{first}-{first + 5}",
                "escalate": {**LADDER["escalate"], "ceiling": ceiling},
                "reset": {},
            }
            for first, ceiling in ((1, "4.00"), (7, "9.00"))
        )
        first, second = phases
        assert "rung-unreached" not in rules_of(a_program(12, first, {**second, "carry": True}))
        assert "rung-unreached" in rules_of(a_program(12, first, second))

    def test_a_limit_above_all_that_can_be_earned(self) -> None:
        limit = {"amount": "6.00", "per": "episode", "crossing": "truncate"}
        assert "limit-idle" in rules_of(a_program(6, {"fixed": "1.00"}, limits=[limit]))
        limit = {"amount": "5.99", "per": "episode", "crossing": "truncate"}
        assert "limit-idle" not in rules_of(a_program(6, {"fixed": "1.00"}, limits=[limit]))

    def test_a_milestone_counts_as_reached_however_often_it_is_paid(self) -> None:
        run = {"says": "Two in a row", "when": {"run": 2}, "amount": "5.00"}
        for more in ({}, {"repeats": True}, {"repeats": True, "at_most": 2}):
            program = a_program(4, {"fixed": "1.00"}, milestones={"two": {**run, **more}})
            assert "milestone-unreached" not in rules_of(program)

    def test_a_milestone_that_no_state_has_reached(self) -> None:
        run = {"says": "Two in a row", "when": {"run": 2}, "amount": "5.00"}
        explored = explore(a_program(4, {"fixed": "1.00"}, milestones={"two": run}))
        [automaton] = explored.automata
        states = tuple(state._replace(progress=(Progress(),)) for state in automaton.states)
        tables = tuple(replace(table, reasons=table.reasons * 0) for table in automaton.tables)
        broken = replace(explored, automata=(replace(automaton, states=states, tables=tables),))
        [finding] = unreached(broken, frozenset())
        assert finding.message == "The milestone two is never reached, whatever the results are."


def test_a_recovery_that_a_carried_phase_cuts_off_is_found_with_its_sequence() -> None:
    recovery = {"paid": "next", "level": "next step"}
    first = {"weeks": "1-10", **LADDER, "reset": {}, "recover": {**recovery, "after": 4}}
    second = {"weeks": "11-20", "carry": True, **LADDER, "reset": {}, "recover": {**recovery, "after": 2}}
    finding = found(a_program(20, first, second), "recovery-fails")
    assert finding.counter_example
    word = finding.counter_example.better.words["target"]
    assert (len(word), word[-5:]) == (11, "+----")
    kept = {**second, "recover": {**recovery, "after": 4}}
    assert "recovery-fails" not in rules_of(a_program(20, first, kept))


def test_a_recovery_that_leads_above_who_never_lapsed_is_found() -> None:
    recovery = {"after": 2, "paid": "next", "level": "last earned"}
    explored = explore(a_program(8, {**LADDER, "reset": {}, "recover": recovery}))
    assert not list(overshot(explored))
    [automaton] = explored.automata
    states = tuple(lifted(state) for state in automaton.states)
    broken = replace(explored, automata=(replace(automaton, states=states),))
    [finding] = overshot(broken)
    assert finding.counter_example
    assert finding.counter_example.better.words["target"].endswith("+--")


def lifted(state: State) -> State:
    """Return a state whose recovery has led five rungs too far."""
    [track] = state.tracks
    too_far = track.ladder.streak == 2 and track.ladder.position > 2
    ladder = track.ladder._replace(position=track.ladder.position + 5 * too_far)
    return state._replace(tracks=(track._replace(ladder=ladder),))


class TestAVisitThatStaysOpen:
    def test_is_compared_by_what_is_seen_until_it_is_decided(self) -> None:
        program = retested("invalid", at_most=1)
        example = found(program, "invalid-beats-positive").counter_example
        assert example
        assert example.worse
        assert (example.better.words["target"], example.worse.words["target"]) == ("-+-", "-**-")
        assert example.paid == tuple(replayed(program, example))

    def test_with_too_many_words_is_told_of(self) -> None:
        program = retested("invalid", "missed", "positive", at_most=7)
        assert found(program, "not-proved").message == (
            "Ways of target were not compared: there are too many states, or too many specimens of one visit, to pair them."
        )


def retested(*on: str, at_most: int) -> Program:
    target = {
        "behavior": "abstinence",
        "retest": {"on": on, "at_most": at_most},
        "schedule": [{"weeks": "1-4", **LADDER, "reset": {}}],
    }
    return a_program(4, LADDER, targets={"target": target})


class TestLimits:
    def test_that_a_purse_has_passed_are_found(self) -> None:
        program = a_program(4, {"fixed": "1.00"}, limits=[{**UP_TO_8, "crossing": "truncate"}])
        limit, day = compile_limit(program.limits[0], program), When(0, 1, None)
        for amount, broken in ((800, []), (801, [0])):
            held = Held((Received(((0, amount),)),), 0, frozenset())
            assert list(exceeded((limit,), [held], day)) == broken

    def test_that_were_not_looked_at_are_told_of(self) -> None:
        limits = [{"amount": "0.40", "per": "rolling days", "days": 40, "crossing": "withhold"}]
        phase = {"escalate": {"start": "0.07", "step": "0.01"}, "reset": {}, "recover": RECOVERY}
        message = found(a_program(10, phase, limits=limits), "not-proved").message
        assert message == (
            "Ways were compared before the limit of $0.40 per 40 days only: with it there are too many states to compare."
        )


class TestTheCourseOfWhoNeverLapses:
    def test_adds_up_to_the_closed_forms(self) -> None:
        for name, amount in (("higgins-1994-voucher", 99750), ("va-prize", Fraction(181876, 5))):
            course = uninterrupted(explore(catalogue.program(name)))
            assert sum(each.worth for each in course) == amount

    def test_pays_at_most_so_much_within_some_days(self) -> None:
        course = uninterrupted(explore(a_program(8, {"fixed": "1.00"})))
        assert [int(most_within(course, days)) for days in (1, 7, 8, 15, 400)] == [100, 100, 200, 300, 800]

    def test_tells_what_limits_take(self) -> None:
        program = a_program(
            8, {"fixed": "1.00"}, limits=[{"amount": "5.50", "per": "episode", "crossing": "truncate"}]
        )
        [cut] = [each for each in findings(explore(program)) if each.rule == "success-cut"]
        assert cut.message == (
            "Who meets every visit earns $2.50 more than the limits let be paid; the last 2 visits pay nothing."
        )

    def test_tells_when_the_first_reward_comes(self) -> None:
        assert (
            first_paid(uninterrupted(explore(a_program(4, {"fixed": "1.00", "require": [3], "reset": {}}))))
            == 3
        )


class TestWhoIsNeverPaid:
    def test_misses_every_visit(self) -> None:
        assert never_paid(explore(a_program(4, {"fixed": "1.00"})), Fraction(1, 4)) == (3 / 4) ** 4

    def test_or_never_gets_so_far(self) -> None:
        program = a_program(3, {"fixed": "1.00", "require": [2], "reset": {}})
        never = sum(1 for word in product("-+", repeat=3) if "--" not in "".join(word))
        assert never_paid(explore(program), Fraction(1, 2)) == never / 8

    def test_or_draws_nothing(self) -> None:
        bowl = {"slips": {"nothing": {"count": 3, "value": "0.00"}, "prize": {"count": 1, "value": "5.00"}}}
        program = a_program(2, {"fixed": "2", "unit": "draw"}, bowls={"draw": bowl})
        loses = Fraction(1, 2) + Fraction(1, 2) * Fraction(3, 4) ** 2
        assert never_paid(explore(program), Fraction(1, 2)) == float(loses**2)


class TestEvidence:
    def test_every_text_has_an_address_and_a_mark(self) -> None:
        for text in texts().values():
            assert text.where.startswith(("https://", "http://"))
            assert text.mark in {"stated", "derived", "unverified"}

    def test_every_text_is_rested_on(self) -> None:
        source = Path("src/cm_engine/analysis/proofs")
        data = (source / "evidence.yaml").read_text(encoding="utf-8").split("figures:")[1]
        written = data + (source / "lint.py").read_text(encoding="utf-8")
        assert not [name for name in texts() if name not in written]

    def test_lines_hold_by_their_dates(self) -> None:
        def most(rule: str, on: date | None) -> list[str]:
            return [str(line.most) for line in lines(on) if line.rule == rule]

        assert most("over-grant", date(2024, 12, 31)) == ["75.00"]
        assert most("over-grant", date(2025, 2, 1)) == ["750.00"]
        assert most("over-tax-line", date(2025, 12, 31)) == ["599.99"]
        assert most("over-tax-line", date(2026, 1, 1)) == most("over-tax-line", None) == ["1999.99"]

    def test_findings_follow_the_lines_of_a_day(self) -> None:
        explored = explore(catalogue.program("dougherty-weekly"))
        then = {each.rule for each in findings(explored, on=date(2025, 6, 1))}
        now = {each.rule for each in findings(explored, on=date(2026, 6, 1))}
        assert then - now == {"over-tax-line"}


class TestDesign:
    @pytest.mark.parametrize(
        ("rule", "severity", "program"),
        [
            (
                "delayed",
                "warning",
                a_program(4, {"fixed": "9.00"}, payout={"when": "set days", "days": ["friday"]}),
            ),
            ("delayed", "note", a_program(4, {"fixed": "9.00"}, payout={"when": "on request"})),
            ("seldom", "note", a_program(4, {"fixed": "9.00"})),
            ("flat", "note", a_program(4, {"fixed": "9.00"})),
            ("no-reset", "note", a_program(4, LADDER)),
            ("long-way-back", "note", a_program(8, {**LADDER, "reset": {}})),
            ("slow", "warning", a_program(4, {"fixed": "9.00", "require": [2], "reset": {}})),
            ("never", "warning", a_program(3, {"fixed": "9.00"})),
            ("small", "warning", a_program(12, {"fixed": "9.00"})),
            ("small", "note", a_program(12, {"fixed": "20.00"})),
            ("over-opinion", "note", a_program(8, {"fixed": "60.00"})),
        ],
    )
    def test_is_found_wanting_with_a_citation(self, rule: str, severity: str, program: Program) -> None:
        [finding] = [each for each in findings(explore(program)) if each.rule == rule]
        assert finding.severity == severity
        assert finding.citation

    def test_without_windows_misses_nobody_by_the_day_alone(self) -> None:
        windows = {"before": 1, "after": 1}
        within = a_program(2, {"fixed": "9.00"}, windows=windows)
        assert "no-windows" not in {each.rule for each in findings(explore(within))}
        [finding] = [
            each for each in findings(explore(a_program(2, {"fixed": "9.00"}))) if each.rule == "no-windows"
        ]
        assert finding.message == (
            "No windows say which days belong to a visit: the nth result is of the nth visit, whatever its day, and who "
            "stays away is missed only once somebody records it."
        )

    def test_of_targets_names_those_without_windows(self) -> None:
        schedule = [{"weeks": "1-2", "fixed": "9.00"}]
        targets = {
            "pill": {"behavior": "medication", "schedule": schedule, "windows": {"after": 1}},
            "talk": {"behavior": "attendance", "schedule": schedule},
        }
        [finding] = [
            each for each in findings(explore(a_program(2, targets=targets))) if each.rule == "no-windows"
        ]
        assert "belong to a visit of talk:" in finding.message

    @pytest.mark.parametrize(
        ("rule", "found", "not_found"),
        [
            ("two-words", {"behavior": "attendance", "reset": ["missed"]}, {"behavior": "attendance", "reset": ["missed", "positive"]}),
            ("two-words", {"behavior": "attendance", "reset": ["positive"]}, {"behavior": "abstinence", "reset": ["positive"]}),
            ("recovery-unreached", {"recover": 4}, {"recover": 3}),
            ("windows-over-others", {"windows": {"after": 2, "makeup": 1}}, {"windows": {"after": 1, "makeup": 1}}),
            ("windows-over-others", {"windows": {"before": 3}}, {"windows": {"within": "week"}}),
            ("out-of-reach", {"minimum": "44.01"}, {"minimum": "44.00"}),
            ("out-of-reach", {"minimum": "24.01", "expires_after": 7}, {"minimum": "24.00", "expires_after": 7}),
        ],
    )  # fmt: skip
    def test_says_what_its_words_do_not_come_to(
        self, rule: str, found: dict[str, Any], not_found: dict[str, Any]
    ) -> None:
        assert rule in {each.rule for each in findings(explore(of_four_weeks(**found)))}
        assert rule not in {each.rule for each in findings(explore(of_four_weeks(**not_found)))}

    @pytest.mark.parametrize(
        ("phase", "more", "least"),
        [
            ({"descend": {"start": "20.00", "step": "10.00"}, "reset": {}}, {}, 70),
            ({"choice": {"dose": {"amount": 1, "unit": "take-home dose"}, "cash": {"amount": 20}}}, {}, 120),
            ({"group": {"size": 3}, "together": ["5.00", "10.00", "50.00"]}, {}, 300),
            ({"fixed": "5.00"}, {"milestones": {"job": {"says": "a job", "when": {"event": "job"}, "amount": 50}}}, 80),
            ({"fixed": 1, "unit": "draw"}, {"bowls": {"draw": {"slips": {"none": {"count": 9, "value": 0}, "big": {"count": 1, "value": 100}}}}}, 600),
        ],
    )  # fmt: skip
    def test_of_savings_takes_the_most_that_anybody_can_have(
        self, phase: dict[str, Any], more: dict[str, Any], least: int
    ) -> None:
        for minimum, is_found in ((least, False), (least + 1, True)):
            payout = {"when": "on request", "minimum": minimum}
            program = a_program(6, phase, behavior="abstinence", **more, payout=payout)
            assert ("out-of-reach" in {each.rule for each in findings(explore(program))}) == is_found

    def test_of_savings_never_speaks_of_what_events_pay_without_an_end(self) -> None:
        hours = {"says": "an hour", "when": {"event": "hour"}, "amount": 5, "repeats": True}
        payout = {"when": "on request", "minimum": 500}
        program = a_program(4, {"fixed": "5.00"}, milestones={"hours": hours}, payout=payout)
        assert "out-of-reach" not in {each.rule for each in findings(explore(program))}

    @pytest.mark.parametrize(
        ("visits", "windows", "told"),
        [
            ({"days": ["monday", "thursday"]}, {"before": 3}, "3 days later: results a day apart can"),
            (
                {"days": ["monday", "thursday"]},
                {"before": 3, "apart": 3},
                "3 days later: results a day apart can",
            ),
            ({"days": ["monday", "thursday"]}, {"makeup": 3}, "3 days later: results of one day can"),
            ({"days": ["friday"]}, {"within": "week", "makeup": 5}, "7 days later: results of one day can"),
            (
                {"days": ["friday"]},
                {"within": "week", "makeup": 4},
                "7 days later for who begins on a Tuesday: results of one day can",
            ),
            (
                {"days": ["friday"]},
                {"within": "week", "makeup": 1},
                "7 days later for who begins on a Friday: results of one day can",
            ),
            ({"days": ["friday"]}, {"within": "week"}, ""),
            (
                {"days": ["monday", "thursday"], "per_day": 2},
                {"after": 3},
                "3 days later: results of one day can",
            ),
            ({"days": ["monday", "thursday"], "per_day": 2}, {"after": 2}, ""),
        ],
    )
    def test_of_windows_says_how_near_results_can_be_that_pay_two_visits(
        self, visits: dict[str, Any], windows: dict[str, Any], told: str
    ) -> None:
        program = a_program(4, {"fixed": "5.00"}, visits=[{"weeks": "1-4", **visits}], windows=windows)
        said = [each.message for each in of_words(program)]
        assert [told in each for each in said] == ([True] if told else [])

    @pytest.mark.parametrize(
        ("more", "is_found"),
        [
            ({}, False),
            ({"milestones": {"run": {"says": "a run", "when": {"run": 3}, "amount": 50, "resets_on": ["missed"]}}}, True),
            ({"milestones": {"kept": {"says": "kept", "when": {"visits": 3}, "amount": 50}}}, True),
            ({"deposit": {"stake": 50, "loss": 10, "on": ["missed"]}}, True),
            ({"deposit": {"stake": 50, "loss": 10, "on": ["missed", "positive"]}}, False),
        ],
    )  # fmt: skip
    def test_of_two_words_looks_at_all_that_they_lead_to(self, more: dict[str, Any], is_found: bool) -> None:
        back = {"milestones": {"end": {"says": "the end", "when": {"end_of": "1-4"}, "refunds": True}}}
        more |= back if "deposit" in more else {}
        without_effect = {"fixed": "5.00", "reset": {"on": ["missed"]}}
        program = a_program(4, without_effect, behavior="attendance", **more)
        assert ("two-words" in {each.rule for each in findings(explore(program))}) == is_found

    def test_of_attendance_is_not_held_against_evidence_of_abstinence(self) -> None:
        found = {
            each.rule for each in findings(explore(a_program(6, {"fixed": "9.00"}, behavior="attendance")))
        }
        assert not found & {"small", "seldom", "flat", "no-reset", "invalid-beats-positive"}

    def test_of_a_program_that_is_too_large_is_looked_at_all_the_same(self) -> None:
        program = catalogue.program("template-integrated-care")
        with pytest.raises(TooManyStatesError) as refused:
            explore(program, most=2_000)
        found = findings_unexplored(program, refused.value, silenced={"delayed": "as the funder asks"})
        assert [(each.rule, each.silenced) for each in found] == [
            ("not-proved", ""),
            ("no-windows", ""),
            ("delayed", "as the funder asks"),
        ]


def of_four_weeks(
    *,
    behavior: str = "abstinence",
    reset: Sequence[str] = ("positive", "missed"),
    recover: int = 2,
    windows: Mapping[str, Any] | None = None,
    **payout: Any,
) -> Program:
    """Two visits a week, on Monday and Thursday, that pay 2.00 and 1.00 more each time."""
    back = {"after": recover, "paid": "nth", "level": "last earned", "saved": "highest"}
    escalate = {"start": "2.00", "step": "1.00"}
    phase = {"weeks": "1-4", "escalate": escalate, "reset": {"on": [*reset]}, "recover": back}
    whole: dict[str, Any] = {
        "program": "four-weeks",
        "version": "1",
        "title": "Four weeks",
        "currency": "USD",
        "visits": [{"weeks": "1-4", "days": ["monday", "thursday"]}],
        "targets": {"tests": {"behavior": behavior, "schedule": [phase]}},
    }
    whole |= {"windows": windows} if windows else {}
    whole |= {"payout": {"when": "on request", **payout}} if payout else {}
    return parse_program(json.dumps(whole))


class TestSilencing:
    def test_keeps_a_finding_with_its_reason_and_puts_it_last(self) -> None:
        explored = explore(a_program(4, {"fixed": "9.00"}))
        loud, silent = findings(explored), findings(explored, silenced={"never": "a pilot of four weeks"})
        assert {each.rule for each in loud} == {each.rule for each in silent}
        assert (silent[-1].rule, silent[-1].silenced) == ("never", "a pilot of four weeks")
        assert silent[-1].form()["silenced"] == "a pilot of four weeks"

    def test_is_read_from_a_file_beside_the_program(self, tmp_path: Path) -> None:
        file = tmp_path / "silenced.yaml"
        file.write_text("flat: attendance is what counts\n", encoding="utf-8")
        assert load_silences(file) == {"flat": "attendance is what counts"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("flatt: why\n", ":1:1: error: flatt: there is no rule 'flatt'; did you mean 'flat'?"),
            ("flat: 3\n", ":1:7: error: flat: expected a reason in words"),
            ("- flat\n", ":1:1: error: expected the id of each rule with the reason"),
        ],
    )
    def test_refuses_a_file_that_is_wrong(self, tmp_path: Path, text: str, said: str) -> None:
        file = tmp_path / "silenced.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ProgramError) as refused:
            load_silences(file)
        assert said in str(refused.value)


def test_no_publication_says_which_days_belong_to_a_visit() -> None:
    for name in catalogue.program_ids():
        assert FOUND_IN_ALL in {each.rule for each in found_in_catalogue(name)}, name


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_that_is_made_now(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n{TABLES[name]()}<!--" in page, "renew it with: python -m tests.finding_tables"

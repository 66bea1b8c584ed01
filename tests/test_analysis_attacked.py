"""Programs with every rule there is, drawn by chance: exploring them says what `step` says."""

import json
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest

from cm_engine import Observation, Program, compile_rules, initial_state, parse_program, step
from cm_engine.analysis import Explored, distribution, explore, maximum, moments, visitwise
from cm_engine.analysis.actions import Action, Slot, actions_of
from cm_engine.analysis.purse import FreePurse, LimitedPurse
from cm_engine.errors import ProgramError, ResultsError, TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.compiled import Rules
from cm_engine.rules.essence import essence
from cm_engine.rules.state import Decision, State

NOT_MET = ["positive", "missed", "excused", "invalid", "refused"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
SYMBOLS = "-+oe*r_"
UNITS = {"USD": 2, "draw": 0, "pass": 0}


class Drawn(NamedTuple):
    program: Program
    start: date | None


class Drawing:
    """Draws a program by chance, small or large, such as the loader accepts more often than not."""

    def __init__(self, seed: int, weeks: int = 6, visits: int = 5) -> None:
        self.random = Random(seed)  # noqa: S311 - the same programs in every run
        self.weeks, self.visits = self.random.randint(1, weeks), visits
        self.bowl = self.chance(0.15)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def some(self, values: list[Any], low: int = 0) -> list[Any]:
        return self.random.sample(values, self.random.randint(low, len(values)))

    def unit(self) -> str:
        return self.random.choice(["USD", "USD", "USD", "draw", "pass"])

    def amount(self, unit: str, low: int = 0, high: int = 20) -> str:
        most = high if unit == "USD" else max(low, high // 5)
        whole = self.random.randint(low, most)
        return f"{whole}.{self.random.choice(['00', '00', '50', '25'])}" if unit == "USD" else str(whole)

    def document(self) -> dict[str, Any]:
        names = ["b", "a", "c"][: self.random.choice([1, 1, 2, 2, 3])]
        common = self.blocks()
        targets: dict[str, Any] = {}
        for place, name in enumerate(names):
            targets[name] = self.target(names[:place], targets)
        deposit = self.chance(0.25)
        document: dict[str, Any] = {
            "program": "a-test",
            "version": "1",
            "title": "A test",
            "currency": "USD",
            "units": {"pass": "passes"},
            "framing": self.random.choice(["gain", "loss"]),
            "targets": targets,
        }
        if any("visits" not in target for target in targets.values()):
            document["visits"] = common
        wanted = self.random.choice([0, 0, 1, 2, 3])
        milestones = {f"m{9 - each}": self.milestone(names) for each in range(wanted)}
        if deposit:
            document["deposit"] = {
                "stake": self.amount("USD", 1, 30),
                "loss": self.random.choice(["0", "1.00"]),
                "on": self.some(NOT_MET, 1),
            }
            for each in milestones.values():
                each["refunds"] = self.chance(0.5)
            milestones["back"] = {**self.milestone(names), "refunds": True}
        if milestones:
            document["milestones"] = milestones
        awards = self.awarded(document)
        if self.bowl and "draw" in awards:
            document["bowls"] = {"draw": self.drawn_from()}
        document["limits"] = [self.limit(awards) for _ in range(self.random.choice([0, 0, 1, 1, 2, 3]))]
        if self.chance(0.2):
            document["closures"] = [self.closure() for _ in range(self.random.randint(1, 3))]
            if self.chance(0.5):
                document["open_on"] = self.some(WEEKDAYS, 1)
        if self.chance(0.1):
            document["payout"] = {"when": "set days", "days": ["friday"], "expires_after": 9}
        return document

    def awarded(self, document: dict[str, Any]) -> list[str]:
        phases = [phase for target in document["targets"].values() for phase in target["schedule"]]
        options = [option for phase in phases for option in phase.get("choice", {}).values()]
        paying = [*(phase for phase in phases if "choice" not in phase), *options]
        return sorted(
            {each.get("unit", "USD") for each in [*paying, *document.get("milestones", {}).values()]}
        )

    def drawn_from(self) -> dict[str, Any]:
        slips = {"none": {"count": 3, "value": "0"}, "small": {"count": 2, "value": "1.00"}}
        return {"slips": {**slips, "large": {"count": 1, "value": "5.50"}}}

    def weeks_of(self, parts: int) -> list[str]:
        cuts = (
            sorted(self.random.sample(range(1, self.weeks), min(parts, self.weeks) - 1))
            if self.weeks > 1
            else []
        )
        return [f"{first + 1}-{last}" for first, last in pairwise([0, *cuts, self.weeks])]

    def blocks(self) -> list[dict[str, Any]]:
        return [self.block(weeks) for weeks in self.weeks_of(self.random.choice([1, 1, 2]))]

    def block(self, weeks: str) -> dict[str, Any]:
        kind = self.random.choice(["per_week", "per_week", "days", "program_days"])
        if kind == "per_week":
            block = {"weeks": weeks, "per_week": self.random.randint(0, self.visits)}
        elif kind == "days":
            block = {"weeks": weeks, "days": self.some(WEEKDAYS, 1)[: self.visits]}
        else:
            first, last = map(int, weeks.split("-"))
            days = list(range(7 * first - 6, 7 * last + 1))
            block = {"weeks": weeks, "program_days": self.random.sample(days, min(len(days), self.visits))}
        if kind != "program_days" and self.chance(0.3):
            block["every_weeks"] = 2
        if kind != "per_week" and self.chance(0.3):
            block["per_day"] = 2
        return block

    def target(self, above: list[str], targets: dict[str, Any]) -> dict[str, Any]:
        target: dict[str, Any] = {"behavior": self.random.choice(["abstinence", "attendance", "task"])}
        if self.chance(0.4):
            target["visits"] = self.blocks()
        phases: list[dict[str, Any]] = []
        for weeks in self.weeks_of(self.random.choice([1, 1, 2, 3])):
            before = phases[-1] if phases else None
            phases.append(self.carried(before, {"weeks": weeks, **self.phase()}))
        same = [name for name in above if ("visits" in targets[name]) == ("visits" in target)]
        if same and "visits" not in target and self.chance(0.5):
            for phase in phases:
                if self.chance(0.7):
                    phase["provided"] = self.random.choice(same)
        target["schedule"] = phases
        if self.chance(0.3):
            then = self.random.choice(["missed", "positive", "invalid", "refused"])
            of = self.random.choice(["excused", "excused", "invalid"])
            target["quotas"] = [
                {"of": of, "at_most": self.random.randint(0, 2), "per": per, "then": then}
                for per in self.some(["week", "month", "episode"], 1)[:2]
            ]
        if self.chance(0.2):
            target["retest"] = {
                "on": self.some(["invalid", "positive"], 1),
                "at_most": self.random.randint(1, 2),
            }
        return target

    def phase(self) -> dict[str, Any]:  # noqa: C901, PLR0912 - a branch for each kind of reward
        unit = self.unit()
        kind = self.random.choice(
            ["fixed", "escalate", "escalate", "escalate", "descend", "weekly", "choice", "together", "group"]
        )
        phase: dict[str, Any] = {} if unit == "USD" else {"unit": unit}
        every = self.random.choice([1, 1, 2, 3, "week"])
        reset = self.chance(0.7)
        if reset:
            phase["reset"] = {"on": self.some(NOT_MET, 1)} if self.chance(0.6) else {}
        if kind in {"fixed", "group"}:
            phase["fixed"] = self.amount(unit)
        elif kind == "escalate":
            phase["escalate"] = {
                "start": self.amount(unit, 0, 5),
                "step": self.amount(unit, 1, 5),
                "every": every,
            }
            if self.chance(0.6):
                phase["escalate"]["ceiling"] = self.amount(unit, 6 if unit == "USD" else 3, 40)
                if reset and self.chance(0.3):
                    phase["escalate"]["begins"] = "ceiling"
            if reset and self.chance(0.5):
                phase["recover"] = self.recover()
        elif kind == "descend":
            phase["descend"] = {
                "start": self.amount(unit, 10, 20),
                "step": self.amount(unit, 1, 5),
                "every": every,
                "floor": self.amount(unit, 0, 1),
            }
        elif kind == "weekly":
            phase["weekly"] = {"all": self.amount(unit, 10, 20), "some": self.amount(unit, 0, 1)}
        elif kind == "choice":
            phase.pop("unit", None)
            phase["choice"] = {name: self.option() for name in self.some(["cash", "bus", "art"], 2)}
        else:
            phase["together"] = [self.amount(unit) for _ in range(self.random.randint(1, 4))]
        if kind in {"together", "group"}:
            size = len(phase["together"]) if kind == "together" else self.random.randint(1, 4)
            if kind == "group" or self.chance(0.5):
                phase["group"] = {
                    "size": size,
                    "need": self.random.randint(1, size),
                    "paid": self.random.choice(["all", "who met"]),
                }
        if "weekly" not in phase and "recover" not in phase and every != "week" and self.chance(0.2):
            phase["require"] = [self.random.randint(1, 3) for _ in range(self.random.randint(1, 3))]
        elif kind not in {"weekly", "choice"} and self.chance(0.3):
            phase["bonus"] = {"amount": self.amount(unit, 1, 9), "every": self.random.randint(1, 4)}
        if kind != "weekly" and self.chance(0.1):
            phase["hours"] = 2
        return phase

    def option(self) -> dict[str, Any]:
        unit = self.unit()
        return {"amount": self.amount(unit), **({} if unit == "USD" else {"unit": unit})}

    def recover(self) -> dict[str, Any]:
        return {
            "after": self.random.randint(1, 4),
            "paid": self.random.choice(["nth", "next"]),
            "level": self.random.choice(["last earned", "next step"]),
            "saved": self.random.choice(["highest", "latest"]),
        }

    def carried(self, before: dict[str, Any] | None, phase: dict[str, Any]) -> dict[str, Any]:
        """Go on where the phase before stood, with amounts and recovery of its own, if both can."""
        if before is None or "escalate" not in before or "require" in before or self.chance(0.4):
            return phase
        if before["escalate"].get("begins"):
            return phase
        unit, every = before.get("unit", "USD"), before["escalate"]["every"]
        after: dict[str, Any] = {"weeks": phase["weeks"], "carry": True}
        after |= {key: before[key] for key in ("unit", "reset") if key in before}
        after["escalate"] = {
            "start": self.amount(unit, 0, 5),
            "step": self.amount(unit, 1, 5),
            "every": every,
        }
        if self.chance(0.5):
            after["escalate"]["ceiling"] = self.amount(unit, 6 if unit == "USD" else 3, 40)
        if "reset" in before and self.chance(0.6):
            after["recover"] = self.recover()
        if self.chance(0.3):
            after["bonus"] = {"amount": self.amount(unit, 1, 9), "every": self.random.randint(1, 4)}
        return after

    def milestone(self, names: list[str]) -> dict[str, Any]:
        kind = self.random.choice(["run", "count", "visits", "week", "end_of", "event", "event count"])
        when: dict[str, Any] = {}
        if "event" in kind:
            when["event"] = self.random.choice(["zest", "alma", "deposit"])
            if kind == "event count":
                when["count"] = self.random.randint(1, 2)
        elif kind == "week":
            when["week"] = self.random.choice(["all", "some", 1, 2])
        elif kind == "end_of":
            first = self.random.randint(1, self.weeks)
            when |= {
                "end_of": f"{first}-{self.random.randint(first, self.weeks)}",
                "at_least": self.random.randint(1, 2),
            }
        else:
            when[kind] = self.random.randint(1, 3)
        if "event" not in when and self.chance(0.6):
            when["targets"] = self.some(names, 1)
        unit = self.unit()
        found: dict[str, Any] = {"says": "it", "when": when, "amount": self.amount(unit, 1, 15)}
        if unit != "USD":
            found["unit"] = unit
        if kind != "end_of" and self.chance(0.5):
            found["repeats"] = True
            if self.chance(0.6):
                found["at_most"] = self.random.randint(1, 3)
        if kind in {"run", "count", "visits"} and self.chance(0.4):
            found["resets_on"] = self.some(NOT_MET, 1)
        return found

    def limit(self, awards: list[str]) -> dict[str, Any]:
        unit = self.random.choice([*awards, "USD"])
        per = self.random.choice(
            ["reward", "day", "week", "month", "calendar year", "grant year", "rolling days", "episode"]
        )
        crossing = self.random.choice(["truncate", "withhold", "stop"])
        if per in {"reward", "rolling days"} and crossing == "stop":
            crossing = "withhold"
        amount: Any = self.amount(unit, 0, 60)
        if self.chance(0.2):
            amount = {"before": amount, self.day().isoformat(): self.amount(unit, 0, 60)}
        limit = {"amount": amount, "per": per, "crossing": crossing}
        if unit != "USD":
            limit["unit"] = unit
        if per == "grant year":
            limit["begins"] = self.random.choice(["01-01", "12-28", "02-29", "01-04"])
        if per == "rolling days":
            limit["days"] = self.random.randint(1, 15)
        if per not in {"reward", "week", "episode"} and self.chance(0.2):
            limit[self.random.choice(["payer", "fund"])] = "county"
        return limit

    def day(self) -> date:
        return date(2025, 12, 18) + timedelta(days=self.random.randint(0, 40))

    def closure(self) -> dict[str, Any]:
        first = self.day()
        return {
            "first": first.isoformat(),
            "last": (first + timedelta(days=self.random.randint(0, 9))).isoformat(),
        }


def drawn(seed: int, weeks: int = 6, visits: int = 5) -> Drawn | None:
    """Return a program by chance, with its start; None if the loader refuses it."""
    drawing = Drawing(seed, weeks, visits)
    try:
        program = parse_program(json.dumps(drawing.document()))
    except ProgramError:
        return None
    needs_start = compile_rules(program).needs_start or bool(program.closures)
    start = date(2025, 12, 18) + timedelta(days=drawing.random.randint(0, 14))
    return Drawn(program, start if needs_start or drawing.chance(0.5) else None)


class Seat(NamedTuple):
    """A slot with the place of its automaton, and its own place there."""

    slot: Slot
    automaton: int
    place: int


def seats(explored: Explored) -> list[Seat]:
    """Return all slots in the order in which they are decided."""
    found = [
        Seat(slot, index, place)
        for index, automaton in enumerate(explored.automata)
        for place, slot in enumerate(automaton.slots)
    ]
    return sorted(found, key=lambda each: (each.slot.day, each.slot.target, each.automaton, each.place))


def chosen(random: Random, actions: tuple[Action, ...]) -> Action:
    met = [each for each in actions if each.symbol in "-!"]
    return random.choice(met if random.random() < 0.6 else list(actions))


class Tables:
    """Walks the tables of an exploration, with the purses of every unit."""

    def __init__(self, explored: Explored) -> None:
        self.explored = explored
        self.states = [automaton.start for automaton in explored.automata]
        self.purses: dict[tuple[Unit, tuple[int, ...]], LimitedPurse | FreePurse] = {
            (unit, cluster.automata): (LimitedPurse if cluster.is_limited else FreePurse)(explored, unit)
            for unit in explored.units
            for cluster in explored.clusters_of(unit)
        }
        self.held = dict.fromkeys(self.purses, 0)

    def act(self, seat: Seat, action: Action) -> tuple[dict[Unit, int], bool, tuple[str, ...], str]:
        automaton = self.explored.automata[seat.automaton]
        table = automaton.table(seat.place)
        row, column = table.rows[self.states[seat.automaton]], table.actions.index(action)
        self.states[seat.automaton] = int(table.after[row, column])
        part, paid = int(table.parts[row, column]), {}
        for key, purse in self.purses.items():
            if seat.automaton in key[1]:
                (way,) = purse.ways(self.held[key], part, purse.like(self.explored.when(seat.slot)))
                self.held[key], paid[key[0]] = way.to, way.paid
        codes = self.explored.reasons[int(table.reasons[row, column])]
        read = chr(table.reads[row, column]) if table.reads[row, column] else ""
        return paid, bool(table.stays[row, column]), codes, read


def by_step(rules: Rules, state: State, slot: Slot, action: Action) -> tuple[State, dict[Unit, int], str]:
    name = "" if slot.event else rules.targets[slot.target].name
    observation = action.observation(name, slot.event)
    if observation is None:
        return state, {}, ""
    after, decision = step(rules, state, observation, foretell=False)
    return after, {award.unit: award.amount for award in decision.paid}, decision.outcome


def next_of(random: Random, rules: Rules, state: State) -> Observation | None:
    """Return what may be seen next: mostly by the plan, at times of another target, an event, or on a later day."""
    weekday = state.start.weekday() if state.start else 0
    left = [each for each in rules.targets if state.tracks[each.index].visits < len(each.visits)]
    if rules.events and random.random() < (0.08 if left else 0.5):
        return Observation(event=random.choice(rules.events))
    if not left:
        return None
    planned = min(left, key=lambda each: each.visits[state.tracks[each.index].visits].days[weekday])
    target = planned if random.random() < 0.8 else random.choice(left)
    actions = actions_of(rules, Slot(0, target.index, state.tracks[target.index].visits))
    seen = chosen(random, actions).observation(target.name)
    late = state.last is not None and random.random() < 0.1
    day = state.last + timedelta(days=random.randint(0, 9)) if late and state.last else None
    return seen._replace(on=day) if seen else None


def decided(rules: Rules, state: State, observation: Observation) -> tuple[State, Decision | None]:
    """Return what `step` makes of an observation; nothing where it refuses it."""
    try:
        return step(rules, state, observation, foretell=False)
    except ResultsError:
        return state, None


def test_the_essence_of_a_state_is_paid_as_the_state_is_whatever_comes() -> None:
    for seed in range(250):
        if (case := drawn(seed)) is None:
            continue
        random, rules = Random(seed), compile_rules(case.program)  # noqa: S311 - of a test
        state = initial_state(rules, case.start)
        short = essence(rules, state)
        while observation := next_of(random, rules, state):
            state, full = decided(rules, state, observation)
            after, same = decided(rules, short, observation)
            assert (full and full.paid) == (same and same.paid), (seed, observation)
            short = essence(rules, after)
            assert short == essence(rules, state), (seed, observation)


def test_the_tables_pay_what_step_pays_slot_by_slot() -> None:
    for seed in range(60):
        case = drawn(seed, weeks=4, visits=3)
        if case is None or (case.program.bowls and case.program.limits):
            continue
        try:
            explored = explore(case.program, start=case.start, most=2_000)
        except TooManyStatesError:
            continue
        for turn in range(4):
            walk(explored, Random(f"{seed}/{turn}"))  # noqa: S311 - of a test


def walk(explored: Explored, random: Random) -> None:
    """Go one way through the tables, and look that `step` pays and reads the same on it."""
    state, tables = initial_state(explored.rules, explored.start), Tables(explored)
    units = [each for each in explored.units if each != explored.money or not explored.program.bowls]
    for seat in seats(explored):
        stays = True
        while stays:
            action = chosen(random, explored.automata[seat.automaton].table(seat.place).actions)
            paid, stays, _, read = tables.act(seat, action)
            state, true, outcome = by_step(explored.rules, state, seat.slot, action)
            assert [paid.get(unit, 0) for unit in units] == [true.get(unit, 0) for unit in units]
            assert read == outcome
            assert stays == (not seat.slot.event and state.tracks[seat.slot.target].visits == seat.slot.visit)


def a_program(weeks: int, schedule: list[dict[str, Any]], visits: dict[str, Any], **more: Any) -> Program:
    form = {"program": "a-test", "version": "1", "title": "A test", "currency": "USD"}
    plan = [{"weeks": f"1-{weeks}", **visits}]
    targets = {"task": {"behavior": "task", "schedule": schedule}}
    return parse_program(json.dumps({**form, "visits": plan, "targets": targets, **more}))


TEN = [{"weeks": "1-2", "fixed": "10.00"}]
INTAKE = {"in": {"says": "in", "when": {"event": "intake"}, "amount": "10.00"}}


class TestWhatAnAttackFound:
    def test_a_limit_on_draws_cuts_what_they_win(self) -> None:
        explored = explore(
            a_program(
                2,
                [{"weeks": "1-2", "unit": "draw", "fixed": "3"}],
                {"per_week": 1},
                bowls={"draw": {"slips": {"one": {"count": 1, "value": "1.00"}}}},
                limits=[{"unit": "draw", "amount": "4", "per": "episode", "crossing": "truncate"}],
            )
        )
        money = explored.units[0]
        assert maximum(explored, money).amount == 400
        assert moments(explored, visitwise(1), money).mean == 400
        assert distribution(explored, visitwise(1), money).mean == 400

    @pytest.mark.parametrize(("per", "day"), [("day", 3), ("week", 8)])
    def test_an_event_before_the_first_visit_falls_into_the_windows_of_the_start(
        self, per: str, day: int
    ) -> None:
        limit = {"amount": "10.00", "per": per, "crossing": "truncate"}
        plan = {"program_days": [day]}
        explored = explore(a_program(2, TEN, plan, milestones=INTAKE, limits=[limit]))
        assert maximum(explored, explored.units[0]).amount == 2_000

    def test_a_visit_put_off_to_an_open_day_puts_off_those_after_it(self) -> None:
        explored = explore(
            a_program(
                1,
                [{"weeks": "1-1", "fixed": "10.00"}],
                {"days": ["monday", "wednesday", "friday"]},
                closures=[{"first": "2026-01-05"}],
                open_on=["friday"],
                limits=[{"amount": "10.00", "per": "day", "crossing": "truncate"}],
            ),
            start=date(2026, 1, 5),
        )
        assert maximum(explored, explored.units[0]).amount == 1_000

    def test_a_deposit_that_a_milestone_counts_is_paid_in_once(self) -> None:
        milestones = {
            "in": {"says": "in", "when": {"event": "deposit", "count": 2}, "amount": "10.00"},
            "back": {"says": "back", "when": {"count": 1}, "refunds": True},
        }
        explored = explore(
            a_program(2, TEN, {"per_week": 1}, deposit={"stake": "5.00"}, milestones=milestones)
        )
        slots = explored.automata[0].slots
        assert [slot.event for slot in slots] == ["deposit", "", ""]

    def test_limits_look_at_events_after_the_last_visit(self) -> None:
        limit = {"amount": "25.00", "per": "episode", "crossing": "truncate"}
        rules = compile_rules(a_program(2, TEN, {"per_week": 1}, milestones=INTAKE, limits=[limit]))
        state = initial_state(rules)
        for _ in range(2):
            state = essence(rules, step(rules, state, Observation("-"))[0])
        assert step(rules, state, Observation(event="intake"))[1].paid[0].amount == 500

    def test_a_deposit_is_refused_still_where_the_end_that_returns_it_is_over(self) -> None:
        milestones = {"back": {"says": "back", "when": {"end_of": "1-1"}, "refunds": True}}
        program = a_program(2, TEN, {"per_week": 1}, deposit={"stake": "5.00"}, milestones=milestones)
        rules = compile_rules(program)
        state = essence(rules, step(rules, initial_state(rules), Observation("+"))[0])
        with pytest.raises(ResultsError, match="nothing can return a deposit"):
            step(rules, state, Observation(event="deposit"))

    def test_a_week_that_a_closure_puts_off_is_not_over_with_the_visit_of_another_target(self) -> None:
        first, second = ({"weeks": "1-1", "per_week": 0}, {"weeks": "2-2", "per_week": 1})
        targets = {
            "late": {"behavior": "task", "visits": [first, second], "schedule": TEN},
            "task": {"behavior": "task", "schedule": TEN},
        }
        program = a_program(
            2,
            TEN,
            {"days": ["monday", "tuesday"]},
            targets=targets,
            closures=[{"first": "2026-01-06", "last": "2026-01-11"}],
            limits=[{"amount": "15.00", "per": "week", "crossing": "truncate"}],
        )
        rules = compile_rules(program)
        state = initial_state(rules, date(2026, 1, 5))
        state = essence(rules, step(rules, state, Observation("-", target="task"))[0])
        assert step(rules, state, Observation("-", target="task"))[1].paid[0].amount == 500

    def test_a_condition_in_weeks_without_visits_is_looked_back_on_by_nobody(self) -> None:
        visits = [{"weeks": "1-1", "per_week": 1}, {"weeks": "2-2", "per_week": 0}]
        targets = {
            "a": {"behavior": "task", "schedule": TEN},
            "b": {
                "behavior": "task",
                "schedule": [
                    {"weeks": "1-1", "fixed": "1.00"},
                    {"weeks": "2-2", "fixed": "1.00", "provided": "a"},
                ],
            },
        }
        form = {"program": "a-test", "version": "1", "title": "A test", "currency": "USD"}
        explored = explore(parse_program(json.dumps({**form, "visits": visits, "targets": targets})))
        assert maximum(explored, explored.units[0]).amount == 1_100

    def test_too_many_histories_of_a_limit_are_refused_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cm_engine.analysis.purse.MOST_HELD", 1_000)
        rising = {"escalate": {"start": "1.01", "step": "0.37"}, "reset": {}}
        limit = {"amount": "60.00", "per": "rolling days", "days": 30, "crossing": "truncate"}
        explored = explore(a_program(12, [{"weeks": "1-12", **rising}], {"per_week": 3}, limits=[limit]))
        for figure in (
            lambda unit: moments(explored, visitwise("0.7"), unit),
            lambda unit: maximum(explored, unit),
        ):
            with pytest.raises(TooManyStatesError, match="simulate it") as refused:
                figure(explored.units[0])
            assert 0 < refused.value.slot < refused.value.slots

"""Programs with evidence, groups, milestones and deposits: drawn, as the oracle reads them, and as a file."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import strategies as st

from cm_engine import Evidence, Observation, Program, parse_program
from tests.oracle_reading import (
    EVER,
    READS,
    Block,
    Bound,
    Criterion,
    Deposit,
    Description,
    Goal,
    Group,
    Look,
    Milestone,
    Panel,
    Percentile,
    Phase,
    Quota,
    Retest,
    Target,
    Told,
    closed,
    exceeded,
    flaw_name,
    in_weeks,
    phase_of,
    planned_slots,
    reached,
    slots,
    target_values,
    tell_one,
    today,
    undated,
    visit_number,
)

NOT_MET = ["positive", "missed", "excused", "invalid", "refused"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ANALYTES = ["cocaine", "opiates", "thc"]
REASONS = ["illness", "court", "no bus"]
NAMES = ["one", "two", "three"]
EVENTS = ["intake", "score", "score", "job"]
KINDS = ["run", "count", "visits", "week", "end_of", "event"]
PLAIN_PANEL: Panel = {
    "analytes": [],
    "met_if": "all negative",
    "missing": "invalid",
    "prescribed": "negative",
    "presumptive": "counts",
}
PLAIN_LOOK: Look = {
    "target": "",
    "event": "",
    "result": "",
    "panel": {},
    "prescribed": [],
    "presumptive": False,
    "value": None,
    "conditions": [],
    "excuse": "",
    "choice": "",
    "group": None,
    "on": None,
}
PLAIN_MILESTONE: Milestone = {
    "targets": [],
    "kind": "count",
    "number": 1,
    "week": "all",
    "weeks": (1, 1),
    "event": "",
    "criterion": None,
    "amount": Decimal(1),
    "unit": "USD",
    "repeats": False,
    "at_most": None,
    "resets_on": [],
    "refunds": False,
}


class Areas(NamedTuple):
    """Which rules are drawn."""

    panels: bool = False
    flaws: bool = False
    criteria: bool = False
    groups: bool = False
    milestones: bool = False
    deposits: bool = False
    targets: int = 1


# As a program file


def program_of(description: Description) -> Program:
    """Write a description as a program file and load it."""
    return parse_program(json.dumps(document_of(description)))


def document_of(description: Description) -> dict[str, Any]:
    written: dict[str, Any] = {
        "program": "a-test",
        "version": "1",
        "title": "A test",
        "currency": "USD",
        "targets": {name: _target(target) for name, target in description["targets"].items()},
        "closures": [
            {"first": first.isoformat(), "last": last.isoformat()} for first, last in description["closures"]
        ],
        "milestones": {name: _milestone(each) for name, each in description["milestones"].items()},
    }
    if description["open_on"]:
        written["open_on"] = [WEEKDAYS[day] for day in description["open_on"]]
    if deposit := description["deposit"]:
        written["deposit"] = {
            "stake": str(deposit["stake"]),
            "loss": str(deposit["loss"]),
            "on": deposit["on"],
        }
    return written


def observation_of(look: Look) -> Observation:
    evidence = Evidence(
        panel=tuple(look["panel"].items()),
        prescribed=tuple(look["prescribed"]),
        presumptive=look["presumptive"],
        value=look["value"],
        conditions=tuple(look["conditions"]),
        excuse=look["excuse"],
        choice=look["choice"],
        group=look["group"],
    )
    return Observation(
        look["result"],
        on=look["on"],
        target=look["target"],
        evidence=None if evidence == Evidence() else evidence,
        event=look["event"],
    )


def _weeks(weeks: tuple[int, int]) -> str:
    return f"{weeks[0]}-{weeks[1]}"


def _block(block: Block) -> dict[str, Any]:
    written: dict[str, Any] = {"weeks": _weeks(block["weeks"])}
    if block["every_weeks"] > 1:
        written["every_weeks"] = block["every_weeks"]
    if block["program_days"]:
        written["program_days"] = block["program_days"]
    elif block["per_week"] is None:
        written["days"] = [WEEKDAYS[day] for day in block["days"]]
    else:
        written["per_week"] = block["per_week"]
    if block["per_day"] > 1:
        written["per_day"] = block["per_day"]
    return written


def _target(target: Target) -> dict[str, Any]:
    panel: dict[str, Any] = {
        key: value for key, value in target["panel"].items() if value != PLAIN_PANEL.get(key)
    }
    if any(phase["criterion"] for phase in target["phases"]):
        panel["measure"] = "ng/mL"
    written: dict[str, Any] = {
        "behavior": "abstinence",
        "visits": [_block(block) for block in target["visits"]],
        "evidence": panel,
        "schedule": [_phase(phase) for phase in target["phases"]],
    }
    others = {key: target[key] for key in ("reads", "excuses", "quotas", "retest")}
    return written | {key: value for key, value in others.items() if value}


def _phase(phase: Phase) -> dict[str, Any]:
    written: dict[str, Any] = {"weeks": _weeks(phase["weeks"]), **_reward(phase)}
    if phase["reset"]:
        written["reset"] = {}
    if phase["group"]:
        written["group"] = phase["group"]
    if phase["provided"]:
        written["provided"] = phase["provided"]
    if phase["criterion"]:
        written["criterion"] = _criterion(phase["criterion"])
    return written


def _reward(phase: Phase) -> dict[str, Any]:
    if phase["choice"]:
        options = {
            each["name"]: {"amount": str(each["amount"]), "unit": each["unit"]} for each in phase["choice"]
        }
        return {"choice": options}
    if phase["together"]:
        return {"unit": phase["unit"], "together": [str(amount) for amount in phase["together"]]}
    ladder = phase["ladder"]
    if not ladder["step"]:
        return {"unit": phase["unit"], "fixed": str(ladder["start"])}
    return {
        "unit": phase["unit"],
        "escalate": {"start": str(ladder["start"]), "step": str(ladder["step"])},
    }


def _criterion(criterion: Criterion) -> dict[str, Any]:
    rule = criterion["rule"]
    if rule["kind"] == "threshold":
        written: dict[str, Any] = {"threshold": _bound(rule)}
    else:
        unsaid = {"kind", "rounding"} if rule["kind"] == "percentile" and rule["w"] is None else {"kind"}
        keys = {key: value for key, value in rule.items() if key not in unsaid and value is not None}
        exact = {key: str(value) if isinstance(value, Decimal) else value for key, value in keys.items()}
        written = {rule["kind"]: exact}
    if criterion["always"]:
        written["always"] = _bound(criterion["always"])
    return written


def _bound(bound: Bound) -> dict[str, str]:
    return {bound["side"]: str(bound["value"])}


def _milestone(milestone: Milestone) -> dict[str, Any]:
    written: dict[str, Any] = {
        "says": "Well done",
        "when": _when(milestone),
        "amount": str(milestone["amount"]),
        "unit": milestone["unit"],
        "repeats": milestone["repeats"],
        "refunds": milestone["refunds"],
    }
    if milestone["at_most"]:
        written["at_most"] = milestone["at_most"]
    if milestone["resets_on"]:
        written["resets_on"] = milestone["resets_on"]
    return written


def _when(milestone: Milestone) -> dict[str, Any]:
    kind = milestone["kind"]
    written: dict[str, Any] = {"targets": milestone["targets"]} if milestone["targets"] else {}
    if kind == "event":
        written["event"] = milestone["event"]
        if milestone["number"] > 1:
            written["count"] = milestone["number"]
        if milestone["criterion"]:
            written["criterion"] = _criterion(milestone["criterion"])
    elif kind == "week":
        written["week"] = milestone["week"]
    elif kind == "end_of":
        written |= {"end_of": _weeks(milestone["weeks"]), "at_least": milestone["number"]}
    else:
        written[kind] = milestone["number"]
    return written


# Programs


@st.composite
def descriptions(draw: st.DrawFn, areas: Areas) -> Description:
    """Draw a program that the loader accepts, and when and after what it begins."""
    start = draw(st.none() | st.dates(date(2025, 1, 1), date(2026, 12, 31)))
    weeks = draw(st.integers(1, 4))
    names = NAMES[: draw(st.integers(1, areas.targets))]
    targets: dict[str, Target] = {}
    for name in names:
        targets[name] = draw(target(areas, weeks, start, targets))
    found = draw(milestones(names, weeks)) if areas.milestones else {}
    staked = draw(deposits()) if areas.deposits else None
    if staked:
        kinds = draw(st.sampled_from([KINDS, ["visits", "end_of"], ["end_of"]]))
        for n in range(draw(st.integers(1, 2))):
            found[f"refund-{n}"] = {**draw(milestone(names, weeks, kinds)), "refunds": True}
    measured = [name for name in names if any(p["criterion"] for p in targets[name]["phases"])]
    shut = draw(closures(start)) if areas.flaws and start else []
    return {
        "targets": targets,
        "closures": shut,
        "open_on": sorted(draw(st.sets(st.integers(0, 6), max_size=3))) if shut else [],
        "milestones": {name: _fitted(each, targets, weeks, start) for name, each in found.items()},
        "deposit": staked,
        "start": start,
        "before": {
            name: draw(st.lists(values(), min_size=1, max_size=4)) for name in measured if draw(st.booleans())
        },
    }


def _fitted(found: Milestone, targets: dict[str, Target], weeks: int, start: date | None) -> Milestone:
    """Ask for no more visits than there are."""
    names = found["targets"] or list(targets)
    planned = [slot.week for name in names for slot in planned_slots(targets[name], start)]
    inside = [week for week in planned if found["weeks"][0] <= week <= found["weeks"][1]]
    if found["kind"] == "week" and isinstance(found["week"], int):
        return {**found, "week": min(found["week"], max(planned.count(week) for week in planned))}
    if found["kind"] == "end_of" and not inside:
        return {**found, "weeks": (1, weeks), "number": 1}
    most = {"event": found["number"], "end_of": len(inside)}.get(found["kind"], len(planned))
    return {**found, "number": min(found["number"], most)}


@st.composite
def target(draw: st.DrawFn, areas: Areas, weeks: int, start: date | None, above: dict[str, Target]) -> Target:
    first = next(iter(above.values()), None)
    same = first is not None and areas.groups and draw(st.integers(0, 3)) > 0
    edges = sorted({0, weeks, *draw(st.sets(st.integers(1, weeks), max_size=1))})
    visits = first["visits"] if first and same else draw(visit_blocks(weeks, start))
    providers = [name for name, other in above.items() if other["visits"] == visits]
    bounds_of = st.lists(quotas(start), max_size=2, unique_by=lambda each: (each["of"], each["per"]))
    bounded = draw(bounds_of) if areas.flaws else []
    phases = [draw(phase(areas, (low + 1, high), providers)) for low, high in pairwise(edges)]
    return {
        "visits": visits,
        "panel": draw(panels()) if areas.panels else PLAIN_PANEL,
        "reads": draw(reads([quota["of"] for quota in bounded])) if areas.flaws else {},
        "excuses": draw(st.lists(st.sampled_from(REASONS[:2]), unique=True)) if areas.flaws else [],
        "quotas": bounded,
        "retest": draw(st.none() | retests()) if areas.flaws else None,
        "phases": one_recent(phases),
    }


def one_recent(phases: list[Phase]) -> list[Phase]:
    """Let goals look back as far as any phase: the engine lets them, and the text gives each a number of its own."""
    rules = [each["criterion"]["rule"] for each in phases if each["criterion"]]
    goals_there = [rule for rule in rules if rule["kind"] == "goal"]
    windows = [rule["window"] for rule in rules if rule["kind"] == "percentile"]
    for goal in goals_there:
        goal["recent"] = max([*windows, *(each["recent"] for each in goals_there)])
    return phases


@st.composite
def visit_blocks(draw: st.DrawFn, weeks: int, start: date | None) -> list[Block]:
    kinds = ["per_week", "per_week", "program_days", *(["days"] if start else [])]
    kind = draw(st.sampled_from(kinds))
    days = st.sets(st.integers(1, 7 * weeks), min_size=1, max_size=6)
    return [
        {
            "weeks": (1, weeks),
            "every_weeks": draw(st.integers(1, 2)) if kind == "per_week" else 1,
            "per_week": draw(st.integers(1, 4)) if kind == "per_week" else None,
            "days": sorted(draw(st.sets(st.integers(0, 6), min_size=1, max_size=3)))
            if kind == "days"
            else [],
            "program_days": sorted(draw(days)) if kind == "program_days" else [],
            "per_day": 1 if kind == "per_week" else draw(st.integers(1, 2)),
        }
    ]


@st.composite
def closures(draw: st.DrawFn, start: date) -> list[tuple[date, date]]:
    spans = draw(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=1, max_size=2))
    found: list[tuple[date, date]] = []
    for gap, length in spans:
        first = (found[-1][1] + timedelta(days=1) if found else start) + timedelta(days=gap)
        found.append((first, first + timedelta(days=length)))
    return found


@st.composite
def phase(draw: st.DrawFn, areas: Areas, weeks: tuple[int, int], providers: Sequence[str]) -> Phase:
    unit = draw(st.sampled_from(["USD", "USD", "draw"]))
    plain: Phase = {
        "weeks": weeks,
        "unit": unit,
        "ladder": {"start": draw(amounts(unit)), "step": draw(st.just(Decimal(0)) | amounts(unit))},
        "reset": draw(st.booleans()),
        "choice": [],
        "together": [],
        "group": None,
        "provided": None,
        "criterion": draw(criteria()) if areas.criteria and draw(st.integers(0, 3)) else None,
    }
    return draw(shared(plain, providers)) if areas.groups else plain


@st.composite
def shared(draw: st.DrawFn, plain: Phase, providers: Sequence[str]) -> Phase:
    """Draw how others and the participant's own choice come into a phase."""
    found: Phase = {**plain, "provided": draw(st.sampled_from([*providers, None]))}
    kind = draw(st.sampled_from(["plain", "choice", "group", "together"]))
    if kind == "choice":
        units = draw(st.lists(st.sampled_from(["USD", "draw"]), min_size=2, max_size=3))
        options = [
            {"name": f"option-{n}", "unit": unit, "amount": draw(amounts(unit))}
            for n, unit in enumerate(units)
        ]
        return {**found, "choice": options, "reset": False}  # type: ignore[typeddict-item]
    if kind == "plain":
        return found
    size = draw(st.integers(1, 4))
    paid = draw(st.sampled_from(["who met", "all"]))
    found["group"] = {"size": size, "need": draw(st.integers(1, size)), "paid": paid}  # type: ignore[typeddict-item]
    if kind == "together":
        together = st.lists(amounts(plain["unit"]), min_size=size, max_size=size)
        return {**found, "together": draw(together), "reset": False}
    return found


def amounts(unit: str) -> st.SearchStrategy[Decimal]:
    """Amounts of a unit: whole things, or cents."""
    return (
        st.integers(1, 9).map(Decimal)
        if unit == "draw"
        else st.integers(1, 999).map(lambda n: Decimal(n) / 100)
    )


def values() -> st.SearchStrategy[Decimal]:
    """Values that often are equal, or a share apart."""
    return st.sampled_from([Decimal(n) for n in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16)])


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    listed = draw(st.lists(st.sampled_from(ANALYTES), unique=True))
    found: Panel = {
        "analytes": listed,
        "met_if": draw(st.sampled_from(["all negative", "all positive", "any positive"])),
        "missing": draw(st.sampled_from(["invalid", "positive", "ignored"])) if listed else "invalid",
        "prescribed": draw(st.sampled_from(["negative", "invalid", "positive"])),
        "presumptive": draw(st.sampled_from(["counts", "positive waits", "waits"])),
    }
    if found["met_if"] == "all negative":
        return found
    missing = "invalid" if found["missing"] == "positive" else found["missing"]
    return {**found, "missing": missing, "prescribed": "negative"}


@st.composite
def reads(draw: st.DrawFn, bounded: Sequence[str]) -> dict[str, str]:
    """Draw what conditions are read as; only one with a quota may leave a visit open."""
    found = draw(
        st.dictionaries(st.sampled_from(sorted(READS)), st.sampled_from(["as tested", *NOT_MET]), max_size=3)
    )
    return found | {of: "open" for of in bounded if of in READS and draw(st.integers(0, 2)) > 0}


@st.composite
def quotas(draw: st.DrawFn, start: date | None) -> Quota:
    of = draw(st.sampled_from(["excused", "rescheduled", "rescheduled", "makeup", "late", "invalid"]))
    return {
        "of": of,
        "at_most": draw(st.integers(0, 3)),
        "per": draw(
            st.sampled_from(["week", "episode", *([] if start else ["week", "episode"] * 3), "month"])
        ),
        "then": draw(st.sampled_from([name for name in NOT_MET if name != of])),
    }


@st.composite
def retests(draw: st.DrawFn) -> Retest:
    on = draw(st.lists(st.sampled_from(NOT_MET), min_size=1, max_size=2, unique=True))
    return {"on": on, "at_most": draw(st.integers(1, 2))}


@st.composite
def criteria(draw: st.DrawFn) -> Criterion:
    rule = draw(st.one_of(bounds(), falls(), percentiles(), goals(), goals()))
    return {"rule": rule, "always": draw(st.none() | bounds()) if rule["kind"] != "threshold" else None}


@st.composite
def bounds(draw: st.DrawFn) -> Bound:
    side = draw(st.sampled_from(["at_most", "below", "at_least", "above"]))
    return {"kind": "threshold", "side": side, "value": draw(values())}  # type: ignore[typeddict-item]


def falls() -> st.SearchStrategy[Any]:
    shares = st.sampled_from([Decimal(text) for text in ("0.10", "0.20", "0.25", "0.50", "1")])
    return st.fixed_dictionaries(
        {
            "kind": st.just("fall"),
            "share": shares,
            "since": st.sampled_from(["last", "baseline"]),
            "daily": st.sampled_from([None, "linear", "compound"]),
        }
    ).map(_daily_since_last)


def _daily_since_last(fall: dict[str, Any]) -> dict[str, Any]:
    return {**fall, "since": "last"} if fall["daily"] else fall


@st.composite
def percentiles(draw: st.DrawFn) -> Percentile:
    window = draw(st.integers(1, 5))
    found: Percentile = {
        "kind": "percentile",
        "window": window,
        "rank": draw(st.integers(1, window)),
        "w": None,
        "rounding": "nearest",
        "direction": draw(st.sampled_from(["below", "above"])),
        "ties": draw(st.sampled_from(["met", "not met"])),
    }
    by_chance = {(m, w, r) for m, w, r in RANKS if m == window}
    if draw(st.booleans()):
        _, w, rounding = draw(st.sampled_from(sorted(by_chance)))
        return {**found, "rank": None, "w": w, "rounding": rounding}  # type: ignore[typeddict-item]
    return found


def _fits(window: int, w: Decimal, rounding: str) -> bool:
    """Whether k is surely a rank of the window, and not half way without a word on it."""
    exact = (window + 1) * (1 - w)
    return 1 <= exact <= window and (rounding != "nearest" or exact % 1 != Decimal("0.5"))


RANKS = [
    (window, w, rounding)
    for window in range(1, 6)
    for w in (Decimal(n) / 20 for n in range(1, 20))
    for rounding in ("nearest", "half up", "half down", "up", "down")
    if _fits(window, w, rounding)
]


@st.composite
def goals(draw: st.DrawFn) -> Goal:
    start = draw(values())
    return {
        "kind": "goal",
        "start": start,
        "step": draw(st.sampled_from([Decimal(n) for n in (1, 2, 3)])),
        "top": draw(st.none() | st.integers(1, 9).map(lambda n: start + n)),
        "recent": draw(st.integers(1, 4)),
    }


@st.composite
def milestones(draw: st.DrawFn, names: list[str], weeks: int) -> dict[str, Milestone]:
    found = draw(st.lists(milestone(names, weeks), min_size=1, max_size=4))
    return {f"milestone-{n}": each for n, each in enumerate(found)}


@st.composite
def milestone(draw: st.DrawFn, names: list[str], weeks: int, kinds: Sequence[str] = KINDS) -> Milestone:
    kind = draw(st.sampled_from(kinds))
    unit = draw(st.sampled_from(["USD", "draw"]))
    first, last = sorted([draw(st.integers(1, weeks)), draw(st.integers(1, weeks))])
    resets = st.lists(st.sampled_from(NOT_MET), max_size=2, unique=True)
    listed = st.lists(st.sampled_from(names), unique=True)
    repeats = kind != "end_of" and draw(st.booleans())
    found: Milestone = {
        **PLAIN_MILESTONE,
        "kind": kind,  # type: ignore[typeddict-item]
        "targets": draw(listed) if kind != "event" else [],
        "number": draw(st.integers(1, 4)),
        "week": draw(st.sampled_from(["all", "some", 1, 2, 3, 5])),
        "weeks": (first, last),
        "amount": draw(amounts(unit)),
        "unit": unit,
        "repeats": repeats,
        "at_most": draw(st.none() | st.integers(1, 2)) if repeats else None,
        "resets_on": draw(resets) if kind in {"run", "count", "visits"} else [],
    }
    if kind != "event":
        return found
    event = draw(st.sampled_from(EVENTS))
    return {**found, "event": event, "criterion": draw(criteria()) if event == "score" else None}


@st.composite
def deposits(draw: st.DrawFn) -> Deposit:
    on = draw(st.lists(st.sampled_from(NOT_MET), min_size=1, max_size=3, unique=True))
    return {
        "stake": draw(st.integers(5, 20).map(Decimal)),
        "loss": draw(st.integers(0, 5).map(Decimal)),
        "on": on,
    }


# What is observed of them


@st.composite
def looks(draw: st.DrawFn, program: Description, areas: Areas) -> list[Look]:
    """Draw observations that fit a program, one after another."""
    found: list[Look] = []
    told: list[Told] = []
    for _ in range(draw(st.integers(2, 18))):
        choices = [*expected_targets(program, told), *news(program, told)]
        if not choices:
            break
        subject = draw(st.sampled_from(choices))
        is_event = subject not in program["targets"]
        on = draw(day(program, told, subject))
        plain: Look = {**PLAIN_LOOK, "event" if is_event else "target": subject, "on": on}  # type: ignore[misc]
        look = draw(event_look(plain) if is_event else visit_look(program, told, plain, areas))
        if left_open(program, told, look):
            break
        found.append(look)
        told.append(tell_one(program, told, look))
    return found


def left_open(program: Description, told: list[Told], look: Look) -> bool:
    """Whether the text can be read in two ways on an observation."""
    now = tell_one(program, told, look)
    if look["event"]:
        criteria = [m["criterion"] for m in program["milestones"].values() if m["event"] == look["event"]]
        days = [each.day for each in told if each.look["event"] == look["event"]]
        return now.day in days and any(c and _is_daily(c) for c in criteria)
    values = target_values(program, told, look["target"])
    criterion = phase_of(program, look["target"], now.week)["criterion"]
    same_day = bool(values) and values[-1].day == now.day
    if criterion and look["value"] is not None and same_day and _is_daily(criterion):
        return True  # how many days are none
    if now.retested and look["value"] is not None:
        return True  # whether the value of a specimen is remembered that asks for another one
    if look["on"] is None and closed(program, now.day):
        return True  # whether a visit without a date counts for the closed day of the observation before
    return _beyond_two(program, told, now)


def _is_daily(criterion: Criterion) -> bool:
    return criterion["rule"]["kind"] == "fall" and criterion["rule"]["daily"] is not None


def _beyond_two(program: Description, told: list[Told], now: Told) -> bool:
    """Whether a quota is exceeded above another: the text does not say if that one counts it as well."""
    quotas = program["targets"][now.look["target"]]["quotas"]
    return any(
        exceeded(program, told, now, quota) and any(other["of"] in now.uses for other in quotas[place:])
        for place, quota in enumerate(quotas, 1)
    )


def expected_targets(program: Description, told: list[Told]) -> list[str]:
    """The targets with a visit to be decided that waits for no other one."""
    return [
        name
        for name in program["targets"]
        if visit_number(told, name) < len(slots(program, name)) and not _needs_other(program, told, name)
    ]


def _needs_other(program: Description, told: list[Told], name: str) -> bool:
    visit = visit_number(told, name)
    provided = phase_of(program, name, slots(program, name)[visit].week)["provided"]
    return provided is not None and visit_number(told, provided) <= visit


def news(program: Description, told: list[Told]) -> list[str]:
    """The events that may be reported; the text does not say what becomes of a deposit paid in too late."""
    happened = {each.look["event"] for each in told}
    known = {each["event"] for each in program["milestones"].values() if each["kind"] == "event"}
    in_time = "deposit" not in happened and not too_late(program, told)
    stake = {"deposit"} if program["deposit"] and in_time else set()
    return sorted(known | stake)


def too_late(program: Description, told: list[Told]) -> bool:
    """Whether what could return a deposit was reached already, or the weeks of all of it are over."""
    returning = [m for m in program["milestones"].values() if m["refunds"]]
    over = [
        in_weeks(program, m, told, m["weeks"] if m["kind"] == "end_of" else EVER) is not None
        for m in returning
        if m["kind"] != "event"
    ]
    ends = range(1, len(told) + 1)
    return any(over) or any(reached(program, m, told[:end]) for m in returning for end in ends)


@st.composite
def day(draw: st.DrawFn, program: Description, told: list[Told], subject: str) -> date | None:
    """Draw the day of an observation: as planned, or between the last one and some days after."""
    start = program["start"]
    if start is None or draw(st.booleans()):
        return None
    last = today(told)
    if subject not in program["targets"]:
        return start + timedelta(days=draw(st.integers(last, last + 6)))
    planned = slots(program, subject)[visit_number(told, subject)].day
    shut = [each for each in range(last, planned + 6) if closed(program, each)]
    if shut and draw(st.integers(0, 2)) > 0:
        return start + timedelta(days=draw(st.sampled_from(shut)))
    return start + timedelta(days=draw(st.integers(last, max(last, planned) + 5)))


@st.composite
def event_look(draw: st.DrawFn, plain: Look) -> Look:
    return {**plain, "value": draw(values()) if plain["event"] == "score" else None}


@st.composite
def visit_look(draw: st.DrawFn, program: Description, told: list[Told], plain: Look, areas: Areas) -> Look:
    """Draw what is seen at the next visit of a target."""
    name = plain["target"]
    week = slots(program, name)[visit_number(told, name)].week
    phase = phase_of(program, name, week)
    is_measured = any(each["criterion"] for each in program["targets"][name]["phases"])
    if is_measured and draw(st.integers(0, 5)) == 0:
        shown: Look = {**plain, "result": "_", "value": draw(values())}
    else:
        shown = draw(shown_look(plain, phase, areas))
    if phase["choice"]:
        shown["choice"] = draw(st.sampled_from(["", *(each["name"] for each in phase["choice"])]))
    if areas.flaws:
        shown = draw(flawed(shown, program["targets"][name]))
    if phase["group"] and draw(st.integers(0, 3)) > 0:
        shown["group"] = draw(met_by(phase["group"], tell_one(program, told, shown).symbol))
    return shown


def met_by(group: Group, own: str) -> st.SearchStrategy[int]:
    """How many of a group may have met the target, where the own result counts among them or does not."""
    if group["paid"] == "all" or own == "_":
        return st.integers(0, group["size"])
    return st.integers(1, group["size"]) if own == "-" else st.integers(0, group["size"] - 1)


@st.composite
def shown_look(draw: st.DrawFn, plain: Look, phase: Phase, areas: Areas) -> Look:
    """Draw a value, a panel or a result."""
    kind = draw(st.integers(0, 4))
    if phase["criterion"]:
        return (
            {**plain, "value": draw(values())}
            if kind
            else {**plain, "result": draw(st.sampled_from("oe*r_"))}
        )
    if areas.panels and kind > 1:
        results = st.dictionaries(st.sampled_from([*ANALYTES, "other"]), st.sampled_from("-+"), min_size=1)
        prescribed = st.lists(st.sampled_from(ANALYTES), unique=True, max_size=2)
        presumptive = draw(st.integers(0, 2)) == 0
        panel = draw(results)
        return {
            **plain,
            "panel": panel,
            "prescribed": [each for each in draw(prescribed) if each in panel],
            "presumptive": presumptive,
        }
    return {**plain, "result": draw(st.sampled_from("----+oe*r_"))}


@st.composite
def flawed(draw: st.DrawFn, plain: Look, target: Target) -> Look:
    """Draw what was the matter with a specimen or its time, and the reason of an absence."""
    found: Look = {**plain}
    if draw(st.booleans()):
        often = [condition for condition, read in target["reads"].items() if read == "open"] * 6
        likely = st.sampled_from([*often, *sorted(READS)])
        found["conditions"] = draw(st.lists(likely, unique=True, min_size=1, max_size=2))
    if plain["result"] == "e" or found["conditions"]:
        is_open = flaw_name(target, found) == "open"  # the text does not say what another excuse makes of it
        accepted = (target["excuses"] or REASONS) if is_open else REASONS
        found["excuse"] = draw(st.sampled_from(["", *accepted]))
    if found["value"] is None and flaw_name(target, found) and draw(st.integers(0, 3)) == 0:
        found["result"] = ""
    return found


@st.composite
def timelines(draw: st.DrawFn, areas: Areas) -> tuple[Description, list[list[Look]]]:
    """Draw a program and what is observed of three participants."""
    program = draw(descriptions(areas))
    if undated(program):
        return program, [[]]
    return program, [draw(looks(program, areas)) for _ in range(3)]

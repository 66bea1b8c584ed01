"""Reports on a clinic's year that is made up: every figure is derived again, from the rows of the database by hand."""

import csv
import io
import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from math import comb
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from examples.clinic_year import FIRST, PROGRAM, SITES, ZONE, Clock, clinic_year

from cm_engine import Engine, decide, parse_program
from cm_engine.analysis.proofs.evidence import lines
from cm_engine.errors import ReportError
from cm_engine.reports.dashboard import dashboard
from cm_engine.reports.fidelity import fidelity_report
from cm_engine.reports.integrity import integrity_report
from cm_engine.reports.program import program_report
from cm_engine.reports.reading import Clinic, clinic
from cm_engine.reports.risk import risk_report
from cm_engine.reports.sheet import Report
from cm_engine.reports.shelf import REPORTS, written
from cm_engine.reports.tax import Threshold, tax_report, threshold_of, thresholds

PARTICIPANTS, WEEKS = 20, 14
TODAY = FIRST + timedelta(weeks=WEEKS, days=-1)
CENT = Decimal("0.01")


class Row(NamedTuple):
    """A decision as it lies in the database, with the place it is about and the site of its day."""

    enrollment: str
    number: int
    record: int
    visit: int
    week: int
    day: str
    outcome: str
    cents: int
    codes: tuple[str, ...]
    site: str


class Raw:
    """The rows of the database, read past the engine."""

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file)
        self.enrollments: dict[str, tuple[str, str]] = {
            name: (participant, start)
            for name, participant, start in self.all("id, participant, start", "enrollments")
        }
        self.records: dict[tuple[str, int], tuple[str, str, datetime, dict[str, Any]]] = {
            (name, seq): (kind, actor, datetime.fromisoformat(at), json.loads(body))
            for name, seq, kind, actor, at, body in self.all(
                "enrollment, seq, kind, actor, recorded_at, body", "records"
            )
            if not name.startswith("@")
        }
        self.decisions = self.all(
            "enrollment, number, record, observation, target, visit, week, day, outcome, awards, reasons",
            "decisions",
        )
        self.entries = self.all("enrollment, number, leg, unit, amount, debit, credit", "entries")

    def all(self, columns: str, table: str) -> list[Any]:
        rows = self.db.execute(f"select {columns} from cm_{table} order by 1, 2, 3").fetchall()  # noqa: S608 - our own
        return list(rows)

    def site(self, enrollment: str, day: str) -> str:
        """Return the site of a day: the last one that somebody was placed at by then."""
        stays = [
            (body["on"], body["site"])
            for (name, _), (kind, _, _, body) in self.records.items()
            if name == enrollment and kind in {"placed", "transferred"}
        ]
        return str(max(each for each in stays if each[0] <= day)[1])

    def standing(self) -> Iterator[Row]:
        """Yield the last decision on each visit that has not been taken back."""
        last: dict[tuple[Any, ...], Any] = {}
        for row in self.decisions:
            name, _, _, observation, target, visit = row[:6]
            last[name, observation or (target, visit)] = row
        for name, number, _, observation, _, visit, week, day, outcome, awards, reasons in last.values():
            if visit and len(outcome) == 1:
                cents = sum(amount for unit, amount in json.loads(awards) if unit == "USD")
                codes = tuple(each["code"] for each in json.loads(reasons))
                yield Row(
                    name, number, observation, visit, week, day, outcome, cents, codes, self.site(name, day)
                )

    def handed(self) -> Iterator[tuple[str, int, datetime, str, int]]:
        """Yield what was handed over: whose, by which decision, when, by whom, and how many cents."""
        acts = {(row[0], row[1]): row[2] for row in self.decisions}
        for name, number, _, _, amount, _, credit in self.entries:
            if credit == "issued":
                _, actor, at, body = self.records[name, acts[name, number]]
                yield name, body["number"], at, actor, amount

    def is_open(self, enrollment: str) -> bool:
        if any(name == enrollment and kind == "discharged" for (name, _), (kind, *_) in self.records.items()):
            return False
        return max((each.visit for each in self.standing() if each.enrollment == enrollment), default=0) < 24


class Made(NamedTuple):
    """A database, what the engine reads of it, and its rows."""

    engine: Engine
    clinic: Clinic
    raw: Raw
    url: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A quarter of a year at three sites, of the same generator that makes the year."""
    file = tmp_path_factory.mktemp("year") / "year.db"
    clock = Clock()
    with Engine.open(f"sqlite:///{file}", zone=ZONE, clock=clock) as engine:
        clinic_year(engine, clock, participants=PARTICIPANTS, weeks=WEEKS, seed=1)
        yield Made(engine, clinic(engine, TODAY), Raw(file), f"sqlite:///{file}")


@pytest.fixture(scope="module")
def of_sites(made: Made) -> dict[str, Clinic]:
    """What is read for each site."""
    return {site: clinic(made.engine, TODAY, site=site) for site in SITES}


def rows(report: Report, sheet: str) -> list[dict[str, Any]]:
    [found] = [each for each in report.sheets if each.name == sheet]
    return [row._asdict() for row in found.rows]


def quarter(day: str) -> str:
    return f"{day[:4]} Q{(int(day[5:7]) + 2) // 3}"


def share(part: int, whole: int) -> Decimal | None:
    return (Decimal(100) * part / whole).quantize(Decimal("0.1")) if whole else None


def test_the_year_has_all_that_reports_are_about(made: Made) -> None:
    kinds = Counter(kind for kind, *_ in made.raw.records.values())
    assert {
        "amended",
        "voided",
        "transferred",
        "replanned",
        "handed over",
        "entered",
        "swept",
        "discharged",
    } <= set(kinds)
    assert {each.outcome for each in made.raw.standing()} >= {"-", "+", "o", "e"}
    assert {each.site for each in made.raw.standing()} == set(SITES)


def test_the_quarterly_figures_are_those_of_the_rows(made: Made) -> None:
    seen: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    served: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in made.raw.standing():
        seen[quarter(each.day), each.site][each.outcome] += 1
        served[quarter(each.day), each.site].add(made.raw.enrollments[each.enrollment][0])
    for name, (_, start) in made.raw.enrollments.items():
        seen[quarter(start), made.raw.site(name, start)]["enrolled"] += 1
    for (name, _), (kind, _, _, body) in made.raw.records.items():
        if kind == "discharged":
            seen[quarter(body["on"]), made.raw.site(name, body["on"])]["discharged"] += 1
    found = {(row["quarter"], row["site"]): row for row in rows(program_report(made.clinic), "quarters")}
    assert set(found) == set(seen)
    for place, counted in seen.items():
        row, came, left = found[place], counted["enrolled"], counted["discharged"]
        visits = counted.total() - came - left
        assert (row["enrolled"], row["discharged"], row["served"]) == (
            came,
            left,
            len(served[place]),
        )
        assert (row["visits"], row["tests"]) == (visits, counted["-"] + counted["+"] + counted["*"])
        assert [row[name] for name in ("met", "positive", "missed", "excused")] == [
            counted[each] for each in "-+oe"
        ]
        assert row["other"] == visits - sum(counted[each] for each in "-+oe")
        assert row["met_percent"] == share(counted["-"], visits - counted["e"])


def test_the_money_of_a_quarter_is_that_of_the_rows(made: Made) -> None:
    awarded, handed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for each in made.raw.standing():
        awarded[quarter(each.day), each.site] += each.cents
    for name, _, at, _, cents in made.raw.handed():
        day = at.astimezone(ZoneInfo(ZONE)).date().isoformat()
        handed[quarter(day), made.raw.site(name, day)] += cents
    found = rows(program_report(made.clinic), "money")
    assert {(row["quarter"], row["site"]): row["awarded"] / CENT for row in found} == awarded
    assert {(row["quarter"], row["site"]): row["handed_over"] / CENT for row in found} == handed


def test_funds_have_paid_what_left_the_program_by_the_site_of_its_day(made: Made) -> None:
    subjects = {(row[0], row[1]): (row[0], row[3] or (row[4], row[5])) for row in made.raw.decisions}
    days: dict[Any, str] = {}
    for row in made.raw.decisions:
        days.setdefault(subjects[row[0], row[1]], row[7] or made.raw.enrollments[row[0]][1])
    program, spent = {"fund", "absorbed", "offset", "expired"}, Counter[str]()
    for name, number, _, _, amount, debit, credit in made.raw.entries:
        sign = (debit in program) - (credit in program)
        if sign:
            spent[made.raw.site(name, days[subjects[name, number]])] += sign * amount
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows(program_report(made.clinic), "funds"):
        found[row["site"]] += row["spent"]
        if row["budget"]:
            assert row["left"] == row["budget"] - row["spent"]
            assert row["spent_percent"] == share(int(row["spent"] * 100), int(row["budget"] * 100))
    assert {site: amount / CENT for site, amount in found.items() if amount} == spent


def test_the_exposure_is_what_all_visits_to_come_would_pay_if_they_were_decided(made: Made) -> None:
    program, expected, opened = parse_program(PROGRAM), defaultdict[str, Decimal](Decimal), Counter[str]()
    for name, (_, start) in made.raw.enrollments.items():
        if not made.raw.is_open(name):
            continue
        site = made.raw.site(name, TODAY.isoformat())
        opened[site] += 1
        word = "".join(
            each.outcome
            for each in sorted(made.raw.standing(), key=lambda row: row.visit)
            if each.enrollment == name
        )
        begun = date.fromisoformat(start)
        so_far = decide(program, word, start=begun).totals.get("USD", Decimal(0)) if word else Decimal(0)
        expected[site] += decide(program, word.ljust(24, "-"), start=begun).totals["USD"] - so_far
    found = {row["site"]: row for row in rows(program_report(made.clinic), "exposure")}
    assert {site: row["visits_to_come"] for site, row in found.items() if row["open_enrollments"]} == expected
    assert {site: row["open_enrollments"] for site, row in found.items() if row["open_enrollments"]} == opened
    for account, column in (("owed", "owed"), ("in flight", "on_the_way")):
        cents = sum(
            amount * ((credit == account) - (debit == account))
            for *_, amount, debit, credit in made.raw.entries
        )
        assert sum(row[column] for row in found.values()) / CENT == cents
    assert all(
        row["exposure"] == row["owed"] + row["on_the_way"] + row["visits_to_come"] for row in found.values()
    )


def test_pay_equals_protocol_and_all_of_it_was_looked_at(made: Made) -> None:
    [row] = rows(fidelity_report(made.clinic), "audit")
    records = made.raw.db.execute("select count(*) from cm_records").fetchone()[0]
    assert row == {
        "enrollments": PARTICIPANTS,
        "acts": records,
        "decisions": len(made.raw.decisions),
        "differences": 0,
        "by_other_rules": 0,
    }
    assert rows(fidelity_report(made.clinic), "differences") == []


def test_delays_are_those_between_the_times_of_the_acts(made: Made) -> None:
    took: defaultdict[tuple[str, str], list[timedelta]] = defaultdict(list)
    given = {(name, number): at for name, number, at, _, _ in made.raw.handed()}
    for row in made.raw.decisions:
        name, number, record, observation, day = row[0], row[1], row[2], row[3], row[7]
        if record != observation:
            continue
        _, _, at, body = made.raw.records[name, record]
        site = made.raw.site(name, day)
        if "at" in body:
            seen, resulted = datetime.fromisoformat(body["at"]), datetime.fromisoformat(body["resulted_at"])
            took[site, "test to result"].append(resulted - seen)
            took[site, "result to decision"].append(at - resulted)
        if (name, number) in given:
            took[site, "decision to hand-over"].append(given[name, number] - at)
    found = {(row["site"], row["stage"]): row for row in rows(fidelity_report(made.clinic), "delays")}
    assert set(found) == set(took)
    for place, every in took.items():
        ordered = [round(each.total_seconds() / 3600, 2) for each in sorted(every)]
        row = found[place]
        assert row["seen"] == len(ordered)
        assert float(row["median_hours"]) == pytest.approx(ordered[(len(ordered) + 1) // 2 - 1], abs=0.011)
        assert float(row["longest_hours"]) == pytest.approx(ordered[-1], abs=0.011)
        rank = -(-len(ordered) * 9 // 10)
        assert float(row["nine_in_ten_hours"]) == pytest.approx(ordered[rank - 1], abs=0.011)


def test_visits_on_plan_are_those_of_the_calendar(made: Made) -> None:
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in made.raw.standing():
        start = date.fromisoformat(made.raw.enrollments[each.enrollment][1])
        planned = start + timedelta(weeks=(each.visit - 1) // 2, days=3 * ((each.visit - 1) % 2))
        site = made.raw.site(each.enrollment, planned.isoformat())
        came = each.outcome not in "oe_"
        counted[site].update(
            {
                "decided": 1,
                "on_the_day": came and each.day == planned.isoformat(),
                "in_the_window": came and abs((date.fromisoformat(each.day) - planned).days) <= 1,
                "missed": each.outcome == "o",
                "excused": each.outcome == "e",
            }
        )
    for row in rows(fidelity_report(made.clinic), "visits"):
        expected = counted.pop(row["site"])
        assert {name: row[name] for name in expected} == expected
        assert row["overdue"] == 0
        assert row["kept_percent"] == share(row["in_the_window"], row["due"])
        assert row["due"] == row["decided"] - row["excused"]
    assert not counted


def test_resets_and_recoveries_are_the_reasons_of_the_decisions(made: Made) -> None:
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in made.raw.standing():
        counted[each.site].update({"decisions", *each.codes})
    for row in rows(fidelity_report(made.clinic), "turns"):
        expected = counted[row["site"]]
        assert [row[name] for name in ("decisions", "resets", "recoveries", "limited")] == [
            expected[name] for name in ("decisions", "reset", "recovered", "limited")
        ]
    assert sum(each["reset"] for each in counted.values())


def test_excuses_are_counted_by_who_recorded_them_and_where(made: Made) -> None:
    counted: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in made.raw.standing():
        if each.record:
            counted[each.site, made.raw.records[each.enrollment, each.record][1]][each.outcome] += 1
    found = rows(fidelity_report(made.clinic), "excuses")
    assert {
        (row["site"], row["staff"]): (row["results"], row["excused"], row["excused_percent"]) for row in found
    } == {place: (seen.total(), seen["e"], share(seen["e"], seen.total())) for place, seen in counted.items()}


def test_every_correction_is_listed(made: Made) -> None:
    found = {
        (row["enrollment"], row["record"], row["kind"], row["of"])
        for row in rows(fidelity_report(made.clinic), "corrections")
    }
    assert found == {
        (name, seq, kind, body["of"])
        for (name, seq), (kind, _, _, body) in made.raw.records.items()
        if kind in {"amended", "voided"}
    }


def test_second_entry_is_kept_where_two_people_entered(made: Made) -> None:
    by_two, by_one = Counter[str](), Counter[str]()
    for each in made.raw.standing():
        body = made.raw.records[each.enrollment, each.record][3] if each.record else {}
        if body.get("result") == "+":
            (by_two if "entered" in body else by_one)[each.site] += 1
            assert body["entered"]["by"] != made.raw.records[each.enrollment, each.record][1]
    found = rows(fidelity_report(made.clinic), "second-entry")
    assert {row["site"]: row["by_two"] for row in found} == by_two
    assert {row["site"]: row["by_one"] for row in found if row["by_one"]} == by_one
    assert all(row["results"] == row["by_two"] + row["by_one"] and row["waiting"] == 0 for row in found)


def test_who_entered_alone_and_handed_over_is_found(made: Made) -> None:
    given, alone = Counter[str](), Counter[str]()
    observed = {(row[0], row[1]): row[3] for row in made.raw.decisions}
    for name, number, _, by, _ in made.raw.handed():
        if by != "cm-engine":
            given[by] += 1
            _, actor, _, body = made.raw.records[name, observed[name, number]]
            alone[by] += actor == by and "entered" not in body
    found = rows(integrity_report(made.clinic), "one-hand")
    assert {row["staff"]: row["handed_over"] for row in found} == given
    assert {row["staff"]: row["entered_too"] for row in found if row["entered_too"]} == +alone


def test_bursts_are_runs_of_results_within_five_minutes(made: Made) -> None:
    times: defaultdict[str, list[datetime]] = defaultdict(list)
    for kind, actor, at, _ in made.raw.records.values():
        if kind == "observed":
            times[actor].append(at)
    expected = Counter[str]()
    for actor, every in times.items():
        waiting = sorted(every)
        while waiting:
            near = [at for at in waiting if at <= waiting[0] + timedelta(minutes=5)]
            expected[actor] += len(near) if len(near) >= 5 else 0
            waiting = waiting[len(near) if len(near) >= 5 else 1 :]
    found = Counter[str]()
    for row in rows(integrity_report(made.clinic), "bursts"):
        found[row["staff"]] += row["results"]
    assert found == +expected


def test_an_unusual_rate_of_excuses_is_one_that_chance_does_not_explain(made: Made) -> None:
    every = rows(fidelity_report(made.clinic), "excuses")
    results, excused = (sum(row[name] for row in every) for name in ("results", "excused"))
    expected = set()
    for row in every:
        rate = (excused - row["excused"]) / (results - row["results"])
        count = row["results"]
        chance = sum(
            comb(count, few) * rate**few * (1 - rate) ** (count - few)
            for few in range(row["excused"], count + 1)
        )
        if count >= 20 and chance < 0.01:
            expected.add((row["site"], row["staff"]))
    found = rows(integrity_report(made.clinic), "unusual-excuses")
    assert {(row["site"], row["staff"]) for row in found} == expected


def test_a_count_that_is_not_what_the_book_says_is_found(made: Made) -> None:
    [row] = rows(integrity_report(made.clinic), "stock")
    assert (row["stock"], row["holder"], row["product"], row["variance"]) == (
        "west",
        "west-1",
        "card",
        58 - 60,
    )


def test_the_sample_is_the_same_for_the_same_seed_and_drawn_by_its_hash(made: Made) -> None:
    paid = [(each.enrollment, each.number) for each in made.raw.standing() if each.cents]
    for seed in ("audit", "2026-1"):
        hashed = {
            sha256(f"{seed}/{name}/{number}".encode()).digest(): (name, number) for name, number in paid
        }
        drawn = [hashed[digest] for digest in sorted(hashed)[:8]]
        found = rows(integrity_report(made.clinic, seed=seed, cases=8), "sample")
        assert [(row["enrollment"], row["decision"]) for row in found] == drawn


def test_tax_totals_are_what_reached_each_participant_in_a_calendar_year(made: Made) -> None:
    paid = Counter[tuple[str, int]]()
    for name, _, at, _, cents in made.raw.handed():
        paid[made.raw.enrollments[name][0], at.astimezone(ZoneInfo(ZONE)).year] += cents
    low = [Threshold(Decimal(150), "USD", date(2025, 1, 1), date(2025, 12, 31), "for a test", "none", "tbv")]
    found = rows(tax_report(made.clinic, low), "totals")
    assert {(row["participant"], row["year"]): row["paid"] / CENT for row in found} == paid
    for row in found:
        assert (row["payer"], row["threshold"]) == ("state-medicaid", Decimal(150))
        assert row["of_threshold_percent"] == share(int(row["paid"] * 100), 15000)
        state = "reached" if row["paid"] >= 150 else "warning" if row["paid"] >= 120 else "below"
        assert row["state"] == state
    assert {row["state"] for row in found} == {"reached", "warning", "below"}
    near = rows(tax_report(made.clinic, low), "near")
    assert near == [row for row in found if row["state"] != "below"]


def test_each_threshold_has_its_days_and_its_source_and_a_year_without_one_is_not_guessed() -> None:
    known = thresholds()
    assert all(
        each.source.startswith("https://") and each.basis and each.mark in {"doc", "tbv"} for each in known
    )
    years = {year: threshold_of(year, "USD", known) for year in (2024, 2025, 2026, 2027)}
    assert [each and each.amount for each in years.values()] == [600, 600, 2000, None]
    assert threshold_of(2026, "EUR", known) is None


def test_signals_are_the_turns_of_the_words_of_open_enrollments(made: Made) -> None:
    expected = set()
    for name in filter(made.raw.is_open, made.raw.enrollments):
        standing = sorted(
            (each for each in made.raw.standing() if each.enrollment == name), key=lambda row: row.visit
        )
        word = "".join(each.outcome for each in standing)
        for place, each in enumerate(standing):
            recent = TODAY - timedelta(days=14) <= date.fromisoformat(each.day) <= TODAY
            so_far = re.sub("[e*_]", "", word[: place + 1])
            if not recent:
                continue
            if each.outcome == "o" and re.search("(^|[^o])oo$", so_far):
                expected.add((name, "not-seen", each.visit))
            if each.outcome == "+" and re.search("-{6,}[+]$", so_far):
                expected.add((name, "slipped", each.visit))
            if place == 3 and not any(row.cents for row in standing[:4]):
                expected.add((name, "no-reward-yet", each.visit))
    found = rows(risk_report(made.engine, made.clinic), "signals")
    assert {(row["enrollment"], row["signal"], row["visit"]) for row in found} == expected


def test_who_is_about_to_lose_a_level_has_a_visit_that_closes_and_a_miss_that_resets(made: Made) -> None:
    found = rows(risk_report(made.engine, made.clinic), "losing")
    day = TODAY + timedelta(days=1)
    tomorrow = made.clinic._replace(on=day, courses=clinic(made.engine, day).courses)
    ahead = rows(risk_report(made.engine, tomorrow), "losing")
    assert ahead
    for row in [*found, *ahead]:
        visits = {each.number: each for each in made.engine.visits(enrollment=row["enrollment"], on=day)}
        assert visits[row["visit"]].closes == row["closes"] <= day + timedelta(days=1)
        said = made.engine.preview(enrollment=row["enrollment"])["stimulants"]["o"].reasons
        assert "reset" in {reason.code for reason in said}


def test_the_dashboard_counts_sites_weeks_and_months_as_the_rows_do(made: Made) -> None:
    sites, weeks, months = (
        defaultdict[str, Counter[str]](Counter),
        defaultdict[Any, Counter[str]](Counter),
        Counter[str](),
    )
    for each in made.raw.standing():
        sites[each.site][each.outcome] += 1
        weeks[each.site, each.week][each.outcome] += 1
        months[each.day[:7]] += each.cents
    report = dashboard(made.engine, made.clinic)
    for row in rows(report, "sites"):
        seen = sites[row["site"]]
        due = seen.total() - seen["e"]
        assert (row["visits"], row["met_percent"], row["missed_percent"]) == (
            seen.total(),
            share(seen["-"], due),
            share(seen["o"], due),
        )
        at = [name for name in made.raw.enrollments if made.raw.site(name, TODAY.isoformat()) == row["site"]]
        assert (row["enrolled"], row["open"]) == (len(at), sum(map(made.raw.is_open, at)))
    assert {
        (row["site"], row["program_week"]): (row["visits"], row["met_percent"])
        for row in rows(report, "weeks")
    } == {place: (seen.total(), share(seen["-"], seen.total() - seen["e"])) for place, seen in weeks.items()}
    assert {row["month"]: row["awarded"] / CENT for row in rows(report, "months")} == months


def test_csv_has_every_row_of_a_sheet(made: Made, tmp_path: Path) -> None:
    files = {path.name: path for path in written(made.engine, made.clinic, tmp_path / "reports")}
    for name, make in REPORTS.items():
        report = make(made.engine, made.clinic)
        for sheet in report.sheets:
            found = list(csv.reader(io.StringIO(files[f"{name}-{sheet.name}.csv"].read_text("utf-8"))))
            assert found[0] == list(sheet.kind._fields)
            assert len(found) == len(sheet.rows) + 1
        told = json.loads(files[f"{name}.json"].read_text("utf-8"))
        assert {sheet: len(every) for sheet, every in told["sheets"].items()} == {
            each.name: len(each.rows) for each in report.sheets
        }
        for sheet in report.sheets:
            assert sheet.title in files[f"{name}.txt"].read_text("utf-8")
            assert f'id="{sheet.name}"' in files[f"{name}.html"].read_text("utf-8")


def test_there_is_something_of_every_signal_to_derive(made: Made) -> None:
    report = integrity_report(made.clinic)
    assert all(rows(report, name) for name in ("one-hand", "bursts", "unusual-excuses", "stock", "sample"))
    assert rows(risk_report(made.engine, made.clinic), "signals")


def test_a_tampered_award_is_a_difference_of_the_fidelity_report(made: Made, tmp_path: Path) -> None:
    copy = sqlite3.connect(tmp_path / "tampered.db")
    made.raw.db.backup(copy)
    for (name,) in copy.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        copy.execute(f'DROP TRIGGER "{name}"')
    copy.execute("update cm_entries set amount = amount + 100 where enrollment = 'e-0002' and leg = 1")
    copy.commit()
    copy.close()
    with Engine.open(f"sqlite:///{tmp_path / 'tampered.db'}", zone=ZONE) as engine:
        report = fidelity_report(clinic(engine, TODAY))
    found = rows(report, "differences")
    assert {row["enrollment"] for row in found} - {""} == {"e-0002"}
    assert rows(report, "audit")[0]["differences"] == len(found)
    assert "difference" in report.tiles[0].note


def test_a_site_sees_its_own_rows_of_the_whole_report_and_names_only_who_is_there(
    made: Made, of_sites: dict[str, Clinic]
) -> None:
    day, whole = TODAY.isoformat(), {name: make(made.engine, made.clinic) for name, make in REPORTS.items()}
    for site, at in of_sites.items():
        here = {name for name in made.raw.enrollments if made.raw.site(name, day) == site}
        people = {made.raw.enrollments[name][0] for name in here}
        for name, make in REPORTS.items():
            found, every = make(made.engine, at), whole[name]
            assert f"Site {site}" in found.lead
            for sheet, all_of_it in zip(found.sheets, every.sheets, strict=True):
                for row in sheet.rows:
                    assert getattr(row, "site", site) == site
                    assert getattr(row, "participant", next(iter(people))) in people
                    assert getattr(row, "enrollment", next(iter(here))) in here
                if "site" in sheet.kind._fields:
                    assert sheet.rows == [row for row in all_of_it.rows if row.site == site]
        assert program_report(at).tiles[0].value == str(len(here))


def test_the_months_of_the_sites_add_up_to_those_of_all(made: Made, of_sites: dict[str, Clinic]) -> None:
    together = Counter[str]()
    for at in of_sites.values():
        for row in rows(dashboard(made.engine, at), "months"):
            together[row["month"]] += row["awarded"]
    assert together == {
        row["month"]: row["awarded"] for row in rows(dashboard(made.engine, made.clinic), "months")
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"site": "east"}, "site: expected one of north, south, west, got 'east'"),
        ({"program": "steady"}, "program: expected one of steady-steps, got 'steady'"),
    ],
)
def test_a_site_or_a_program_that_is_not_there_is_refused(
    made: Made, asked: dict[str, str], said: str
) -> None:
    with pytest.raises(ReportError, match=said):
        clinic(made.engine, TODAY, **asked)


def test_a_program_sees_its_own_enrollments(made: Made) -> None:
    assert len(clinic(made.engine, TODAY, program="steady-steps").courses) == PARTICIPANTS
    with Engine.open("memory:", zone=ZONE, clock=Clock()) as engine:
        for program in ("california-recovery-incentives", "va-prize"):
            engine.add_program(program)
        engine.enroll(participant="p-1", program="california-recovery-incentives", start=FIRST, by="nurse-7")
        assert len(clinic(engine, FIRST).courses) == 1
        assert clinic(engine, FIRST, program="va-prize").courses == ()


def test_the_same_year_has_the_same_reports_on_either_database(tmp_path: Path, postgresql_url: str) -> None:
    found = []
    for place, url in enumerate((f"sqlite:///{tmp_path / 'small.db'}", postgresql_url)):
        clock, folder = Clock(), tmp_path / f"{place}"
        with Engine.open(url, zone=ZONE, clock=clock) as engine:
            clinic_year(engine, clock, participants=4, weeks=5, seed=3)
            with engine.reading() as still:
                paths = list(written(still, clinic(still, TODAY), folder))
        found.append({path.name: path.read_text("utf-8") for path in paths})
    assert len(found[0]) > 40
    assert found[0] == found[1]


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_the_tax_lines_of_reports_and_of_findings_are_the_same(year: int) -> None:
    [line] = [each for each in lines(date(year, 7, 1)) if each.rule == "over-tax-line"]
    known = threshold_of(year, "USD", thresholds())
    assert known
    assert (line.most, line.citation.where) == (known.amount - Decimal("0.01"), known.source)

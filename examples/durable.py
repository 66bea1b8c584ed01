"""Enroll a cohort in a database, record its results, amend one, print a statement, and audit everything.

Run it with `make demo`, or with `python examples/durable.py [URL]`; without a URL it makes a SQLite file in a folder
that is gone afterwards.
"""

import csv
import sys
import tempfile
from datetime import date
from pathlib import Path

from cm_engine import Engine, Enrollment, Report, catalogue, compile_rules, initial_state
from cm_engine.rules.days import expected_day

COHORT = Path(__file__).with_name("cohort.csv")
PROGRAM = "california-recovery-incentives"
START = date(2026, 1, 5)
STAFF = "nurse-7"


def planned_days() -> list[date]:
    """Return the days on which the program expects its visits."""
    rules = compile_rules(catalogue.program(PROGRAM))
    state = initial_state(rules, START)
    return [day for visit in rules.targets[0].visits if (day := expected_day(rules, state, visit))]


def enroll_all(engine: Engine) -> dict[str, Enrollment]:
    """Enroll every participant of the cohort; asked for again, it is the same enrollment."""
    with COHORT.open(encoding="utf-8", newline="") as file:
        participants = [row["participant"] for row in csv.DictReader(file)]
    return {
        participant: engine.enroll(participant=participant, program=PROGRAM, start=START, by=STAFF)
        for participant in participants
    }


def reports(enrollments: dict[str, Enrollment]) -> list[Report]:
    """Return the results of the cohort, day after day, each with the key that its source gives it."""
    with COHORT.open(encoding="utf-8", newline="") as file:
        words = {row["participant"]: row["results"] for row in csv.DictReader(file)}
    return [
        Report(
            enrollment=enrollments[participant].id,
            result=word[visit],
            on=day,
            source="front-desk",
            key=f"{participant}-{visit + 1}",
            by=STAFF,
        )
        for visit, day in enumerate(planned_days())
        for participant, word in words.items()
        if visit < len(word)
    ]


def main(url: str) -> None:
    """Go through a clinic's first months."""
    with Engine.open(url, zone="America/Los_Angeles") as engine:
        engine.add_program(PROGRAM)
        enrollments = enroll_all(engine)
        recorded = engine.record_many(reports(enrollments))
        again = engine.record_many(reports(enrollments))
        print(f"Enrolled {len(enrollments)}, recorded {len(recorded)} results; reported once more, ", end="")
        print(f"{sum(each.replayed for each in again)} were known already.")
        amend(engine, enrollments["p-102"])
        print()
        print(engine.statement(enrollment=enrollments["p-102"].id).text())
        found = engine.verify()
        print(
            f"Audit: {found.enrollments} enrollments, {found.records} acts, {found.decisions} decisions: ",
            end="",
        )
        print("all as it should be." if found.is_clean else "\n".join(map(str, found.differences)))


def amend(engine: Engine, enrollment: Enrollment) -> None:
    """Correct the third result: the laboratory found it positive."""
    amended = engine.amend(
        enrollment=enrollment.id,
        record=3,
        result="+",
        why="the laboratory found it positive",
        source="laboratory",
        key="L-3",
        by="lab-2",
    )
    corrected = ", ".join(f"visit {each.visit}" for each in amended.corrected)
    print(f"{enrollment.participant}: the third result was amended; also decided anew: {corrected}.")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{folder}/clinic.db")

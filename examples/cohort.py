"""Decide a small cohort by the California program: every visit, every reason, every total.

Run it with `make demo`, or with `python examples/cohort.py`.
"""

import csv
from datetime import date
from pathlib import Path

from cm_engine import Timeline, catalogue, decide

COHORT = Path(__file__).with_name("cohort.csv")
START = date(2026, 1, 5)


def show(participant: str, timeline: Timeline) -> None:
    """Print one participant's visits, with what each paid and why."""
    print(f"\n{participant}")
    for decision in timeline.decisions:
        paid = ", ".join(f"{amount} {unit}" for unit, amount in decision.awards.items())
        print(
            f"  {decision.on:%d %b}  week {decision.week:2}  {decision.outcome}  {paid:>9}  {decision.sentence}"
        )
    totals = ", ".join(f"{amount} {unit}" for unit, amount in timeline.totals.items())
    print(f"  in all: {totals or 'nothing yet'}")


def main() -> None:
    """Decide the cohort and print the sum of all."""
    program = catalogue.program("california-recovery-incentives")
    print(f"{program.title}: {program.visit_count} visits from {START:%d %B %Y}")
    with COHORT.open(encoding="utf-8", newline="") as file:
        decided = {
            row["participant"]: decide(program, row["results"], start=START) for row in csv.DictReader(file)
        }
    for participant, timeline in decided.items():
        show(participant, timeline)
    total = sum(timeline.totals.get("USD", 0) for timeline in decided.values())
    print(f"\nAll {len(decided)} participants: {total} USD")


if __name__ == "__main__":
    main()

"""Take in a REDCap export: a form that is complete is recorded, and one that is not is held."""

from datetime import date
from pathlib import Path

from cm_engine import Engine

HERE = Path(__file__).parent
PROGRAM = "california-recovery-incentives"

with Engine.open("memory:", zone="America/Los_Angeles") as engine:
    engine.add_program(PROGRAM)
    engine.enroll(participant="p-104", program=PROGRAM, start=date(2026, 1, 5), by="nurse-7", id="e-1")
    done = engine.receive(HERE / "export.csv", format="redcap", mapping=HERE / "lab.yaml", by="interface-1")
    for each in done.outcomes:
        print(each.sentence)
        if each.recorded:
            print(f"  {each.recorded.sentence}")
    again = engine.receive(HERE / "export.csv", format="redcap", mapping=HERE / "lab.yaml", by="interface-1")
    print(f"the same file again: {again.counts['replayed']} replayed, {again.counts['recorded']} recorded")
    print("the audit is clean" if engine.verify().is_clean else "the audit found differences")

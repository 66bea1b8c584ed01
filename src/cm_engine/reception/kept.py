"""What is kept of an arrival, and of what became of it: ids, codes, times and hashes, and no text of the sender's."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from unicodedata import normalize

from cm_engine.acts.recording import Done
from cm_engine.acts.reported import Amendment, Report, Voiding
from cm_engine.arrivals import Arrival, Code
from cm_engine.errors import CmEngineError
from cm_engine.intake.reading import Part
from cm_engine.intake.thing import Did, Step, said_of
from cm_engine.intake.why import Why
from cm_engine.ledger.accounts import BEARS
from cm_engine.log.encoding import instant
from cm_engine.plain import TELLING

Given = Report | Amendment | Voiding
"""What is reported to the log of an enrollment."""

TEXT_MAX = 100
"""A longer key, code or id of a sender stands as its SHA-256: anything could be in it."""


def arrival_body(arrival: Arrival, digest: str, document: str) -> dict[str, Any]:
    """Return what is kept of an arrival: ids, times and hashes, and nothing that it says."""
    times = {"at": arrival.collected_at, "resulted_at": arrival.resulted_at}
    return {
        "of": arrival.key,
        "version": arrival.version,
        "status": arrival.status.value,
        "digest": digest,
        "document": document,
        "who": [_id(code) for code in arrival.who],
        **({"on": arrival.on.isoformat()} if arrival.on else {}),
        **{name: instant(time) for name, time in times.items() if time},
    }


def said_by(error: CmEngineError) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split())


def short(text: str) -> str:
    """Return a text of a sender's, or its SHA-256 if anything could be in it.

    Example:
        >>> short("http://loinc.org|3393-3"), short("a" * 101)[:7]
        ('http://loinc.org|3393-3', 'sha256:')
    """
    return text if len(text) <= TEXT_MAX and text.isprintable() else _hashed(text)


def key_of(text: str) -> str:
    """Return what makes a thing of a sender's the same, in one spelling: some pad it with blanks."""
    return normalize("NFC", short(text.strip()))


def _hashed(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _id(code: Code) -> str:
    """Return an id of a person, or its SHA-256 if it looks like a name, an address or a number of theirs."""
    telling = any(looks.search(code.code) for looks, _ in TELLING)
    return str(Code(short(code.system), _hashed(code.code) if telling else short(code.code)))


def report_of(given: Given) -> Report:
    """Return of whom something is reported, and under which key."""
    return given if isinstance(given, Report) else given.report


def recorded_entry(
    did: Did, given: Given, done: Done, said: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what became of a part that has an act in the log of its enrollment."""
    report = report_of(given)
    record = given.record if isinstance(given, Amendment | Voiding) else done.record.seq
    place = {"enrollment": done.record.enrollment, "record": record, "act": done.record.seq}
    told = _said_in(report) if said is None else said
    return {"did": did.value, "source": report.source, "key": report.key, **place, "said": told}


def _said_in(report: Report) -> dict[str, Any]:
    part = Part("", "", report.target, report.event, report.result, report.evidence)
    return said_of(part, report.collected_at, report.on, report.resulted_at)


def money_entry(step: Step, done: Done) -> Iterator[dict[str, Any]]:
    """Yield that a person has to look, if what was taken back had been paid."""
    unit = done.enrolled.rules.program.unit
    borne = [each for each in done.entries if each.debit in BEARS.values() and step.did == Did.VOIDED]
    if borne:
        amounts = ", ".join(f"{unit(each.unit).decimal(each.amount):f} {each.unit}" for each in borne)
        record = f"record {done.record.seq} of {done.record.enrollment}"
        yield {
            "did": Did.REVIEW.value,
            "closes": True,
            **waiting_entry(Why.PAID, f"{amounts}, by {record}", [], []),
        }


def waiting_entry(why: str, detail: str, codes: Iterable[str], found: Iterable[str]) -> dict[str, Any]:
    """Return that a part waits, and why."""
    return {"why": str(why), "detail": detail, "codes": list(codes), "found": list(found)}

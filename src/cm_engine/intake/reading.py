"""What an arrival says by the clinic's mapping: what is to be recorded for which target, or why a person has to look.

Pure, and it never guesses: what the mapping does not name is not read.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cm_engine.arrivals import OWN_SYSTEM, Arrival, Code, Finding
from cm_engine.intake.mapping import CodeMapping, CodeRule
from cm_engine.intake.why import Why
from cm_engine.rules.state import Evidence

STATES = {"attended": "-", "missed": "o", "taken": "-", "completed": "-"}
"""What the codes that adapters give themselves are read as, where the mapping says nothing else."""

SLOT_MAX = 80
"""A longer name of a part stands as its SHA-256, so that the keys made of it are no longer than keys may be."""

IN_PANEL = frozenset("-+")


class Part(NamedTuple):
    """What an arrival says for one target or event, or why that waits.

    Attributes:
        slot: the part it is of all that the arrival says; empty for what has no meaning here.
        program: the id of the program.
        target, event, result, evidence: as `record` takes them.
        why: why it waits; None if it can be recorded.
        detail: of the reason; codes and analytes, never a text of the sender's.
        codes: what was looked at.
        found: what was found, where that is a code or a number.
    """

    slot: str
    program: str = ""
    target: str = ""
    event: str = ""
    result: str = ""
    evidence: Evidence | None = None
    why: Why | None = None
    detail: str = ""
    codes: tuple[Code, ...] = ()
    found: tuple[str, ...] = ()


class _Read(NamedTuple):
    """A finding with what its code means, and what its value is read as."""

    finding: Finding
    rule: CodeRule
    word: str


class _WaitsError(Exception):
    """End the reading of a part: a person has to look."""

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why = why
        self.detail = detail
        super().__init__(why)


def parts_of(arrival: Arrival, mapping: CodeMapping) -> Iterator[Part]:
    """Yield what an arrival says for each target and event, and then what of it has no meaning here, if there is any."""
    slots: dict[str, list[tuple[Finding, CodeRule]]] = {}
    unmapped: list[Finding] = []
    for finding in arrival.findings:
        rules = _rules_of(finding, mapping)
        if len(rules) == 1:
            slots.setdefault(slot_of(rules[0], mapping), []).append((finding, rules[0]))
        elif rules or mapping.ignored.isdisjoint(finding.codes):
            unmapped.append(finding)
    for slot, found in slots.items():
        yield _part(slot, found, mapping)
    if any(not finding.is_detail for finding in unmapped) or len(unmapped) == len(arrival.findings) > 0:
        yield Part("", why=Why.UNMAPPED, codes=_codes(unmapped), found=_found(unmapped))
    elif not arrival.findings:
        yield Part("", why=Why.NOTHING)


def _rules_of(finding: Finding, mapping: CodeMapping) -> list[CodeRule]:
    """Return what the codes of a finding mean: one thing, nothing, or several that do not agree."""
    unnamed = {"system": "", "code": ""}
    rules = [
        mapping.rules[code].model_copy(update=unnamed) for code in finding.codes if code in mapping.rules
    ]
    return [rule for place, rule in enumerate(rules) if rule not in rules[:place]]


def slot_of(rule: CodeRule, mapping: CodeMapping) -> str:
    """Return the part of an arrival that a code gives."""
    what = f"event {rule.event}" if rule.event else rule.target
    slot = "/".join(filter(None, (mapping.file.program_of(rule), what)))
    return slot if len(slot) <= SLOT_MAX else hashlib.sha256(slot.encode()).hexdigest()


def _part(slot: str, found: list[tuple[Finding, CodeRule]], mapping: CodeMapping) -> Part:
    rule = found[0][1]
    findings = [finding for finding, _ in found]
    part = Part(
        slot,
        mapping.file.program_of(rule),
        rule.target or "",
        codes=_codes(findings),
        found=_found(findings),
    )
    try:
        read = [_Read(finding, rule, _word(finding, rule, mapping)) for finding, rule in found]
        if rule.event:
            return _event(part, read)
        return _seen(part, read, mapping)
    except _WaitsError as waits:
        return part._replace(why=waits.why, detail=waits.detail)


def _word(finding: Finding, rule: CodeRule, mapping: CodeMapping) -> str:
    """Return the symbol that a value is read as; empty for one that is measured."""
    if rule.measured:
        if finding.number is None or (finding.unit or "1") != rule.measured:
            raise _WaitsError(Why.VALUE, f"expected a number in {rule.measured}")
        return ""
    words = {**mapping.file.values, **rule.values}
    read = {words[text] for text in _texts(finding) if text in words}
    read = read or {
        STATES[each.code] for each in finding.values if each.system == OWN_SYSTEM and each.code in STATES
    }
    if len(read) != 1:
        raise _WaitsError(Why.CONTRADICTS if read else Why.VALUE)
    return read.pop()


def _texts(finding: Finding) -> Iterator[str]:
    """Yield what a value may be called in the mapping."""
    for value in finding.values:
        yield str(value)
        yield value.code
    if finding.text:
        yield finding.text.strip()


def _event(part: Part, read: list[_Read]) -> Part:
    if {each.word for each in read} != {"-"}:
        return part._replace(why=Why.NOTHING)
    return part._replace(event=read[0].rule.event or "")


def _seen(part: Part, read: list[_Read], mapping: CodeMapping) -> Part:
    """Return a part with its result and its evidence."""
    result = _one(each.word for each in read if each.rule.means == "result")
    panel, whole = _panel([each for each in read if each.rule.means == "analyte"])
    measured = {each.finding.number for each in read if each.rule.measured}
    if len(measured) > 1 or (whole and result not in {"", whole}):
        raise _WaitsError(Why.CONTRADICTS)
    evidence = Evidence(
        panel=tuple(sorted(panel.items())),
        prescribed=_holding(read, "prescribed"),
        conditions=_holding(read, "condition"),
        value=next(iter(measured), None),
        presumptive=_is_presumptive(read),
    )
    if panel:
        _refuse_incomplete(part, panel, mapping)
    if not (result or whole or panel or measured):
        raise _WaitsError(Why.NOTHING)
    return part._replace(result=result or whole, evidence=None if evidence == Evidence() else evidence)


def _is_presumptive(read: list[_Read]) -> bool:
    """Tell whether a result is not confirmed: one of its analytes has no result that is."""
    sure = {each.rule.analyte for each in read if not each.rule.presumptive}
    return any(each.rule.presumptive and each.rule.analyte not in sure for each in read)


def _one(words: Iterable[str]) -> str:
    """Return the one word of several; nothing for none."""
    found = set(words)
    if len(found) > 1:
        raise _WaitsError(Why.CONTRADICTS)
    return found.pop() if found else ""


def _panel(read: list[_Read]) -> tuple[dict[str, str], str]:
    """Return the result of each analyte, or else the result of the whole specimen, which all of them give."""
    words = {each.word for each in read}
    if words - IN_PANEL:
        return {}, _one(words)
    panel: dict[str, str] = {}
    for analyte in dict.fromkeys(each.rule.analyte or "" for each in read):
        of = [each for each in read if each.rule.analyte == analyte]
        confirmed = [each for each in of if not each.rule.presumptive]
        panel[analyte] = _one(each.word for each in confirmed or of)
    return panel, ""


def _refuse_incomplete(part: Part, panel: dict[str, str], mapping: CodeMapping) -> None:
    asked = next(
        (
            each.analytes
            for each in mapping.file.panels
            if (mapping.file.program_of(each), each.target or "") == (part.program, part.target)
        ),
        (),
    )
    if lacking := [analyte for analyte in asked if analyte not in panel]:
        raise _WaitsError(Why.INCOMPLETE, ", ".join(lacking))


def _holding(read: list[_Read], means: str) -> tuple[str, ...]:
    """Return what holds of what was looked at: prescriptions, or flaws."""
    found = {getattr(each.rule, means) for each in read if each.rule.means == means and each.word == "+"}
    return tuple(sorted(found))


def _codes(findings: Iterable[Finding]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(code for finding in findings for code in finding.codes))


def _found(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return what was found, where that is a code or a number: a text of the sender's may be about a person."""
    return tuple(dict.fromkeys(text for finding in findings for text in _kept(finding)))


def _kept(finding: Finding) -> Iterator[str]:
    yield from (str(value) for value in finding.values)
    if finding.number is not None:
        yield f"{finding.number:f} {finding.unit}".strip()

"""What must hold of sources, of marks of evidence, and of declared units."""

from collections.abc import Mapping
from typing import Any

from cm_engine.program.checks.base import Found, Whole
from cm_engine.program.models import Evidence, Program
from cm_engine.program.parts import Part
from cm_engine.program.units import CURRENCY_DECIMALS, THINGS
from cm_engine.program.values import shown
from cm_engine.program.worked import Case
from cm_engine.spelling import nearest


def declared_once(program: Program, _: Whole) -> Found:
    """Find a declared unit that everybody knows."""
    for name in program.units:
        if name in THINGS or name in CURRENCY_DECIMALS:
            yield ("units", name), f"{name} is known; it needs no declaration"


def sources_listed(part: Evidence | Case, whole: Whole) -> Found:
    """Find a source that is named but not listed."""
    for index, name in enumerate(part.sources):
        if name not in whole.program.sources:
            hint = nearest(name, whole.program.sources)
            yield ("sources", index), f"no source is listed as {name!r}{hint}"


def stated_somewhere(evidence: Evidence, _: Whole) -> Found:
    """Find a value that is called stated, but nowhere."""
    if evidence.mark == "stated" and not evidence.sources:
        yield ("mark",), "a stated value names at least one source"


def evidence_of_something(evidence: Evidence, whole: Whole) -> Found:
    """Find evidence of a value that is neither in the file nor what a key of it is left out for."""
    if evidence.of not in whole.places and not _is_default(evidence.of.split("."), whole.program):
        hint = nearest(evidence.of, whole.places)
        yield ("of",), f"there is no value at {shown(evidence.of)} in this file{hint}"


def _is_default(path: list[str], value: Any) -> bool:
    """Tell whether a path leads to a value that a key has if it is left out."""
    if not path:
        return not isinstance(value, Part | Mapping | tuple) and value is not None
    name, *below = path
    if isinstance(value, Part):
        return name in type(value).model_fields and _is_default(below, getattr(value, name))
    if isinstance(value, Mapping):
        return name in value and _is_default(below, value[name])
    if isinstance(value, tuple):
        return name.isdecimal() and int(name) < len(value) and _is_default(below, value[int(name)])
    return False


RULES = {
    Program: (declared_once,),
    Evidence: (stated_somewhere, sources_listed, evidence_of_something),
    Case: (sources_listed,),
}

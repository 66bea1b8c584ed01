"""What a bundle holds, and its one form as text. Pure.

A bundle is one JSON object in canonical form, as RFC 8785 has it: sorted keys, no white space, nothing escaped that need not
be; and a line break at its end.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from cm_engine.errors import BundleError
from cm_engine.log.migrating import moves_of
from cm_engine.log.rows import (
    DecisionRow,
    EnrollmentRow,
    EntryRow,
    PayoutRow,
    ProgramRow,
    RecordRow,
    StandingRow,
)
from cm_engine.spelling import legible

KIND = "cm-engine/bundle"
LAYOUT = 1
"""The layout that this release writes, and the newest that it reads."""

ROWS: Mapping[str, type[NamedTuple]] = {
    "programs": ProgramRow,
    "records": RecordRow,
    "decisions": DecisionRow,
    "entries": EntryRow,
    "payouts": PayoutRow,
}
"""The rows that there are several of, by the key of the bundle that they stand under."""
ONE: Mapping[str, type[NamedTuple]] = {
    "enrollment": EnrollmentRow,
    "standing": StandingRow,
}
"""The rows that there is one of."""
DERIVED = ("exported", "stands")
"""The keys of what follows from the rows, for who reads the file."""
HELD = (*ONE, *ROWS, *DERIVED, "draws")
"""The keys of everything that is sealed part by part."""
KEYS = frozenset({"bundle", "layout", "rules", *HELD, "parts", "hmac", "seal"})
SPACE = " "
"""The first character that is none of control: no row has one of those."""

Document = Mapping[str, Any]
Row = TypeVar("Row", bound=NamedTuple)


class Rows(NamedTuple):
    """All rows of one enrollment, as they are stored, and the programs that decide it: more than one if it changed."""

    programs: tuple[ProgramRow, ...]
    enrollment: EnrollmentRow
    records: tuple[RecordRow, ...]
    decisions: tuple[DecisionRow, ...]
    entries: tuple[EntryRow, ...]
    payouts: tuple[PayoutRow, ...]
    standing: StandingRow


def canonical_form(value: object) -> str:
    """Return data as JSON in its one form.

    Example:
        >>> canonical_form({"b": [1, "é"], "a": None})
        '{"a":null,"b":[1,"é"]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def document_of(text: str) -> Document:
    """Return the data of a bundle's text.

    Raises:
        BundleError: it is no bundle, of a newer layout, or not in canonical form.
    """
    document = _parsed(text)
    if not isinstance(document, dict) or document.get("bundle") != KIND:
        raise BundleError("bundle", f"expected {KIND!r}: this is no bundle of cm-engine")
    _refuse_layout(document.get("layout"))
    if apart := sorted(KEYS.symmetric_difference(document)):
        wrong = "it is missing" if apart[0] in KEYS else "no bundle has this key"
        raise BundleError(legible(apart[0]), wrong)
    _refuse_other_form(text, f"{canonical_form(document)}\n")
    return document


def _parsed(text: str) -> Any:  # noqa: ANN401 - a file may say anything
    try:
        text.encode()
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BundleError(where, f"it is no JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise BundleError("text", f"it is no JSON: {error}") from None


def _refuse_layout(layout: object) -> None:
    if type(layout) is not int or layout < 1:
        raise BundleError("layout", f"expected a number from 1, got {layout!r}")
    if layout > LAYOUT:
        what = f"it is {layout}, of a newer release, and this release reads layouts up to {LAYOUT}"
        raise BundleError("layout", f"{what}; import it with that release")


def _refuse_other_form(text: str, canonical: str) -> None:
    if text != canonical:
        pairs = zip(text, canonical, strict=False)
        same = next(
            (place for place, (one, two) in enumerate(pairs) if one != two), min(len(text), len(canonical))
        )
        raise BundleError(
            f"character {same + 1}", "it is not in canonical form; take the file as it was written"
        )


def digests_of(enrollment: EnrollmentRow, records: Iterable[RecordRow]) -> list[str]:
    """Return the digests of the programs that an enrollment began with and changed to, each once."""
    return list(dict.fromkeys((enrollment.program, *(move.program for move in moves_of(records)))))


def form_of(rows: Rows) -> dict[str, Any]:
    """Return rows as data, each by the names of its fields; the cached state, which each release lays out, is left out."""
    one = {name: getattr(rows, name)._asdict() for name in ONE}
    del one["standing"]["state"]
    return one | {name: [row._asdict() for row in getattr(rows, name)] for name in ROWS}


def rows_from(document: Document) -> Rows:
    """Return the rows of a bundle; the state is left empty, as whoever reads them folds them again.

    Raises:
        BundleError: a field is missing, too much, or of a wrong type.
    """
    stood = document["standing"]
    if not isinstance(stood, dict) or "state" in stood:
        raise BundleError("standing", "expected an object without a state, which follows from the rows")
    given = {**document, "standing": {**stood, "state": ""}}
    fields: dict[str, Any] = {name: _row(kind, given[name], name) for name, kind in ONE.items()}
    fields |= {name: _several(kind, document[name], name) for name, kind in ROWS.items()}
    return Rows(**fields)


def _several(kind: type[Row], given: object, name: str) -> tuple[Row, ...]:
    if not isinstance(given, list):
        raise BundleError(name, f"expected a list, got {given!r}")
    return tuple(_row(kind, each, f"{name}[{place}]") for place, each in enumerate(given))


def _row(kind: type[Row], given: object, where: str) -> Row:
    if not isinstance(given, dict) or set(given) != set(kind._fields):
        raise BundleError(where, f"expected an object with {', '.join(kind._fields)}")
    for name, expected in kind.__annotations__.items():
        value = given[name]
        if type(value) is not expected:
            raise BundleError(f"{where}.{name}", f"expected {expected.__name__}, got {value!r}")
        if isinstance(value, str) and any(each < SPACE for each in value):
            raise BundleError(f"{where}.{name}", "no row has a control character in it")
    return kind._make(given[name] for name in kind._fields)

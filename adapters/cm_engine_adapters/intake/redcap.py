"""REDCap exports: a record is a row, one form of an event is one report, and its `_complete` field says how final it is.

Reads the raw export ("CSV / raw data" of all or of some fields), with one row for each record, event and instance.
"""

from collections.abc import Iterator

from cm_engine.arrivals import OWN_SYSTEM, Arrival, Arrivals, Code, Finding, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.intake.times import written
from cm_engine_adapters.intake.rows import Row, number_in, rows_of

EVENT, INSTRUMENT, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
OWN = frozenset({EVENT, INSTRUMENT, INSTANCE, "redcap_data_access_group", "redcap_survey_identifier"})
COMPLETE = "_complete"
STATUSES = {"0": Status.HELD, "1": Status.HELD, "2": Status.FINAL}
"""What REDCap writes for incomplete, unverified and complete."""
TIMES = ("_timestamp", "_date", "_datetime")
"""What the name of a field ends with that says when a form was: that of a survey, or one of the project's own."""


class RedcapIntake:
    r"""Read the raw CSV export of a REDCap project: a field is a code of the system `redcap`, its cell the value.

    The first column is the record, and the id of the person. A field belongs to the form whose `FORM_complete` is the
    next such column after it, as REDCap writes them. When it was is the field FORM_timestamp, FORM_datetime or FORM_date.

    Example:
        >>> export = b"record_id,udt_date,udt_result,udt_complete\n7,2026-01-05,0,2\n"
        >>> [arrival] = RedcapIntake().read(export)
        >>> arrival.key, arrival.status.value, str(arrival.who[0]), arrival.on.isoformat()
        ('7/udt', 'final', 'redcap|7', '2026-01-05')
        >>> [(str(finding.codes[0]), finding.text) for finding in arrival.findings]
        [('redcap|udt', ''), ('redcap|udt_result', '0')]
    """

    format = "redcap"

    def read(self, document: bytes, *, zone: str = "") -> Arrivals:
        """Yield the forms of all records; one that has no value yet is left out.

        Raises:
            IntakeError: this is no export with the status of at least one form.
        """
        for number, row in rows_of(document, self.format):
            if isinstance(row, Unread):
                yield row
            elif not (forms := _forms(row)):
                why = (
                    "no column ends with _complete; export the fields of a form with its status, as raw data"
                )
                raise IntakeError(self.format, why)
            else:
                yield from _arrivals(row, number, forms, zone)


def _forms(row: Row) -> dict[str, list[str]]:
    """Return the fields of each form, from the order of the columns."""
    forms: dict[str, list[str]] = {}
    fields: list[str] = []
    for name in list(row)[1:]:
        if name.endswith(COMPLETE):
            forms[name.removesuffix(COMPLETE)] = fields
            fields = []
        elif name not in OWN:
            fields.append(name)
    return forms


def _arrivals(row: Row, number: int, forms: dict[str, list[str]], zone: str) -> Iterator[Arrival | Unread]:
    record = next(iter(row.values()))
    if not record:
        yield Unread(f"line {number}", "the record is missing")
        return
    for form, fields in forms.items():
        other = row.get(INSTRUMENT) not in {None, "", form}
        if not other and any(row[name] for name in fields):
            yield _arrival(row, record, form, fields, zone)


def _arrival(row: Row, record: str, form: str, fields: list[str], zone: str) -> Arrival:
    place = (record, row.get(EVENT, ""), form, row.get(INSTANCE, ""))
    when = next((row[form + end] for end in TIMES if row.get(form + end)), "")
    at, on = written(when, zone)
    values = [name for name in fields if row[name] and name not in {form + end for end in TIMES}]
    return Arrival(
        "/".join(filter(None, place)),
        STATUSES.get(row[form + COMPLETE], Status.UNKNOWN),
        (_whole(form), *(_finding(name, row[name]) for name in values)),
        (Code("redcap", record),),
        "",
        at,
        on,
    )


def _whole(form: str) -> Finding:
    """Return that a form was filled in."""
    return Finding((Code("redcap", form),), (Code(OWN_SYSTEM, "completed"),), is_detail=True)


def _finding(name: str, value: str) -> Finding:
    return Finding((Code("redcap", name),), (), value, number_in(value), is_detail=True)

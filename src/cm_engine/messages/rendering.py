"""A template with its values, in the words of its language; what tells a stranger what it is about is not rendered."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from typing import NamedTuple

from cm_engine.errors import ReportError
from cm_engine.messages.draft import Value
from cm_engine.messages.guard import told
from cm_engine.messages.kinds import Channel, MessageKind, Scope
from cm_engine.messages.templates import CHANNELS_WITH_REPLY, PLACEHOLDERS, SPOKEN, Language, Template

WORDS_MAX = 80
AMOUNT = re.compile(r"[\w$€£¥₹₦₪.,' -]{1,40}")
REFERENCE = re.compile(r"[a-z]{4,16}")
NOON = 12

_DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
DAYS = {language: names.split() for language, names in _DAYS.items()}
MONTHS = {language: names.split() for language, names in _MONTHS.items()}


class Rendered(NamedTuple):
    """A message in words.

    Attributes:
        template: which one, to the version.
        language: that it is in.
        scope: what it tells.
        subject: for technologies that have one.
        text: the words.
    """

    template: str
    language: str
    scope: Scope
    subject: str
    text: str


class TellingError(ReportError):
    """Report a message that would tell a stranger what it is about; it is not sent.

    Attributes:
        template: of which template.
        found: what tells it.
    """

    def __init__(self, template: str, found: Iterable[str]) -> None:
        self.template = template
        self.found = tuple(found)
        super().__init__(
            f"a message by template {template} would tell a stranger what it is about: {', '.join(self.found)}; "
            "nothing is sent: mend the value, or the template"
        )


def rendered(
    template: Template,
    values: Mapping[str, Value],
    *,
    kind: MessageKind,
    channel: Channel,
    also: Iterable[str] = (),
) -> Rendered:
    """Return a message in words.

    Args:
        template: a reviewed one.
        values: what fills its placeholders; others are left alone.
        kind: what the message is about; under a reminder somebody may confirm.
        channel: by what it goes out; where it can be answered, the way out is said.
        also: what is denied besides.

    Raises:
        ReportError: a value is missing, or not what its placeholder takes.
        TellingError: with its values it would tell a stranger what it is about.

    Example:
        >>> from cm_engine.messages.templates import TEMPLATES
        >>> [spanish] = [each for each in TEMPLATES if each.name == "visit-time/es@1"]
        >>> values = {"visit_day": "2026-01-05", "visit_time": "09:30"}
        >>> rendered(spanish, values, kind="visit reminder", channel="sms").text
        'Le esperamos el lunes 5 de enero a las 9:30. Responda SÍ para confirmar, ALTO para no recibir más.'
    """
    spoken = SPOKEN.get(template.language.partition("-")[0], SPOKEN["en"])
    filled = {name: _filled(name, values, template.language, spoken) for name in template.fills}
    text = template.text.format_map(filled)
    if found := told(text, also=also, progress=template.scope == "progress"):
        raise TellingError(template.name, found)
    if channel in CHANNELS_WITH_REPLY and template.audience != "team":
        out = (
            spoken.confirm if kind == "visit reminder" and template.audience == "participant" else spoken.stop
        )
        text = f"{text} {out}"
    return Rendered(template.name, template.language, template.scope, spoken.subject, text)


def _filled(name: str, values: Mapping[str, Value], language: str, spoken: Language) -> str:
    if name not in values:
        msg = f"{name}: the message fills it in, and nothing is given"
        raise ReportError(msg)
    try:
        return FILLERS[PLACEHOLDERS[name]](values[name], language, spoken)
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{name}: expected {PLACEHOLDERS.get(name, 'nothing')}, got {values[name]!r}"
        raise ReportError(msg) from error


def _day(value: Value, language: str, _: Language) -> str:
    return spoken_day(date.fromisoformat(_one(value)), language)


def spoken_day(day: date, language: str) -> str:
    """Return a day as it is said; what has no words of ours for it has the digits.

    Example:
        >>> spoken_day(date(2026, 1, 5), "en"), spoken_day(date(2026, 1, 5), "es-MX"), spoken_day(date(2026, 1, 5), "pt")
        ('Monday, January 5', 'lunes 5 de enero', '05/01')
    """
    base = language.partition("-")[0]
    if base not in DAYS:
        return f"{day:%d/%m}"
    name, month = DAYS[base][day.weekday()], MONTHS[base][day.month - 1]
    return f"{name}, {month} {day.day}" if base == "en" else f"{name} {day.day} de {month}"


def _time(value: Value, language: str, _: Language) -> str:
    found = time.fromisoformat(_one(value))
    if language.partition("-")[0] != "en":
        return f"{found.hour}:{found:%M}"
    half = "AM" if found.hour < NOON else "PM"
    return f"{found.hour % NOON or NOON}:{found:%M} {half}"


def _amounts(value: Value, _: str, spoken: Language) -> str:
    amounts = (value,) if isinstance(value, str) else value
    if not amounts or not all(AMOUNT.fullmatch(each) and any(map(str.isdigit, each)) for each in amounts):
        raise ValueError(value)
    return spoken.both.join([", ".join(amounts[:-1]), amounts[-1]]) if len(amounts) > 1 else amounts[0]


def _words(value: Value, _: str, __: Language) -> str:
    text = _one(value)
    if not (text.isprintable() and 0 < len(text) <= WORDS_MAX and "://" not in text and "@" not in text):
        raise ValueError(text)
    return text


def _reference(value: Value, _: str, __: Language) -> str:
    text = _one(value)
    if not REFERENCE.fullmatch(text):
        raise ValueError(text)
    return text


def _one(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


FILLERS: Mapping[str, Callable[[Value, str, Language], str]] = {
    "day": _day,
    "time": _time,
    "amounts": _amounts,
    "words": _words,
    "reference": _reference,
}
"""How each kind of value is said."""

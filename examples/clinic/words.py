"""The words of the pages: English stands in the pages themselves, Spanish in the catalogue."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from examples.clinic.spanish_words import SPANISH

LANGUAGES = {"en": "English", "es": "Español"}
_DAYS = {
    "en": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    "es": ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
}
_MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "es": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
}

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?: UTC|(Z|[+-]\d\d:\d\d))")


class Words:
    """Say things in one language, at one clinic.

    Example:
        >>> Words("es", ZoneInfo("UTC"))("Sign in"), Words("es", ZoneInfo("UTC")).day(date(2026, 1, 5))
        ('Entrar', 'lun 5 ene 2026')
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self._zone = zone

    def __call__(self, text: str, /, **values: object) -> str:
        """Return a text of the pages, with what is to be filled in."""
        found = SPANISH.get(text, text) if self.language == "es" else text
        return found.format(**values) if values else found

    def day(self, day: date) -> str:
        """Return a day, with its day of the week."""
        names, months = _DAYS[self.language], _MONTHS[self.language]
        return f"{names[day.weekday()]} {day.day} {months[day.month - 1]} {day.year}"

    def clock(self, at: datetime) -> str:
        """Return the time of the clinic's clock."""
        return f"{at.astimezone(self._zone):%H:%M}"

    def moment(self, at: datetime) -> str:
        """Return a day and a time of the clinic's clock."""
        return f"{self.day(at.astimezone(self._zone).date())}, {self.clock(at)}"

    def told(self, error: object) -> str:
        """Return what the engine says, which is English, with its times on the clinic's clock.

        Example:
            >>> Words("es", ZoneInfo("America/Los_Angeles")).told("it is 2026-01-05 17:30 UTC, and dark")
            'it is Mon 5 Jan 2026, 09:30, and dark'
        """
        clock = Words("en", self._zone)

        def shown(found: re.Match[str]) -> str:
            return clock.moment(datetime.fromisoformat(f"{found[1]}{found[2] or 'Z'}"))

        return _INSTANT.sub(shown, str(error))

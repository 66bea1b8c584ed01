"""Reading what was typed: every problem is found at once, and belongs to its field."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

NOTE_MAX = 2000
LINE_MAX = 200


class Form:
    """What was typed, and what is wrong with it.

    Attributes:
        typed: as it came, to be shown again.
        problems: by field, in words to be translated.
    """

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed = dict(typed)
        self.problems: dict[str, str] = {}

    def wrong(self, field: str, problem: str) -> None:
        """Note what is wrong with a field; the first problem stays."""
        self.problems.setdefault(field, problem)

    def text(self, field: str, *, asked: str = "", at_most: int = LINE_MAX, lines: bool = False) -> str:
        """Return a text; `asked` says what is missing if it has to be there."""
        given = self.typed.get(field, "").replace("\r\n", "\n").strip()
        plain = given.replace("\n", "").replace("\t", "") if lines else given
        if asked and not given:
            self.wrong(field, asked)
        elif plain and not plain.isprintable():
            self.wrong(field, "This has characters that cannot be kept.")
        elif len(given) > at_most:
            self.wrong(field, "This is too long.")
        return given

    def choice(self, field: str, choices: Iterable[str], *, asked: str) -> str:
        """Return one of several, `asked` being said if it is none of them."""
        given = self.typed.get(field, "")
        if given not in choices:
            self.wrong(field, asked)
        return given

    def number(self, field: str) -> int:
        """Return a small whole number that a page wrote into a form itself; 0 if it is none."""
        given = self.typed.get(field, "")
        return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0  # noqa: PLR2004

    def local_time(self, field: str, zone: ZoneInfo) -> datetime:
        """Return a time of the clinic's clock, aware; of an hour that the clock shows twice, the first."""
        try:
            given = datetime.fromisoformat(self.typed.get(field, "")).replace(tzinfo=zone)
            is_shown = given == datetime.fromtimestamp(given.timestamp(), zone)
        except (ValueError, OverflowError):
            self.wrong(field, "Enter the day and the time.")
            return datetime(2000, 1, 1, tzinfo=zone)
        if not is_shown:
            self.wrong(field, "The clock was put forward then: there was no such time.")
        return given

    def day(self, field: str) -> date:
        """Return a day."""
        try:
            return date.fromisoformat(self.typed.get(field, ""))
        except ValueError:
            self.wrong(field, "Enter a day.")
            return date(2000, 1, 1)

"""The words of what participants read, in their language: English stands in the code, others in gettext catalogues.

The standard library's gettext reads them. A catalogue of one's own lies in FOLDER/LANGUAGE/LC_MESSAGES/cm_engine.mo, which
msgfmt makes of a .po file; ours are in the package, as .po and .mo.
"""

import gettext
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path

from cm_engine.errors import ReportError

DOMAIN = "cm_engine"
ENGLISH = "en"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


class Words:
    """What a text is called in a language.

    Args:
        language: a tag such as `es`.
        folder: of catalogues beside those that are shipped; empty for none.

    Raises:
        ReportError: there is no catalogue of the language.

    Example:
        >>> Words("es")("Goal met"), Words("en")("Visit {number}", number=3)
        ('Meta cumplida', 'Visit 3')
    """

    def __init__(self, language: str = ENGLISH, folder: str | Path = "") -> None:
        self.language = language
        self._found = gettext.NullTranslations() if language == ENGLISH else _catalogue(language, folder)

    def __call__(self, text: str, **fields: object) -> str:
        """Return a text in the language, with its fields filled in."""
        return self._found.gettext(text).format(**fields)

    def day(self, day: date) -> str:
        """Return a day as it is written.

        Example:
            >>> Words("en").day(date(2026, 1, 5)), Words("es").day(date(2026, 1, 5))
            ('5 January 2026', '5 de enero de 2026')
        """
        return self("{day} {month} {year}", day=day.day, month=self(MONTHS[day.month - 1]), year=day.year)


def _catalogue(language: str, folder: str | Path) -> gettext.NullTranslations:
    with as_file(files("cm_engine.reports") / "locale") as shipped:
        for place in (Path(folder), shipped) if folder else (shipped,):
            try:
                return gettext.translation(DOMAIN, place, [language])
            except OSError:
                continue
        known = sorted({ENGLISH, *(each.name for each in shipped.iterdir() if each.is_dir())})
    where = f" or in {folder}" if folder else ""
    msg = f"language: expected one of {', '.join(known)}{where}, got {language!r}; a catalogue of its own adds one"
    raise ReportError(msg)

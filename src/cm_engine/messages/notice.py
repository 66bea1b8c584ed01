"""What goes with a disclosure to somebody else: the notice of 42 CFR 2.32(a)(2), and what the consent allows."""

from datetime import date

from cm_engine.messages.contact import Consent
from cm_engine.messages.kinds import SCOPES
from cm_engine.messages.rendering import spoken_day
from cm_engine.messages.templates import SPOKEN

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""The short statement of 42 CFR 2.32(a)(2) in the rule of 16 February 2024, said in English in every language.

Have it compared with the rule as it stands; a policy may give the long statement of 2.32(a)(1) in its place.
"""


def with_notice(text: str, consent: Consent, language: str, notice: str = NOTICE) -> str:
    """Return a text with the notice, and with the explanation of the consent that it is sent with (42 CFR 2.32(b)).

    Args:
        text: what is told to somebody other than the participant.
        consent: that allows it.
        language: of the text.
        notice: left out, the short statement.

    Example:
        >>> consent = Consent(
        ...     "c-7", "North Clinic", "s-1", ("sms",), ("visits",), "support by a person of choice", "2026-01-05",
        ...     "2026-01-05", "2026-07-05",
        ... )
        >>> with_notice("A visit is on Monday.", consent, "en").splitlines()[2:]
        ['42 CFR part 2 prohibits unauthorized use or disclosure of these records.', 'Sent with consent c-7 to tell of visits, until July 5, 2026.']
    """
    base = language.partition("-")[0]
    language, spoken = (base, SPOKEN[base]) if base in SPOKEN else ("en", SPOKEN["en"])
    scopes = ", ".join(spoken.scopes[scope] for scope in SCOPES if scope in consent.scopes)
    until = spoken.last_day.format(day=_dated(consent.until, language)) if consent.until else spoken.no_end
    account = spoken.notice.format(consent=consent.id, scopes=scopes, until=until)
    return f"{text}\n\n{notice}\n{account}"


def _dated(until: str, language: str) -> str:
    day = date.fromisoformat(until)
    without = spoken_day(day, language).replace(",", "").partition(" ")[2]
    return f"{without}, {day.year}" if language == "en" else f"{without} de {day.year}"

"""What a clinic decides once, before it opens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

OWN = Path(__file__).parent / "program.yaml"
"""The clinic's own program: results find their visits by date, and two people enter them."""
PROGRAMS = (str(OWN), "california-recovery-incentives", "va-prize", "template-integrated-care")


def system_clock() -> datetime:
    """Return what time it is: the one place that asks."""
    return datetime.now(UTC)  # noqa: TID251


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the application is opened with.

    Attributes:
        url: of the database, which holds the rewards and the clinic's own tables.
        prize_secret: at least 32 bytes, the same for ever: prizes are drawn with it.
        zone: the clinic's time zone; it decides which day a time falls on.
        programs: that participants can be enrolled in: ids of the catalogue, or files.
        cookie_secret: signs who is signed in; made anew, everybody signs in again.
        api_tokens: the bearer token of each calling system, by its name.
        clock: tells the time.
    """

    url: str
    prize_secret: bytes
    zone: str = "America/Los_Angeles"
    programs: tuple[str, ...] = PROGRAMS
    cookie_secret: str = field(default_factory=lambda: token_urlsafe(32))
    api_tokens: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = system_clock

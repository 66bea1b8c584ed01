"""What all parts of a program file are made of: the frozen base, and the small types of their fields."""

from threading import RLock
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from cm_engine.program.units import CURRENCY_DECIMALS
from cm_engine.program.values import shown, wrong

EVERY_MAX = 1000
NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

Text = Annotated[str, StringConstraints(pattern=r"\S", max_length=2000)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=80)]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Switch = Annotated[bool, Field(strict=True)]

NotMet = Literal["positive", "missed", "excused", "invalid", "refused"]
NOT_MET: tuple[NotMet, ...] = get_args(NotMet)
RESET_BY_DEFAULT: tuple[NotMet, ...] = ("positive", "missed", "refused")

Mark = Literal["stated", "derived", "unverified"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

Banned = Literal["alcohol", "tobacco", "cannabis", "gambling", "firearms"]
BANNED: tuple[Banned, ...] = get_args(Banned)
"""What a gateway may keep from being bought, that a program asks for."""


_BUILDING = RLock()


class Part(BaseModel):
    """A part of a program file: frozen, and refusing keys it does not know.

    Its schema is built at its first use: most processes need few, and building all made importing a tenth slower.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the schema, in one thread of those that first use it at once: pydantic sees to it only since 2.14."""
        with _BUILDING:
            return super().model_rebuild(**options)


def _every(value: Any) -> int | Literal["week"]:
    if value == "week":
        return "week"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= EVERY_MAX:
        return value
    raise wrong(f"expected a number of successes from 1 to {EVERY_MAX}, or week, got {shown(value)}")


Every = Annotated[
    int | Literal["week"],
    PlainValidator(_every),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": EVERY_MAX}, {"const": "week"}]}),
]


CALLED = {
    "$": "USD",
    "dollar": "USD",
    "us dollar": "USD",
    "€": "EUR",
    "euro": "EUR",
    "£": "GBP",
    "pound": "GBP",
    "pound sterling": "GBP",
    "us$": "USD",
}
"""What people call currencies."""


def _currency(code: str) -> str:
    if code not in CURRENCY_DECIMALS:
        meant = CALLED.get(code.lower().replace("pounds", "pound").rstrip("s")) or (
            code.upper() if code.upper() in CURRENCY_DECIMALS else ""
        )
        hint = f"; write {meant}" if meant else "; write its three letters, such as USD or EUR"
        raise wrong(f"{shown(code)} is not an ISO 4217 currency{hint}")
    return code


Currency = Annotated[
    str, AfterValidator(_currency), WithJsonSchema({"type": "string", "enum": sorted(CURRENCY_DECIMALS)})
]

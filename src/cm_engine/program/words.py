"""What a program says to participants, and which turns of a treatment it tells the care team."""

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from cm_engine.program.parts import Count, Name, Part, Text
from cm_engine.program.values import shown, wrong

Occasion = Literal[
    "reward", "no reward", "reset", "recovered", "milestone", "limit reached", "reminder", "payout", "expiry"
]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)

PLACEHOLDERS = ("award", "next", "balance", "visit_day", "milestone")
"""What a message may hold in braces."""

TURNS = ("missed", "positive_after", "no_reward_in_first", "recovered_after")
"""The keys of `when` that say what a signal is about; each has one of them."""


_LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"


def _language(tag: str) -> str:
    if not re.fullmatch(_LANGUAGE, tag):
        raise wrong(f"expected a language such as en, es or pt-BR, got {shown(tag)}")
    return tag


Language = Annotated[
    str, AfterValidator(_language), WithJsonSchema({"type": "string", "pattern": f"^{_LANGUAGE}$"})
]


class Message(Part):
    """A reviewed text that may leave the clinic: no substance, result, program or clinic is named in it."""

    on: Annotated[Occasion, Field(description="when it is sent")]
    language: Annotated[Language, Field(description="a BCP 47 tag: en, es, pt-BR")] = "en"
    text: Annotated[
        Text,
        Field(description="the words; {award}, {next}, {balance}, {visit_day} and {milestone} are filled in"),
    ]


class Turn(Part):
    """What a signal is about; one of its keys."""

    missed: Annotated[Count | None, Field(description="so many visits missed in a row")] = None
    positive_after: Annotated[
        Count | None, Field(description="a positive result after a run of at least so many successes")
    ] = None
    no_reward_in_first: Annotated[
        Count | None, Field(description="no reward within the first so many visits")
    ] = None
    recovered_after: Annotated[
        Count | None, Field(description="so many consecutive successes after a reset")
    ] = None


class Signal(Part):
    """What the care team is told, and who of it."""

    name: Annotated[Name, Field(description="a short name")]
    when: Annotated[Turn, Field(description="what it is about")]
    target: Annotated[Name | None, Field(description="the target; if left out, every one")] = None
    to: Annotated[tuple[Name, ...], Field(min_length=1, description="roles: counselor, prescriber, ...")]

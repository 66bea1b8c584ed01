"""Who has to be trained, what two people have to enter, and who may release what a result pays."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from cm_engine.program.parts import Part
from cm_engine.program.values import OUTCOMES

DAYS_MAX = 3660

EnteredTwice = Literal[
    "results", "met", "positive", "missed", "excused", "invalid", "refused", "not required", "events"
]
ENTERED_TWICE: tuple[EnteredTwice, ...] = get_args(EnteredTwice)

Days = Annotated[int, Field(strict=True, ge=1, le=DAYS_MAX)]


class PeopleRules(Part):
    """What the program asks of the people who run it; if left out, it asks nothing."""

    trained_within: Annotated[
        Days | None,
        Field(description="days within which whoever acts on its enrollments was trained, or trained again"),
    ] = None
    second_entry: Annotated[
        tuple[EnteredTwice, ...],
        Field(min_length=1, description="the kinds of result that two people enter; `results` are all"),
    ] = ()
    release: Annotated[
        Literal["another person"] | None,
        Field(description="who may hand over what a result pays: another person than recorded it"),
    ] = None

    def wants_two(self, symbol: str, event: str) -> bool:
        """Tell whether two people enter such a result; one that is only known once it is decided is any.

        Example:
            >>> rules = PeopleRules(second_entry=("met",))
            >>> rules.wants_two("-", ""), rules.wants_two("+", ""), rules.wants_two("", "")
            (True, False, True)
        """
        if event:
            return "events" in self.second_entry
        kinds = set(self.second_entry) - {"events"}
        return bool(kinds & {"results", OUTCOMES.get(symbol, "")}) or (not symbol and bool(kinds))

    def named(self, key: str) -> str:
        """Return a key with its value, as the file has it.

        Example:
            >>> PeopleRules(second_entry=("results",)).named("second_entry")
            'people.second_entry: [results]'
        """
        value = getattr(self, key)
        return f"people.{key}: {'[' + ', '.join(value) + ']' if isinstance(value, tuple) else value}"

"""The rewards of a target as bars, and what the next one would be: laid out here, drawn by a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from examples.clinic.view import MET

from cm_engine import Decision, RecordedDecision

WIDTH, HEIGHT, TOP, BASE = 360, 150, 24, 122
SLOT_MAX, SLOTS = 40, 14
"""As wide may a bar with its gap be, and as many are shown: the last ones."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One visit: where it stands, how high it is, and what is said of it. Lengths in whole units of the picture."""

    left: int
    width: int
    height: int
    outcome: str
    visit: int
    unit: str
    amount: Decimal
    is_next: bool
    labelled: bool

    @property
    def middle(self) -> int:
        """Return where its labels stand."""
        return self.left + self.width // 2

    @property
    def top(self) -> int:
        """Return where it ends."""
        return BASE - self.height


class _Shown(NamedTuple):
    """One visit, before it is laid out."""

    visit: int
    outcome: str
    unit: str
    amount: Decimal
    is_next: bool


def bars(decisions: Sequence[RecordedDecision], ahead: Mapping[str, Decision]) -> list[Bar]:
    """Return the bars of one target: the last visits, and the next one if it is met."""
    seen = [_shown(each, each.outcome) for each in decisions][-(SLOTS - 1) :]
    shown = [*seen, *(_shown(ahead[symbol], symbol, is_next=True) for symbol in ahead if symbol == MET)]
    highest = max((each.amount for each in shown), default=Decimal(0)) or Decimal(1)
    slot = min(SLOT_MAX, (WIDTH - 8) // max(len(shown), 1))
    labelled = _labelled(shown, beside=slot == SLOT_MAX)
    return [
        Bar(
            left=4 + number * slot,
            width=slot - 4,
            height=int((BASE - TOP) * each.amount / highest),
            labelled=number in labelled,
            **each._asdict(),
        )
        for number, each in enumerate(shown)
    ]


def _labelled(shown: Sequence[_Shown], *, beside: bool) -> set[int]:
    """Return which bars say their amount: the last, and where it changes; side by side only if there is room."""
    found = {len(shown) - 1}
    for number, each in enumerate(shown[:-1]):
        changes = number == 0 or each.amount != shown[number - 1].amount
        has_room = beside or not {number - 1, number + 1} & found
        if each.amount and changes and has_room:
            found.add(number)
    return {number for number in found if number >= 0 and shown[number].amount}


def _shown(decision: Decision | RecordedDecision, outcome: str, *, is_next: bool = False) -> _Shown:
    """Return a visit with the largest amount of its awards."""
    unit, amount = max(decision.awards.items(), key=lambda each: each[1], default=("", Decimal(0)))
    return _Shown(decision.visit, outcome, unit, amount, is_next)

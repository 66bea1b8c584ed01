"""Payouts as staff see them: what to hand over, what a correction left not owed any more, and what was given to whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from examples.clinic.view import Amounts, place, standing, total, worth

from cm_engine import Engine, Recorded, SentPayout

IN_FLIGHT = "in flight"
BECAME = ("handed over", "declined", "refunded")
"""The kinds of acts that say what became of a payout."""
ASKED = ("redeemed", "paid out")
"""The kinds of acts that put on its way what was saved, whichever visit it is of."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What one decision put on its way, and what became of it.

    Attributes:
        over: what of it is not owed any more, since a result was corrected.
        act: who said what became of it, and when; None while it is on its way.
    """

    number: int
    on: date
    amounts: Amounts
    over: Amounts
    status: str
    act: Recorded | None

    @property
    def is_open(self) -> bool:
        """Tell whether it is to be handed over."""
        return self.status == IN_FLIGHT and not self.over

    @property
    def is_over(self) -> bool:
        """Tell whether it is on its way, and should not be."""
        return self.status == IN_FLIGHT and bool(self.over)


def ways_of(engine: Engine, enrollment: str) -> list[Way]:
    """Return the payouts of an enrollment, those of one decision together, in order."""
    sent = engine.payouts(enrollment=enrollment)
    if not sent:
        return []
    acts = engine.history(enrollment=enrollment)
    over = _over(engine, acts, [each for each in sent if each.status in {IN_FLIGHT, "issued"}])
    return [
        Way(
            number=number,
            on=found[0].on,
            amounts=total({each.unit: each.amount} for each in found),
            over=total(
                {each.unit: over[each.number, each.leg]} for each in found if over.get((number, each.leg))
            ),
            status=status,
            act=_became(acts, number),
        )
        for number, status in dict.fromkeys((each.number, each.status) for each in sent)
        if (found := [each for each in sent if (each.number, each.status) == (number, status)])
    ]


def _became(acts: Iterable[Recorded], number: int) -> Recorded | None:
    about = [act for act in acts if act.kind in BECAME and act.reported["number"] == number]
    return about[-1] if about else None


def _over(
    engine: Engine, acts: tuple[Recorded, ...], sent: list[SentPayout]
) -> Mapping[tuple[int, int], Decimal]:
    """Return what of payouts on their way is not owed any more, by number and leg."""
    beyond = _beyond(acts, sent)
    found: dict[tuple[int, int], Decimal] = {}
    for unit, balance in engine.balance(enrollment=acts[0].enrollment).items():
        too_much = balance.absorbed + balance.offset
        if too_much:
            found |= _over_of_unit([each for each in sent if each.unit == unit], beyond, too_much)
    return found


def _over_of_unit(
    sent: list[SentPayout], beyond: Mapping[tuple[int, int], Decimal], too_much: Decimal
) -> dict[tuple[int, int], Decimal]:
    """Return what is not owed any more of one unit: by visits, and then of what was asked for, the last first.

    Where too much was given for good, a payout that is owed in part stays: the engine would settle one with the other.
    """
    rest = too_much - sum(beyond.get((each.number, each.leg), Decimal(0)) for each in sent)
    given, found = False, {}
    for each in reversed(sent):
        which = (each.number, each.leg)
        over = beyond[which] if which in beyond else max(min(rest, each.amount), Decimal(0))
        rest -= Decimal(0) if which in beyond else over
        given |= bool(over) and each.status != IN_FLIGHT
        found[which] = (over, each)
    return {
        which: over
        for which, (over, each) in found.items()
        if over and each.status == IN_FLIGHT and (not given or over == each.amount)
    }


def _beyond(acts: tuple[Recorded, ...], sent: list[SentPayout]) -> dict[tuple[int, int], Decimal]:
    """Return by how much payouts exceed what their visit is worth by now, those on their way and the last ones first."""
    places = {each.number: place(each) for act in acts if act.kind not in ASKED for each in act.decisions}
    worths = {place(each): worth(each) for each in standing(acts)}
    paid: dict[object, Decimal] = {}
    found = {}
    known = [each for each in sent if each.number in places]
    for each in sorted(known, key=lambda each: (each.status == IN_FLIGHT, each.number)):
        where = places[each.number]
        paid[where, each.unit] = paid.get((where, each.unit), Decimal(0)) + each.amount
        beyond = paid[where, each.unit] - worths.get(where, {}).get(each.unit, Decimal(0))
        found[each.number, each.leg] = max(min(beyond, each.amount), Decimal(0))
    return found

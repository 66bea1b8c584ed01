"""What is known of one participant: the visits of each target, what was reported, and what was measured."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

NOTHING: Mapping[str, tuple[int, ...]] = MappingProxyType({})
UNMEASURED: Mapping[str, tuple[Decimal, ...]] = MappingProxyType({})


class Visits(NamedTuple):
    """The visits of one target.

    Attributes:
        word: one symbol a visit.
        days: how many days after the start each of them was; None if nobody knows.
    """

    word: str
    days: tuple[int, ...] | None = None


class Timeline(NamedTuple):
    """One participant's course, as outcomes are measured of it.

    Attributes:
        visits: by target; the one with an empty name stands for an endpoint that names none.
        events: how many days after the start something was reported, by what it was.
        values: what was measured, in its order, by what it was measured of.
        until: the last day on which anything is known, after the start; None if nobody knows.
        has_reports: whether events and values are known at all; of a word they are not.
    """

    visits: Mapping[str, Visits]
    events: Mapping[str, tuple[int, ...]] = NOTHING
    values: Mapping[str, tuple[Decimal, ...]] = UNMEASURED
    until: int | None = None
    has_reports: bool = False


def timeline_of(word: str, *, every: int | None = None, target: str = "") -> Timeline:
    """Return the timeline of a word.

    Args:
        word: one symbol a visit.
        every: how many days there are from a visit to the next; None if nobody knows.
        target: which one it is of, for endpoints that name theirs.

    Example:
        >>> timeline_of("-+-", every=7).visits[""].days
        (0, 7, 14)
    """
    days = None if every is None else tuple(range(0, len(word) * every, every))
    visits = Visits(word, days)
    return Timeline(with_only({target: visits}), until=last_day([visits]))


def with_only(visits: Mapping[str, Visits], target: str = "") -> dict[str, Visits]:
    """Return visits by target, with those for endpoints that name none: of the one that is chosen, or the only one."""
    chosen = target or (next(iter(visits)) if len(visits) == 1 else "")
    return {**visits, "": visits[chosen]} if chosen in visits else dict(visits)


def last_day(visits: Iterable[Visits]) -> int | None:
    """Return the day of the last visit of all."""
    return max((each.days[-1] for each in visits if each.days), default=None)

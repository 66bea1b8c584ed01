"""What is done to a course of visits before it is measured: read results otherwise, fill what is missing, cut."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from cm_engine.outcomes.results import ABSENT, FROM_BEST, GIVEN, MISSING, NOT_REQUIRED


class Course(NamedTuple):
    """Visits in their order.

    Attributes:
        word: one symbol a visit.
        at: where each visit stands: its number from 1, or its day since the start. Leaving visits out keeps it.
    """

    word: str
    at: Sequence[int]


Step = Callable[[Course], Course]


def course_of(word: str) -> Course:
    """Return the visits of a word, by their numbers."""
    return Course(word, range(1, len(word) + 1))


def recoded(course: Course, symbol: str, as_symbol: str) -> Course:
    """Return a course with one result read as another.

    Example:
        >>> recoded(course_of("-o+"), "o", "+").word
        '-++'
    """
    return Course(course.word.replace(symbol, as_symbol), course.at)


def left_out(course: Course, symbols: str) -> Course:
    """Return a course without the visits of some results; those after them move up, and stand where they stood.

    Example:
        >>> left_out(course_of("-o+"), "o")
        Course(word='-+', at=(1, 3))
    """
    word, at = course
    if not any(symbol in word for symbol in symbols):
        return course
    kept = [(symbol, place) for symbol, place in zip(word, at, strict=True) if symbol not in symbols]
    return Course("".join(symbol for symbol, _ in kept), tuple(place for _, place in kept))


def kept(course: Course, first: int, last: int) -> Course:
    """Return the visits from one to another of those that are left, both included; fewer if there are fewer.

    Example:
        >>> kept(course_of("-+o-"), 2, 9)
        Course(word='+o-', at=range(2, 5))
    """
    return Course(course.word[first - 1 : last], course.at[first - 1 : last])


def until_last(course: Course, symbols: str) -> Course:
    """Return a course up to the last visit that has one of some results.

    Example:
        >>> until_last(course_of("-o+oo"), "-+*").word
        '-o+'
    """
    return kept(course, 1, max(map(course.word.rfind, symbols)) + 1)


def planned(course: Course, visits: Collection[int], *, carried: bool) -> Course:
    """Return a course as a plan with fewer visits would have seen it.

    Args:
        course: all visits.
        visits: the numbers of those in the plan.
        carried: a visit that is not in the plan takes the result of the visit just before; else none is required.

    Example:
        >>> planned(course_of("-+-+"), {1, 3}, carried=True).word, planned(course_of("-+-+"), {1, 3}, carried=False).word
        ('----', '-_-_')
    """
    found: list[str] = []
    for number, symbol in enumerate(course.word, start=1):
        before = found[-1] if carried and found else NOT_REQUIRED
        found.append(symbol if number in visits else before)
    return Course("".join(found), course.at)


def last_result(course: Course) -> Course:
    """Return a course in which a missing visit has the last result before it; with none before it stays missing.

    Example:
        >>> last_result(course_of("o-oo+o")).word
        'o---++'
    """
    return Course(_carried(course.word), course.at)


def last_result_until_drop_out(course: Course) -> Course:
    """Return it as `last_result` does, and as it was from the last result on.

    Example:
        >>> last_result_until_drop_out(course_of("o-oo+o")).word
        'o---+o'
    """
    seen = len(course.word.rstrip(ABSENT))
    return Course(_carried(course.word[:seen]) + course.word[seen:], course.at)


def _carried(word: str) -> str:
    found, last = [], MISSING
    for symbol in word:
        last = symbol if symbol in GIVEN else last
        found.append(last if symbol == MISSING else symbol)
    return "".join(found)


def most_common_result(course: Course) -> Course:
    """Return a course in which a missing visit has the most common result; of several, that which is more positive.

    Example:
        >>> most_common_result(course_of("-o-+")).word, most_common_result(course_of("-o+")).word
        ('---+', '-++')
    """
    word = course.word
    worst_first = reversed(FROM_BEST)
    common = max(worst_first, key=word.count)
    return recoded(course, MISSING, common) if common in word else course


def nearest_visits(course: Course) -> Course:
    """Return a course in which a missing visit between two results has the mean of them.

    A negative is 0, mixed 0.5, a positive 1; a mean halfway between two results is the more positive one. Visits at
    the ends, and missing ones side by side, stay missing.

    Example:
        >>> nearest_visits(course_of("-o-o+oo-o")).word
        '---*+oo-o'
    """
    word = course.word
    filled = (
        _between(before, after) if symbol == MISSING else symbol
        for before, symbol, after in zip(f"_{word}", word, f"{word[1:]}_", strict=False)
    )
    return Course("".join(filled), course.at)


def _between(before: str, after: str) -> str:
    ranks = FROM_BEST.find(before), FROM_BEST.find(after)
    return FROM_BEST[(sum(ranks) + 1) // 2] if min(ranks) >= 0 else MISSING

"""What is measured of a course of visits: counts and shares, runs, the first event, the last result, scores."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from cm_engine.outcomes.courses import Course
from cm_engine.outcomes.results import marks

Worth = Mapping[str, float]
"""What a visit counts by the symbol of its result; others count nothing."""


class First(NamedTuple):
    """The first event of a course.

    Attributes:
        at: where it stands; without one, the last place at which it could have begun, None if there is none.
        found: whether there is one.
    """

    at: int | None
    found: bool


def total(course: Course, worth: Worth) -> float:
    """Return what all visits count together.

    Example:
        >>> total(Course("--*o+", range(1, 6)), {"-": 1, "*": 0.5})
        2.5
    """
    return sum(course.word.count(symbol) * each for symbol, each in worth.items())


def share(course: Course, worth: Worth) -> float | None:
    """Return what a visit counts on average; None if there are no visits.

    Example:
        >>> share(Course("--*o", range(1, 5)), {"-": 1, "*": 0.5})
        0.625
    """
    return total(course, worth) / len(course.word) if course.word else None


def longest_run(course: Course, symbols: str) -> int:
    """Return how many visits the longest run of some results has.

    Example:
        >>> longest_run(Course("--+---o", range(1, 8)), "-")
        3
    """
    return max(map(len, course.word.translate(marks(symbols)).split()), default=0)


def longest_span(course: Course, symbols: str) -> int:
    """Return from the first to the last place of the longest run, both included.

    Example:
        >>> longest_span(Course("--+-", (0, 3, 7, 10)), "-")
        4
    """
    found = zip(course.word.translate(marks(symbols)), course.at, strict=True)
    runs = (
        [at for _, at in run] for is_such, run in groupby(found, key=lambda each: each[0] == "x") if is_such
    )
    return max((run[-1] - run[0] + 1 for run in runs), default=0)


def first_window(course: Course, symbols: str, count: int, window: int) -> First:
    """Return the first time that so many of some visits in a row have one of some results.

    It stands where the first of these results does.

    Args:
        course: the visits.
        symbols: of the results that are looked for.
        count: how many of them a window has to have.
        window: how many visits in a row a window has; as many as `count` for a run.

    Example:
        >>> first_window(Course("-+-+++o", range(1, 8)), "+", count=3, window=3)
        First(at=4, found=True)
        >>> first_window(Course("-+-+++o", range(1, 8)), "+", count=2, window=3)
        First(at=2, found=True)
        >>> first_window(Course("-----", range(1, 6)), "+", count=3, window=3)
        First(at=3, found=False)
    """
    marked = course.word.translate(marks(symbols))
    begins = marked.find("x" * count) if count == window else _sliding(marked, count, window)
    if begins >= 0:
        return First(course.at[begins], found=True)
    last = len(marked) - window
    return First(course.at[last] if last >= 0 else None, found=False)


def _sliding(marked: str, count: int, window: int) -> int:
    """Return the index of the first mark of the first window that has enough of them, -1 if none has."""
    places = [index for index, mark in enumerate(marked) if mark == "x"]
    ends = zip(places, places[count - 1 :], strict=False)
    return next((first for first, last in ends if last - first < window), -1)


def last_with(course: Course, symbols: str) -> int:
    """Return where the last visit with one of some results stands, 0 if there is none.

    Example:
        >>> last_with(Course("-+o", range(1, 4)), "-+*")
        2
    """
    index = max(map(course.word.rfind, symbols))
    return course.at[index] if index >= 0 else 0


class Weights(NamedTuple):
    """What each visit counts by its number and the symbol of its result, and the most that all can come to."""

    by_visit: Mapping[tuple[int, str], float]
    worst: float


def weights(worth: Worth, by_visit: Mapping[int, float], plain: Worth) -> Weights:
    """Return the weights of visits.

    Args:
        worth: what a result counts, times the weight of its visit.
        by_visit: the weight of each visit, by its number.
        plain: what a result counts at any of these visits, whatever their weight.
    """
    found = {
        (visit, symbol): each * weight for visit, weight in by_visit.items() for symbol, each in worth.items()
    }
    found |= {(visit, symbol): each for visit in by_visit for symbol, each in plain.items()}
    most = (max(each for (of, _), each in found.items() if of == visit) for visit in by_visit)
    return Weights(found, sum(most))


def score(course: Course, weighed: Weights) -> float:
    """Return what all visits count by their weights, as a share of the most that they could.

    Example:
        >>> score(Course("+o", (1, 2)), weights({"+": 1}, {1: 1, 2: 3}, {"o": 0.5}))
        0.375
    """
    found = zip(course.at, course.word, strict=True)
    return sum(weighed.by_visit.get(each, 0) for each in found) / weighed.worst

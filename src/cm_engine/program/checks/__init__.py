"""What must hold between the values of a program file: each rule is one function that yields problems.

A rule is written for one kind of part, and yields (place below that part, what is wrong). A rule that looks at
a value which is not well-formed stops silently: that value has its own problem already.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cm_engine.errors import Problem
from cm_engine.program.checks import (
    evidence,
    ladders,
    people,
    plan,
    prizes,
    rewards,
    sources,
    words,
    worked,
)
from cm_engine.program.checks.base import Found, Whole
from cm_engine.program.models import Program
from cm_engine.program.partial import IllFormed, IllFormedError
from cm_engine.program.parts import Part
from cm_engine.program.reading import Document, Path, dotted

Rule = Callable[[Any, Whole], Found]

RULES: dict[type[Part], list[Rule]] = defaultdict(list)
"""The rules for each kind of part."""

for _module in (plan, ladders, evidence, rewards, prizes, people, words, sources, worked):
    _rules: Mapping[Any, tuple[Rule, ...]] = _module.RULES
    for _kind, _each in _rules.items():
        RULES[_kind].extend(_each)


def check(program: Program, document: Document, *, is_partial: bool = False) -> Iterator[Problem]:
    """Yield every problem that the rules find in a program.

    Args:
        program: the program, or what can be known of it.
        document: where it was read from.
        is_partial: some values are ill-formed; a rule that looks at one of them stops.
    """
    whole = Whole(program, document, frozenset(map(dotted, document.values)))
    stops = (IllFormedError, TypeError) if is_partial else IllFormedError
    for path, part in _parts(program, ()):
        for rule in RULES.get(type(part), ()):
            try:
                for below, message in rule(part, whole):
                    yield document.problem(path + below, message)
            except stops:
                continue


def _parts(value: Any, path: Path) -> Iterator[tuple[Path, Part]]:
    """Yield each part with its path, outer before inner."""
    below: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, IllFormed):
        return
    if isinstance(value, Part):
        yield path, value
        below = value
    elif isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, tuple):
        below = enumerate(value)
    for key, inner in below:
        yield from _parts(inner, (*path, key))

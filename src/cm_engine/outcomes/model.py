"""A set of endpoints as its file says it: frozen models, each field with what it means."""

import re
from collections.abc import Collection
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from cm_engine.outcomes.results import RESULTS, symbols_of
from cm_engine.program.models import Source
from cm_engine.program.parts import Count, Name, Part, Text
from cm_engine.program.values import OF_KEY, SubPath, all_wrong, dashed, either, shown, wrong
from cm_engine.spelling import nearest

VISITS_MAX = 10_000

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?")
_FRACTION = re.compile(r"([0-9]{1,6})/([1-9][0-9]{0,5})")
_VISITS = re.compile(r"([1-9][0-9]{0,3})(-)?([1-9][0-9]{0,3})?")

Reading = Literal["negative", "positive", "mixed", "missing", "left out", "kept"]
MissingRule = Literal[
    "negative",
    "positive",
    "mixed",
    "left out",
    "kept",
    "last result",
    "last result until drop-out",
    "most common result",
    "nearest visits",
]
Counted = Literal["visits", "days"]
Taken = Literal["first", "last", "change", "lowest", "highest", "mean"]

Weighed = tuple[tuple[str, Fraction], ...]
"""What a visit counts, by the symbol of its result."""


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise wrong(
            f"expected a letter, then letters, digits, _ or -, such as longest_run, got {shown(text)}"
        )
    return text


def number(value: Any) -> Fraction:
    """Return a number, exactly, written with digits or as a fraction.

    Example:
        >>> number(0), number("2/3"), number("-0.5")
        (Fraction(0, 1), Fraction(2, 3), Fraction(-1, 2))
    """
    text = str(value)
    if not isinstance(value, bool) and (_NUMBER.fullmatch(text) or _FRACTION.fullmatch(text)):
        return Fraction(text)
    raise wrong(f"expected a number such as 4, 0.7 or 2/3, got {shown(value)}")


def results(value: Any) -> str:
    """Return the symbols of results that are named: one, or a list.

    Example:
        >>> results("negative"), results(["positive", "missing"])
        ('-', '+o')
    """
    names = value if isinstance(value, list) and value else [value]
    for index, name in enumerate(names):
        if not isinstance(name, str) or name not in RESULTS:
            place: SubPath = (index,) if isinstance(value, list) and value else ()
            raise all_wrong([(place, _no_result(name))])
    return symbols_of(names)


def worth(value: Any) -> Weighed:
    """Return what a visit counts by its result: results that count 1, or a number for each.

    Example:
        >>> worth({"negative": 1, "mixed": "1/2"})
        (('-', Fraction(1, 1)), ('*', Fraction(1, 2)))
    """
    if not isinstance(value, dict):
        return tuple((symbol, Fraction(1)) for symbol in results(value))
    if not value:
        raise wrong("expected results with what each counts, such as {negative: 1, mixed: 0.5}, got nothing")
    found: dict[str, Fraction] = {}
    problems: list[tuple[SubPath, str]] = []
    for name, each in value.items():
        at: SubPath = (name, OF_KEY)
        try:
            symbols = _symbols_to_weigh(name, found)
            at = (name,)
            found |= dict.fromkeys(symbols, number(each))
        except PydanticCustomError as error:
            problems.append((at, error.message()))
    if problems:
        raise all_wrong(problems)
    return tuple(found.items())


def _symbols_to_weigh(name: Any, known: Collection[str]) -> str:
    if name not in RESULTS:
        raise wrong(_no_result(name))
    if any(symbol in known for symbol in RESULTS[name]):
        raise wrong(f"{name} counts something by a key above already; say each result once")
    return RESULTS[name]


def _no_result(name: Any) -> str:
    return f"expected {either(RESULTS)}, got {shown(name)}{nearest(str(name), RESULTS)}"


class VisitRange(NamedTuple):
    """A run of visits, both ends included; one without an end goes on."""

    first: int
    last: int


def visit_range(value: Any) -> VisitRange:
    """Return visits written as one number, as first-last, or as first- without an end.

    Example:
        >>> visit_range("5-15"), visit_range(15), visit_range("4-")
        (VisitRange(first=5, last=15), VisitRange(first=15, last=15), VisitRange(first=4, last=10000))
    """
    found = None if isinstance(value, bool) else _VISITS.fullmatch(str(value))
    if found is None:
        raise wrong(f"expected visits such as 1-15, 15 or 4-, got {shown(value)}{dashed(value)}")
    first = int(found[1])
    last = int(found[3] or VISITS_MAX) if found[2] else first
    if first > last:
        raise wrong(f"expected the first visit before the last, got {first}-{last}")
    return VisitRange(first, last)


def weight_table(value: Any) -> tuple[tuple[int, Fraction], ...]:
    """Return the weight of each visit, from weights of runs of visits.

    Example:
        >>> weight_table({"1-2": 1, "3": 2})
        ((1, Fraction(1, 1)), (2, Fraction(1, 1)), (3, Fraction(2, 1)))
    """
    if not isinstance(value, dict) or not value:
        raise wrong(f"expected visits with their weights, such as {{1-3: 1, 4-6: 2}}, got {shown(value)}")
    found: dict[int, Fraction] = {}
    problems: list[tuple[SubPath, str]] = []
    for key, each in value.items():
        at: SubPath = (key, OF_KEY)
        try:
            visits = _visits_to_weigh(key, found)
            at = (key,)
            found |= dict.fromkeys(visits, number(each))
        except PydanticCustomError as error:
            problems.append((at, error.message()))
    if problems:
        raise all_wrong(problems)
    return tuple(sorted(found.items()))


def _visits_to_weigh(key: Any, known: Collection[int]) -> range:
    first, last = visit_range(key)
    if last == VISITS_MAX:
        raise wrong("expected the last visit too, such as 13-15: all that can be reached is counted by them")
    visits = range(first, last + 1)
    if any(visit in known for visit in visits):
        raise wrong("some of these visits have a weight already; say each once")
    return visits


def _whole(value: Any) -> Fraction | Literal["visits"]:
    return "visits" if value == "visits" else number(value)


EndpointId = Annotated[str, AfterValidator(_id)]
Number = Annotated[Fraction, PlainValidator(number)]
Whole = Annotated[Fraction | Literal["visits"], PlainValidator(_whole)]
Results = Annotated[str, PlainValidator(results)]
Worth = Annotated[Weighed, PlainValidator(worth)]
VisitNumbers = Annotated[VisitRange, PlainValidator(visit_range)]
WeightTable = Annotated[tuple[tuple[int, Fraction], ...], PlainValidator(weight_table)]


def _missing_rules(value: Any) -> tuple[MissingRule, ...]:
    rules = value if isinstance(value, list) and value else [value]
    for index, rule in enumerate(rules):
        if rule not in get_args(MissingRule):
            place: SubPath = (index,) if isinstance(value, list) and value else ()
            hint = nearest(str(rule), get_args(MissingRule))
            raise all_wrong([(place, f"expected {either(get_args(MissingRule))}, got {shown(rule)}{hint}")])
    return tuple(rules)


MissingRules = Annotated[tuple[MissingRule, ...], PlainValidator(_missing_rules)]


class Step(Part):
    """One thing that is done to the visits before they are measured: one of keep, until and planned."""

    keep: Annotated[VisitNumbers | None, Field(description="only these of the visits that are left")] = None
    until: Annotated[Results | None, Field(description="up to the last visit with such a result")] = None
    planned: Annotated[
        tuple[VisitNumbers, ...], Field(min_length=1, description="the visits of a plan that has fewer")
    ] = ()
    others: Annotated[
        Literal["previous", "not required"],
        Field(description="of planned: a visit outside it takes the result just before, or is not counted"),
    ] = "not required"


class Sought(Part):
    """What is looked for, and when it first comes: results of visits, or something that was reported."""

    of: Annotated[Results | None, Field(description="results of visits")] = None
    event: Annotated[Text | None, Field(description="or what was reported, such as job started")] = None
    count: Annotated[Count, Field(description="how many such visits it takes")] = 1
    window: Annotated[
        Count | None, Field(description="among how many visits in a row; if left out, they are a run")
    ] = None


def _sought(value: Any) -> Any:
    return value if isinstance(value, dict) else {"of": value}


class Score(Part):
    """What results count at visits that weigh differently, as a share of the most that they could."""

    worth: Annotated[Worth, Field(description="what a result counts, times the weight of its visit")]
    weights: Annotated[WeightTable, Field(description="the weight of each visit; others count nothing")]
    unweighted: Annotated[Worth, Field(description="what a result counts at any of these visits")] = ()


class Measured(Part):
    """Something that was measured again and again, such as a questionnaire."""

    of: Annotated[Text, Field(description="what was reported with it, such as phq-9, or a target")]
    take: Annotated[Taken, Field(description="which of the values, or their change from first to last")]


class Condition(Part):
    """One thing that is measured, or found to be so: the visits, what is measured of them, and its bounds."""

    target: Annotated[
        Name | None, Field(description="whose visits; if left out, those of the only target")
    ] = None
    steps: Annotated[tuple[Step, ...], Field(description="what is done to the visits first, in order")] = ()
    count: Annotated[Worth | None, Field(description="how many visits have such a result")] = None
    share: Annotated[Worth | None, Field(description="how many of all visits that are left")] = None
    run: Annotated[Results | None, Field(description="the longest run of such results")] = None
    time_to: Annotated[
        Sought | None,
        BeforeValidator(_sought),
        Field(description="when it first comes; if it never does, when it last could have begun"),
    ] = None
    last: Annotated[Results | None, Field(description="the last visit with such a result, 0 without one")] = (
        None
    )
    score: Annotated[Score | None, Field(description="a score by weights of visits")] = None
    reported: Annotated[
        Text | None, Field(description="how often this was reported, such as job started")
    ] = None
    value: Annotated[Measured | None, Field(description="what was measured")] = None
    unit: Annotated[
        Counted, Field(description="of run, time_to and last: visits, or days since the start")
    ] = "visits"
    of_nothing: Annotated[
        Number | None, Field(description="what share is without any visits; if left out, it has no value")
    ] = None
    times: Annotated[Number, Field(description="the measure is multiplied by it")] = Fraction(1)
    subtract_from: Annotated[
        Whole | None,
        Field(description="and taken off this, or off the number of visits that are left"),
    ] = None
    at_least: Annotated[Number | None, Field(description="TRUE if it is so much or more")] = None
    at_most: Annotated[Number | None, Field(description="TRUE if it is so much or less")] = None


class Endpoint(Condition):
    """One endpoint: what it says, whose it is, how results are read, and what is measured."""

    says: Annotated[Text, Field(description="what it tells, in a line")]
    source: Annotated[Name, Field(description="the name of a source listed under `sources`")]
    note: Annotated[Text | None, Field(description="what to know about it")] = None
    missing: Annotated[
        MissingRules,
        Field(description="how a missing visit is read; of several rules, each has what the one before left"),
    ] = ()
    mixed: Annotated[Reading | None, Field(description="how a mixed result is read; if left out, kept")] = (
        None
    )
    refused: Annotated[
        Reading | None, Field(description="how a refused test is read; if left out, missing")
    ] = None
    excused: Annotated[
        Reading | None, Field(description="how an excused visit is read; if left out, missing")
    ] = None
    provided: Annotated[
        Condition | None,
        Field(description="what has to be so of the visits, before any steps, for the measure to count"),
    ] = None
    otherwise: Annotated[Number, Field(description="the value if it is not so")] = Fraction(0)
    all: Annotated[tuple[Condition, ...], Field(description="TRUE if each of these is")] = ()
    event_of: Annotated[
        EndpointId | None, Field(description="1 if what this other endpoint has the time to came, else 0")
    ] = None


class Defaults(Part):
    """What holds for each endpoint of a set that does not say it itself."""

    mixed: Annotated[Reading | None, Field(description="how a mixed result is read")] = None
    refused: Annotated[Reading | None, Field(description="how a refused test is read")] = None
    excused: Annotated[Reading | None, Field(description="how an excused visit is read")] = None
    of_nothing: Annotated[Number | None, Field(description="what a share is without any visits")] = None


class EndpointSet(Part):
    """A whole file of endpoints."""

    set: Annotated[Name, Field(description="the id: small letters, digits and hyphens")]
    title: Annotated[Text, Field(description="the name people use")]
    summary: Annotated[Text | None, Field(description="what it is for, in a few sentences")] = None
    readings: Annotated[tuple[Text, ...], Field(description="how it reads what its sources leave open")] = ()
    sources: Annotated[dict[Name, Source], Field(description="texts, each under a short name")]
    defaults: Annotated[Defaults, Field(description="what holds where an endpoint says nothing")] = Defaults()
    endpoints: Annotated[
        dict[EndpointId, Endpoint], Field(min_length=1, description="each under the name of its column")
    ]

    def of(self, name: str) -> Endpoint:
        """Return an endpoint, with what the set says for all."""
        endpoint = self.endpoints[name]
        said = {name: getattr(self.defaults, name) for name in Defaults.model_fields}
        return endpoint.model_copy(
            update={name: value for name, value in said.items() if getattr(endpoint, name) is None}
        )

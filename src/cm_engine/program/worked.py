"""Worked cases: what a designer expects of a program, as words of results or as single observations."""

from typing import Annotated, Literal

from pydantic import Field

from cm_engine.program.evidence import Condition
from cm_engine.program.parts import Mark, Name, Part, Switch, Text
from cm_engine.program.values import Amount, Day, SignedAmount, Symbol, Word


class Seen(Part):
    """One observation of a case: a result, what it is read from, or an event."""

    target: Annotated[Name | None, Field(description="which target; if left out, the only one")] = None
    result: Annotated[
        Symbol | None,
        Field(description="one symbol of a word of results; left out where it is read from evidence"),
    ] = None
    value: Annotated[Amount | None, Field(description="the measured value")] = None
    panel: Annotated[
        dict[Text, Literal["-", "+"]], Field(min_length=1, description="the result of each analyte: - or +")
    ] = {}
    prescribed: Annotated[
        tuple[Text, ...], Field(description="the analytes that a prescription explains")
    ] = ()
    presumptive: Annotated[Switch, Field(description="not confirmed yet")] = False
    conditions: Annotated[
        tuple[Condition, ...], Field(description="flaws of the specimen, or of its time")
    ] = ()
    excuse: Annotated[Text | None, Field(description="the reason for an excused absence")] = None
    choice: Annotated[Name | None, Field(description="the reward chosen")] = None
    group: Annotated[
        int | None,
        Field(strict=True, ge=0, le=1000, description="how many members of the group met the target"),
    ] = None
    event: Annotated[
        Text | None, Field(description="instead of a result: something reported from outside")
    ] = None
    on: Annotated[Day | None, Field(description="the day it counts for; if left out, as planned")] = None


class Case(Part):
    """A worked example that the program must reproduce, to the cent."""

    name: Annotated[Text, Field(description="what the case shows")]
    results: Annotated[
        Word | None,
        Field(
            min_length=1,
            examples=["--+-"],
            description="a use-pattern word, one symbol a visit: - + o e * r _",
        ),
    ] = None
    timelines: Annotated[
        dict[Name, Annotated[Word, Field(min_length=1)]],
        Field(
            min_length=1,
            description="of several targets: a word for each, decided in the order of their days",
        ),
    ] = {}
    observations: Annotated[
        tuple[Seen, ...], Field(min_length=1, description="instead of words: one observation after another")
    ] = ()
    before: Annotated[
        dict[Name, Annotated[tuple[Amount, ...], Field(min_length=1)]],
        Field(
            min_length=1, description="values measured before the plan, by target; the first is the baseline"
        ),
    ] = {}
    start: Annotated[Day | None, Field(description="the start date, where amounts depend on dates")] = None
    truncate: Annotated[Switch, Field(description="drop results beyond the plan")] = False
    reads: Annotated[
        Word | None,
        Field(description="the outcome that each observation is read as, one symbol each; _ for an event"),
    ] = None
    awards: Annotated[
        tuple[SignedAmount, ...] | None,
        Field(description="what each visit pays, in the unit of its phase; only a deposit is less than 0"),
    ] = None
    total: Annotated[
        SignedAmount | None, Field(examples=["27.50"], description="the sum, if the program has one unit")
    ] = None
    totals: Annotated[dict[str, SignedAmount] | None, Field(min_length=1, description="the sums by unit")] = (
        None
    )
    mark: Annotated[Mark | None, Field(description="how well the expected figures are known")] = None
    sources: Annotated[
        tuple[Name, ...], Field(description="the names of sources listed under `sources`")
    ] = ()

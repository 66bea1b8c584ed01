"""The clinic's mapping file: which codes of a sender mean what to which program, and who its people are here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from cm_engine.arrivals import Code
from cm_engine.program.evidence import Condition
from cm_engine.program.parts import Name, Part, Switch, Text
from cm_engine.program.values import OUTCOMES, shown, wrong
from cm_engine.spelling import nearest

SAME = "same"
"""What a mapping says whose sender calls people by the ids they have here."""

SYMBOLS = {name: symbol for symbol, name in OUTCOMES.items()}


def _result(value: Any) -> str:  # noqa: ANN401 - a file may say anything
    """Return the symbol that a file writes, or names."""
    if isinstance(value, str) and (found := SYMBOLS.get(value, value)) in OUTCOMES:
        return found
    expected = ", ".join(f"{symbol} {name}" for symbol, name in OUTCOMES.items())
    hint = nearest(value, SYMBOLS) if isinstance(value, str) else ""
    raise wrong(f"expected a symbol or its name, of {expected}, got {shown(value)}{hint}")


Result = Annotated[
    str,
    PlainValidator(_result),
    WithJsonSchema({"type": "string", "enum": [*OUTCOMES, *SYMBOLS]}),
]


class CodeRule(Part):
    """What one code means; with neither of its last five keys, its value is the result itself."""

    system: Annotated[
        Text, Field(description="of the code, as the sender writes it: http://loinc.org, or LN")
    ]
    code: Annotated[Text, Field(description="the code")]
    program: Annotated[Text | None, Field(description="if it is not that of the file")] = None
    target: Annotated[Text | None, Field(description="may be left out for the only one")] = None
    event: Annotated[Text | None, Field(description="instead: it is reported where the value is met")] = None
    values: Annotated[
        dict[Text, Result],
        Field(description="what the sender's values are read as, before those of the file"),
    ] = {}  # noqa: RUF012 - pydantic copies its defaults
    presumptive: Annotated[Switch, Field(description="it is not confirmed yet")] = False
    analyte: Annotated[Text | None, Field(description="the value is that of one analyte of a panel")] = None
    measured: Annotated[
        Text | None, Field(description="the value is measured, in this unit; another one is not converted")
    ] = None
    prescribed: Annotated[
        Text | None, Field(description="where the value is positive, this analyte is prescribed")
    ] = None
    condition: Annotated[
        Condition | None, Field(description="where the value is positive, the specimen has this flaw")
    ] = None

    @property
    def means(self) -> str:
        """Return which part of what is reported it gives."""
        kinds = ("event", "analyte", "measured", "prescribed", "condition")
        return next((kind for kind in kinds if getattr(self, kind)), "result")


class Coding(Part):
    """A code that is of no matter here: what comes with it is passed over."""

    system: Annotated[Text, Field(description="as the sender writes it")]
    code: Annotated[Text, Field(description="the code")]


class Panel(Part):
    """The analytes without which a panel is not decided."""

    program: Annotated[Text | None, Field(description="if it is not that of the file")] = None
    target: Annotated[Text | None, Field(description="may be left out for the only one")] = None
    analytes: Annotated[tuple[Text, ...], Field(min_length=1, description="all that a report has to have")]


class MappingFile(Part):
    """A whole mapping file."""

    mapping: Annotated[Name, Field(description="the id: small letters, digits and hyphens")]
    source: Annotated[Text, Field(description="who the sender is in the log; the same for ever")]
    program: Annotated[Text | None, Field(description="the id of the program that codes are for")] = None
    zone: Annotated[Text | None, Field(description="of times without an offset, which else are not used")] = (
        None
    )
    participants: Annotated[
        Text,
        Field(description=f"{SAME}, or the CSV file beside this one with the columns person and participant"),
    ]
    identified_by: Annotated[
        Text | None, Field(description="the only system of ids by which people are looked for")
    ] = None
    values: Annotated[
        dict[Text, Result], Field(description="what the sender's values are read as, for all codes")
    ] = {}  # noqa: RUF012 - pydantic copies its defaults
    codes: Annotated[tuple[CodeRule, ...], Field(min_length=1, description="each code with what it means")]
    panels: Annotated[tuple[Panel, ...], Field(description="what a panel has to have to be decided")] = ()
    ignore: Annotated[tuple[Coding, ...], Field(description="codes that are of no matter here")] = ()

    def program_of(self, part: CodeRule | Panel) -> str:
        """Return the program that a part of the file is for."""
        return part.program or self.program or ""


@dataclass(frozen=True)
class CodeMapping:
    """A mapping that was looked at: get one from `load_mapping` or `parse_mapping`.

    Attributes:
        file: what it says.
        people: the participant of each id of the sender, written as system|id or as the id alone; None where the
            sender's ids are the participants.
    """

    file: MappingFile
    people: Mapping[str, str] | None

    @cached_property
    def rules(self) -> Mapping[Code, CodeRule]:
        """Return what each code means."""
        return {Code(rule.system, rule.code): rule for rule in self.file.codes}

    @cached_property
    def ignored(self) -> frozenset[Code]:
        """Return the codes that are of no matter."""
        return frozenset(Code(each.system, each.code) for each in self.file.ignore)

    def participants(self, who: tuple[Code, ...]) -> set[str]:
        """Return who somebody is here: one participant, or none, or more than can be."""
        system = self.file.identified_by
        return {found for code in who if not system or code.system == system for found in self._known(code)}

    def _known(self, code: Code) -> Iterator[str]:
        if self.people is None:
            yield code.code
        elif found := self.people.get(str(code)) or self.people.get(code.code):
            yield found

"""JSON Schema of program files, for completion and checking in an editor."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from cm_engine.program.evidence import BOUNDS, CRITERIA
from cm_engine.program.ladders import REWARDS
from cm_engine.program.models import Program
from cm_engine.program.rewards import CONDITIONS_OF_MILESTONES
from cm_engine.program.words import TURNS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _one_of(*keys: str) -> dict[str, Any]:
    return {"oneOf": [{"required": [key]} for key in keys]}


_WINDOW = {
    "allOf": [
        {
            "if": {"properties": {"per": {"const": per}}},
            "then": {"required": [key]},
            "else": {"not": {"required": [key]}},
        }
        for per, key in (("grant year", "begins"), ("rolling days", "days"))
    ]
}
_NEEDS = {"dependentRequired": {"recover": ["reset", "escalate"], "hold": ["reset"]}}
_EXPECTS = {"anyOf": [{"required": [key]} for key in ("awards", "total", "totals", "reads")]}
_STATED = {
    "if": {"properties": {"mark": {"const": "stated"}}},
    "then": {"required": ["sources"], "properties": {"sources": {"minItems": 1}}},
}

RULES_OF_PARTS: dict[str, dict[str, Any]] = {
    "VisitBlock": _one_of("per_week", "days", "program_days"),
    "Phase": {**_one_of(*REWARDS), **_NEEDS},
    "Threshold": _one_of(*BOUNDS),
    "Criterion": {**_one_of(*CRITERIA), "not": {"required": ["threshold", "always"]}},
    "Percentile": _one_of("rank", "w"),
    "Bowl": _one_of("slips", "odds"),
    "When": {
        "oneOf": [
            *_one_of(*(key for key in CONDITIONS_OF_MILESTONES if key not in {"count", "event"}))["oneOf"],
            {"anyOf": [{"required": ["count"]}, {"required": ["event"]}]},
        ],
        "dependentRequired": {"criterion": ["event"]},
    },
    "Turn": _one_of(*TURNS),
    "Limit": {**_WINDOW, "not": {"required": ["payer", "fund"]}},
    "Case": {**_EXPECTS, **_one_of("results", "timelines", "observations")},
    "Evidence": _STATED,
}


class _WithoutNull(GenerateJsonSchema):
    """Leave out null: in a program file a key has a value or is not there."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of program files.

    It refuses what the loader refuses about a value by itself. It cannot compare two values (a ceiling with its
    start, weeks with weeks, a name with a list), and it cannot count decimals without taking amounts for floats:
    these are left to `cm-engine check`.

    Example:
        >>> json_schema()["required"]
        ['program', 'version']
    """
    schema = Program.model_json_schema(schema_generator=_WithoutNull)
    for name, rules in RULES_OF_PARTS.items():
        schema["$defs"][name].update(rules)
    for name in ("targets", "sources", "milestones"):
        schema["properties"][name]["additionalProperties"] = False
    for name, field in (("VisitBlock", "days"), ("Reset", "on"), ("Hold", "on")):
        schema["$defs"][name]["properties"][field]["uniqueItems"] = True
    return {"$schema": DIALECT, **schema, **_extending(schema)}


def _extending(schema: dict[str, Any]) -> dict[str, Any]:
    """Return how the schema knows a program that extends another, and so need not have every key."""
    own = {
        "extends": {"type": "string", "description": "the program to build on: an id, or the path of a file"},
        "overrides": {"type": "object", "description": "new values for single values of it, by their path"},
    }
    return {
        "properties": {**schema["properties"], **own},
        "required": ["program", "version"],
        "dependentRequired": {"overrides": ["extends"]},
        "if": {"required": ["extends"]},
        "else": {"required": schema["required"]},
    }

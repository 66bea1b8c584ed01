"""cm-engine: from an observed behavior to an exact, explained reward, by a program that anyone can read."""

from cm_engine import catalogue
from cm_engine.errors import (
    AmbiguousNameError,
    CmEngineError,
    MissingDependencyError,
    PlanExceededError,
    Problem,
    ProgramError,
    ProgramNotFoundError,
    ResultsError,
    UndatedError,
)
from cm_engine.program import Program, canonical, digest, json_schema, load_program, parse_program
from cm_engine.rules import (
    Award,
    Decision,
    Observation,
    Rules,
    State,
    Timeline,
    compile_rules,
    decide,
    forecast,
    initial_state,
    step,
)

__all__ = [
    "AmbiguousNameError",
    "Award",
    "CmEngineError",
    "Decision",
    "MissingDependencyError",
    "Observation",
    "PlanExceededError",
    "Problem",
    "Program",
    "ProgramError",
    "ProgramNotFoundError",
    "ResultsError",
    "Rules",
    "State",
    "Timeline",
    "UndatedError",
    "canonical",
    "catalogue",
    "compile_rules",
    "decide",
    "digest",
    "forecast",
    "initial_state",
    "json_schema",
    "load_program",
    "parse_program",
    "step",
]

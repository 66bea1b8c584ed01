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
    ResultsFileError,
    StateError,
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
    dump_state,
    forecast,
    initial_state,
    load_state,
    step,
)

__version__ = "0.1.0"

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
    "ResultsFileError",
    "Rules",
    "State",
    "StateError",
    "Timeline",
    "UndatedError",
    "canonical",
    "catalogue",
    "compile_rules",
    "decide",
    "digest",
    "dump_state",
    "forecast",
    "initial_state",
    "json_schema",
    "load_program",
    "load_state",
    "parse_program",
    "step",
]

"""What a program costs and how it can be gamed, known before anyone enrols: `step` explored, and arithmetic on it.

The way in: `explored` (every state), `exact` and `extremes` (figures), `proofs` (what holds, and what does not), `cohorts`
(many participants), `tables` (for other languages, and two programs side by side), `summary` (all of it).
"""

from cm_engine.errors import MissingDependencyError

try:
    import numpy  # noqa: F401, ICN001 - only to see whether it is there
except ModuleNotFoundError as error:
    raise MissingDependencyError("numpy", "analysis") from error

from cm_engine.analysis.behavior import Behavior, dropping_out, estimated, markov, visitwise
from cm_engine.analysis.cohorts.budget import Budget, budget
from cm_engine.analysis.cohorts.simulate import Sample, Simulation, simulate
from cm_engine.analysis.cohorts.whatif import Course, WhatIf, what_if
from cm_engine.analysis.distributions import Distribution, Moments
from cm_engine.analysis.exact import distribution, moments, reached
from cm_engine.analysis.explored import Explored, explore
from cm_engine.analysis.extremes import maximum, minimum
from cm_engine.analysis.proofs.finding import Citation, CounterExample, Finding
from cm_engine.analysis.proofs.findings import findings, load_silences
from cm_engine.analysis.sequences import Extreme, Seen
from cm_engine.analysis.summary import Analysis, analyze
from cm_engine.analysis.tables.table import table_of, table_schema
from cm_engine.analysis.tables.versus import Versus, compare

__all__ = [
    "Analysis",
    "Behavior",
    "Budget",
    "Citation",
    "CounterExample",
    "Course",
    "Distribution",
    "Explored",
    "Extreme",
    "Finding",
    "Moments",
    "Sample",
    "Seen",
    "Simulation",
    "Versus",
    "WhatIf",
    "analyze",
    "budget",
    "compare",
    "distribution",
    "dropping_out",
    "estimated",
    "explore",
    "findings",
    "load_silences",
    "markov",
    "maximum",
    "minimum",
    "moments",
    "reached",
    "simulate",
    "table_of",
    "table_schema",
    "visitwise",
    "what_if",
]

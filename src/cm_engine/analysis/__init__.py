"""What a program costs and how it can be gamed, known before anyone enrols: `step` explored, and arithmetic on it."""

from cm_engine.errors import MissingDependencyError

try:
    import numpy  # noqa: F401, ICN001 - only to see whether it is there
except ModuleNotFoundError as error:
    raise MissingDependencyError("numpy", "analysis") from error

from cm_engine.analysis.behavior import Behavior, dropping_out, estimated, markov, visitwise
from cm_engine.analysis.distributions import Distribution, Moments
from cm_engine.analysis.exact import distribution, moments, reached
from cm_engine.analysis.explored import Explored, explore
from cm_engine.analysis.extremes import Extreme, Seen, maximum, minimum
from cm_engine.analysis.summary import Analysis, analyze

__all__ = [
    "Analysis",
    "Behavior",
    "Distribution",
    "Explored",
    "Extreme",
    "Moments",
    "Seen",
    "analyze",
    "distribution",
    "dropping_out",
    "estimated",
    "explore",
    "markov",
    "maximum",
    "minimum",
    "moments",
    "reached",
    "visitwise",
]

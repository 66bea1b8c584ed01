"""What a program costs and how it can be gamed, known before anyone enrols: `step` explored, and arithmetic on what is found."""

from cm_engine.analysis.behavior import Behavior, dropping_out, estimated, markov, visitwise
from cm_engine.analysis.exact import Distribution, Moments, distribution, moments, reached
from cm_engine.analysis.explored import Explored, explore

__all__ = [
    "Behavior",
    "Distribution",
    "Explored",
    "Moments",
    "distribution",
    "dropping_out",
    "estimated",
    "explore",
    "markov",
    "moments",
    "reached",
    "visitwise",
]

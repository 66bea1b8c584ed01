"""Clinical endpoints over use-pattern words and timelines: short definitions, and the functions that they name."""

from cm_engine.outcomes.compiled import Compiled, Value
from cm_engine.outcomes.model import Condition, Endpoint, EndpointSet
from cm_engine.outcomes.timeline import Timeline, Visits, timeline_of

__all__ = [
    "Compiled",
    "Condition",
    "Endpoint",
    "EndpointSet",
    "Timeline",
    "Value",
    "Visits",
    "timeline_of",
]

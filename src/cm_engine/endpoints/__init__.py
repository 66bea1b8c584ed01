"""Endpoints from their files, participants from files and databases, and what a cohort comes to."""

from cm_engine.endpoints.cohort import Person, enrolled_people
from cm_engine.endpoints.loading import endpoints, load_endpoints, parse_endpoints, set_names
from cm_engine.endpoints.proportions import Difference, difference
from cm_engine.endpoints.survival import Curve, LogRank, Moment, Times, log_rank, survival
from cm_engine.endpoints.words import read_words

__all__ = [
    "Curve",
    "Difference",
    "LogRank",
    "Moment",
    "Person",
    "Times",
    "difference",
    "endpoints",
    "enrolled_people",
    "load_endpoints",
    "log_rank",
    "parse_endpoints",
    "read_words",
    "set_names",
    "survival",
]

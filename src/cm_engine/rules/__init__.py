"""The meaning of a program: `step`, and what it is made of. Pure: no clock, disk, network or chance."""

from cm_engine.rules import prizes, reasons
from cm_engine.rules.compiled import Rules, compile_rules
from cm_engine.rules.days import initial_state
from cm_engine.rules.promises import forecast
from cm_engine.rules.shared import Pool, pools, with_pools
from cm_engine.rules.state import Award, Decision, Evidence, Observation, State
from cm_engine.rules.step import step
from cm_engine.rules.stored import dump_state, load_state
from cm_engine.rules.timeline import Timeline, decide, of_specimen

RULES_VERSION = 8
"""Raised by a release that decides anything differently; each decision in a log carries the one it was made with."""

__all__ = [
    "RULES_VERSION",
    "Award",
    "Decision",
    "Evidence",
    "Observation",
    "Pool",
    "Rules",
    "State",
    "Timeline",
    "compile_rules",
    "decide",
    "dump_state",
    "forecast",
    "initial_state",
    "load_state",
    "of_specimen",
    "pools",
    "prizes",
    "reasons",
    "step",
    "with_pools",
]

"""Limits that span enrollments: what their windows have received travels from one state to the next.

A limit with a payer counts what a participant receives in all programs of that payer, and one with a fund what all
participants receive from it. The host keeps what such windows have received, under a lock; hands it to a state before
the decision; and takes it back after it. Whether a window has stopped stays with each enrollment.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cm_engine.rules.compiled import Rules
from cm_engine.rules.limits import LimitRules
from cm_engine.rules.state import State


class Pool(NamedTuple):
    """What shared windows are of: limits of several programs with the same pool count together.

    Attributes:
        scope: payer (then also the participant makes the pool) or fund.
        name: of the payer or of the fund.
        per: the kind of window, with the day a grant year begins on or the number of rolling days.
    """

    scope: str
    name: str
    unit: str
    per: str


Windows = tuple[tuple[int, int], ...]
"""The number of each window, and what it has received in minor units."""


def pools(rules: Rules, state: State) -> dict[Pool, Windows]:
    """Return what the shared windows of a state have received, for the host to keep.

    Example:
        >>> from cm_engine import catalogue, compile_rules, initial_state
        >>> rules = compile_rules(catalogue.program("california-recovery-incentives"))
        >>> pools(rules, initial_state(rules))
        {}
    """
    pairs = zip(rules.limits, state.received, strict=True)
    return {pool_of(limit): received.windows for limit, received in pairs if limit.scope}


def shared_pools(rules: Rules) -> tuple[Pool, ...]:
    """Return the pools that the limits of a program count in."""
    return tuple(dict.fromkeys(pool_of(limit) for limit in rules.limits if limit.scope))


def with_pools(rules: Rules, state: State, received: Mapping[Pool, Windows]) -> State:
    """Return a state with what its shared windows have received elsewhere; those not given stay as they are."""
    pairs = zip(rules.limits, state.received, strict=True)
    return state._replace(
        received=tuple(
            own._replace(windows=tuple(received.get(pool_of(limit), own.windows))) if limit.scope else own
            for limit, own in pairs
        )
    )


def pool_of(limit: LimitRules) -> Pool:
    """Return the pool that a limit with a payer or a fund counts in."""
    scope, name = limit.scope
    detail = f" from {limit.begins[0]:02}-{limit.begins[1]:02}" if limit.per == "grant year" else ""
    return Pool(scope, name, limit.unit.name, f"{limit.name}{detail}")

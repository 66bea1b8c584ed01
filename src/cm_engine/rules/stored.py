"""A state as text, for a host to keep between visits."""

import json
from datetime import date
from typing import Any

from cm_engine.errors import StateError
from cm_engine.rules.compiled import Rules
from cm_engine.rules.state import Ladder, Received, State

LAYOUT = 1


def dump_state(state: State) -> str:
    """Return a state as one line of JSON.

    Example:
        >>> from cm_engine import Observation, catalogue, compile_rules, initial_state, step
        >>> rules = compile_rules(catalogue.program("va-prize"))
        >>> state, _ = step(rules, initial_state(rules), Observation("-"))
        >>> load_state(rules, dump_state(state)) == state
        True
    """
    days = [day.isoformat() if day else None for day in (state.start, state.last)]
    return json.dumps([LAYOUT, state.program, state.visits, state.ladder, state.received, *days])


def load_state(rules: Rules, text: str) -> State:
    """Return the state that `dump_state` wrote.

    Raises:
        StateError: the state belongs to another program, or to another layout of states. Decide the results
            again from the first one: the state is only what they lead to.
    """
    layout, program, visits, ladder, received, *days = json.loads(text)
    if layout != LAYOUT or program != rules.digest:
        raise StateError(program if layout == LAYOUT else f"layout {layout}", rules.digest)
    start, last = (date.fromisoformat(day) if day else None for day in days)
    return State(visits, Ladder(*ladder), tuple(map(_received, received)), start, last, program)


def _received(window: list[Any]) -> Received:
    number, amount, recent, stopped = window
    return Received(number, amount, tuple((day, part) for day, part in recent), stopped)
